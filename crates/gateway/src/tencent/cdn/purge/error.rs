//! Every way in which an action on purges refuses.

use serde_json::{Map, Value};
use stoker_domain::purge::Scope;
use stoker_engine::{Error as EngineError, PurgeError};

use crate::tencent::{
    cdn::query,
    common::{Refusal, refusal::from_refusals},
    params,
};

/// The fields of a reply.
pub(crate) type Reply = Result<Map<String, Value>, Error>;

/// Why an action was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A parameter has a wrong value.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The list selects nothing, or contradicts itself.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// The engine refused it.
    #[error("{error}")]
    Purge {
        /// Which of the two actions.
        scope: Scope,
        /// Why.
        error: PurgeError,
    },
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] EngineError),
}

from_refusals!(Error: params::Error);

//! Every way in which an action on prefetches refuses.

use serde_json::{Map, Value};
use stoker_engine::{Error as EngineError, SubmitError};

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
    /// The engine refused the task.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] EngineError),
}

from_refusals!(Error: params::Error);

//! Every way in which an action on a domain refuses.

use serde_json::{Map, Value};
use stoker_engine::{DomainError, OwnershipError};

use super::rule::Rule;
use crate::{
    request_fields,
    tencent::{
        common::{Refusal, refusal::from_refusals},
        params::{self, shape},
    },
};

/// The fields of a reply.
pub(crate) type Reply = Result<Map<String, Value>, Error>;

/// Why an action was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A parameter has a wrong value.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A setting or filter breaks a rule.
    #[error("parameter {0}")]
    Rule(#[from] Rule),
    /// Started though online, or stopped though offline.
    #[error("domain `{0}` is in that state already")]
    Status(String),
    /// Deleted though online.
    #[error("domain `{0}` must be stopped before it is deleted")]
    NotOffline(String),
    /// The engine refused.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// It is not proved that a domain is the account's own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
}

from_refusals!(Error: params::Error, request_fields::Error);

impl From<shape::Error> for Error {
    fn from(error: shape::Error) -> Self {
        match error {
            shape::Error::Type(path) => params::Error::Type(path).into(),
            shape::Error::Word { path, error, .. } => Rule::WordAt { path, error }.into(),
        }
    }
}

//! What the actions on prefetches and on purges refuse alike, and what is answered then.

use serde_json::{Map, Value};
use stoker_engine::{Error as EngineError, with_causes};

use super::query;
use crate::tencent::{
    common::{Refusal, Refused},
    message::{self, Message},
    params,
};

/// The fields of a reply.
pub(crate) type Reply<R> = Result<Map<String, Value>, Error<R>>;

/// Why an action was refused; `R` is what the engine refuses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<R: EngineRefusal> {
    /// A parameter has a wrong value.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The list selects nothing, or contradicts itself.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// The engine refused it.
    #[error(transparent)]
    Engine(R),
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] EngineError),
}

/// What only one subject refuses, and the codes that only it has.
pub(crate) trait EngineRefusal: std::error::Error + 'static {
    /// The code for a date that is none, and for a range that ends before it begins.
    const DATE_CODE: &'static str;
    /// The code for a keyword that is neither a domain nor a URL.
    const KEYWORD_CODE: &'static str;

    /// The vendor's code.
    fn code(&self) -> &'static str;

    /// What the caller reads.
    fn message(&self) -> Message;

    /// What the log reads: no URL.
    fn for_log(&self) -> String;
}

impl<R: EngineRefusal> From<params::Error> for Error<R> {
    fn from(error: params::Error) -> Self {
        Refusal::from(error).into()
    }
}

impl<R: EngineRefusal> Refused for Error<R> {
    fn code(&self) -> &'static str {
        match self {
            Self::Refusal(Refusal::Date { .. }) | Self::Query(query::Error::DateOrder) => {
                R::DATE_CODE
            }
            Self::Query(query::Error::Keyword) => R::KEYWORD_CODE,
            Self::Refusal(error) => error.code("InvalidParameter.CdnParamError"),
            Self::Query(query::Error::NoSelection) => "InvalidParameter.CdnParamError",
            Self::Engine(error) => error.code(),
            Self::Ledger(_) => "InternalError.CdnDbError",
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::Refusal(error) => error.message(),
            Self::Query(error) => error.message(),
            Self::Engine(error) => error.message(),
            Self::Ledger(_) => message::try_again(),
        }
    }

    fn for_log(&self) -> String {
        match self {
            Self::Refusal(error) => error.for_log().into(),
            Self::Query(error) => error.for_log().into(),
            Self::Engine(error) => error.for_log(),
            Self::Ledger(_) => with_causes(self),
        }
    }
}

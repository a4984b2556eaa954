//! What a caller of the engine can act upon when the ledger fails.
//!
//! What the ledger refuses by a rule (a quota, a name that is taken) becomes an error of the call, such
//! as `SubmitError::OverQuota`, where it is expected. Here is the rest.

use std::iter;

use stoker_ledger::{Error as LedgerError, ErrorKind as LedgerKind};

/// What a caller can do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The ledger is locked, or its device fails for the moment: the same call may succeed soon.
    Unavailable,
    /// The ledger's disk, or what this user may take of it, is full.
    Full,
    /// The ledger takes no writes.
    ReadOnly,
    /// The ledger is damaged, or holds what this version cannot read.
    Corrupt,
    /// The ledger refused by a rule that the call does not expect: the same call fails again.
    Refused,
}

impl ErrorKind {
    /// What is the matter with the ledger and the way out, where a person must act.
    pub const fn trouble(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Full => LedgerKind::Full.trouble(),
            Self::ReadOnly => LedgerKind::ReadOnly.trouble(),
            Self::Corrupt => LedgerKind::Corrupt.trouble(),
            Self::Unavailable | Self::Refused => None,
        }
    }
}

impl From<&LedgerKind> for ErrorKind {
    fn from(kind: &LedgerKind) -> Self {
        match kind {
            LedgerKind::Unavailable => Self::Unavailable,
            LedgerKind::Full => Self::Full,
            LedgerKind::ReadOnly => Self::ReadOnly,
            LedgerKind::Corrupt => Self::Corrupt,
            LedgerKind::OverQuota { .. }
            | LedgerKind::NotFound
            | LedgerKind::InUse
            | LedgerKind::Conflict => Self::Refused,
        }
    }
}

/// A call that the engine did not carry out, because of its ledger.
#[derive(Debug, thiserror::Error)]
#[error("ledger cannot {verb}")]
pub struct Error {
    /// What the ledger was asked for, in words: `submit a task`.
    pub verb: &'static str,
    /// What a caller can do about it.
    pub kind: ErrorKind,
    /// The database's error.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Something in the ledger that this version cannot have written.
    pub(crate) fn corrupt(
        verb: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { verb, kind: ErrorKind::Corrupt, cause: Some(cause.into()) }
    }
}

impl From<LedgerError> for Error {
    fn from(LedgerError { verb, kind, cause }: LedgerError) -> Self {
        Self { verb, kind: ErrorKind::from(&kind), cause }
    }
}

/// An error and its causes, in one line for the log.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

//! From what SQLite says to what a caller of a verb can act on.
//!
//! Inside a verb every error is a [`Failure`]; the name of the verb is added once, at its edge.

use rusqlite::ErrorCode;

use crate::{Error, ErrorKind};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong inside a verb.
#[derive(Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    cause: Option<Cause>,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self { kind, cause: None }
    }

    /// A row that this version cannot have written.
    pub(super) fn corrupt(cause: impl Into<Cause>) -> Self {
        Self { kind: ErrorKind::Corrupt, cause: Some(cause.into()) }
    }

    /// The database could not do it now.
    pub(super) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self { kind: ErrorKind::Unavailable, cause: Some(cause.into()) }
    }

    pub(super) fn not_found(cause: impl Into<Cause>) -> Self {
        Self { kind: ErrorKind::NotFound, cause: Some(cause.into()) }
    }

    pub(super) fn into_error(self, verb: &'static str) -> Error {
        Error { verb, kind: self.kind, cause: self.cause }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { kind: kind(&error), cause: Some(Box::new(error)) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::corrupt(error)
    }
}

fn kind(error: &rusqlite::Error) -> ErrorKind {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return ErrorKind::Corrupt;
    };
    match failure.code {
        ErrorCode::ConstraintViolation
            if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY =>
        {
            ErrorKind::NotFound
        }
        ErrorCode::ConstraintViolation => ErrorKind::Conflict,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => {
            ErrorKind::Corrupt
        }
        // a full disk, an I/O error, no memory, a lock held by a backup tool: all may pass
        _ => ErrorKind::Unavailable,
    }
}

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

    /// Nothing of the transaction around it was written.
    pub(super) fn aborted(aborted: &Aborted) -> Self {
        Self { kind: aborted.kind.clone(), cause: Some(aborted.cause.clone().into()) }
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

/// Why a transaction was not begun or not committed, for all whose verbs were in it.
#[derive(Clone, Debug)]
pub(super) struct Aborted {
    kind: ErrorKind,
    cause: String,
}

impl From<&Failure> for Aborted {
    fn from(failure: &Failure) -> Self {
        let cause = failure.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { kind: failure.kind.clone(), cause }
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

/// What a caller can do about an error of the database.
pub(super) fn kind(error: &rusqlite::Error) -> ErrorKind {
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
        ErrorCode::DiskFull => ErrorKind::Full,
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            ErrorKind::ReadOnly
        }
        // an I/O error, no memory, a lock held by a backup tool: all may pass
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_damaged_file_a_full_disk_and_a_file_that_takes_no_writes_are_told_apart() {
        for (code, expected) in [
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt),
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_READONLY, ErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::ReadOnly),
            (ffi::SQLITE_CANTOPEN, ErrorKind::ReadOnly),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Unavailable),
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, ErrorKind::Conflict),
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, ErrorKind::NotFound),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(kind(&error), expected, "{code}");
            let aborted = Aborted::from(&Failure::from(error));
            assert_eq!(Failure::aborted(&aborted).kind, expected, "{code}");
        }
    }
}

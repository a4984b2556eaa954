//! The lock file: at most one store writes in a directory at a time.
//!
//! The operating system releases the lock when the process ends, however it ends, so the file
//! itself is never removed and says nothing.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
};

/// The directory is ours as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Whether files can be made in `directory`. A disk without room is no obstacle: room can be made.
pub(super) fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join("probe");
    match File::create(&path) {
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        Err(error) => Err(error),
    }
}

impl Lock {
    /// `None` when another store holds it.
    pub(super) fn take(directory: &Path) -> io::Result<Option<Self>> {
        let path = directory.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

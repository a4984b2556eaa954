//! The lock file: at most one store writes in a directory at a time.
//!
//! The operating system releases the lock when the process ends, however it ends, so the file
//! itself is never removed and says nothing. Neither it nor the directory may be a link: who puts one
//! there would have the store write where it leads.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

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
        if fs::symlink_metadata(directory)?.is_symlink() {
            return Err(io::Error::other("it is a symbolic link"));
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let options = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(directory.join("lock"))?;
        if file.metadata()?.uid() != geteuid().as_raw() {
            return Err(io::Error::other("its lock belongs to another user"));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn neither_the_directory_nor_the_lock_is_taken_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(Lock::take(&link).is_err());
        let target = folder.path().join("target");
        fs::write(&target, "somebody's").unwrap();
        symlink(&target, real.join("lock")).unwrap();
        assert!(Lock::take(&real).is_err());
        fs::remove_file(real.join("lock")).unwrap();
        assert!(Lock::take(&real).unwrap().is_some());
        assert_eq!(fs::read_to_string(&target).unwrap(), "somebody's");
    }
}

//! The data directory: created if absent, used by one `stoker up` at a time, never mistaken for a new
//! one if its ledger is missing.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{failure::Failure, private};

/// Held as long as the process lives; the system releases it however the process ends.
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not read")] File);

/// Creates the directory if needed, locks it, and closes it and its content to other users.
pub(super) fn prepare(data: &Path) -> Result<Lock, Failure> {
    let shown = data.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Failure::new(format!("data directory `{shown}` is not a directory"))
                .hint("name another with --data")
        }
        _ => Failure::because(format!("cannot create the data directory `{shown}`"), &error)
            .hint("name another with --data, or create it for this user"),
    })?;
    fs::read_dir(data).map_err(|error| {
        Failure::because(format!("cannot read the data directory `{shown}`"), &error)
            .hint("run as the user who owns it, or name another with --data")
    })?;
    private::claim(data)?;
    let lock = lock(data)?;
    private::close_all(data)?;
    Ok(lock)
}

fn lock(data: &Path) -> Result<Lock, Failure> {
    let shown = data.display();
    let path = data.join("lock");
    let unwritable = |error: &dyn std::error::Error| {
        Failure::because(format!("cannot write to the data directory `{shown}`"), error)
            .hint("is it read-only, full, or owned by another user? name another with --data")
    };
    let mut file = private::open_lock(&path).map_err(|error| unwritable(&error))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let holder = match file.read_to_string(&mut holder) {
            Ok(_) if !holder.trim().is_empty() => format!(" (process {})", holder.trim()),
            _ => String::new(),
        };
        return Err(Failure::new(format!(
            "data directory `{shown}` is in use by another `stoker up`{holder}"
        ))
        .hint("stop it first, or use another directory with --data and other ports"));
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", process::id()).as_bytes()))
        .and_then(|()| file.sync_all());
    match written {
        // the process id is only for people; space is freed once the lock is held
        Err(error) if error.kind() == ErrorKind::StorageFull => Ok(Lock(file)),
        written => written.map(|()| Lock(file)).map_err(|error| unwritable(&error)),
    }
}

/// The file of the ledger.
pub(crate) fn ledger(data: &Path) -> PathBuf {
    data.join("ledger.sqlite")
}

/// The folder with the caches of the nodes.
pub(crate) fn nodes(data: &Path) -> PathBuf {
    data.join("nodes")
}

/// Whether a `stoker up` uses the directory.
pub(crate) fn is_in_use(data: &Path) -> bool {
    let Ok(file) = File::open(data.join("lock")) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Whether there are caches but no ledger, or an empty one. Nodes start after the ledger has its
/// tables, so the ledger was lost.
pub(crate) fn has_lost_ledger(data: &Path) -> bool {
    let is_there = fs::metadata(ledger(data)).is_ok_and(|found| found.len() > 0);
    !is_there && cached_files(data).is_ok_and(|files| !files.is_empty())
}

/// Refuses to create a new ledger beside the caches of a lost one. With `may_begin_anew` it empties the
/// caches instead: their content belongs to unknown domains, and may have been purged.
pub(super) fn check_ledger(data: &Path, may_begin_anew: bool) -> Result<(), Failure> {
    if !has_lost_ledger(data) {
        return Ok(());
    }
    let (ledger, nodes) = (ledger(data), nodes(data));
    if !may_begin_anew {
        return Err(Failure::new(format!(
            "the ledger `{}` is missing, but there are caches in `{}`",
            ledger.display(),
            nodes.display()
        ))
        .hint(
            "restore the ledger from a backup; or start once with --new-ledger, which loses its \
             domains, keys and tasks and empties the caches",
        ));
    }
    tracing::warn!(ledger = %ledger.display(), "ledger is missing: creating a new one and emptying the caches");
    let emptied =
        cached_files(data).and_then(|files| files.iter().try_for_each(|file| remove(file)));
    emptied.map_err(|error| {
        Failure::because(format!("cannot empty the caches in `{}`", nodes.display()), &error)
            .hint("remove the content of the node folders, and start again")
    })
}

/// Removes a file, or a folder with all that is in it.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// What lies in the folders of the nodes.
fn cached_files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for node in entries(&nodes(data))? {
        if node.is_dir() {
            files.extend(entries(&node)?);
        }
    }
    Ok(files)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_ledger_is_told_from_one_that_never_was() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let is_refused = || check_ledger(data, false).is_err();
        assert!(!is_refused(), "a new directory");
        let cache = nodes(data).join("edge-mainland");
        fs::create_dir_all(&cache).unwrap();
        assert!(!is_refused(), "an empty cache");
        fs::write(cache.join("segment"), "content").unwrap();
        assert!(is_refused(), "no ledger");
        fs::write(ledger(data), "").unwrap();
        assert!(is_refused(), "an empty ledger");
        fs::write(ledger(data), "rows").unwrap();
        assert!(!is_refused() && check_ledger(data, true).is_ok(), "a ledger");
        assert!(cache.join("segment").exists());
        fs::remove_file(ledger(data)).unwrap();
        check_ledger(data, true).unwrap();
        assert!(cache.is_dir() && !cache.join("segment").exists(), "emptied");
        assert!(!is_refused());
    }

    #[test]
    fn a_second_one_is_refused_until_the_first_ends() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path().join("new");
        let first = prepare(&data).unwrap_or_else(|_| panic!("the first one gets it"));
        let Err(failure) = prepare(&data) else { panic!("the second one must not get it") };
        assert!(is_in_use(&data));
        assert!(failure.message().contains(&process::id().to_string()), "{}", failure.message());
        drop(first);
        assert!(!is_in_use(&data));
        assert!(prepare(&data).is_ok());
    }

    #[test]
    fn a_file_is_not_a_data_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path().to_owned(), file.path().join("below")] {
            let Err(failure) = prepare(&path) else { panic!("not a directory") };
            assert!(failure.message().contains("is not a directory"), "{}", failure.message());
        }
    }
}

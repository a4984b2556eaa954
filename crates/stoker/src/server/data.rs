//! The data directory: made when absent, held by one `stoker up` at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
    process,
};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

/// Held as long as the process lives; the system lets go of it whatever way the process ends.
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not read")] File);

/// Makes the directory if need be and locks it.
pub(super) fn prepare(data: &Path) -> Result<Lock, Failure> {
    let shown = data.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Failure::new(format!("data directory `{shown}` is not a directory"))
                .hint("name another with --data")
        }
        _ => Failure::because(format!("cannot make the data directory `{shown}`"), &error)
            .hint("name another with --data, or make it and give it to this user"),
    })?;
    fs::read_dir(data).map_err(|error| {
        Failure::because(format!("cannot read the data directory `{shown}`"), &error)
            .hint("run as the user who owns it, or name another with --data")
    })?;
    lock(data)
}

fn lock(data: &Path) -> Result<Lock, Failure> {
    let shown = data.display();
    let path = data.join("lock");
    let unwritable = |error: &dyn std::error::Error| {
        Failure::because(format!("cannot write to the data directory `{shown}`"), error)
            .hint("is it read-only, full, or another user's? name another with --data")
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unwritable(&error))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let holder = match file.read_to_string(&mut holder) {
            Ok(_) if !holder.trim().is_empty() => format!(" (process {})", holder.trim()),
            _ => String::new(),
        };
        return Err(Failure::new(format!(
            "data directory `{shown}` is in use by another `stoker up`{holder}"
        ))
        .hint("stop that one first, or name another directory with --data and other ports"));
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", process::id()).as_bytes()))
        .and_then(|()| file.sync_all());
    written.map_err(|error| unwritable(&error))?;
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_until_the_first_ends() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path().join("new");
        let first = prepare(&data).unwrap_or_else(|_| panic!("the first one gets it"));
        let Err(failure) = prepare(&data) else { panic!("the second one must not get it") };
        assert!(failure.message().contains(&process::id().to_string()), "{}", failure.message());
        drop(first);
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

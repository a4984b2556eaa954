//! `credentials.json` in the data directory: the owner's key and the address of the server.
//!
//! Scripts read it; its four fields are a contract. It is written whole or not at all, readable by
//! its owner alone.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{failure::Failure, private};

/// What the file holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The owner's user number.
    pub(crate) uin: String,
    /// Public half of the key.
    pub(crate) secret_id: String,
    /// Secret half of the key.
    pub(crate) secret_key: String,
    /// `http://host:port` of the API.
    pub(crate) endpoint: String,
}

/// Where the file lies.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("credentials.json")
}

/// Reads the file; a missing one means that `stoker up` never ran there.
pub(crate) fn read(data: &Path) -> Result<Credentials, Failure> {
    read_if_there(data)?.ok_or_else(|| {
        Failure::new(format!("`{}` does not exist", path(data).display())).hint(
            "run `stoker up` first, or name its data directory with --data, or set STOKER_ENDPOINT, \
             STOKER_SECRET_ID and STOKER_SECRET_KEY",
        )
    })
}

/// As [`read`]; `None` when there is no such file.
pub(crate) fn read_if_there(data: &Path) -> Result<Option<Credentials>, Failure> {
    let path = path(data);
    let shown = path.display();
    let text = match private::read_secret(&path) {
        Ok(text) => text?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::because(format!("cannot read `{shown}`"), &error)
                .hint("run the command as the user who runs `stoker up`"));
        }
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Failure::because(format!("`{shown}` is not what `stoker up` writes"), &error)
            .hint("move the file away and start `stoker up` again: it makes a new key")
    })
}

/// Writes the file so that a crash at any instant leaves the old one or the new one.
///
/// 1. A new file beside it is written and synced. 2. It takes the place of the old one. 3. The
///    directory is synced, so that the change survives a power cut.
pub(crate) fn write(data: &Path, credentials: &Credentials) -> io::Result<()> {
    let path = path(data);
    let new = path.with_extension("json.new");
    let mut text = serde_json::to_vec_pretty(credentials)?;
    text.push(b'\n');
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nobody_else_may() {
        let data = tempfile::tempdir().unwrap();
        assert!(read_if_there(data.path()).unwrap().is_none());
        let written = Credentials {
            uin: "100000000001".into(),
            secret_id: "AKID".into(),
            secret_key: "key".into(),
            endpoint: "http://127.0.0.1:7700".into(),
        };
        write(data.path(), &written).unwrap();
        write(data.path(), &written).unwrap();
        assert!(read(data.path()).is_ok_and(|found| found == written));
        let mode = fs::metadata(path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }
}

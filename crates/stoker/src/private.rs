//! The access rights of the data directory: only its owner can read it.
//!
//! Everything that this process creates is for its user, whatever the umask. Existing files are closed to
//! other users before anything in them is used. Links are never followed: a name that the program uses
//! is refused if it is a link or belongs to another user. Files with a secret in clear text are
//! refused, not closed, while other users can read them, because somebody may have read them already.

use std::{
    ffi::CStr,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat, fchmod, fstat, openat, statat},
    process::{geteuid, umask},
};

use crate::failure::Failure;

/// What others than the owner may do with a file.
const OTHERS: RawMode = 0o077;
/// What anybody may do with a file who is neither its owner nor in its group.
const STRANGERS: RawMode = 0o007;

/// What the names begin with that the program uses in the data directory.
const OURS: [&str; 6] =
    ["credentials.json", "ledger.sqlite", "lock", "nodes", "seal.key", "tls.json"];
/// Of these, what holds a secret in clear.
const SECRETS: [&str; 2] = ["credentials.json", "seal.key"];
/// What file systems put at their top, for themselves.
const OF_THE_SYSTEM: &str = "lost+found";

/// From now on everything that this process creates is only for its user.
pub(crate) fn make_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Closes the data directory, which must belong to this user, to others.
pub(crate) fn claim(data: &Path) -> Result<(), Failure> {
    let shown = data.display();
    let failed = |error: &dyn std::error::Error| {
        Failure::because(format!("cannot close the data directory `{shown}` to others"), error)
            .hint("run as the user who owns it, on a file system that has modes")
    };
    let folder = File::open(data).map_err(|error| failed(&error))?;
    let found = fstat(&folder).map_err(|error| failed(&error))?;
    if found.st_uid != geteuid().as_raw() {
        return Err(Failure::new(format!("data directory `{shown}` belongs to another user"))
            .hint("run as that user, or name a directory of this user with --data"));
    }
    close(folder.as_fd(), &found, Mode::RWXU).map_err(|error| failed(&error))
}

/// Closes the content of the data directory, which has been claimed.
pub(crate) fn close_all(data: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::because(format!("cannot close `{}` to others", data.display()), &error)
            .hint("run as the user who owns what lies in it, on a file system that has modes")
    };
    let folder = File::open(data).map_err(failed)?;
    let is_ours = |name: &str| OURS.iter().any(|ours| name.starts_with(ours));
    walk(folder.into(), data, &is_ours).map_err(|trouble| match trouble {
        Trouble::Io(error) => failed(error),
        Trouble::Foreign(failure) => failure,
    })
}

/// Reads a file with a secret in clear text, unless others than its owner can read it.
pub(crate) fn read_secret(path: &Path) -> io::Result<Result<Vec<u8>, Failure>> {
    read_closed(path, OTHERS)
}

/// As [`read_secret`], for a file that an operator names, which its group may read.
pub(crate) fn read_named_secret(path: &Path) -> io::Result<Result<Vec<u8>, Failure>> {
    read_closed(path, STRANGERS)
}

/// Opens or makes a lock file; a link is refused, and so is the file of another user.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(no_links()).open(path)?;
    let owner = file.metadata()?.uid();
    if owner != geteuid().as_raw() {
        let text = format!("it belongs to user {owner}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(file)
}

fn no_links() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

fn read_closed(path: &Path, closed_to: RawMode) -> io::Result<Result<Vec<u8>, Failure>> {
    // checked after it was opened, so that it is the file that is read
    let mut file = File::open(path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & closed_to != 0 {
        let shown = path.display();
        return Ok(Err(Failure::new(format!(
            "`{shown}` can be read by other users (mode {mode:03o})"
        ))
        .hint(format!("chmod 600 {shown}"))));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(Ok(content))
}

enum Trouble {
    Io(io::Error),
    Foreign(Failure),
}

impl From<rustix::io::Errno> for Trouble {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Closes everything in `folder`; what is foreign under a name that `is_ours` is refused, and what is
/// foreign under another is left alone.
fn walk(folder: OwnedFd, path: &Path, is_ours: &dyn Fn(&str) -> bool) -> Result<(), Trouble> {
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if matches!(&*shown, "." | ".." | OF_THE_SYSTEM) {
            continue;
        }
        let found = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            // a draft that was renamed meanwhile
            Err(rustix::io::Errno::NOENT) => continue,
            found => found?,
        };
        let kind = FileType::from_raw_mode(found.st_mode);
        let path = path.join(&*shown);
        if kind.is_symlink() || found.st_uid != geteuid().as_raw() {
            if is_ours(&shown) {
                return Err(Trouble::Foreign(foreign(&path, kind)));
            }
            continue;
        }
        if kind.is_dir() {
            let below = open(&folder, name, OFlags::DIRECTORY)?;
            close(below.as_fd(), &fstat(&below)?, Mode::RWXU)?;
            // all of what lies in the folders of the nodes is the nodes'
            walk(below, &path, &|_| is_ours(&shown))?;
        } else if kind.is_file() && found.st_mode & OTHERS != 0 && !SECRETS.contains(&&*shown) {
            let file = open(&folder, name, OFlags::NONBLOCK)?;
            close(file.as_fd(), &fstat(&file)?, Mode::RUSR | Mode::WUSR)?;
        }
    }
    Ok(())
}

fn open(folder: &OwnedFd, name: &CStr, further: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | further;
    openat(folder, name, flags, Mode::empty())
}

fn close(file: BorrowedFd<'_>, found: &Stat, mode: Mode) -> rustix::io::Result<()> {
    match found.st_mode & OTHERS {
        0 => Ok(()),
        _ => fchmod(file, mode),
    }
}

fn foreign(path: &Path, kind: FileType) -> Failure {
    let shown = path.display();
    if kind.is_symlink() {
        Failure::new(format!("`{shown}` is a symbolic link"))
            .hint("replace it with its target, or mount the target there")
    } else {
        Failure::new(format!("`{shown}` belongs to another user"))
            .hint("make the user who runs `stoker up` its owner, or move it away")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_read_or_write_is_closed_at_every_level() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let deep = data.join("nodes/edge/a");
        fs::create_dir_all(&deep).unwrap();
        let files = ["ledger.sqlite", "ledger.sqlite-wal", "lock", "nodes/edge/segment", "other"];
        for file in files {
            fs::write(data.join(file), "x").unwrap();
            set_mode(&data.join(file), 0o666);
        }
        for file in SECRETS {
            fs::write(data.join(file), "x").unwrap();
            set_mode(&data.join(file), 0o644);
        }
        for path in [&deep, &data.join("nodes/edge"), &data.join("nodes"), &data] {
            set_mode(path, 0o777);
        }
        claim(&data).unwrap();
        close_all(&data).unwrap();
        for path in [&deep, &data.join("nodes/edge"), &data.join("nodes"), &data] {
            assert_eq!(mode(path), 0o700, "{}", path.display());
        }
        for file in files {
            assert_eq!(mode(&data.join(file)), 0o600, "{file}");
        }
        // who read it while it was open is not known: it is refused where it is read
        for file in SECRETS {
            assert_eq!(mode(&data.join(file)), 0o644, "{file}");
            let failure = read_secret(&data.join(file)).unwrap().unwrap_err();
            assert!(failure.hint_text().unwrap().starts_with("chmod 600 "), "{file}");
        }
    }

    #[test]
    fn links_under_names_that_the_program_uses_are_refused_and_none_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "x").unwrap();
        set_mode(&target, 0o644);
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        set_mode(&outside, 0o755);
        for (name, to) in [
            ("lock", &target),
            ("ledger.sqlite", &target),
            ("ledger.sqlite-wal", &target),
            ("ledger.sqlite.lock", &target),
            ("credentials.json", &target),
            ("credentials.json.new", &target),
            ("seal.key", &target),
            ("tls.json", &target),
            ("nodes", &outside),
            ("nodes/edge-mainland", &outside),
            ("nodes/edge-mainland/lock", &target),
            ("nodes/edge-mainland/00000001.seg", &target),
        ] {
            let data = tempfile::tempdir().unwrap();
            let link = data.path().join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(to, &link).unwrap();
            let failure = close_all(data.path()).unwrap_err();
            assert!(failure.message().contains("is a symbolic link"), "{}", failure.message());
            assert!(failure.message().contains(name), "{}", failure.message());
            assert_eq!((mode(&target), mode(&outside)), (0o644, 0o755), "{name}");
        }
        let data = tempfile::tempdir().unwrap();
        symlink(&target, data.path().join("notes")).unwrap();
        close_all(data.path()).unwrap();
        assert_eq!(mode(&target), 0o644, "left alone");
        let lock = data.path().join("lock");
        symlink(&target, &lock).unwrap();
        assert!(open_lock(&lock).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "x");
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        // only one who may give files away can make one that is another's
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("seal.key"), "x").unwrap();
        std::os::unix::fs::chown(data.join("seal.key"), Some(12_345), None).unwrap();
        let failure = close_all(&data).unwrap_err();
        assert!(failure.message().contains("belongs to another user"), "{}", failure.message());
        fs::rename(data.join("seal.key"), data.join("notes")).unwrap();
        close_all(&data).unwrap();
        std::os::unix::fs::chown(&data, Some(12_345), None).unwrap();
        let failure = claim(&data).unwrap_err();
        assert!(failure.message().contains("belongs to another user"), "{}", failure.message());
    }

    #[test]
    fn a_secret_is_read_only_while_it_is_closed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "x").unwrap();
        for (mode, own, named) in [
            (0o600, true, true),
            (0o400, true, true),
            (0o640, false, true),
            (0o644, false, false),
            (0o602, false, false),
        ] {
            set_mode(file.path(), mode);
            assert_eq!(read_secret(file.path()).unwrap().is_ok(), own, "{mode:o}");
            assert_eq!(read_named_secret(file.path()).unwrap().is_ok(), named, "{mode:o}");
        }
        assert!(read_secret(Path::new("no/such/file")).is_err());
    }
}

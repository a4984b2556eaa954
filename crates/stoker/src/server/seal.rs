//! Where the keys come from that seal the secrets in the ledger.
//!
//! From the file that `--seal-key` names, else from STOKER_SEAL_KEY, else from `seal.key` in the data
//! directory, which is made when absent. Each line is one key of 64 hexadecimal digits; `#` begins a
//! comment. The first key seals, all of them open, so that a new one can be put above the old. What
//! a line says is never printed.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use stoker_engine::{OpenError, SealKey, SealKeys};

use crate::{
    config::{SEAL_KEY, SealKeySource},
    entropy,
    failure::Failure,
};

/// What anybody may do with a file who is neither its owner nor in its group.
const OTHERS: u32 = 0o007;

/// The sealing keys and where they were found, for messages.
pub(super) struct Seals {
    pub(super) keys: SealKeys,
    origin: String,
}

impl Seals {
    /// Reads the keys, or makes one.
    pub(super) fn read(data: &Path, source: &SealKeySource) -> Result<Self, Failure> {
        match source {
            SealKeySource::File(path) => Self::from_file(path),
            SealKeySource::Text(text) => {
                let origin = format!("`{SEAL_KEY}`");
                Ok(Self { keys: parse(text, &origin)?, origin })
            }
            SealKeySource::DataDirectory => {
                let path = data.join("seal.key");
                if !path.exists() {
                    make(data, &path)?;
                }
                Self::from_file(&path)
            }
        }
    }

    fn from_file(path: &Path) -> Result<Self, Failure> {
        let origin = format!("`{}`", path.display());
        let unreadable = |error| {
            Failure::because(format!("cannot read the sealing key {origin}"), &error).hint(
                "it must be a file that this user may read; without it no secret in the ledger opens",
            )
        };
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & OTHERS != 0 {
            let mode = mode & 0o777;
            return Err(Failure::new(format!(
                "the sealing key {origin} is open to everybody on this machine (mode {mode:o})"
            ))
            .hint(format!("chmod 600 {}", path.display())));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Ok(Self { keys: parse(&text, &origin)?, origin })
    }

    /// What to say of an engine that does not open: where the keys came from, when they are wrong.
    pub(super) fn refused(&self, data: &Path, error: &OpenError) -> Failure {
        match error {
            OpenError::Ledger(error) => super::unusable(data, error),
            OpenError::Sealed { .. } => {
                let origin = &self.origin;
                Failure::because(format!("the sealing key in {origin} is not the right one"), error)
                    .hint(format!(
                        "put the key that sealed this ledger back into {origin}; several may stand \
                         there, one on each line"
                    ))
            }
        }
    }
}

/// Writes a file with a new key, so that a crash leaves a whole file or none.
fn make(data: &Path, path: &Path) -> Result<(), Failure> {
    let mut key = String::new();
    for _ in 0..4 {
        key.push_str(&format!("{:016x}", entropy::seed()?));
    }
    let text = format!(
        "# Opens the secrets in this directory's ledger. Keep a copy apart from the ledger's.\n\
         # To change it, put another line of 64 hexadecimal digits above and start again; the old\n\
         # one may go then.\n{key}\n"
    );
    let new = path.with_extension("key.new");
    let written = || {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(data)?.sync_all()
    };
    written().map_err(|error| {
        Failure::because(format!("cannot write `{}`", path.display()), &error)
            .hint("is the disk full or read-only?")
    })
}

fn parse(text: &str, origin: &str) -> Result<SealKeys, Failure> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let key = digits(line).ok_or_else(|| {
            Failure::new(format!("line {number} of {origin} is not a sealing key"))
                .hint("a key is 64 hexadecimal digits: `openssl rand -hex 32` makes one")
        })?;
        keys.push(SealKey::new(key));
    }
    if keys.is_empty() {
        return Err(Failure::new(format!("there is no sealing key in {origin}"))
            .hint("a key is a line of 64 hexadecimal digits: `openssl rand -hex 32` makes one"));
    }
    Ok(SealKeys::new(keys))
}

fn digits(line: &str) -> Option<[u8; 32]> {
    if line.len() != 64 || !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(line.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, path::PathBuf};

    use super::*;

    fn refusal(read: Result<Seals, Failure>) -> Failure {
        match read {
            Err(failure) => failure,
            Ok(_) => panic!("it must be refused"),
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let read = || Seals::read(data.path(), &SealKeySource::DataDirectory).unwrap().keys;
        let first = read();
        assert_eq!(read(), first);
        let path = data.path().join("seal.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
        fs::remove_file(path).unwrap();
        assert_ne!(read(), first);
    }

    #[test]
    fn a_file_may_hold_several_keys_and_comments() {
        let (one, two) = ("0a".repeat(32), "B0".repeat(32));
        let text = format!("# first\n\n  {one} # old\n{two}\n");
        let keys = SealKeys::new([SealKey::new([0x0a; 32]), SealKey::new([0xb0; 32])]);
        assert_eq!(parse(&text, "x").unwrap(), keys);
        assert_eq!(parse(&one, "x").unwrap(), SealKeys::new([SealKey::new([0x0a; 32])]));
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_line_and_not_shown() {
        for text in ["secret", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"ü".repeat(32)]
        {
            let failure = parse(&format!("# c\n{text}"), "`f`").unwrap_err();
            assert!(failure.message().starts_with("line 2 of `f` "), "{}", failure.message());
            assert!(!failure.message().contains(text), "{}", failure.message());
        }
        assert!(parse("# none\n", "`f`").unwrap_err().message().contains("no sealing key in `f`"));
    }

    #[test]
    fn a_file_that_everybody_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "00".repeat(32)).unwrap();
        let source = SealKeySource::File(file.path().into());
        for (mode, is_refused) in [(0o600, false), (0o640, false), (0o644, true), (0o606, true)] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let read = Seals::read(Path::new("unused"), &source);
            if is_refused {
                let failure = refusal(read);
                assert!(failure.message().contains(&format!("{mode:o}")), "{}", failure.message());
                assert!(failure.way_out().unwrap().starts_with("chmod 600 "));
            } else {
                assert!(read.is_ok(), "{mode:o}");
            }
        }
        let missing = SealKeySource::File(PathBuf::from("no/such/file"));
        assert!(refusal(Seals::read(Path::new("x"), &missing)).message().contains("no/such/file"));
    }
}

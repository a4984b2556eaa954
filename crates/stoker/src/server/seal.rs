//! The keys that encrypt the secrets in the ledger.
//!
//! They come from the file of `--seal-key`, otherwise from STOKER_SEAL_KEY, otherwise from `seal.key` in
//! the data directory, which is created if neither it nor an encrypted secret exists. Each line is one
//! key of 64 hexadecimal digits; `#` begins a comment. The first key encrypts and all of them decrypt,
//! so that a new key can be written above the old one. The text of a line is never printed.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use stoker_engine::{Error as EngineError, OpenError, SealKey, SealKeys};
use stoker_ledger::Ledger;

use crate::{
    config::{SEAL_KEY, SealKeySource},
    entropy,
    failure::Failure,
    private,
};

/// The sealing keys and where they were found, for messages.
pub(super) struct Seals {
    pub(super) keys: SealKeys,
    origin: String,
}

impl Seals {
    /// Reads the keys; `None` if the file of the data directory should have them and does not exist.
    pub(super) fn find(data: &Path, source: &SealKeySource) -> Result<Option<Self>, Failure> {
        match source {
            SealKeySource::File(path) => Self::from_file(path, true).map(Some),
            SealKeySource::Text(text) => {
                let origin = format!("`{SEAL_KEY}`");
                Ok(Some(Self { keys: parse(text, &origin)?, origin }))
            }
            SealKeySource::DataDirectory => match path(data) {
                path if path.exists() => Self::from_file(&path, false).map(Some),
                _ => Ok(None),
            },
        }
    }

    /// Creates the file of the data directory, unless the ledger has encrypted secrets: then the file
    /// was lost, and no new key decrypts them.
    pub(super) async fn make(data: &Path, ledger: &dyn Ledger) -> Result<Self, Failure> {
        let path = path(data);
        let sealed = find_sealed(ledger).await.map_err(|error| super::unusable(data, &error))?;
        if let Some(secret_id) = sealed {
            let shown = path.display();
            return Err(Failure::new(format!(
                "the sealing key `{shown}` is missing, and the secret of key `{secret_id}` needs it"
            ))
            .hint(format!(
                "restore `{shown}` from its copy, or give the right key with --seal-key or \
                 {SEAL_KEY}; nothing was changed"
            )));
        }
        write(data, &path)?;
        Self::from_file(&path, false)
    }

    /// `is_named` by an operator, who may let a group read it.
    fn from_file(path: &Path, is_named: bool) -> Result<Self, Failure> {
        let origin = format!("`{}`", path.display());
        let unreadable = |error| {
            Failure::because(format!("cannot read the sealing key {origin}"), &error).hint(
                "it must be a file that this user can read; the secrets in the ledger need it",
            )
        };
        let text = match is_named {
            true => private::read_named_secret(path),
            false => private::read_secret(path),
        };
        let text = String::from_utf8_lossy(&text.map_err(unreadable)??).into_owned();
        Ok(Self { keys: parse(&text, &origin)?, origin })
    }

    /// The failure of an engine that does not open; names the source of wrong keys.
    pub(super) fn refused(&self, data: &Path, error: &OpenError) -> Failure {
        match error {
            OpenError::Ledger(error) => super::unusable(data, error),
            OpenError::Sealed { .. } | OpenError::Fields { .. } => {
                let origin = &self.origin;
                Failure::because(format!("the sealing key in {origin} is not the right one"), error)
                    .hint(format!(
                        "restore the key of this ledger in {origin}; several may stand \
                         there, one on each line"
                    ))
            }
        }
    }
}

/// The file of the data directory.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("seal.key")
}

/// A key in the ledger with an encrypted secret.
async fn find_sealed(ledger: &dyn Ledger) -> Result<Option<String>, EngineError> {
    const PAGE: u32 = 1000;
    let mut after = String::new();
    loop {
        let keys = ledger.keys_after(&after, PAGE).await?;
        let Some(last) = keys.last() else { return Ok(None) };
        after.clone_from(&last.secret_id);
        let sealed = keys.into_iter().find(|key| SealKeys::is_sealed(&key.secret_key));
        if let Some(key) = sealed {
            return Ok(Some(key.secret_id));
        }
    }
}

/// Writes a file with a new key, so that a crash leaves a whole file or none.
fn write(data: &Path, path: &Path) -> Result<(), Failure> {
    let mut key = String::new();
    for _ in 0..4 {
        key.push_str(&format!("{:016x}", entropy::seed()?));
    }
    let text = format!(
        "# Decrypts the secrets in the ledger of this directory. Keep a copy apart from the ledger.\n\
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
                .hint("a key is 64 hexadecimal digits: `openssl rand -hex 32` creates one")
        })?;
        keys.push(SealKey::new(key));
    }
    if keys.is_empty() {
        return Err(Failure::new(format!("there is no sealing key in {origin}"))
            .hint("a key is a line of 64 hexadecimal digits: `openssl rand -hex 32` creates one"));
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
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use stoker_domain::{
        account::{AccessKey, Account},
        time::Timestamp,
    };
    use stoker_ledger::Sqlite;

    use super::*;

    fn refusal<T>(read: Result<T, Failure>) -> Failure {
        match read {
            Err(failure) => failure,
            Ok(_) => panic!("it must be refused"),
        }
    }

    /// The owner's key, with its secret kept so.
    async fn put_key(ledger: &dyn Ledger, secret_key: &str) {
        let account = Account::new("1", 1, Timestamp::from_seconds(1));
        let account = match ledger.accounts().await.unwrap().first() {
            Some(known) => known.id,
            None => ledger.create_account(account).await.unwrap(),
        };
        let key = AccessKey {
            secret_id: "AKID".into(),
            secret_key: secret_key.into(),
            account,
            user: None,
            is_enabled: true,
            created_at: Timestamp::from_seconds(1),
            last_used_at: None,
            temporary: None,
        };
        ledger.put_key(key).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_is_made_once_for_its_owner_alone_and_never_in_place_of_a_lost_one() {
        let data = tempfile::tempdir().unwrap();
        let ledger = Sqlite::open(data.path().join("ledger.sqlite")).unwrap();
        let find = || Seals::find(data.path(), &SealKeySource::DataDirectory).unwrap();
        let make = async || Seals::make(data.path(), &ledger).await;
        assert!(find().is_none());
        let first = make().await.unwrap().keys;
        assert_eq!(find().unwrap().keys, first);
        let path = path(data.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::remove_file(&path).unwrap();
        put_key(&ledger, "as it is: from before there were seals").await;
        assert_ne!(make().await.unwrap().keys, first);
        fs::remove_file(&path).unwrap();
        put_key(&ledger, "sealed:1:0a0a0a0a:data").await;
        let failure = refusal(make().await);
        assert!(failure.message().contains("is missing"), "{}", failure.message());
        assert!(!path.exists(), "nothing is put in its place");
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
            let read = Seals::find(Path::new("unused"), &source);
            if is_refused {
                let failure = refusal(read);
                assert!(failure.message().contains(&format!("{mode:o}")), "{}", failure.message());
                assert!(failure.hint_text().unwrap().starts_with("chmod 600 "));
            } else {
                assert!(read.is_ok(), "{mode:o}");
            }
        }
        let missing = SealKeySource::File(PathBuf::from("no/such/file"));
        assert!(refusal(Seals::find(Path::new("x"), &missing)).message().contains("no/such/file"));
    }
}

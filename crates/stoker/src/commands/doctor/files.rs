//! Checks of the data directory: the ledger, the sealing key, the folders of the nodes.

use std::{fs, io, path::Path, time::Duration};

use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    io::Errno,
};
use stoker_ledger::{Inspected, has_sealed_keys, inspect};

use super::Findings;
use crate::{
    config::SealKeySource,
    server::{data, seal_key},
};

/// How long the pages of the ledger are checked.
const PATIENCE: Duration = Duration::from_secs(10);
const RESTORE: &str = "stop `stoker up`, keep a copy of the file, and restore a backup";

/// Whether the ledger exists, is intact and can be written.
pub(super) fn check_ledger(folder: &Path, findings: &mut Findings) {
    let path = data::ledger(folder);
    let shown = path.display();
    if data::has_lost_ledger(folder) {
        findings.fail(
            format!("the ledger `{shown}` is missing, but there are caches beside it"),
            "restore it from a backup; or start with an empty ledger, without domains, keys and tasks: \
             `stoker up --new-ledger`",
        );
        return;
    }
    if !path.exists() {
        return;
    }
    for path in [&path, folder] {
        if let Err(error) = may_write(path, Access::WRITE_OK) {
            findings.fail(
                format!("`{}` cannot be written: {error}", path.display()),
                "make the user who runs `stoker up` its owner, and mount its file system for writing",
            );
        }
    }
    match inspect(&path, PATIENCE) {
        Inspected::Whole => findings.ok(format!("the ledger `{shown}` is intact")),
        Inspected::SoFar => {
            let seconds = PATIENCE.as_secs();
            findings.ok(format!("the ledger `{shown}` showed no damage in a check of {seconds} s"));
        }
        Inspected::Damaged(what) => {
            findings.fail(format!("the ledger `{shown}` is damaged: {what}"), RESTORE);
        }
        Inspected::Foreign => findings.fail(format!("`{shown}` is not a ledger"), RESTORE),
        Inspected::Newer => findings.fail(
            format!("the ledger `{shown}` was written by a newer version of Stoker"),
            "run that version",
        ),
        Inspected::Unreadable(what) => findings.warn(
            format!("the ledger `{shown}` cannot be read: {what}"),
            "run the command as the user who runs `stoker up`",
        ),
    }
}

/// Whether the key exists that decrypts the secrets in the ledger.
pub(super) fn check_seal_key(folder: &Path, findings: &mut Findings) {
    let path = seal_key(folder);
    let is_elsewhere = !matches!(SealKeySource::find(None), SealKeySource::DataDirectory);
    if path.exists() || is_elsewhere || has_sealed_keys(data::ledger(folder)) != Some(true) {
        return;
    }
    let text = format!(
        "the sealing key `{}` is missing, and the ledger has secrets that need it",
        path.display()
    );
    if data::is_in_use(folder) {
        findings
            .warn(text, "restore it before the next start, unless --seal-key names another file");
    } else {
        findings.fail(
            text,
            "restore it from its copy, or give the right key with --seal-key or STOKER_SEAL_KEY",
        );
    }
}

/// Whether the nodes can write what they fetch.
pub(super) fn check_caches(folder: &Path, findings: &mut Findings) {
    let Ok(nodes) = fs::read_dir(data::nodes(folder)) else { return };
    let mut is_well = true;
    for node in nodes.flatten() {
        let path = node.path();
        if let Err(error) = may_write(&path, Access::WRITE_OK | Access::EXEC_OK) {
            is_well = false;
            findings.fail(
                format!("the cache `{}` cannot be written: {error}", path.display()),
                "make the user who runs `stoker up` the owner of the folder, and mount its file system \
                 for writing",
            );
        }
    }
    if is_well {
        findings.ok("the cache folders of the nodes can be written");
    }
}

/// Checks by the effective user of this process.
fn may_write(path: &Path, access: Access) -> io::Result<()> {
    match accessat(CWD, path, access, AtFlags::EACCESS) {
        // the system cannot check by the effective user
        Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {
            Ok(accessat(CWD, path, access, AtFlags::empty())?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use stoker_ledger::Sqlite;

    use super::{super::Verdict, *};

    fn fails(look: impl Fn(&Path, &mut Findings), folder: &Path) -> Vec<String> {
        let mut findings = Findings::default();
        look(folder, &mut findings);
        let failed = findings.0.into_iter().filter(|line| line.verdict == Verdict::Fail);
        failed.map(|line| format!("{} ({})", line.text, line.hint.unwrap_or_default())).collect()
    }

    #[test]
    fn a_ledger_that_is_missing_damaged_or_foreign_fails_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let none: [String; 0] = [];
        assert_eq!(fails(check_ledger, folder), none, "nothing exists yet");
        let path = data::ledger(folder);
        drop(Sqlite::open(&path).unwrap());
        assert_eq!(fails(check_ledger, folder), none);

        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..].chunks_mut(4096).for_each(|page| page[..64].fill(0xa5));
        fs::write(&path, &bytes).unwrap();
        let lines = fails(check_ledger, folder).concat();
        assert!(lines.contains("is damaged") && lines.contains("backup"), "{lines}");
        fs::write(&path, "foreign text".repeat(1000)).unwrap();
        assert!(fails(check_ledger, folder).concat().contains("is not a ledger"));

        fs::remove_file(&path).unwrap();
        let cache = data::nodes(folder).join("edge-mainland");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("segment"), "content").unwrap();
        let lines = fails(check_ledger, folder).concat();
        assert!(lines.contains("is missing") && lines.contains("--new-ledger"), "{lines}");
    }

    #[test]
    fn a_cache_that_cannot_be_written_fails() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = data::nodes(folder.path());
        fs::create_dir_all(nodes.join("edge-mainland")).unwrap();
        assert!(fails(check_caches, folder.path()).is_empty());
        // a file in place of the folder cannot be entered, even by root
        std::os::unix::fs::symlink("/proc/version", nodes.join("edge-overseas")).unwrap();
        let lines = fails(check_caches, folder.path()).concat();
        assert!(lines.contains("edge-overseas` cannot be written"), "{lines}");
    }
}

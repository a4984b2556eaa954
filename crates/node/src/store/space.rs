//! Frees space on a disk that is full before any store on it was opened.
//!
//! Works on the segment files alone. The oldest go first, as eviction takes them: what a purge rule
//! concerns stands before the rule, so it never outlives it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, Files},
    lock::Lock,
    segment::{file_name, number_of},
};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Segment files.
    pub segments: usize,
    /// What they took on disk.
    pub bytes: u64,
}

/// The segments of one store that nobody has opened.
struct Closed {
    files: Files,
    /// Number and length, newest first.
    segments: Vec<(u32, u64)>,
    _lock: Lock,
}

/// Removes segments of the stores in `dirs`, always of the one that holds most, until `bytes` are
/// free on the disk or there are none left. Leaves stores alone that are in use.
///
/// # Errors
/// A segment cannot be removed. A directory that is not there or cannot be read is passed over.
pub fn free_space(dirs: &[PathBuf], bytes: u64) -> io::Result<Freed> {
    let mut stores: Vec<Closed> = dirs.iter().filter_map(|dir| Closed::open(dir)).collect();
    let mut freed = Freed::default();
    while let Some(largest) = stores.iter_mut().max_by_key(|store| store.held()) {
        if largest.files.free() >= bytes {
            break;
        }
        let Some((number, size)) = largest.segments.pop() else { break };
        // One after the other, each durable before the next: a gap in the numbers looks like loss.
        largest.files.remove(&file_name(number))?;
        largest.files.sync_names()?;
        freed = Freed { segments: freed.segments + 1, bytes: freed.bytes + size };
    }
    Ok(freed)
}

/// What the segments of the store in `dir` take on disk.
pub fn held_bytes(dir: &Path) -> u64 {
    segments(dir).iter().map(|(_, size)| size).sum()
}

impl Closed {
    fn open(dir: &Path) -> Option<Self> {
        let segments = segments(dir);
        if segments.is_empty() {
            return None;
        }
        let lock = Lock::take(dir).ok()??;
        Some(Self { files: Files::new(dir), segments, _lock: lock })
    }

    fn held(&self) -> u64 {
        self.segments.iter().map(|(_, size)| size).sum()
    }
}

/// Number and length of each segment in `dir`, newest first.
fn segments(dir: &Path) -> Vec<(u32, u64)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let found = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let number = number_of(entry.file_name().to_str()?)?;
        Some((number, entry.metadata().ok()?.len()))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

//! What the process of a server uses, as `/proc` tells.

use std::fs;

use crate::running::Stoker;

/// A process under test.
pub(super) struct Process(u32);

impl Process {
    pub(super) fn of(stoker: &Stoker) -> Self {
        Self(stoker.process_id())
    }

    /// Bytes of memory that it had at most so far.
    pub(super) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }

    /// Descriptors that it has open.
    pub(super) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()
    }
}

//! Memory: how much this process may use for content, and for what.
//!
//! The bound is `--memory`, or half of the memory of the machine or of the control group of the process.
//! Seven eighths go to the four nodes in equal parts, and a sixteenth, at most 64 MiB, to the content of
//! unverified calls; the rest is a reserve. How a node divides its part is decided in [`Division`];
//! `docs/limits.md` has the whole formula.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stoker_node::Division;

use crate::{failure::Failure, size::show};

/// With less the server would be too slow.
pub(crate) const LEAST: u64 = 256 << 20;
/// Assumed memory of a machine that does not report its own.
const UNKNOWN: u64 = 2 << 30;
/// The program itself, its ledger and the idle buffers of four nodes, in addition to the division.
pub(crate) const BASE: u64 = 256 << 20;
/// Most memory for the content of unverified calls.
const MOST_API: u64 = 64 << 20;
/// The nodes of this process.
const NODES: u64 = 4;

/// The division of the memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The whole.
    pub(crate) limit: u64,
    /// Content of unverified calls of the API.
    pub(crate) api: u64,
    /// Each node.
    pub(crate) node: u64,
}

impl Memory {
    /// The division of `asked`, or of half of the machine's memory.
    ///
    /// # Errors
    /// `asked` is too little.
    pub(super) fn find(asked: Option<u64>) -> Result<Self, Failure> {
        if let Some(asked) = asked.filter(|asked| *asked < LEAST) {
            let text = format!("--memory {} is too little", show(asked));
            return Err(Failure::usage(text).hint(format!("use {} or more", show(LEAST))));
        }
        let there_is = machine();
        let limit = asked.unwrap_or((there_is.unwrap_or(UNKNOWN) / 2).max(LEAST));
        if let Some(there_is) = there_is.filter(|there_is| limit.saturating_add(BASE) > *there_is) {
            tracing::warn!(
                "{} of memory for content and {} for all else are more than the {} that there are: \
                 give --memory less, or the machine more",
                show(limit),
                show(BASE),
                show(there_is)
            );
        }
        Ok(Self::divide(limit))
    }

    fn divide(limit: u64) -> Self {
        Self { limit, api: (limit / 16).min(MOST_API), node: limit / 8 * 7 / NODES }
    }

    /// Logs the division.
    pub(super) fn log(&self) {
        let Division { hot, index_entries, connections, shares } = Division::of(self.node);
        tracing::info!(
            limit = self.limit,
            api = self.api,
            node = self.node,
            node.hot = hot,
            node.index_entries = index_entries,
            node.connections = connections,
            node.slices = shares.slices,
            node.passing = shares.passing,
            node.windows = shares.windows,
            "memory in bytes"
        );
    }
}

/// The memory of the machine or of the control group of this process; `None` if it is unknown.
pub(crate) fn machine() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = limits_of(&groups, Path::new("/sys/fs/cgroup"));
    of_groups.into_iter().chain(meminfo.as_deref().and_then(total_of)).min()
}

/// The total in the text of `/proc/meminfo`.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limits of the control groups in the text of `/proc/self/cgroup`, and of those above them.
fn limits_of(groups: &str, root: &Path) -> Vec<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (root, file): (PathBuf, _) = match controllers {
            "" => (root.into(), "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // inside a container the path may be the host's: then its root is the group itself
        let own = root.join(path.trim_start_matches('/'));
        for folder in own.ancestors().take_while(|folder| folder.starts_with(&root)) {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            limits.extend(text.trim().parse::<u64>());
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_the_machine_is_read() {
        let text = "MemTotal:       24576000 kB\nMemFree:        1 kB\n";
        assert_eq!(total_of(text), Some(24_576_000 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert!(machine().is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn the_tightest_control_group_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("system.slice/memory.max", "2147483648\n");
        put("system.slice/stoker.service/memory.max", "max\n");
        let limits = limits_of("0::/system.slice/stoker.service\n", root);
        assert_eq!(limits, [2 << 30]);
        put("memory.max", "1073741824\n");
        assert_eq!(limits_of("0::/not/there\n", root), [1 << 30]);
        put("memory/docker/x/memory.limit_in_bytes", "536870912\n");
        let old = "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n";
        assert_eq!(limits_of(old, root), [512 << 20]);
        assert_eq!(limits_of("nonsense", root), [0_u64; 0]);
    }

    #[test]
    fn content_that_is_not_verified_gets_a_part_that_is_bounded() {
        let parts = [LEAST, 512 << 20, 1 << 30, 12 << 30].map(|limit| Memory::divide(limit).api);
        assert_eq!(parts, [16 << 20, 32 << 20, MOST_API, MOST_API]);
    }

    #[test]
    fn the_parts_never_exceed_the_whole() {
        for limit in [LEAST, 1 << 30, 12 << 30, 1 << 40] {
            let Memory { api, node, .. } = Memory::divide(limit);
            assert!(api + NODES * node <= limit, "{limit}");
        }
    }
}

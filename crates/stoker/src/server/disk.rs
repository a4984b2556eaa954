//! The disk space of the caches: what they may use, and what stays free for the ledger.
//!
//! The four nodes share one file system with the ledger. Each cache gets the same share, so that none
//! takes the space of another, and none more than its configured size. If less is free than must stay
//! free, the caches free it before anything else starts.

use std::{fs::create_dir_all, path::Path};

use stoker_node::store::{Freed, free_space, held_bytes};

use super::{Options, nodes::folders};
use crate::{failure::Failure, size::show};

/// Smallest default reserve,
const LEAST_RESERVE: u64 = 1 << 30;
/// or one part in so many of the file system, if that is more;
const RESERVE_SHARE: u64 = 20;
/// at most one part in so many of it.
const MOST_RESERVE_SHARE: u64 = 2;
/// What each cache may use even if the disk is nearly full. It frees what the reserve needs, except
/// for one segment.
const LEAST_CACHE: u64 = 32 << 20;

/// What each node's cache may use, and what all of them leave free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DiskShare {
    pub(super) cache_bytes: u64,
    pub(super) reserve_bytes: u64,
}

/// The state of a file system.
#[derive(Clone, Copy, Debug)]
struct FileSystem {
    total: u64,
    free: u64,
    /// Used by the caches.
    held: u64,
    caches: u64,
}

impl DiskShare {
    /// Divides the disk; frees space on a full one, and logs that.
    pub(super) fn find(options: &Options) -> Result<Self, Failure> {
        let folders = folders(&options.data);
        for folder in &folders {
            create_dir_all(folder).map_err(|error| {
                Failure::because(
                    format!("cannot create the node folder `{}`", folder.display()),
                    &error,
                )
                .hint("can this user write there? has its file system inodes and space left?")
            })?;
        }
        let held = folders.iter().map(|folder| held_bytes(folder)).sum();
        let Some(disk) = file_system(&folders[0], held, folders.len() as u64) else {
            let reserve_bytes = options.disk_reserve.unwrap_or(LEAST_RESERVE);
            return Ok(Self { cache_bytes: options.cache_bytes, reserve_bytes });
        };
        let share = Self::divide(disk, options.cache_bytes, options.disk_reserve);
        if share.cache_bytes < options.cache_bytes {
            tracing::warn!(
                cache_size = show(options.cache_bytes),
                nodes = disk.caches,
                used = show(share.cache_bytes),
                reserve = show(share.reserve_bytes),
                "disk has no space for --cache-size of each node: the caches are smaller"
            );
        }
        if disk.free < share.reserve_bytes {
            let freed = free_space(&folders, share.reserve_bytes).map_err(|error| {
                Failure::because("the disk is full, and the caches cannot free space on it", &error)
                    .hint("remove files on the file system of the data directory")
            })?;
            log_freed(&options.data, disk.free, freed, &show(share.reserve_bytes));
        }
        Ok(share)
    }

    fn divide(disk: FileSystem, cache_bytes: u64, reserve: Option<u64>) -> Self {
        let by_default = (disk.total / RESERVE_SHARE).max(LEAST_RESERVE);
        let by_default = by_default.min(disk.total / MOST_RESERVE_SHARE);
        let reserve_bytes = reserve.unwrap_or(by_default);
        let for_caches = (disk.free + disk.held).saturating_sub(reserve_bytes);
        let share = (for_caches / disk.caches.max(1)).max(LEAST_CACHE);
        Self { cache_bytes: cache_bytes.min(share), reserve_bytes }
    }
}

fn log_freed(data: &Path, free: u64, freed: Freed, reserve: &str) {
    let (free, data) = (show(free), data.display());
    if freed.segments == 0 {
        tracing::warn!(
            %data,
            free,
            reserve,
            "disk has less free space than the reserve, and the caches are empty"
        );
    } else {
        let removed = show(freed.bytes);
        tracing::warn!(
            %data,
            free,
            reserve,
            removed,
            "removed the oldest content of the caches to leave the reserve free"
        );
    }
}

fn file_system(folder: &Path, held: u64, caches: u64) -> Option<FileSystem> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (total > 0).then_some(FileSystem { total, free, held, caches })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn the_caches_share_what_the_reserve_leaves() {
        // total, free, held, --cache-size, --disk-reserve: cache, reserve
        for (total, free, held, asked, reserve, expected) in [
            (1000 * GIB, 900 * GIB, 0, 10 * GIB, None, (10 * GIB, 50 * GIB)),
            (100 * GIB, 85 * GIB, 0, 30 * GIB, None, (20 * GIB, 5 * GIB)),
            (100 * GIB, 45 * GIB, 40 * GIB, 30 * GIB, None, (20 * GIB, 5 * GIB)),
            (10 * GIB, 9 * GIB, 0, 10 * GIB, None, (2 * GIB, GIB)),
            (300 * MIB, 290 * MIB, 0, 10 * GIB, None, (35 * MIB, 150 * MIB)),
            (300 * MIB, 0, 290 * MIB, 10 * GIB, None, (35 * MIB, 150 * MIB)),
            (300 * MIB, 290 * MIB, 0, 10 * GIB, Some(50 * MIB), (60 * MIB, 50 * MIB)),
            (300 * MIB, 290 * MIB, 0, 20 * MIB, Some(0), (20 * MIB, 0)),
            (300 * MIB, 10 * MIB, 0, 10 * GIB, None, (LEAST_CACHE, 150 * MIB)),
        ] {
            let disk = FileSystem { total, free, held, caches: 4 };
            let share = DiskShare::divide(disk, asked, reserve);
            assert_eq!((share.cache_bytes, share.reserve_bytes), expected, "{disk:?} {asked}");
        }
    }
}

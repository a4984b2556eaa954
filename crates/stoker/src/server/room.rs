//! Room on the disk: what the caches may take of it, and what stays free for the ledger.
//!
//! The four nodes share one file system with the ledger. Each gets the same part of what is there, so
//! that none can take the room of another, and none more than it was given. Where there is less free
//! than is to stay free, the caches give it back before anything else is started.

use std::{fs::create_dir_all, path::Path};

use stoker_node::store::{Freed, held_bytes, make_room};

use super::{Options, nodes::folders};
use crate::{failure::Failure, size::show};

/// Left free at least, unless it is told otherwise,
const LEAST_RESERVE: u64 = 1 << 30;
/// or one part in so many of the file system, if that is more;
const RESERVE_SHARE: u64 = 20;
/// at most one part in so many of it.
const MOST_RESERVE_SHARE: u64 = 2;
/// What each cache may take however little room there is. It gives back what the reserve needs, but
/// for one segment.
const LEAST_CACHE: u64 = 32 << 20;

/// What each node's cache may take, and what all of them leave free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) cache_bytes: u64,
    pub(super) reserve_bytes: u64,
}

/// A file system as it is found.
#[derive(Clone, Copy, Debug)]
struct Space {
    total: u64,
    free: u64,
    /// By the caches.
    held: u64,
    caches: u64,
}

impl Room {
    /// Looks at the disk; makes room on one that is full, and says so.
    pub(super) fn find(options: &Options) -> Result<Self, Failure> {
        let folders = folders(&options.data);
        for folder in &folders {
            create_dir_all(folder).map_err(|error| {
                Failure::because(
                    format!("cannot make the node folder `{}`", folder.display()),
                    &error,
                )
                .hint("can this user write there? has its file system inodes and space left?")
            })?;
        }
        let held = folders.iter().map(|folder| held_bytes(folder)).sum();
        let Some(space) = space(&folders[0], held, folders.len() as u64) else {
            let reserve_bytes = options.disk_reserve.unwrap_or(LEAST_RESERVE);
            return Ok(Self { cache_bytes: options.cache_bytes, reserve_bytes });
        };
        let room = Self::divide(space, options.cache_bytes, options.disk_reserve);
        let reserve = show(room.reserve_bytes);
        if room.cache_bytes < options.cache_bytes {
            tracing::warn!(
                "the disk has no room for --cache-size {} of each of {} nodes: they take {} each and \
                 leave {reserve} free",
                show(options.cache_bytes),
                space.caches,
                show(room.cache_bytes),
            );
        }
        if space.free < room.reserve_bytes {
            let freed = make_room(&folders, room.reserve_bytes).map_err(|error| {
                Failure::because("the disk is full, and no room can be made on it", &error)
                    .hint("remove files on the file system of the data directory")
            })?;
            tell(&options.data, space.free, freed, &reserve);
        }
        Ok(room)
    }

    fn divide(space: Space, cache_bytes: u64, reserve: Option<u64>) -> Self {
        let by_default = (space.total / RESERVE_SHARE).max(LEAST_RESERVE);
        let by_default = by_default.min(space.total / MOST_RESERVE_SHARE);
        let reserve_bytes = reserve.unwrap_or(by_default);
        let for_caches = (space.free + space.held).saturating_sub(reserve_bytes);
        let share = (for_caches / space.caches.max(1)).max(LEAST_CACHE);
        Self { cache_bytes: cache_bytes.min(share), reserve_bytes }
    }
}

fn tell(data: &Path, free: u64, freed: Freed, reserve: &str) {
    let (free, data) = (show(free), data.display());
    if freed.segments == 0 {
        tracing::warn!(
            "only {free} are free where `{data}` is, of {reserve} that are to be; the caches have \
             nothing to give back"
        );
    } else {
        tracing::warn!(
            "only {free} were free where `{data}` is: removed the oldest content of the caches, {}, \
             to leave {reserve} free",
            show(freed.bytes)
        );
    }
}

fn space(folder: &Path, held: u64, caches: u64) -> Option<Space> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (total > 0).then_some(Space { total, free, held, caches })
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
            let space = Space { total, free, held, caches: 4 };
            let room = Room::divide(space, asked, reserve);
            assert_eq!((room.cache_bytes, room.reserve_bytes), expected, "{space:?} {asked}");
        }
    }
}

//! File descriptors: how many this process may open, and for what.
//!
//! At the start the soft limit is raised to the hard one. A reserve for ledger, logs and everything else
//! that cannot wait is set aside first. The rest is divided between the connections of the API, and for
//! each node the connections of viewers, those to origins and parents, and the files of its cache.
//! **Invariant:** the parts together never exceed the limit, so that callers cannot take a descriptor
//! from ledger or cache. The division is pure; `docs/limits.md` states it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The reserve: ledger (a writer and four readers, two files each), locks, directories, listeners,
/// signals, logs, look-ups of names, files that are replaced.
const RESERVE: u64 = 80;
/// With fewer the server does not start.
pub(crate) const LEAST: u64 = 192;
/// With fewer the server starts with a warning: few viewers can be served at once.
pub(crate) const FEW: u64 = 4096;
/// Most that are requested and used.
const MOST: u64 = 1 << 20;
/// The nodes of this process.
const NODES: u64 = 4;

/// Connections of the API: one part in so many of what is divided, within these bounds.
const API_PART: u64 = 6;
const API_BOUNDS: (u64, u64) = (16, 1024);
/// Files of a node's cache: one part in so many of the node's, within these bounds.
const FILES_PART: u64 = 8;
const FILES_BOUNDS: (u64, u64) = (4, 512);
/// Connections of a node to origins and parents: one part in so many of what is left of the node's.
const ORIGIN_PART: u64 = 3;
const ORIGIN_BOUNDS: (u64, u64) = (4, 4096);
/// Connections of viewers and other nodes at one node: all that is left, up to this.
const MOST_VIEWERS: u64 = 16_384;
/// Prefetch items that one node processes at once.
const MOST_ITEMS: u64 = 64;

/// The division of the descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Descriptors {
    /// Of the process.
    pub(crate) limit: u64,
    /// The reserve for ledger, logs and everything else.
    pub(crate) reserve: u64,
    /// Connections of the API, on all its listeners together.
    pub(crate) api: u64,
    /// Connections of viewers and other nodes, at each node.
    pub(crate) viewers: u64,
    /// Connections to origins and parents, of each node.
    pub(crate) origins: u64,
    /// Files of the cache, of each node.
    pub(crate) files: u64,
}

impl Descriptors {
    /// Raises the soft limit of this process to the hard one and divides it.
    ///
    /// # Errors
    /// There are too few to serve anybody.
    pub(crate) fn take() -> Result<Self, Failure> {
        let limit = raise();
        let Some(divided) = Self::divide(limit) else {
            return Err(Failure::new(format!(
                "this process may open only {limit} file descriptors, and {LEAST} are needed"
            ))
            .hint(format!(
                "run `ulimit -n {FEW}` before `stoker up`, or set LimitNOFILE= in its unit"
            )));
        };
        Ok(divided)
    }

    /// The division of `limit` descriptors; `None` where they are too few.
    pub(crate) fn divide(limit: u64) -> Option<Self> {
        if limit < LEAST {
            return None;
        }
        let reserve = RESERVE;
        let api = part(limit - reserve, API_PART, API_BOUNDS);
        let node = (limit - reserve - api) / NODES;
        let files = part(node, FILES_PART, FILES_BOUNDS);
        let origins = part(node - files, ORIGIN_PART, ORIGIN_BOUNDS);
        let viewers = (node - files - origins).min(MOST_VIEWERS);
        Some(Self { limit, reserve, api, viewers, origins, files })
    }

    /// Prefetch items that a node processes at once: half of its connections to origins, so that
    /// the misses of viewers get one.
    pub(crate) fn items(&self) -> u64 {
        (self.origins / 2).clamp(1, MOST_ITEMS)
    }

    /// Logs the division, and warns if it is small.
    pub(super) fn log(&self) {
        let Self { limit, reserve, api, viewers, origins, files } = *self;
        tracing::info!(
            limit,
            reserve,
            api.connections = api,
            node.viewers = viewers,
            node.origin_connections = origins,
            node.files = files,
            "file descriptors"
        );
        if limit < FEW {
            tracing::warn!(
                "this process may open only {limit} file descriptors: each node serves {viewers} \
                 connections at once; raise it with `ulimit -n {FEW}` or more"
            );
        }
    }
}

fn part(of: u64, share: u64, (least, most): (u64, u64)) -> u64 {
    (of / share).clamp(least, most)
}

/// Raises the soft limit as far as possible, and returns it.
fn raise() -> u64 {
    let found = getrlimit(Resource::Nofile);
    let hard = found.maximum.unwrap_or(MOST).min(MOST);
    let soft = found.current.unwrap_or(MOST).min(MOST);
    if soft >= hard {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(hard), ..found }) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of file descriptors");
            soft
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_never_exceed_the_limit_and_nobody_gets_nothing() {
        for limit in (LEAST..5000).chain([65_536, 524_288, MOST]) {
            let parts = Descriptors::divide(limit).unwrap();
            let Descriptors { reserve, api, viewers, origins, files, .. } = parts;
            let all = reserve + api + NODES * (viewers + origins + files);
            assert!(all <= limit, "{all} of {limit}: {parts:?}");
            assert!(api >= 16 && viewers >= 8 && origins >= 4 && files >= 4, "{parts:?}");
        }
    }

    #[test]
    fn the_division_is_the_documented_one() {
        // as docs/limits.md has it
        for (limit, api, viewers, origins, files) in [
            (256, 29, 22, 10, 4),
            (1024, 157, 115, 57, 24),
            (4096, 669, 488, 244, 104),
            (65_536, 1024, 11_500, 4096, 512),
            (1 << 20, 1024, 16_384, 4096, 512),
        ] {
            let found = Descriptors::divide(limit).unwrap();
            let parts = (found.api, found.viewers, found.origins, found.files);
            assert_eq!(parts, (api, viewers, origins, files), "{limit}");
        }
        assert_eq!(Descriptors::divide(LEAST - 1), None);
    }
}

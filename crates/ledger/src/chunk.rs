//! Chunks: targets that are written together, and the jobs that are made of them.
//!
//! A chunk holds up to [`CHUNK`] targets; a job is the part of one chunk that one node must hold.
//! Here targets are cut into chunks and counted. Nothing is written here, and nothing is known of
//! the tables of a backend.

use stoker_domain::{
    key::Key,
    outcome::Outcome,
    plan::{self, CHUNK, PlannedJob},
};

use crate::{PlannedTarget, tally::Counts};

/// Nodes not settled yet, by position in a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending(Vec<u16>);

impl Pending {
    /// As it lies in a row: 16 bits for each position, little-endian.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        // an odd byte at the end is left out: a row is written by `to_bytes` alone
        Self(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|nodes| nodes.to_le_bytes()).collect()
    }

    /// Nodes of `jobs` by position, none of which has settled.
    fn of(targets: usize, jobs: &[PlannedJob]) -> Self {
        let mut pending = vec![0u16; targets];
        for position in jobs.iter().flat_map(|job| job.members.iter()) {
            let nodes = &mut pending[usize::from(position)];
            // no fleet has 65,535 nodes
            *nodes = nodes.saturating_add(1);
        }
        Self(pending)
    }

    pub(crate) fn get(&self, position: u16) -> u16 {
        self.0.get(usize::from(position)).copied().unwrap_or(0)
    }

    /// One node less; how many are left.
    pub(crate) fn settle(&mut self, position: u16) -> u16 {
        // 0 for a position that the chunk does not have: nobody is waited for
        let Some(nodes) = self.0.get_mut(usize::from(position)) else { return 0 };
        *nodes = nodes.saturating_sub(1);
        *nodes
    }
}

/// Targets that are written together, and the jobs made of them.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: Vec<Row>,
    pub(crate) jobs: Vec<PlannedJob>,
    pub(crate) pending: Pending,
}

/// A target as it is written, without the nodes that must hold it: those are in the jobs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) url_hash: i64,
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) levels: u8,
    pub(crate) settled: Option<Outcome>,
}

impl Chunk {
    fn new(targets: Vec<PlannedTarget>) -> Self {
        let is_open = |target: &PlannedTarget| target.settled.is_none();
        let jobs =
            // a target that is settled already goes to no node
            plan::jobs(targets.iter().map(|target| is_open(target).then_some(&target.nodes)));
        let pending = Pending::of(targets.len(), &jobs);
        let rows = targets
            .into_iter()
            .map(|target| Row {
                url_hash: url_hash(&target.url),
                url: target.url,
                host: target.host,
                levels: target.levels,
                settled: target.settled,
            })
            .collect();
        Self { rows, jobs, pending }
    }

    /// Targets that some node has still to settle.
    pub(crate) fn open(&self) -> u64 {
        self.rows.iter().filter(|row| row.settled.is_none()).count() as u64
    }
}

/// Cuts targets into chunks and plans their jobs. A target that is settled at once has no nodes.
pub(crate) fn cut(targets: Vec<PlannedTarget>) -> Vec<Chunk> {
    let mut targets = targets.into_iter().peekable();
    let mut chunks = Vec::new();
    // taken out and not copied: a task may have a million URLs
    while targets.peek().is_some() {
        chunks.push(Chunk::new(targets.by_ref().take(CHUNK).collect()));
    }
    chunks
}

/// How many targets `chunks` have, and how those that are settled at once ended.
pub(crate) fn counts(chunks: &[Chunk]) -> Counts {
    let mut counts = Counts::default();
    for row in chunks.iter().flat_map(|chunk| &chunk.rows) {
        counts.targets += 1;
        if let Some(outcome) = row.settled {
            counts.end(outcome);
        }
    }
    counts
}

/// Finds a URL in an index of numbers. Equal hashes prove nothing: the URLs are compared too.
pub(crate) fn url_hash(url: &str) -> i64 {
    // written into the ledger, so that it must be the same in every version
    let Key(bytes) = Key::new("", url);
    let (head, _) = bytes.split_first_chunk().expect("a key is longer than 8 bytes");
    i64::from_le_bytes(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(number: usize, nodes: &[&str], settled: Option<Outcome>) -> PlannedTarget {
        PlannedTarget {
            url: format!("http://a.example/{number}"),
            host: "a.example".into(),
            levels: 3,
            nodes: crate::suite::fixture::nodes_named(nodes),
            settled,
        }
    }

    #[test]
    fn chunks_are_full_but_for_the_last_and_keep_the_order() {
        for (count, sizes) in [
            (0, vec![]),
            (1, vec![1]),
            (CHUNK, vec![CHUNK]),
            (CHUNK + 1, vec![CHUNK, 1]),
            (2 * CHUNK, vec![CHUNK, CHUNK]),
        ] {
            let chunks = cut((0..count).map(|number| target(number, &["edge"], None)).collect());
            let found: Vec<_> = chunks.iter().map(|chunk| chunk.rows.len()).collect();
            assert_eq!(found, sizes, "{count} targets");
            let urls = chunks.iter().flat_map(|chunk| &chunk.rows).map(|row| row.url.clone());
            let expected = (0..count).map(|number| format!("http://a.example/{number}"));
            assert!(urls.eq(expected), "{count} targets");
            assert!(chunks.iter().all(|chunk| chunk.jobs.len() == 1), "a job for each chunk");
        }
    }

    #[test]
    fn a_target_that_is_settled_at_once_waits_for_no_node() {
        let chunks = cut(vec![
            target(0, &["edge", "middle"], None),
            target(1, &["edge"], Some(Outcome::OverQuota)),
            target(2, &["middle"], None),
            target(3, &[], Some(Outcome::Filled)),
        ]);
        let [chunk] = chunks.as_slice() else { panic!("one chunk") };
        assert_eq!([0, 1, 2, 3, 4].map(|at| chunk.pending.get(at)), [2, 0, 1, 0, 0]);
        assert_eq!(chunk.open(), 2);
        let members = |node: &str| -> Vec<u16> {
            let job = chunk.jobs.iter().find(|job| job.node == node).unwrap();
            job.members.iter().collect()
        };
        assert_eq!((members("edge"), members("middle")), (vec![0], vec![0, 2]));
        let expected = Counts { targets: 4, done: 1, failed: 1, ..Counts::default() };
        assert_eq!(counts(&chunks), expected);
        assert_eq!(chunk.rows[1].levels, 3);
    }

    #[test]
    fn each_node_counts_down_to_none_and_no_further() {
        let mut pending = Pending(vec![2, 0, u16::MAX]);
        assert_eq!([pending.settle(0), pending.settle(0), pending.settle(0)], [1, 0, 0]);
        assert_eq!((pending.settle(1), pending.settle(7)), (0, 0), "nothing to settle");
        assert_eq!(pending.settle(2), u16::MAX - 1);
        assert_eq!(pending, Pending(vec![0, 0, u16::MAX - 1]));
    }

    #[test]
    fn a_hash_is_the_same_in_every_version() {
        // it stands in rows: a change of it would lose every URL that is there. Computed with
        // another SHA-256
        let expected = -1_279_751_391_472_025_409;
        assert_eq!(url_hash("http://a.example/1"), expected);
        assert_ne!(url_hash("http://a.example/2"), expected);
    }

    proptest! {
        #[test]
        fn counts_of_nodes_lie_in_a_row_as_two_bytes_each(nodes in prop::collection::vec(any::<u16>(), 0..600)) {
            let pending = Pending(nodes.clone());
            let bytes = pending.to_bytes();
            prop_assert_eq!(bytes.len(), nodes.len() * 2);
            for (at, count) in nodes.iter().enumerate() {
                prop_assert_eq!(u16::from(bytes[2 * at]) | u16::from(bytes[2 * at + 1]) << 8, *count);
            }
            prop_assert_eq!(Pending::from_bytes(&bytes), pending);
        }
    }
}

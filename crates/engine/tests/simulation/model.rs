//! The world around the engine: an origin that is a table, and nodes that are sets of URLs.

use std::collections::{HashMap, HashSet};

use stoker_domain::{
    area::{Area, Tier},
    job::{Child, ItemReport, JobItem, LeasedJob},
    outcome::{OriginFault, Outcome},
    placement::Node,
    time::Timestamp,
};

/// What a fetch of a URL leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Fine,
    Missing,
    /// Fails so often on each node, then is fine.
    Fails(u32),
    /// A playlist that names these URLs; with true, as playlists.
    Playlist(&'static [(&'static str, bool)]),
}

/// The URLs that are submitted. Two spell the same target.
pub(crate) const URLS: &[&str] = &[
    "http://www.example.com/0.bin",
    "http://www.example.com/1.bin",
    "http://www.example.com/2.bin",
    "HTTP://WWW.example.com/2.bin#same",
    "http://www.example.com/3.bin",
    "http://www.example.com/missing.bin",
    "http://www.example.com/fails-2.bin",
    "http://www.example.com/fails-always.bin",
    "http://www.example.com/master.m3u8",
    "http://www.example.com/loop.m3u8",
    "http://www.example.com/deep-1.m3u8",
];

/// What the origin does with a normalised URL.
pub(crate) fn origin(url: &str) -> Origin {
    match url.rsplit('/').next().unwrap() {
        "missing.bin" => Origin::Missing,
        "fails-2.bin" => Origin::Fails(2),
        "fails-always.bin" => Origin::Fails(u32::MAX),
        "master.m3u8" => Origin::Playlist(&[
            ("http://www.example.com/low.m3u8", true),
            ("http://stranger.example.org/high.m3u8", true),
            ("http://stopped.example.com/mid.m3u8", true),
        ]),
        "low.m3u8" => Origin::Playlist(&[
            ("http://www.example.com/low-0.ts", false),
            ("http://www.example.com/low-1.ts", false),
            ("http://www.example.com/low-2.ts", false),
            ("http://user@www.example.com/low-3.ts", false),
        ]),
        "loop.m3u8" => Origin::Playlist(&[
            ("http://www.example.com/loop.m3u8", true),
            ("http://www.example.com/master.m3u8", true),
            ("http://www.example.com/0.ts", false),
        ]),
        "deep-1.m3u8" => Origin::Playlist(&[("http://www.example.com/deep-2.m3u8", true)]),
        "deep-2.m3u8" => Origin::Playlist(&[("http://www.example.com/deep-3.m3u8", true)]),
        "deep-3.m3u8" => Origin::Playlist(&[("http://www.example.com/deep-4.m3u8", true)]),
        _ => Origin::Fine,
    }
}

/// Name, area, tier, cluster. Two edges share a cluster, so each key lives on one of them.
pub(crate) const NODES: &[(&str, Area, Tier, &str)] = &[
    ("edge-mainland-a", Area::Mainland, Tier::Edge, "mainland"),
    ("edge-mainland-b", Area::Mainland, Tier::Edge, "mainland"),
    ("edge-overseas-1", Area::Overseas, Tier::Edge, "overseas-1"),
    ("edge-overseas-2", Area::Overseas, Tier::Edge, "overseas-2"),
    ("middle-mainland", Area::Mainland, Tier::Middle, "mainland"),
    ("middle-overseas", Area::Overseas, Tier::Middle, "overseas"),
];

/// A node: its cache outlives its process unless it is lost with it.
#[derive(Debug)]
pub(crate) struct SimulatedNode {
    pub(crate) node: Node,
    pub(crate) session: u64,
    pub(crate) is_up: bool,
    pub(crate) held: HashSet<String>,
    pub(crate) jobs: Vec<LeasedJob>,
    failures: HashMap<String, u32>,
}

impl SimulatedNode {
    pub(crate) fn all() -> Vec<Self> {
        NODES
            .iter()
            .map(|(name, area, tier, cluster)| Self {
                node: Node {
                    name: (*name).into(),
                    area: *area,
                    tier: *tier,
                    cluster: (*cluster).into(),
                    address: format!("{name}:80"),
                },
                session: 1,
                is_up: true,
                held: HashSet::new(),
                jobs: Vec::new(),
                failures: HashMap::new(),
            })
            .collect()
    }

    /// Forgets what a process forgets.
    pub(crate) fn die(&mut self, loses_cache: bool) {
        self.is_up = false;
        self.session += 1;
        self.jobs.clear();
        if loses_cache {
            self.held.clear();
        }
    }

    /// Fetches one item, unless it is held, and reads it back.
    pub(crate) fn fetch(&mut self, item: &JobItem, now: Timestamp) -> ItemReport {
        let outcome = if self.held.contains(&item.url) {
            Outcome::AlreadyFresh
        } else {
            self.pull(&item.url)
        };
        let is_success = outcome.is_success();
        let children = match origin(&item.url) {
            Origin::Playlist(children) if is_success && item.levels > 0 => children,
            _ => &[],
        };
        let child = |(url, is_playlist): &(&str, bool)| Child {
            url: (*url).into(),
            is_playlist: *is_playlist,
        };
        ItemReport {
            position: item.position,
            outcome,
            size_bytes: is_success.then_some(1000),
            pulled_bytes: if outcome == Outcome::Filled { 1000 } else { 0 },
            validator: None,
            verified_at: is_success.then_some(now),
            fresh_until: None,
            detail: None,
            children: children.iter().map(child).collect(),
        }
    }

    fn pull(&mut self, url: &str) -> Outcome {
        let failures = self.failures.entry(url.into()).or_default();
        match origin(url) {
            Origin::Missing => Outcome::OriginStatus(404),
            Origin::Fails(times) if *failures < times => {
                *failures += 1;
                Outcome::OriginError(OriginFault::Connect)
            }
            _ => {
                self.held.insert(url.into());
                Outcome::Filled
            }
        }
    }
}

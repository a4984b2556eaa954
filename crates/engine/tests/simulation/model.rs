//! The world around the engine: an origin that is a table, and nodes that are sets of URLs, each
//! with the moment at which it left the origin.

use std::collections::{HashMap, HashSet};

use stoker_domain::{
    area::{Area, Tier},
    directory::Directory,
    job::{ItemReport, JobItem, LeasedJob},
    media::Child,
    outcome::{OriginFault, Outcome},
    placement::{Node, Parent},
    purge::{PurgeOrder, Scope, split_tagged},
    target::Target,
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
    "http://www.example.com/dir/4.bin",
];

/// What viewers ask for besides: served in the mainland alone, through the middle nodes there.
pub(crate) const MAINLAND_URL: &str = "http://mainland.example.com/5.bin";

/// The tags that the origin gives, by what its URLs end in.
pub(crate) const TAGS: &[&str] = &["bin", "m3u8", "ts"];

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
    /// When what it holds left the origin.
    pub(crate) held: HashMap<String, u64>,
    pub(crate) jobs: Vec<LeasedJob>,
    /// Purge orders that it was handed and has not come to yet.
    pub(crate) orders: Vec<PurgeOrder>,
    /// Those that it has carried out; kept beside the cache.
    carried_out: HashSet<u64>,
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
                held: HashMap::new(),
                jobs: Vec::new(),
                orders: Vec::new(),
                carried_out: HashSet::new(),
                failures: HashMap::new(),
            })
            .collect()
    }

    /// Forgets what a process forgets.
    pub(crate) fn die(&mut self, loses_cache: bool) {
        self.is_up = false;
        self.session += 1;
        self.jobs.clear();
        self.orders.clear();
        if loses_cache {
            self.held.clear();
            self.carried_out.clear();
        }
    }

    /// As the agent does: what is not above the last order is taken for carried out.
    pub(crate) fn carry_out(&mut self, order: &PurgeOrder) {
        if self.carried_out.iter().any(|done| *done >= order.number) {
            assert!(self.carried_out.contains(&order.number), "skipped, never carried out");
            return;
        }
        self.held.retain(|url, _| !order.targets.iter().any(|name| names(order.scope, name, url)));
        self.carried_out.insert(order.number);
    }

    /// The origin's answer, which is kept.
    fn ask_origin(&mut self, url: &str, moment: u64) -> Outcome {
        let failures = self.failures.entry(url.into()).or_default();
        match origin(url) {
            Origin::Missing => Outcome::OriginStatus(404),
            Origin::Fails(times) if *failures < times => {
                *failures += 1;
                // of this target alone: the origin itself is there
                Outcome::OriginError(OriginFault::Truncated)
            }
            _ => {
                self.held.insert(url.into(), moment);
                Outcome::Filled
            }
        }
    }
}

/// Whether a purge's target is, or contains, the URL.
pub(crate) fn names(scope: Scope, target: &str, url: &str) -> bool {
    match scope {
        Scope::Url => target == url,
        Scope::Path => url.starts_with(target),
        Scope::Tag => {
            let (host, tag) = split_tagged(target).unwrap();
            url.split('/').nth(2) == Some(host) && url.rsplit('.').next() == Some(tag)
        }
    }
}

/// The nodes, and whom they ask.
pub(crate) struct Net<'a> {
    pub(crate) nodes: &'a mut [SimulatedNode],
    pub(crate) directory: &'a Directory,
    /// What leaves the origin now is as new as this.
    pub(crate) moment: u64,
}

impl Net<'_> {
    /// Lets a node fetch one item, unless it is held, and read it back.
    pub(crate) fn fetch(&mut self, number: usize, item: &JobItem, now: Timestamp) -> ItemReport {
        let outcome = self.pull(number, &item.url);
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
            size_bytes: is_success.then_some(1000),
            pulled_bytes: if outcome == Outcome::Filled { 1000 } else { 0 },
            verified_at: is_success.then_some(now),
            children: children.iter().map(child).collect(),
            ..ItemReport::new(item.position, outcome)
        }
    }

    /// Fetches through the nodes on the way, which all keep it, or past one that is down. A node
    /// that the engine does not hear of serves its neighbours all the same.
    pub(crate) fn pull(&mut self, number: usize, url: &str) -> Outcome {
        if self.nodes[number].held.contains_key(url) {
            return Outcome::AlreadyFresh;
        }
        let target = Target::parse(url, false).unwrap();
        let domain = self.directory.domain(&target.host).unwrap();
        let parent =
            match self.directory.fleet().parent(&self.nodes[number].node, domain, target.key()) {
                Parent::Node(parent) => {
                    self.nodes.iter().position(|node| node.is_up && node.node.name == parent.name)
                }
                Parent::Origin => None,
            };
        let Some(parent) = parent else {
            return self.nodes[number].ask_origin(url, self.moment);
        };
        let outcome = self.pull(parent, url);
        if !outcome.is_success() {
            return outcome;
        }
        let left_at = self.nodes[parent].held[url];
        self.nodes[number].held.insert(url.into(), left_at);
        Outcome::Filled
    }
}

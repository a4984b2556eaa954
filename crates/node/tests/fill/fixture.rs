//! What every fill test needs: an origin, a store, a registry and a clock.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use stoker_domain::{
    account::AccountId,
    area::{Area, Tier},
    backoff::Backoff,
    directory::Directory,
    domain::{Domain, NodeDomain},
    http::ByteRange,
    key::Key,
    placement::Node,
    task::FetchOptions,
    time::Timestamp,
};
use stoker_node::{
    fill::{self, FillHead, Filled, Fills, Reader},
    origin::{Client, Fault, TimeOuts},
    request::{Handed, Intent, Priority, Request, Want, stored_url},
    store::{self, Disk, Files, Store, Stored},
};
use stoker_testkit::{FakeClock, Origin, Seen, eventually};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const HOST: &str = "www.example.com";
pub(crate) const SLICE: usize = store::SLICE as usize;

pub(crate) struct Fixture {
    pub(crate) origin: Origin,
    pub(crate) store: Store,
    pub(crate) fills: Fills,
    pub(crate) clock: FakeClock,
    pub(crate) domain: Arc<NodeDomain>,
    pub(crate) dir: TempDir,
    pub(crate) time_outs: TimeOuts,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(256 << 20, |dir| Arc::new(Files::new(dir.path()))).await
    }

    /// With a disk bound and a disk of the test's choice.
    pub(crate) async fn with(max_bytes: u64, disk: impl FnOnce(&TempDir) -> Arc<dyn Disk>) -> Self {
        let origin = Origin::start().await;
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::default();
        let config = store::Config::new(dir.path(), max_bytes);
        let store = Store::open(config, disk(&dir), Arc::new(clock.clone())).unwrap();
        let time_outs = TimeOuts {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        };
        let domain = domain(&origin, true);
        let fills = fills(&store, &clock, time_outs, directory(&domain, None));
        Self { origin, store, fills, clock, domain, dir, time_outs }
    }

    /// The same store after a restart of the node.
    pub(crate) async fn reopen(&mut self) {
        self.fills.shutdown().await;
        self.store.close().await;
        // the lock goes with the last handle, so another store stands in while it is let go
        let spare = tempfile::tempdir().unwrap();
        self.store = open(&spare);
        self.restart_fills();
        self.store = open(&self.dir);
        self.restart_fills();
    }

    /// Fills with the present time-outs and domain.
    pub(crate) fn restart_fills(&mut self) {
        let directory = directory(&self.domain, None);
        self.fills = fills(&self.store, &self.clock, self.time_outs, directory);
    }

    /// The same with bounds of the test's choice; see [`Self::config`].
    pub(crate) fn restart_fills_with(&mut self, config: fill::Config) {
        let directory = directory(&self.domain, None);
        self.fills = fills_with(&self.store, &self.clock, self.time_outs, directory, config);
    }

    /// Bounds with short delays.
    pub(crate) fn config() -> fill::Config {
        fill::Config {
            seed: 7,
            backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(1280)),
            linger: Duration::from_millis(100),
            background_linger: Duration::from_millis(50),
            ..fill::Config::default()
        }
    }

    pub(crate) fn request(&self, path: &str, intent: Intent) -> Request {
        Request {
            key: Key::new(HOST, path),
            domain: Arc::clone(&self.domain),
            host: HOST.into(),
            path_and_query: path.into(),
            fields: HeaderMap::new(),
            handed: Handed::default(),
            options: Arc::new(FetchOptions::default()),
            intent,
            hops: 0,
            client: None,
            priority: match intent {
                Intent::Prefetch => Priority::Background,
                _ => Priority::Interactive,
            },
            errors_since: None,
        }
    }

    pub(crate) async fn stored(&self, path: &str) -> Option<Stored> {
        self.store.lookup(Key::new(HOST, path), &stored_url(HOST, path, 0)).await
    }

    /// Joins or starts a fill, as a node does after a look-up.
    pub(crate) async fn read(&self, path: &str, intent: Intent) -> Reader {
        let stored = self.stored(path).await;
        self.fills.get_or_start(self.request(path, intent), stored)
    }

    pub(crate) async fn prefetch(&self, path: &str) -> Filled {
        self.read(path, Intent::Prefetch).await.durable().await
    }

    /// What a viewer who wants everything gets.
    pub(crate) async fn get(&self, path: &str) -> Result<(Arc<FillHead>, Bytes), Fault> {
        all_of(self.read(path, Intent::Demand(Want::All)).await).await
    }

    /// What a viewer who wants bytes `start..=end` gets.
    pub(crate) async fn get_range(&self, path: &str, start: u64, end: u64) -> Bytes {
        let mut reader = self.read(path, Intent::Demand(range(start, end))).await;
        reader.head().await.unwrap();
        reader.body(Some((start, end))).collect().await.unwrap().to_bytes()
    }

    /// Waits until no fill runs.
    pub(crate) async fn idle(&self) {
        let limit = Duration::from_secs(120);
        eventually(limit, "fills end", async || (self.fills.running() == 0).then_some(())).await;
    }

    /// All content of what is stored and complete.
    pub(crate) async fn content_of(&self, path: &str) -> Bytes {
        let stored = self.stored(path).await.expect("something is stored");
        assert!(stored.is_complete(), "it is not complete");
        let size = stored.size().unwrap();
        let mut content = Vec::new();
        while (content.len() as u64) < size {
            let offset = content.len() as u64;
            content.extend_from_slice(&stored.read(offset, SLICE).await.unwrap());
        }
        content.into()
    }
}

fn open(dir: &TempDir) -> Store {
    let config = store::Config::new(dir.path(), 256 << 20);
    Store::open(config, Arc::new(Files::new(dir.path())), Arc::new(FakeClock::default())).unwrap()
}

pub(crate) fn range(start: u64, end: u64) -> Want {
    Want::Range(ByteRange::From { start, end_inclusive: Some(end) })
}

pub(crate) async fn all_of(mut reader: Reader) -> Result<(Arc<FillHead>, Bytes), Fault> {
    let head = reader.head().await?;
    let body = reader.body(None).collect().await?.to_bytes();
    Ok((head, body))
}

pub(crate) fn domain(origin: &Origin, allow_private: bool) -> Arc<NodeDomain> {
    let mut parsed: stoker_domain::domain::Origin = origin.url().parse().unwrap();
    parsed.allow_private = allow_private;
    Arc::new(Domain::new(HOST, AccountId(1), parsed, Timestamp::default()).for_nodes())
}

pub(crate) fn node(name: &str, tier: Tier, address: &str) -> Arc<Node> {
    Arc::new(Node {
        name: name.into(),
        area: Area::Mainland,
        tier,
        cluster: format!("{name}-cluster"),
        address: address.into(),
    })
}

/// A directory with the domain, and with a parent for the edge under test if one is named.
pub(crate) fn directory(domain: &Arc<NodeDomain>, parent: Option<&str>) -> Directory {
    let mut directory = Directory::default();
    directory.put_domain(Arc::clone(domain));
    if let Some(address) = parent {
        directory.put_node(Node::clone(&node("middle", Tier::Middle, address)));
    }
    directory
}

pub(crate) fn fills(
    store: &Store,
    clock: &FakeClock,
    time_outs: TimeOuts,
    directory: Directory,
) -> Fills {
    fills_with(store, clock, time_outs, directory, Fixture::config())
}

fn fills_with(
    store: &Store,
    clock: &FakeClock,
    time_outs: TimeOuts,
    directory: Directory,
    config: fill::Config,
) -> Fills {
    Fills::new(
        store.clone(),
        Client::new("secret", time_outs),
        node("edge", Tier::Edge, "127.0.0.1:1"),
        watch::channel(Arc::new(directory)).1,
        Arc::new(clock.clone()),
        config,
    )
}

/// The bytes that left the origin, as ranges in order, joined where they touch. Panics when one
/// left twice.
pub(crate) fn sent_once(seen: &[Seen]) -> Vec<(u64, u64)> {
    let mut sent: Vec<(u64, u64)> = seen
        .iter()
        .filter(|seen| seen.sent() > 0)
        .map(|seen| (seen.start, seen.start + seen.sent()))
        .collect();
    sent.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (start, end) in sent {
        match joined.last_mut() {
            Some(last) if start < last.1 => panic!("bytes {start}..{} left twice", last.1),
            Some(last) if start == last.1 => last.1 = end,
            _ => joined.push((start, end)),
        }
    }
    joined
}

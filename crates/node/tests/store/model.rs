//! What a store must answer, kept beside it: for every key the states that it went through and the
//! last one that was reported durable.
//!
//! A lookup must show one state: its head, its size, its bytes. While nothing has failed it must be
//! the newest; after a crash it may be any from the last durable one on. Content is a function of
//! the version, so bytes of two generations cannot be taken for each other.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use stoker_domain::{key::Key, purge::Method};
use stoker_node::store::{ReadError, SLICE, Store, Stored, Ticket, WriteError, Writer};

/// What is known of one key.
#[derive(Clone, Debug)]
pub(crate) struct History {
    states: Vec<State>,
    /// Index of the newest state that was reported durable.
    durable: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Absent,
    Present { version: u64, refreshed: u32, is_complete: bool },
}

/// One version of a key's content.
#[derive(Clone, Debug)]
struct Version {
    size: u64,
    is_sliced: bool,
    /// Slices that were handed over, and those of them that were reported durable.
    tried: BTreeSet<u32>,
    durable: BTreeSet<u32>,
}

/// What may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Exactly the newest state.
    Newest,
    /// Any state from the last durable one on, with its durable slices.
    Durable,
    /// As [`Demand::Durable`], but anything may have been evicted.
    DurableUnlessEvicted,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    keys: BTreeMap<u64, History>,
    versions: BTreeMap<u64, Version>,
    next_version: u64,
    /// How long content may be.
    pub(crate) whole: u64,
    pub(crate) sliced: u64,
    /// All that failed so far.
    pub(crate) failed: Vec<WriteError>,
    /// Tickets whose end is not known yet.
    open: Vec<(Ticket, Ack)>,
}

#[derive(Clone, Debug)]
enum Ack {
    State(u64, usize),
    Slice(u64, u32),
    /// A purge of several keys, by name and state.
    States(Vec<(u64, usize)>),
}

pub(crate) fn key(name: u64) -> (Key, String) {
    let path = format!("/{name}");
    (Key::new("cache.example", &path), format!("http://cache.example{path}"))
}

pub(crate) fn content(version: u64, offset: u64, len: u64) -> Bytes {
    let seed = version.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = offset / 8..(offset + len).div_ceil(8);
    let mut bytes = Vec::with_capacity(len as usize + 16);
    for word in words {
        let mixed = (word ^ seed).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    Bytes::from(bytes).slice((offset % 8) as usize..(offset % 8 + len) as usize)
}

fn head(version: u64, refreshed: u32) -> Bytes {
    Bytes::from(format!("version={version} refreshed={refreshed}"))
}

impl Model {
    pub(crate) fn new(whole: u64, sliced: u64) -> Self {
        Self { next_version: 1, whole, sliced, ..Self::default() }
    }

    /// One random operation on a random key of `names`.
    pub(crate) async fn step(&mut self, store: &Store, random: &mut StdRng, names: u64) {
        let name = random.random_range(0..names);
        match random.random_range(0..100) {
            0..45 => self.put_whole(store, random, name).await,
            45..65 => {
                let is_finished = random.random_bool(0.7);
                self.put_sliced(store, random, name, is_finished).await;
            }
            65..75 => self.resume(store, random, name).await,
            75..85 => self.refresh(store, name).await,
            85..90 => self.remove(store, name),
            90..93 => self.purge(store, name % 10),
            _ => drop(self.settle().await),
        }
        if self.open.len() > 8 {
            self.settle().await;
        }
    }

    pub(crate) async fn put_whole(&mut self, store: &Store, random: &mut StdRng, name: u64) {
        let size = random.random_range(0..=self.whole);
        let version = self.version(size, false);
        let (key, url) = key(name);
        let middle = random.random_range(0..=size);
        let parts = vec![content(version, 0, middle), content(version, middle, size - middle)];
        let ticket = store.begin(key, &url).whole(head(version, 0), parts).await;
        let state = State::Present { version, refreshed: 0, is_complete: true };
        self.push(name, state, ticket).await;
    }

    pub(crate) async fn put_sliced(
        &mut self,
        store: &Store,
        random: &mut StdRng,
        name: u64,
        is_finished: bool,
    ) {
        let size = random.random_range(0..=self.sliced);
        let version = self.version(size, true);
        let (key, url) = key(name);
        let writer = store.begin(key, &url);
        let known = random.random_bool(0.5).then_some(size);
        let ticket = writer.head(head(version, 0), known).await;
        let state = State::Present { version, refreshed: 0, is_complete: false };
        self.push(name, state, ticket).await;
        let mut slices: Vec<u32> = (0..size.div_ceil(SLICE) as u32).collect();
        slices.shuffle(random);
        if !is_finished {
            slices.truncate(random.random_range(0..=slices.len()));
        }
        self.put_slices(&writer, version, &slices).await;
        if is_finished {
            self.complete(&writer, name, version, 0).await;
        }
    }

    async fn resume(&mut self, store: &Store, random: &mut StdRng, name: u64) {
        let (key, url) = key(name);
        let Some(stored) = store.lookup(key, &url).await else { return };
        let State::Present { version, refreshed, .. } = self.newest(name) else { return };
        if stored.is_complete() || stored.head() != &head(version, refreshed) {
            return;
        }
        let size = self.versions[&version].size;
        let count = size.div_ceil(SLICE) as u32;
        let mut missing: Vec<u32> = (0..count).filter(|&slice| !stored.has_slice(slice)).collect();
        missing.shuffle(random);
        let writer = stored.writer();
        assert_eq!(writer.generation(), stored.generation());
        self.put_slices(&writer, version, &missing).await;
        self.complete(&writer, name, version, refreshed).await;
    }

    async fn refresh(&mut self, store: &Store, name: u64) {
        let (key, url) = key(name);
        let Some(stored) = store.lookup(key, &url).await else { return };
        let State::Present { version, refreshed, is_complete } = self.newest(name) else { return };
        if stored.head() != &head(version, refreshed) {
            return;
        }
        let refreshed = refreshed + 1;
        let ticket = store.refresh(&stored, head(version, refreshed));
        self.push(name, State::Present { version, refreshed, is_complete }, ticket).await;
    }

    pub(crate) fn remove(&mut self, store: &Store, name: u64) {
        let ticket = store.remove(key(name).0);
        let history = self.history(name);
        history.states.push(State::Absent);
        let index = history.states.len() - 1;
        self.open.push((ticket, Ack::State(name, index)));
    }

    /// Purges all keys whose name begins with the digit `first`.
    pub(crate) fn purge(&mut self, store: &Store, first: u64) {
        let ticket = store.purge(&key(first).1, Method::Delete);
        let mut states = Vec::new();
        for (name, history) in &mut self.keys {
            if name.to_string().starts_with(&first.to_string()) {
                history.states.push(State::Absent);
                states.push((*name, history.states.len() - 1));
            }
        }
        self.open.push((ticket, Ack::States(states)));
    }

    async fn put_slices(&mut self, writer: &Writer, version: u64, slices: &[u32]) {
        let size = self.versions[&version].size;
        for &number in slices {
            let offset = u64::from(number) * SLICE;
            let len = SLICE.min(size - offset);
            let ticket = writer.slice(number, vec![content(version, offset, len)]).await;
            self.versions.get_mut(&version).unwrap().tried.insert(number);
            self.open.push((ticket, Ack::Slice(version, number)));
        }
    }

    async fn complete(&mut self, writer: &Writer, name: u64, version: u64, refreshed: u32) {
        let size = self.versions[&version].size;
        let ticket = writer.complete(head(version, refreshed), size).await;
        self.push(name, State::Present { version, refreshed, is_complete: true }, ticket).await;
    }

    fn version(&mut self, size: u64, is_sliced: bool) -> u64 {
        let version = self.next_version;
        self.next_version += 1;
        let (tried, durable) = Default::default();
        self.versions.insert(version, Version { size, is_sliced, tried, durable });
        version
    }

    async fn push(&mut self, name: u64, state: State, mut ticket: Ticket) {
        // What is written can be read at once, and is what later operations build on.
        let _ = ticket.written().await;
        let history = self.history(name);
        history.states.push(state);
        let index = history.states.len() - 1;
        self.open.push((ticket, Ack::State(name, index)));
    }

    fn history(&mut self, name: u64) -> &mut History {
        self.keys.entry(name).or_insert(History { states: vec![State::Absent], durable: 0 })
    }

    fn newest(&mut self, name: u64) -> State {
        *self.history(name).states.last().unwrap()
    }

    /// Waits for every open ticket and notes which were reported durable. Returns what failed now.
    pub(crate) async fn settle(&mut self) -> Vec<WriteError> {
        let mut failed = Vec::new();
        for (ticket, ack) in std::mem::take(&mut self.open) {
            match (ticket.durable().await, ack) {
                (Ok(()), Ack::State(name, index)) => {
                    let history = self.history(name);
                    history.durable = history.durable.max(index);
                }
                (Ok(()), Ack::Slice(version, number)) => {
                    self.versions.get_mut(&version).unwrap().durable.insert(number);
                }
                (Ok(()), Ack::States(states)) => {
                    for (name, index) in states {
                        let history = self.history(name);
                        history.durable = history.durable.max(index);
                    }
                }
                (Err(error), _) => failed.push(error),
            }
        }
        self.failed.extend(&failed);
        failed
    }

    /// Looks every key up and compares. Returns how many were there.
    pub(crate) async fn check(&mut self, store: &Store, demand: Demand) -> usize {
        let mut present = 0;
        for (&name, history) in &self.keys {
            let (key, url) = key(name);
            let found = store.lookup(key, &url).await;
            present += usize::from(found.is_some());
            let oldest = match demand {
                Demand::Newest => history.states.len() - 1,
                Demand::Durable | Demand::DurableUnlessEvicted => history.durable,
            };
            let allowed = &history.states[oldest..];
            let Some(stored) = found else {
                assert!(
                    allowed.contains(&State::Absent) || demand == Demand::DurableUnlessEvicted,
                    "key {name} is lost: {allowed:?}"
                );
                continue;
            };
            let state = allowed.iter().rev().find(|state| match state {
                State::Absent => false,
                State::Present { version, refreshed, .. } => {
                    stored.head() == &head(*version, *refreshed)
                }
            });
            let Some(State::Present { version, .. }) = state else {
                panic!("key {name} shows {:?}, allowed is {allowed:?}", stored.head());
            };
            // Any complete state of this version in the allowed range that must still hold.
            let is_complete = matches!(
                history.states[oldest],
                State::Present { version: of, is_complete: true, .. } if of == *version
            );
            if is_complete && demand != Demand::DurableUnlessEvicted {
                assert!(stored.is_complete(), "key {name} has lost a part of {version}");
            }
            self.check_content(&stored, *version, demand).await;
        }
        present
    }

    async fn check_content(&self, stored: &Stored, version: u64, demand: Demand) {
        let expected = &self.versions[&version];
        if stored.is_complete() {
            assert_eq!(stored.size(), Some(expected.size), "version {version}");
        }
        if !expected.is_sliced {
            let read = read_all(stored, 0, expected.size).await.unwrap();
            assert!(read == content(version, 0, expected.size), "version {version} is damaged");
            return;
        }
        for number in 0..expected.size.div_ceil(SLICE) as u32 {
            let offset = u64::from(number) * SLICE;
            let len = SLICE.min(expected.size - offset);
            match read_all(stored, offset, len).await {
                Ok(read) => {
                    assert!(expected.tried.contains(&number), "phantom slice {number}");
                    assert!(read == content(version, offset, len), "slice {number} of {version}");
                }
                Err(ReadError::Missing) => assert!(
                    !expected.durable.contains(&number) || demand == Demand::DurableUnlessEvicted,
                    "slice {number} of {version} is lost"
                ),
                Err(error) => panic!("slice {number} of {version}: {error}"),
            }
        }
    }

    /// Takes what is found now for the newest and durable state of every key.
    pub(crate) async fn adopt(&mut self, store: &Store) {
        for (&name, history) in &mut self.keys {
            let (key, url) = key(name);
            let found = match store.lookup(key, &url).await {
                None => State::Absent,
                Some(stored) => {
                    let is_found = |state: &&State| match state {
                        State::Absent => false,
                        State::Present { version, refreshed, .. } => {
                            stored.head() == &head(*version, *refreshed)
                        }
                    };
                    let mut state = *history.states.iter().rev().find(is_found).unwrap();
                    if let State::Present { is_complete, .. } = &mut state {
                        *is_complete = stored.is_complete();
                    }
                    state
                }
            };
            *history = History { states: vec![found], durable: 0 };
        }
    }
}

/// `len` bytes from `offset` on, in reads of odd sizes.
pub(crate) async fn read_all(stored: &Stored, offset: u64, len: u64) -> Result<Bytes, ReadError> {
    let mut all = Vec::new();
    while (all.len() as u64) < len {
        let left = (len - all.len() as u64) as usize;
        let part = stored.read(offset + all.len() as u64, left.min(70_001)).await?;
        assert!(!part.is_empty() && part.len() <= left.min(70_001));
        all.extend_from_slice(&part);
    }
    Ok(all.into())
}

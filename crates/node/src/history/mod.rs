//! What became of targets that are not held: how the node last failed to fetch each, and how it lost
//! what it had. For people who ask why; nothing else acts on it.
//!
//! The newest of it is in memory, and in files beside the store. Who notes something only touches
//! memory; a task of its own writes twice a second, so that a kill costs the last half second. Old
//! entries go when there are many.

mod lines;

use std::{
    collections::{HashMap, VecDeque},
    io, mem,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::{
    holding::{Failure, Lack},
    host::covers,
    key::Key,
    outcome::Outcome,
    purge::{is_below, split_tagged},
    time::{Clock, Timestamp},
};
use tokio::{sync::Notify, task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::lines::Lines;
use crate::store::LossObserver;

/// Folder of the files, below that of the store.
const FOLDER: &str = "history";
/// Bytes of each file of failures or losses; there are two of each.
const FILE_BYTES: u64 = 1 << 20;
const PURGES_BYTES: u64 = 64 << 10;
/// Keys in each half of a memory.
const KEYS: usize = 16 << 10;
/// Purges of paths and tags that are remembered.
const PURGES: usize = 256;
/// The same again so soon is not written.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Between two writes.
const PERIOD: Duration = Duration::from_millis(500);
/// Bytes that wait to be written, at most.
const PENDING_BYTES: usize = 1 << 20;
/// Keys that are noted under one lock.
const EVICTED_AT_ONCE: usize = 512;
/// Longest sentence of a failure.
const DETAIL_BYTES: usize = 200;

/// The history of one node.
#[derive(Debug)]
pub(crate) struct History {
    clock: Arc<dyn Clock>,
    // held for a few instructions, never across an await or a write
    records: Mutex<Records>,
    files: Mutex<Files>,
    noted: Notify,
}

#[derive(Debug)]
struct Records {
    failures: TwoHalves<Failure>,
    losses: TwoHalves<(Timestamp, Loss)>,
    /// Newest last: host and path, or host and tag.
    purges: VecDeque<(Timestamp, String)>,
    pending: Texts,
}

/// Lines for each file.
#[derive(Debug, Default)]
struct Texts {
    failures: String,
    losses: String,
    purges: String,
}

#[derive(Debug)]
struct Files {
    failures: Lines,
    losses: Lines,
    purges: Lines,
    is_failing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Evicted,
    Damaged,
    Purged,
}

impl Loss {
    const ALL: [Self; 3] = [Self::Evicted, Self::Damaged, Self::Purged];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Damaged => "damaged",
            Self::Purged => "purged",
        }
    }

    const fn lack(self, at: Timestamp) -> Lack {
        match self {
            Self::Evicted => Lack::Evicted(at),
            Self::Damaged => Lack::Damaged(at),
            Self::Purged => Lack::Purged(at),
        }
    }
}

impl History {
    /// Takes up what the files below `dir` say. Blocks.
    pub(crate) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Self {
        let dir = dir.join(FOLDER);
        // without it nothing is written, and that is told then
        let _ = std::fs::create_dir_all(&dir);
        let files = Files {
            failures: Lines::new(&dir, "failures", FILE_BYTES),
            losses: Lines::new(&dir, "losses", FILE_BYTES),
            purges: Lines::new(&dir, "purges", PURGES_BYTES),
            is_failing: false,
        };
        let mut records = Records {
            failures: TwoHalves::new(KEYS),
            losses: TwoHalves::new(KEYS),
            purges: VecDeque::new(),
            pending: Texts::default(),
        };
        for line in files.failures.read() {
            records.read_failure(&line);
        }
        for line in files.losses.read() {
            records.read_loss(&line);
        }
        for line in files.purges.read() {
            records.read_purge(&line);
        }
        Self { clock, records: Mutex::new(records), files: Mutex::new(files), noted: Notify::new() }
    }

    /// A fill of `key` ended with `outcome`.
    pub(crate) fn ended(&self, key: Key, outcome: Outcome, detail: Option<&str>) {
        let now = self.clock.now();
        let mut records = self.records();
        if outcome.is_success() {
            if records.failures.remove(key) {
                records.write_failure(key, now, outcome, None);
            }
        } else if outcome != Outcome::Canceled {
            let detail = detail.map(shortened);
            let failure = Failure { at: now, outcome, detail };
            let is_known = records.failures.get(key).is_some_and(|known| {
                known.outcome == outcome && now.since(known.at) < REPEAT_AFTER
            });
            if !is_known {
                records.write_failure(key, now, outcome, failure.detail.as_deref());
            }
            records.failures.put(key, failure);
        } else {
            return;
        }
        drop(records);
        self.noted.notify_one();
    }

    /// A purge of the one URL with `key` was carried out.
    pub(crate) fn purged_one(&self, key: Key) {
        self.lost(&[key], Loss::Purged, self.clock.now());
    }

    /// A purge was carried out of all below `name`, a host and a path, or of a host and a tag.
    pub(crate) fn purged_below(&self, name: &str) {
        let now = self.clock.now();
        let mut records = self.records();
        let line = format!("{} {}\n", now.as_millis(), one_line(name));
        records.pending.push(|texts| &mut texts.purges, &line);
        records.add_purge(now, name.into());
        drop(records);
        self.noted.notify_one();
    }

    /// Why nothing is stored under `key`, from what was noted at `since` or later.
    pub(crate) fn lack(&self, key: Key, since: Timestamp) -> Lack {
        match (self.last_failure(key, since), self.loss(key, since)) {
            (Some(failure), Some(loss)) if Some(failure.at) < loss.at() => loss,
            (Some(failure), _) => Lack::of_failure(&failure),
            (None, Some(loss)) => loss,
            (None, None) => Lack::NeverAsked,
        }
    }

    /// How what was stored under `key` was last lost, at `since` or later.
    pub(crate) fn loss(&self, key: Key, since: Timestamp) -> Option<Lack> {
        let lost = self.records().losses.get(key).copied();
        lost.filter(|(at, _)| *at >= since).map(|(at, loss)| loss.lack(at))
    }

    /// How fetching `key` last failed, at `since` or later, unless it has succeeded afterwards.
    pub(crate) fn last_failure(&self, key: Key, since: Timestamp) -> Option<Failure> {
        let failure = self.records().failures.get(key).cloned();
        failure.filter(|failure| failure.at >= since)
    }

    fn lost(&self, keys: &[Key], loss: Loss, at: Timestamp) {
        let mut records = self.records();
        for key in keys {
            let known = records.losses.get(*key);
            if known.is_some_and(|known| known.1 == loss && at.since(known.0) < REPEAT_AFTER) {
                continue;
            }
            let line = format!("{} {key:?} {}\n", at.as_millis(), loss.as_str());
            records.pending.push(|texts| &mut texts.losses, &line);
            records.losses.put(*key, (at, loss));
        }
        drop(records);
        self.noted.notify_one();
    }

    /// Writes what is noted, until `stop`, and then what is left.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let is_over = tokio::select! {
                () = stop.cancelled() => true,
                () = self.noted.notified() => false,
            };
            if !is_over {
                // others will follow; `stop` does not wait for them
                let _ = stop.run_until_cancelled(sleep(PERIOD)).await;
            }
            let this = Arc::clone(&self);
            // a panic in there was reported by the thread itself
            let _ = spawn_blocking(move || this.write()).await;
            if is_over {
                return;
            }
        }
    }

    /// Writes what waits. Blocks.
    fn write(&self) {
        let texts = mem::take(&mut self.records().pending);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match files.append(&texts) {
            Ok(()) => files.is_failing = false,
            Err(error) if !files.is_failing && lines::is_told(&error) => {
                files.is_failing = true;
                let error = &error as &dyn std::error::Error;
                warn!(error, "cannot note why content is not held");
            }
            Err(_) => {}
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LossObserver for History {
    fn evicted(&self, keys: &[Key]) {
        // a segment may have held many, and others want the records meanwhile
        for keys in keys.chunks(EVICTED_AT_ONCE) {
            self.lost(keys, Loss::Evicted, self.clock.now());
        }
    }

    fn damaged(&self, key: Key) {
        self.lost(&[key], Loss::Damaged, self.clock.now());
    }

    fn purged(&self, key: Key, url: &[u8]) {
        let url = String::from_utf8_lossy(url);
        let by = self.records().purges.iter().rev().find(|(_, name)| concerns(name, &url)).cloned();
        let at = by.map_or_else(|| self.clock.now(), |(at, _)| at);
        self.lost(&[key], Loss::Purged, at);
    }
}

impl Records {
    fn write_failure(&mut self, key: Key, at: Timestamp, outcome: Outcome, detail: Option<&str>) {
        let detail = one_line(detail.unwrap_or_default());
        let line = format!("{} {key:?} {outcome} {detail}\n", at.as_millis());
        self.pending.push(|texts| &mut texts.failures, &line);
    }

    fn add_purge(&mut self, at: Timestamp, name: String) {
        self.purges.push_back((at, name));
        if self.purges.len() > PURGES {
            self.purges.pop_front();
        }
    }

    /// What cannot be read, because a power cut left only some of it, is left out.
    fn read_failure(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(4, ' ');
        let at = moment(words.next()?)?;
        let key = key(words.next()?)?;
        let outcome: Outcome = words.next()?.parse().ok()?;
        let detail = words.next().filter(|detail| !detail.is_empty());
        match outcome.is_success() {
            true => {
                self.failures.remove(key);
            }
            false => {
                let detail = detail.map(Into::into);
                self.failures.put(key, Failure { at, outcome, detail });
            }
        }
        Some(())
    }

    fn read_loss(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(3, ' ');
        let at = moment(words.next()?)?;
        let key = key(words.next()?)?;
        let word = words.next()?;
        let loss = Loss::ALL.into_iter().find(|loss| loss.as_str() == word)?;
        self.losses.put(key, (at, loss));
        Some(())
    }

    fn read_purge(&mut self, line: &str) -> Option<()> {
        let (at, name) = line.split_once(' ')?;
        self.add_purge(moment(at)?, name.into());
        Some(())
    }
}

impl Texts {
    fn push(&mut self, of: impl FnOnce(&mut Self) -> &mut String, line: &str) {
        let text = of(self);
        if text.len() + line.len() <= PENDING_BYTES {
            text.push_str(line);
        }
    }
}

impl Files {
    fn append(&mut self, texts: &Texts) -> io::Result<()> {
        for (lines, text) in [
            (&mut self.failures, &texts.failures),
            (&mut self.losses, &texts.losses),
            (&mut self.purges, &texts.purges),
        ] {
            if !text.is_empty() {
                lines.append(text)?;
            }
        }
        Ok(())
    }
}

/// The newest value of each key, in two halves: when the newer is full, the older goes.
#[derive(Debug)]
struct TwoHalves<V> {
    newer: HashMap<Key, V>,
    older: HashMap<Key, V>,
    most: usize,
}

impl<V> TwoHalves<V> {
    fn new(most: usize) -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), most }
    }

    fn get(&self, key: Key) -> Option<&V> {
        self.newer.get(&key).or_else(|| self.older.get(&key))
    }

    fn put(&mut self, key: Key, value: V) {
        if self.newer.len() >= self.most && !self.newer.contains_key(&key) {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(key, value);
    }

    /// Whether there was one.
    fn remove(&mut self, key: Key) -> bool {
        let (newer, older) = (self.newer.remove(&key), self.older.remove(&key));
        newer.is_some() || older.is_some()
    }
}

/// Whether a purge of `name` concerns `url`; of a tag it is known that it does.
fn concerns(name: &str, url: &str) -> bool {
    let host = |text: &str| text.split(['/', ' ']).next().unwrap_or_default().to_owned();
    match split_tagged(name) {
        Some((named, _)) => named == host(url) || covers(named, &host(url)),
        None => is_below(name, url),
    }
}

fn moment(word: &str) -> Option<Timestamp> {
    word.parse().ok().map(Timestamp::from_millis)
}

/// What `{:?}` wrote.
fn key(word: &str) -> Option<Key> {
    let number = u128::from_str_radix(word, 16).ok().filter(|_| word.len() == 32)?;
    Some(Key(number.to_be_bytes()))
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn shortened(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().find(|(at, one)| at + one.len_utf8() > DETAIL_BYTES) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests;

//! The cache store: keeps stored responses on disk and says truthfully when they are safe there.
//!
//! A store is a directory of append-only segments (`segment`) full of checksummed records (`record`).
//! One writer thread (`writer`, `log`) appends what callers queue, in groups: one write, then one
//! sync. A record can be looked up once it is written and is reported durable only after the sync.
//! The index (`index`) lives in memory and is rebuilt (`recover`) from the segments' footers. When the
//! disk bound is reached the oldest segment goes (`evict`); what is in use is carried forward.
//!
//! Every response belongs to a *generation* of its key. Generations only grow, a higher one replaces
//! a lower one, and the bytes of two never mix. Up to [`SLICE`] bytes a response is one record;
//! larger ones are sliced, and a sliced generation survives restarts half filled.
//!
//! The store interprets a head only to find the tags that a purge names; it never decides freshness, or talks to the network.

mod disk;
mod evict;
mod footer;
mod handles;
mod head;
mod hot;
mod index;
mod lock;
mod log;
mod observer;
mod pool;
mod purge;
mod put;
mod queue;
mod read;
mod record;
mod recover;
mod rules;
mod scan;
mod segment;
mod sliced;
mod space;
mod stats;
mod sums;
mod ticket;
mod write_errors;
mod writer;

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use stoker_domain::{key::Key, time::Clock};
use thiserror::Error;
use tokio::sync::Semaphore;

pub use self::{
    disk::{Disk, DiskFile, Files},
    observer::LossObserver,
    put::Writer,
    read::{ReadError, Stored, Verified},
    space::{Freed, free_space, held_bytes},
    stats::Stats,
    ticket::Ticket,
};
use self::{
    hot::Hot,
    index::Index,
    lock::Lock,
    log::Log,
    pool::Pool,
    queue::{Operation, Queue},
    rules::Rules,
    segment::Segments,
    stats::Counters,
};

/// The length of every slice but a generation's last.
pub const SLICE: u64 = 1 << 20;

/// The smallest disk bound: four of the smallest segments.
const MIN_BYTES: u64 = 4 * MIN_SEGMENT;
const MIN_SEGMENT: u64 = 64 << 10;

/// How a store behaves. Start from [`Config::new`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory; made when absent.
    pub dir: PathBuf,
    /// The segment files together never take more than this.
    pub max_bytes: u64,
    /// Bytes that stay free on the disk for others, as far as removing segments helps.
    pub reserve_bytes: u64,
    /// How often the free space of the disk is checked while there is a reserve.
    pub reserve_interval: Duration,
    /// The length of a segment file, and with it the unit of eviction. A record must fit into one.
    /// Cut down to a quarter of `max_bytes` where it is more, and to a small share of the disk's
    /// room: every file takes its whole length when it is made.
    pub segment_bytes: u64,
    /// How long a written record may wait for its sync when nobody awaits durability.
    pub flush_delay: Duration,
    /// The most keys that the index holds; the oldest segment goes when it is passed.
    pub max_entries: usize,
    /// The most bytes that may wait for the writer; callers are held back beyond it.
    pub queue_bytes: u32,
    /// Memory for the hottest records.
    pub hot_bytes: usize,
    /// What was written less than this ago is carried forward by eviction like what was read. A store
    /// that is overfilled within this time writes up to half as much again.
    pub protection: Duration,
}

impl Config {
    /// Defaults for a store of `max_bytes` in `dir`.
    pub fn new(dir: impl Into<PathBuf>, max_bytes: u64) -> Self {
        Self {
            dir: dir.into(),
            max_bytes,
            reserve_bytes: 0,
            reserve_interval: Duration::from_secs(1),
            // a tenth at most, so that `Store::largest` is not less than two fifths
            segment_bytes: (max_bytes / 256).clamp(16 << 20, 256 << 20).min(max_bytes / 10),
            flush_delay: Duration::from_millis(2),
            max_entries: 10_000_000,
            queue_bytes: 16 << 20,
            hot_bytes: 64 << 20,
            protection: Duration::from_secs(60),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process, or another store of this one, uses the directory.
    #[error("`{}` is in use by another store", .0.display())]
    Locked(PathBuf),
    /// The bound leaves no room for segments.
    #[error("a store of {given} bytes is too small: the least is {least}")]
    TooSmall {
        /// What the configuration says.
        given: u64,
        /// The smallest bound that works.
        least: u64,
    },
    /// The directory cannot be used.
    #[error("cannot {action} in `{}`", .dir.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The store's directory.
        dir: PathBuf,
        /// What the device said.
        source: io::Error,
    },
}

/// Why a write did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The disk has no room, although the store may be below its own bound.
    #[error("no space left on the cache disk")]
    NoSpace,
    /// The device did not confirm the write; it was taken back.
    #[error("the cache disk did not take the write")]
    Io,
    /// Larger than the store takes: see [`Store::largest`].
    #[error("larger than the cache store takes")]
    TooLarge,
    /// The key was removed or has a newer generation, or this generation was evicted.
    #[error("replaced or removed meanwhile")]
    Superseded,
    /// The store was closed before the write was confirmed.
    #[error("the cache store is closed")]
    Closed,
}

/// A cache store. Clones are the same store; the last one dropped closes it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What callers and the writer thread both touch.
#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    index: Index,
    rules: Rules,
    segments: Segments,
    pool: Pool,
    hot: Hot,
    /// Turns to read what is only to be verified.
    verifying: Semaphore,
    counters: Counters,
    observer: OnceLock<Arc<dyn LossObserver>>,
    next_generation: AtomicU64,
    disk: Arc<dyn Disk>,
    max_bytes: u64,
    reserve_bytes: u64,
    largest: u64,
    largest_record: u64,
}

impl Store {
    /// Opens the store in `config.dir`, which `disk` must give access to, and recovers what is
    /// there. Blocks for as long as that takes.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        mut config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        if config.max_bytes < MIN_BYTES {
            return Err(OpenError::TooSmall { given: config.max_bytes, least: MIN_BYTES });
        }
        let most = (config.max_bytes / 4).min(u64::from(u32::MAX));
        config.segment_bytes = config.segment_bytes.clamp(MIN_SEGMENT, most) / 8 * 8;
        let io = |action| {
            let dir = config.dir.clone();
            move |source| OpenError::Io { action, dir, source }
        };
        fs::create_dir_all(&config.dir).map_err(io("create the directory"))?;
        let lock = Lock::take(&config.dir).map_err(io("take the lock"))?;
        let lock = lock.ok_or_else(|| OpenError::Locked(config.dir.clone()))?;
        lock::probe(&config.dir).map_err(io("write"))?;
        let (shared, log) = Log::recover(&config, lock, disk, clock).map_err(io("recover"))?;
        let shared = Arc::new(shared);
        let writer = {
            let (shared, config) = (shared.clone(), config.clone());
            thread::Builder::new()
                .name("store writer".to_owned())
                .spawn(move || writer::run(&shared, log, &config))
                .map_err(io("start the writer"))?
        };
        Ok(Self(Arc::new(Inner { shared, writer: Mutex::new(Some(writer)) })))
    }

    /// What the store holds and has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.shared().stats()
    }

    /// The size in bytes of the largest representation that can be stored.
    pub fn largest(&self) -> u64 {
        self.shared().largest
    }

    /// The bound of its disk, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.shared().max_bytes
    }

    /// Starts a new generation of `key`. It is invisible until its first record is written.
    /// `url` must be the same at each lookup.
    pub fn begin(&self, key: Key, url: &str) -> Writer {
        let url = Bytes::copy_from_slice(url.as_bytes());
        Writer::new(self.clone(), key, url, self.shared().new_generation())
    }

    /// The newest generation of `key` that was stored under `url`, whole or in part. Does not
    /// wait for the disk when what it needs is in memory. Cancel safe.
    pub async fn lookup(&self, key: Key, url: &str) -> Option<Stored> {
        read::lookup(self, key, url).await
    }

    /// Gives the generation of `stored` a new head.
    pub fn refresh(&self, stored: &Stored, head: Bytes) -> Ticket {
        self.refresh_confirmed(stored, head, stored.validated())
    }

    /// As [`Store::refresh`], after the parent confirmed it in reply to a request that was sent when
    /// `validated` was the newest generation. Invalidations before that are answered with it.
    pub fn refresh_confirmed(&self, stored: &Stored, head: Bytes, validated: u64) -> Ticket {
        let shared = self.shared();
        if stored.record_len_with(head.len()) > shared.largest_record {
            return Ticket::failed(WriteError::TooLarge);
        }
        let (ticket, resolver) = Ticket::new(shared.queue.clone());
        shared.queue.push(Operation::Refresh {
            key: stored.key(),
            generation: stored.generation(),
            url: stored.url(),
            head,
            validated,
            resolver,
        });
        ticket
    }

    /// Removes `key`: every generation begun before this call, also those still being written.
    pub fn remove(&self, key: Key) -> Ticket {
        let shared = self.shared();
        let (ticket, resolver) = Ticket::new(shared.queue.clone());
        // Above all that was begun before this call, and below all that begins after it.
        let generation = shared.new_generation();
        shared.queue.push(Operation::Remove { key, generation, resolver });
        ticket
    }

    /// Writes and syncs all that is queued, then stops the writer and gives up the lock. Later
    /// writes fail with [`WriteError::Closed`]; what is stored can still be read.
    pub async fn close(&self) {
        let inner = self.0.clone();
        // A panic in there was reported by the thread itself, there is nothing to add.
        let _ = tokio::task::spawn_blocking(move || inner.stop()).await;
    }

    fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl Shared {
    fn new_generation(&self) -> u64 {
        self.next_generation.fetch_add(1, Ordering::Relaxed)
    }
}

impl Inner {
    fn stop(&self) {
        self.shared.queue.close();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            // Its panic was printed where it happened; its waiters have been told `Closed`.
            let _ = writer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

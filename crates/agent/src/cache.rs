//! The cache as the agent sees it: what it must be able to do, whatever its product.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    job::{ItemProgress, ItemReport, JobItem, LeasedJob, StoreHealth},
    purge::PurgeOrder,
    task::FetchOptions,
    time::Timestamp,
};

/// A cache that an [`Agent`](crate::Agent) drives.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Brings `item` into the cache unless it is there, proves that it is, and says what became of
    /// it. Success is only what the cache proved through the path by which it serves viewers.
    ///
    /// Dropped, it leaves transfers that have begun to themselves: others may share them.
    async fn prefetch(&self, item: &JobItem, terms: &Terms, progress: &Progress) -> ItemReport;

    /// Carries out `order`. When this returns, it will outlive a power cut, and nothing that the
    /// order names is served as it was before. Orders come in the order of their numbers; one that was carried
    /// out before changes nothing.
    ///
    /// # Errors
    /// The order, or part of it, may be forgotten: it has to come again.
    async fn purge(&self, order: &PurgeOrder) -> Result<(), PurgeError>;

    /// How its store is.
    fn health(&self) -> StoreHealth;
}

/// The cache could not make a purge order durable.
#[derive(Debug, thiserror::Error)]
#[error("cannot purge")]
pub struct PurgeError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a job says of all its items.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who submitted it: content of another account's domains is not fetched for it.
    pub account: AccountId,
    /// When the task was accepted: an error that was stored before that is no answer.
    pub accepted_at: Timestamp,
    /// How the content is asked for.
    pub options: FetchOptions,
}

impl Terms {
    pub(crate) fn of(job: &LeasedJob) -> Self {
        let LeasedJob { account, accepted_at, .. } = *job;
        Self { account, accepted_at, options: job.options.clone() }
    }
}

/// How far an item is: written by the cache, read by the heartbeat.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    /// 0 = not known.
    total: AtomicU64,
}

impl Progress {
    /// Notes that `done` bytes of `total`, if that is known, are there.
    pub fn set(&self, done: u64, total: Option<u64>) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn get(&self, position: u16) -> ItemProgress {
        let total = self.total.load(Ordering::Relaxed);
        ItemProgress {
            position,
            done_bytes: self.done.load(Ordering::Relaxed),
            total_bytes: (total > 0).then_some(total),
        }
    }
}

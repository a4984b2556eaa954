//! A budget in bytes: taken before the bytes are there, given back when what was taken is dropped.
//!
//! **Invariant:** what is taken never exceeds the budget, and what one holder has taken never exceeds
//! its share. Who finds too little left waits in the order of arrival, for the patience of the budget
//! at most; one holder's queue is not in front of another's. Never looks at what the bytes
//! are.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use stoker_domain::account::AccountId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Who holds bytes. What is taken is counted against each holder that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// All callers who have not named a key yet; half of the budget.
    Nameless,
    /// An address, or an IPv6 network of 64 bits; a quarter of the budget.
    Address(IpAddr),
    /// All who claim to be from one account, or are; half of the budget.
    Account(AccountId),
}

impl Holder {
    /// The holder that `address` belongs to: who has one IPv6 address has 2⁶⁴.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        })
    }

    const fn divisor(self) -> usize {
        match self {
            Self::Nameless | Self::Account(_) => 2,
            Self::Address(_) => 4,
        }
    }
}

/// Why bytes were not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The budget.
    #[error("the memory for request content is used up")]
    Budget,
    /// The share of a holder.
    #[error("this caller's share of the memory for request content is used up")]
    Share,
}

/// The budget. What it gives out refers to it.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    largest: usize,
    patience: Duration,
    left: Arc<Semaphore>,
    // a std mutex, held for a look into a map and never across an await
    shares: Mutex<HashMap<Holder, Share>>,
    held: AtomicUsize,
    peak: AtomicUsize,
    waiting: AtomicUsize,
    refused: [AtomicU64; 2],
}

/// What is left of one holder's share, and how many refer to it.
#[derive(Debug)]
struct Share {
    left: Arc<Semaphore>,
    users: usize,
}

/// Bytes that were taken; dropped, they are given back.
#[derive(Debug)]
pub(crate) struct Taken {
    budget: Arc<Budget>,
    bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
    /// Keep the shares in the map.
    _of: Vec<InUse>,
}

/// What a budget tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Bytes that may be taken.
    pub(crate) most: usize,
    /// Bytes taken now.
    pub(crate) held: usize,
    /// Most that were taken at once.
    pub(crate) peak: usize,
    /// Callers who wait.
    pub(crate) waiting: usize,
    /// Callers refused because of the budget.
    pub(crate) refused_budget: u64,
    /// Callers refused because of a share.
    pub(crate) refused_share: u64,
}

impl Budget {
    /// Of `most` bytes, and at least of `largest`, which is the most that is taken at once: every
    /// share is at least that.
    pub(crate) fn new(most: usize, largest: usize, patience: Duration) -> Arc<Self> {
        // the semaphores count in 32 bits
        let largest = largest.min(u32::MAX as usize);
        let most = most.clamp(largest, u32::MAX as usize);
        Arc::new(Self {
            most,
            largest,
            patience,
            left: Arc::new(Semaphore::new(most)),
            shares: Mutex::default(),
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            refused: Default::default(),
        })
    }

    /// Takes `bytes` for all of `holders`, who are in the order of their kinds; waits for them if need
    /// be. Dropped while it waits, it has taken nothing.
    ///
    /// # Errors
    /// What was still too little when the patience was over, or too little at any time.
    pub(crate) async fn take(
        self: &Arc<Self>,
        holders: &[Holder],
        bytes: usize,
    ) -> Result<Taken, Full> {
        let taken = self.wait(holders, bytes).await;
        if let Err(full) = &taken {
            self.refused[*full as usize].fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    async fn wait(self: &Arc<Self>, holders: &[Holder], bytes: usize) -> Result<Taken, Full> {
        let fitting = match u32::try_from(bytes) {
            Ok(fitting) if bytes <= self.largest => fitting,
            _ => return Err(Full::Budget),
        };
        let _waiting = Waiting::of(&self.waiting);
        let until = Instant::now() + self.patience;
        let mut permits = Vec::with_capacity(holders.len() + 1);
        let of: Vec<InUse> = holders.iter().map(|holder| self.share(*holder)).collect();
        let shares = of.iter().map(|share| (&share.left, Full::Share));
        for (left, full) in shares.chain([(&self.left, Full::Budget)]) {
            let permit = timeout_at(until, Arc::clone(left).acquire_many_owned(fitting)).await;
            permits.push(permit.map_err(|_| full)?.expect("no semaphore is ever closed"));
        }
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
        Ok(Taken { budget: Arc::clone(self), bytes, permits, _of: of })
    }

    fn share(self: &Arc<Self>, holder: Holder) -> InUse {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(holder).or_insert_with(|| {
            let most = (self.most / holder.divisor()).max(self.largest);
            Share { left: Arc::new(Semaphore::new(most)), users: 0 }
        });
        share.users += 1;
        InUse { budget: Arc::clone(self), holder, left: Arc::clone(&share.left) }
    }

    pub(crate) fn stats(&self) -> Stats {
        let refused = |full: Full| self.refused[full as usize].load(Ordering::Relaxed);
        Stats {
            most: self.most,
            held: self.held.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            refused_budget: refused(Full::Budget),
            refused_share: refused(Full::Share),
        }
    }
}

impl Taken {
    /// Gives back what is over `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let Some(over) = self.bytes.checked_sub(bytes) else { return };
        self.bytes = bytes;
        // counted first, so that never more is counted than there is
        self.budget.held.fetch_sub(over, Ordering::Relaxed);
        for permit in &mut self.permits {
            drop(permit.split(over));
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// A share that is referred to; the last one to go takes it out of the map.
#[derive(Debug)]
struct InUse {
    budget: Arc<Budget>,
    holder: Holder,
    left: Arc<Semaphore>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut shares = self.budget.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get_mut(&self.holder) {
            share.users -= 1;
            if share.users == 0 {
                shares.remove(&self.holder);
            }
        }
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "budget/tests.rs"]
mod tests;

//! Memory of a node for content on its way: slices that fills receive, responses that are passed on
//! without being stored, and what readers have taken from the store and not yet sent.
//!
//! Each has a budget of its own in bytes, so that slow readers never keep fills from going on.
//! What is over a budget waits, first come, first served. **Invariant:** whoever holds a slice needs
//! no further memory to finish it: the store takes it without waiting for a reader. So every budget
//! that is waited for becomes free again, and nothing waits in a circle. **Invariant:** small
//! content, which is most of it, does not wait behind large: a part of the budget is its own.
//!
//! Accounts are kept per slice and per reply, never per piece of content. What else a node keeps in
//! memory is bounded in number elsewhere (`docs/limits.md` has the formula).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use stoker_domain::outcome::OriginFault;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{origin::Fault, store::SLICE};

/// Accounts are kept in units of so many bytes.
const UNIT: u64 = 1 << 10;
/// Content up to this is small: it is received, kept and sent at once.
const SMALL: u64 = 64 << 10;
/// What may be read from a connection at once. Two such buffers stay as long as any byte of them, so
/// that a slice costs half as much again.
const BUFFER: u64 = 512 << 10;
/// What a reader may take at once, while there is plenty,
const LARGE_READ: u64 = 256 << 10;
/// and what his connection still has to send of what he took before.
const UNSENT: u64 = 96 << 10;
/// What a connection may hold that is not accounted for: small content and what is being sent.
const CONNECTION: u64 = SMALL + UNSENT;
/// One response in an index of a store, its tables' slack included.
const INDEX_ENTRY: u64 = 128;
/// How soon whoever was refused may come again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How the memory of a node is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// The hottest records, kept as they are on the disk.
    pub hot: u64,
    /// Responses in the index of the store.
    pub index_entries: usize,
    /// Connections of viewers and other nodes.
    pub connections: usize,
    /// Content on its way.
    pub shares: Shares,
}

/// Budgets of content on its way, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Slices that fills receive or that wait for the store.
    pub slices: u64,
    /// Responses that are passed on without being stored.
    pub passing: u64,
    /// What readers have taken and not yet sent.
    pub windows: u64,
}

impl Division {
    /// An eighth each for hot records, the index, what is passed on and what readers take; a fourth
    /// each for slices and for connections.
    pub fn of(memory: u64) -> Self {
        let (eighth, fourth) = (memory / 8, memory / 4);
        let count = |bytes: u64, each: u64| usize::try_from(bytes / each).unwrap_or(usize::MAX);
        Self {
            hot: eighth,
            index_entries: count(eighth, INDEX_ENTRY).max(1024),
            connections: count(fourth, CONNECTION).max(16),
            shares: Shares { slices: fourth, passing: eighth, windows: eighth },
        }
    }
}

impl Default for Shares {
    fn default() -> Self {
        Division::of(512 << 20).shares
    }
}

/// The budgets of one node. Clones are the same budgets.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    small: Budget,
    slices: Budget,
    passing: Budget,
    windows: Budget,
    patience: Duration,
}

/// One budget.
#[derive(Debug)]
struct Budget {
    limit: u64,
    free: Arc<Semaphore>,
    most: AtomicU64,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

/// Memory that somebody has; given back when dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    _units: OwnedSemaphorePermit,
}

/// How much a reader may take at once.
#[derive(Debug)]
pub(crate) struct Window {
    hold: Option<Hold>,
    most: u64,
}

/// What the budgets of a node say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Slices of fills.
    pub slices: BudgetStats,
    /// What is passed on.
    pub passing: BudgetStats,
    /// What readers have taken.
    pub windows: BudgetStats,
}

/// What one budget says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetStats {
    /// Bytes that there are.
    pub limit: u64,
    /// Bytes that are held now.
    pub used: u64,
    /// Bytes that were held at most.
    pub most: u64,
    /// Those who wait now.
    pub waiting: usize,
    /// Those who waited too long and were refused.
    pub refused: u64,
}

impl Memory {
    /// Viewers are refused after waiting for `patience`.
    pub(crate) fn new(shares: Shares, patience: Duration) -> Self {
        let small = shares.slices / 8;
        Self(Arc::new(Inner {
            small: Budget::new(small),
            slices: Budget::new(shares.slices - small),
            passing: Budget::new(shares.passing),
            windows: Budget::new(shares.windows),
            patience,
        }))
    }

    /// Memory for a slice of `len` bytes that is at hand at once, if there is any.
    pub(crate) fn slice_now(&self, len: u64) -> Option<Hold> {
        let cost = cost_of_slice(len);
        let small = (len <= SMALL).then(|| self.0.small.now(cost)).flatten();
        small.or_else(|| self.0.slices.now(cost))
    }

    /// Memory for a slice of `len` bytes. Cancel safe.
    pub(crate) async fn slice(&self, len: u64) -> Hold {
        if let Some(hold) = self.slice_now(len) {
            return hold;
        }
        let budget = if len <= SMALL { &self.0.small } else { &self.0.slices };
        budget.wait(cost_of_slice(len)).await
    }

    /// Memory for the first slice of a fill, of `len` bytes. Whoever waits for it is refused when it
    /// takes too long, unless `is_background` says meanwhile that nobody watches.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) async fn first_slice(
        &self,
        len: u64,
        is_background: impl Fn() -> bool,
    ) -> Result<Hold, Fault> {
        let waiting = self.slice(len);
        // Its place in the queue is kept, only the patience begins anew.
        tokio::pin!(waiting);
        loop {
            match timeout(self.0.patience, &mut waiting).await {
                Ok(hold) => return Ok(hold),
                Err(_) if is_background() => {}
                Err(_) => return Err(self.0.slices.refuse("fills")),
            }
        }
    }

    /// Whether more than half of the memory for slices is held, or somebody waits for it: each fill
    /// then receives one slice at a time.
    pub(crate) fn is_short(&self) -> bool {
        let Stats { used, waiting, limit } = self.0.slices.snapshot();
        waiting > 0 || used > limit / 2
    }

    /// Memory for a response of `len` bytes that is passed on; unknown lengths are long ones.
    ///
    /// # Errors
    /// It took too long.
    pub(crate) async fn passing(&self, len: Option<u64>) -> Result<Hold, Fault> {
        let cost = len.map_or(2 * BUFFER, |len| (2 * len).min(2 * BUFFER));
        let budget = &self.0.passing;
        match budget.now(cost) {
            Some(hold) => Ok(hold),
            None => timeout(self.0.patience, budget.wait(cost))
                .await
                .map_err(|_| budget.refuse("responses that are passed on")),
        }
    }

    /// How a reader of `len` bytes may take them: much at once while there is plenty, little when
    /// it is short.
    ///
    /// # Errors
    /// It took too long.
    pub(crate) async fn window(&self, len: u64) -> Result<Window, Fault> {
        if len <= SMALL {
            return Ok(Window { hold: None, most: SMALL });
        }
        let budget = &self.0.windows;
        // the last fourth is for those who come when it is short
        let Stats { used, limit, waiting } = budget.snapshot();
        if used <= limit / 4 * 3
            && waiting == 0
            && let Some(hold) = budget.now((LARGE_READ + UNSENT).min(len))
        {
            return Ok(Window { hold: Some(hold), most: LARGE_READ });
        }
        let cost = SMALL + UNSENT;
        let hold = match budget.now(cost) {
            Some(hold) => hold,
            None => timeout(self.0.patience, budget.wait(cost))
                .await
                .map_err(|_| budget.refuse("readers"))?,
        };
        Ok(Window { hold: Some(hold), most: SMALL })
    }

    pub(crate) fn stats(&self) -> MemoryStats {
        let (small, slices) = (self.0.small.stats(), self.0.slices.stats());
        MemoryStats {
            slices: BudgetStats {
                limit: small.limit + slices.limit,
                used: small.used + slices.used,
                most: small.most + slices.most,
                waiting: small.waiting + slices.waiting,
                refused: small.refused + slices.refused,
            },
            passing: self.0.passing.stats(),
            windows: self.0.windows.stats(),
        }
    }
}

impl Window {
    /// Of one who reads and sends nothing on.
    pub(crate) fn of_reading() -> Self {
        Self { hold: None, most: LARGE_READ }
    }

    /// Of one who sends nothing on: everything at once.
    pub(crate) fn of_all() -> Self {
        Self { hold: None, most: u64::MAX }
    }

    /// How much of `left` bytes may be taken now. The last piece is a small one: when it is taken
    /// the window is given back.
    pub(crate) fn piece(&self, left: u64) -> usize {
        let most = match left {
            left if left <= SMALL => left,
            left if self.hold.is_none() => self.most.min(left),
            left => self.most.min(left - SMALL),
        };
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// A piece that was received: copied where it must not keep the larger buffer in which it came.
    pub(crate) fn cut(&self, piece: Bytes) -> Bytes {
        match &self.hold {
            Some(_) if self.most == SMALL => Bytes::copy_from_slice(&piece),
            _ => piece,
        }
    }
}

/// What a budget is asked before it is asked for anything.
struct Stats {
    used: u64,
    limit: u64,
    waiting: usize,
}

impl Budget {
    fn new(limit: u64) -> Self {
        // a permit is for one unit; the least budget lets one go at a time
        let units = (limit / UNIT).clamp(1, u64::from(u32::MAX));
        Self {
            limit: units * UNIT,
            free: Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX))),
            most: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// What costs more than there is takes all of it, and so goes alone.
    fn units(&self, bytes: u64) -> u32 {
        let bytes = bytes.clamp(UNIT, self.limit);
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
    }

    fn now(&self, bytes: u64) -> Option<Hold> {
        let units = Arc::clone(&self.free).try_acquire_many_owned(self.units(bytes)).ok()?;
        Some(self.held(units))
    }

    async fn wait(&self, bytes: u64) -> Hold {
        let _waiting = Waiting::begin(&self.waiting);
        let units = Arc::clone(&self.free).acquire_many_owned(self.units(bytes)).await;
        self.held(units.expect("a budget is never closed"))
    }

    fn held(&self, units: OwnedSemaphorePermit) -> Hold {
        self.most.fetch_max(self.snapshot().used, Ordering::Relaxed);
        Hold { _units: units }
    }

    fn snapshot(&self) -> Stats {
        let used = self.limit - self.free.available_permits() as u64 * UNIT;
        Stats { used, limit: self.limit, waiting: self.waiting.load(Ordering::Relaxed) }
    }

    fn stats(&self) -> BudgetStats {
        let Stats { used, limit, waiting } = self.snapshot();
        let most = self.most.load(Ordering::Relaxed);
        BudgetStats { limit, used, most, waiting, refused: self.refused.load(Ordering::Relaxed) }
    }

    fn refuse(&self, purpose: &str) -> Fault {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let detail = format!("the node has no memory left for {purpose}");
        Fault::origin(OriginFault::Busy, detail).after(Some(RETRY_AFTER))
    }
}

/// One who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn cost_of_slice(len: u64) -> u64 {
    let len = len.min(SLICE);
    len + len / 2
}

#[cfg(test)]
mod tests;

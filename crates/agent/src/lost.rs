//! Leases that the engine ends before their time: it tells them, and the work on them ends at once.
//!
//! Nothing depends on this way: a loss that is not heard of here is heard of at the next heartbeat or
//! report. The news may be faster than the job that it is about.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::job::{JobId, LeaseToken, LeasedJob};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::session::{Pauses, Session};

/// A source that does not wait for losses is not asked more often than this.
const PAUSE: Duration = Duration::from_millis(100);
/// Losses of jobs that have not come yet which are remembered.
const MOST_EARLY: usize = 1000;

type Lease = (JobId, LeaseToken);

/// The leases of a node. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct LostLeases(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    held: HashMap<Lease, CancellationToken>,
    early: VecDeque<Lease>,
}

/// A lease under which work is done; dropped, it is held no more.
pub(crate) struct HeldLease {
    leases: LostLeases,
    lease: Lease,
    lost: CancellationToken,
}

impl LostLeases {
    /// Work on `job` begins.
    pub(crate) fn hold(&self, job: &LeasedJob) -> HeldLease {
        let (lease, lost) = ((job.id, job.token), CancellationToken::new());
        let mut state = self.state();
        if state.early.contains(&lease) {
            lost.cancel();
        }
        state.held.insert(lease, lost.clone());
        drop(state);
        HeldLease { leases: self.clone(), lease, lost }
    }

    fn lose(&self, lease: Lease) {
        let mut state = self.state();
        if let Some(lost) = state.held.get(&lease) {
            lost.cancel();
            return;
        }
        if state.early.len() >= MOST_EARLY {
            state.early.pop_front();
        }
        state.early.push_back(lease);
    }

    /// Asks for losses until it is dropped.
    pub(crate) async fn hear(&self, session: &Session, mut pauses: Pauses) -> Infallible {
        let node = &session.node.name;
        loop {
            let asked_at = Instant::now();
            match session.source.lost_leases(node).await {
                Ok(lost) => {
                    pauses.reset();
                    let is_idle = lost.is_empty();
                    lost.into_iter().for_each(|lease| self.lose(lease));
                    if is_idle && asked_at.elapsed() < PAUSE {
                        sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    debug!(node.id = node, error = %error, "cannot hear of lost leases");
                    sleep(pauses.next()).await;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a std mutex, held for a few instructions and never across an await
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldLease {
    /// Awaits its loss. Cancel safe.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.state().held.remove(&self.lease);
    }
}

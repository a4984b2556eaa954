//! Leases that ended before their time, to be told to their nodes.
//!
//! A node hears of a lost lease at its next heartbeat or report at the latest; this is the faster way.
//! In memory, and told once: what is lost on the way is found out then.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::job::{JobId, LeaseToken};
use tokio::time::{Instant, timeout};

use crate::{Engine, wakeup::Wakeups, work::Taken};

/// Leases that are kept for a node that does not ask.
const MOST: usize = 10_000;

/// What each node has not asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pending: Mutex<Taken>,
    wakeups: Wakeups,
}

impl Lost {
    /// These leases ended.
    pub(crate) fn notify(&self, taken: Taken) {
        for (node, leases) in taken {
            {
                let mut pending = self.pending();
                let waiting = pending.entry(node.clone()).or_default();
                waiting.extend(leases);
                let excess = waiting.len().saturating_sub(MOST);
                waiting.drain(..excess);
            }
            self.wakeups.notify([node.as_str()]);
        }
    }

    fn take(&self, node: &str) -> Vec<(JobId, LeaseToken)> {
        self.pending().get_mut(node).map(mem::take).unwrap_or_default()
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Vec<(JobId, LeaseToken)>>> {
        // a std mutex, held for a few instructions and never across an await
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The leases of `node` that ended before their time since it last asked, waiting up to `wait` for
    /// the first of them. Each is told once: what does not arrive, the next heartbeat or report tells.
    pub async fn lost_leases(&self, node: &str, wait: Duration) -> Vec<(JobId, LeaseToken)> {
        let deadline = Instant::now() + wait;
        let wakeup = self.lost.wakeups.of(node);
        loop {
            let lost = self.lost.take(node);
            let left = deadline.saturating_duration_since(Instant::now());
            if !lost.is_empty() || left.is_zero() {
                return lost;
            }
            // either way it is looked again
            let _ = timeout(left, wakeup.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(number: usize) -> (JobId, LeaseToken) {
        (JobId(i64::try_from(number).unwrap()), LeaseToken(7))
    }

    #[test]
    fn each_is_told_once_to_its_node_and_a_node_that_does_not_ask_costs_a_bounded_memory() {
        let lost = Lost::default();
        lost.notify(Taken::from([("a".into(), vec![lease(1)]), ("b".into(), vec![lease(2)])]));
        lost.notify(Taken::from([("a".into(), vec![lease(3)])]));
        assert_eq!(lost.take("a"), [lease(1), lease(3)]);
        assert_eq!((lost.take("a"), lost.take("c")), (vec![], vec![]));
        lost.notify(Taken::from([("b".into(), (0..MOST).map(lease).collect())]));
        let kept = lost.take("b");
        assert_eq!((kept.len(), kept[0]), (MOST, lease(0)), "the oldest goes first");
    }
}

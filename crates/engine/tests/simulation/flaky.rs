//! A ledger that can be told to fail: before it did what was asked, or after.

use std::{
    any::Any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use stoker_ledger::{Applied, Fault, Faults, Ledger, Sqlite, Turned};

/// Decides which verbs of a ledger fail.
#[derive(Debug)]
pub(crate) struct Flaky {
    inner: Sqlite,
    outage: Mutex<Outage>,
    /// Items settled, as the inner ledger counted them.
    settled: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    after: u32,
    verbs_left: u32,
    is_applied: bool,
}

impl Flaky {
    pub(crate) fn new(inner: Sqlite) -> Arc<Self> {
        Arc::new(Self { inner, outage: Mutex::default(), settled: AtomicU64::new(0) })
    }

    /// The ledger that fails when told to.
    pub(crate) fn ledger(self: &Arc<Self>) -> Arc<dyn Ledger> {
        Arc::new(self.inner.with_faults(Arc::clone(self) as _))
    }

    /// After `after` verbs, `verbs_left` fail.
    pub(crate) fn fail(&self, after: u32, verbs_left: u32, is_applied: bool) {
        *self.outage.lock().unwrap() = Outage { after, verbs_left, is_applied };
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.outage.lock().unwrap().verbs_left > 0
    }

    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Ordering::SeqCst)
    }

    /// The ledger behind it, which never fails.
    pub(crate) fn inner(&self) -> &dyn Ledger {
        &self.inner
    }
}

impl Faults for Flaky {
    fn before(&self, _verb: &'static str) -> Option<Fault> {
        let mut outage = self.outage.lock().unwrap();
        if outage.after > 0 {
            outage.after -= 1;
            return None;
        }
        outage.verbs_left = outage.verbs_left.checked_sub(1)?;
        Some(if outage.is_applied { Fault::LostReply } else { Fault::Unavailable })
    }

    fn after(&self, _verb: &'static str, reply: &dyn Any) {
        if let Some(applied) = reply.downcast_ref::<Applied>() {
            self.settled.fetch_add(applied.settled, Ordering::SeqCst);
        }
        if let Some(turned) = reply.downcast_ref::<Turned>() {
            self.settled.fetch_add(turned.settled, Ordering::SeqCst);
        }
    }
}

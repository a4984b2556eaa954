//! Notifies an observer of stored responses that are lost. It is called where that happens, often
//! under the work of a reader or the writer, so it must not block.

use std::{fmt::Debug, sync::Arc};

use stoker_domain::key::Key;

use super::{Shared, Store};

/// Notified when stored responses, or slices of them, are lost.
pub trait LossObserver: Send + Sync + Debug {
    /// They made room for others.
    fn evicted(&self, keys: &[Key]);
    /// Its bytes are not those that were written.
    fn damaged(&self, key: Key);
    /// A purge rule removed what was stored under `url`.
    fn purged(&self, key: Key, url: &[u8]);
}

impl Store {
    /// From now on `observer` is notified; only the first call counts.
    pub fn observe(&self, observer: Arc<dyn LossObserver>) {
        let _ = self.shared().observer.set(observer);
    }
}

impl Shared {
    pub(super) fn notify(&self, what: impl FnOnce(&dyn LossObserver)) {
        if let Some(observer) = self.observer.get() {
            what(&**observer);
        }
    }
}

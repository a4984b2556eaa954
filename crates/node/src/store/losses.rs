//! Telling somebody of what is lost. Whoever is told must not wait: he is called where it happens.

use std::{fmt::Debug, sync::Arc};

use stoker_domain::key::Key;

use super::{Shared, Store};

/// Who is told when stored responses, or slices of them, are lost.
pub trait Losses: Send + Sync + Debug {
    /// They made room for others.
    fn evicted(&self, keys: &[Key]);
    /// Its bytes are not those that were written.
    fn damaged(&self, key: Key);
    /// A purge rule removed what was stored under `url`.
    fn purged(&self, key: Key, url: &[u8]);
}

impl Store {
    /// From now on `losses` is told; only the first call counts.
    pub fn tell(&self, losses: Arc<dyn Losses>) {
        let _ = self.shared().losses.set(losses);
    }
}

impl Shared {
    pub(super) fn tell(&self, what: impl FnOnce(&dyn Losses)) {
        if let Some(losses) = self.losses.get() {
            what(&**losses);
        }
    }
}

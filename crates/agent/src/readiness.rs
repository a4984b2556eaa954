//! Whether a cache may answer: not before all is removed from it that was purged while it was away.
//!
//! The agent decides; the cache reads it at each request.

use tokio::sync::watch;

/// Whether viewers and other nodes are answered. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Sender<bool>);

impl Default for Readiness {
    /// Not ready yet.
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Readiness {
    /// Whether requests may be answered.
    pub fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until requests may be answered.
    pub async fn ready(&self) {
        // this end keeps the channel alive
        let _ = self.0.subscribe().wait_for(|is_ready| *is_ready).await;
    }

    pub(crate) fn set(&self, is_ready: bool) {
        self.0.send_replace(is_ready);
    }
}

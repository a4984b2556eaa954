//! The gate of a node that comes back: shut until all is forgotten that was purged meanwhile.
//!
//! Shut, the node answers nobody from its store. It never decides when to open; the agent does.

use tokio::sync::watch;

/// Whether viewers and other nodes are answered. Clones are the same gate.
#[derive(Clone, Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// A gate that is shut.
    pub(crate) fn shut() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) fn set_open(&self, is_open: bool) {
        self.0.send_replace(is_open);
    }

    /// Waits until it is open.
    pub(crate) async fn opened(&self) {
        // this end keeps the channel alive
        let _ = self.0.subscribe().wait_for(|is_open| *is_open).await;
    }
}

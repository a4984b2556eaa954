//! When a fill is left alone: by the viewers of a node that drains, or by a prefetch that gave up.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::state::Fill;

/// How often a fill of a draining node checks whether a viewer still waits.
const DRAIN_CHECK_EVERY: Duration = Duration::from_millis(50);

impl Fill {
    /// Returns when the node drains and no viewer waits for it any more.
    pub(super) async fn deserted(&self, draining: &CancellationToken) {
        draining.cancelled().await;
        while self.state().has_viewer() {
            sleep(DRAIN_CHECK_EVERY).await;
        }
    }

    /// Returns when it is given up, and nobody has joined for `linger`.
    pub(super) async fn given_up(&self, linger: Duration) {
        loop {
            self.wait_for(|state| state.is_given_up().then_some(())).await;
            let is_wanted = self.wait_for(|state| (!state.is_given_up()).then_some(()));
            if timeout(linger, is_wanted).await.is_err() {
                return;
            }
        }
    }
}

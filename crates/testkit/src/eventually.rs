//! Waiting for a fact, with a deadline.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// Asks `probe` again and again until it gives a value, and returns it.
///
/// # Panics
/// When `deadline` has passed, naming `what` was waited for.
pub async fn eventually<T, F>(deadline: Duration, what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {deadline:?}");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

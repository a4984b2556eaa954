//! Tasks beside a test.

use std::future::Future;

use tokio::task::JoinHandle;

/// Runs `task` beside the test. The runtime of a test ends with it, and all its tasks with it.
#[expect(clippy::disallowed_methods, reason = "the runtime of the test owns the task")]
pub fn spawn<T>(task: T) -> JoinHandle<T::Output>
where
    T: Future + Send + 'static,
    T::Output: Send,
{
    tokio::spawn(task)
}

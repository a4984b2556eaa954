//! The writer thread.
use std::time::Duration;
use super::{Shared, log::Log};
pub(super) fn run(shared: &Shared, _log: Log, _flush_delay: Duration) {
    while !shared.queue.take(4 << 20, None).is_last {}
}

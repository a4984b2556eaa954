//! The log: the active segment and what was appended to it since the last sync.
use std::{io, sync::Arc};
use stoker_domain::time::Clock;
use super::{Config, Disk, Shared, lock::Lock};
#[derive(Debug)]
pub(super) struct Log { _lock: Lock }
impl Log {
    pub(super) fn recover(config: &Config, lock: Lock, _disk: Arc<dyn Disk>, _clock: Arc<dyn Clock>) -> io::Result<(Shared, Self)> {
        let shared = Shared {
            queue: Arc::new(super::Queue::new(config.queue_bytes)),
            index: super::Index::default(), segments: super::Segments::default(), pool: super::Pool::default(),
            counters: super::Counters::default(), next_generation: super::AtomicU64::new(1), epoch: 0,
            largest: config.max_bytes / 2, largest_record: config.segment_bytes,
        };
        Ok((shared, Self { _lock: lock }))
    }
}

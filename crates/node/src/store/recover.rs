//! Recovery: what a directory of segments says, however the last process ended.
//!
//! Segments are read from the oldest to the newest, their records replayed through the rules of the
//! [index](super::index). A footer is believed for which records there are; their bytes are verified
//! when they are first read. A segment without a footer is scanned and every byte verified: the
//! first unsound record ends it. The newest such segment is cut there and written on.
//!
//! The epoch changes when records are missing that a later segment's header vouches for, when a
//! segment is missing or unreadable in the middle, and when there is no segment at all.

use std::{
    io,
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use stoker_domain::time::Clock;
use tracing::{info, warn};

use super::{
    Config, Disk, DiskFile, SLICE, Shared,
    footer::{self, Listed, read_exactly},
    hot::Hot,
    index::Index,
    lock::Lock,
    log::{Active, Limits, Log, Pending, largest_record},
    pool::Pool,
    queue::Queue,
    record::{ALIGN, HEADER, Header, Kind, Place},
    rules::{Rule, Rules},
    segment::{SEGMENT_HEADER, Segment, SegmentHeader, Segments, file_name, number_of},
    stats::Counters,
    trouble::Trouble,
};

const EPOCH_FILE: &str = "epoch";

/// A new segment takes one part in so many of the room at most,
const ROOM_SHARE: u64 = 64;
/// unless that would be less than this.
const LEAST_OF_ROOM: u64 = 8 << 20;

/// A segment file with a sound header.
struct Found {
    number: u32,
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    size: u64,
}

/// What recovery has learnt so far.
struct Recovery {
    index: Index,
    rules: Rules,
    segments: Segments,
    next_generation: u64,
    is_lost: bool,
}

impl Log {
    /// Reads the directory that `lock` holds. Blocks.
    pub(super) fn recover(
        config: &Config,
        lock: Lock,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Shared, Self)> {
        let names = disk.list()?;
        let mut recovery = Recovery {
            index: Index::default(),
            rules: Rules::default(),
            segments: Segments::default(),
            next_generation: 1,
            is_lost: false,
        };
        let found = recovery.find(&*disk, &names, config.max_bytes)?;
        let held: u64 = found.iter().map(|found| found.size).sum();
        let segment_bytes = segment_bytes(config.segment_bytes, held.saturating_add(disk.free()));
        let next_number = found.last().map_or(1, |newest| newest.number + 1);
        let is_empty = found.is_empty();
        let (active, previous) = recovery.replay(found, segment_bytes)?;
        recovery.index.drop_headless();
        let largest_record = largest_record(segment_bytes);
        let is_sliceable = largest_record >= SLICE + HEADER as u64;
        // Half of what fits, for eviction may carry as much as it makes room for.
        let sliced = (config.max_bytes - 2 * segment_bytes) / 2;
        let mut shared = Shared {
            queue: Arc::new(Queue::new(config.queue_bytes)),
            index: recovery.index,
            rules: recovery.rules,
            segments: recovery.segments,
            pool: Pool::default(),
            hot: Hot::new(config.hot_bytes),
            counters: Counters::default(),
            next_generation: AtomicU64::new(recovery.next_generation),
            epoch: 0,
            max_bytes: config.max_bytes,
            largest: if is_sliceable { sliced.max(SLICE) } else { largest_record },
            largest_record,
        };
        let mut log = Self {
            disk,
            clock,
            active,
            previous,
            next_number,
            limits: Limits::new(config, segment_bytes),
            pending: Pending::default(),
            trouble: Trouble::default(),
            _lock: lock,
        };
        if is_empty {
            // So that "no segment" always means that there was none or that all are lost. Without
            // room the store opens all the same and each write says so.
            let _ = log.roll(&shared);
        }
        shared.epoch = log.settle_epoch(&names, recovery.is_lost || is_empty)?;
        let (count, bytes) = shared.segments.totals();
        let entries = shared.index.len();
        info!(entries, segments = count, size_bytes = bytes, "cache store opened");
        Ok((shared, log))
    }

    /// The stored epoch, or a new and higher one when there is none or content was lost.
    fn settle_epoch(&self, names: &[String], is_lost: bool) -> io::Result<u64> {
        let mut stored = None;
        if names.iter().any(|name| name == EPOCH_FILE) {
            let file = self.disk.open(EPOCH_FILE)?;
            let mut text = vec![0; file.size()?.min(64) as usize];
            read_exactly(&*file, &mut text, 0)?;
            stored = str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<u64>().ok());
        }
        if let Some(epoch) = stored
            && !is_lost
        {
            return Ok(epoch);
        }
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let epoch = now.max(stored.unwrap_or(0) + 1);
        self.disk.replace(EPOCH_FILE, format!("{epoch}\n").as_bytes())?;
        Ok(epoch)
    }
}

/// The length of new segments: as `wished`, if that is a small share of the `room` that this store
/// has on its disk. A power of two otherwise, so that little changes do not change it.
fn segment_bytes(wished: u64, room: u64) -> u64 {
    let share = 1 << (room / ROOM_SHARE).max(LEAST_OF_ROOM).ilog2();
    wished.min(share)
}

impl Recovery {
    /// All segments with a sound header, oldest first, no more than `max_bytes` of them. The rest
    /// is removed.
    fn find(
        &mut self,
        disk: &dyn Disk,
        names: &[String],
        max_bytes: u64,
    ) -> io::Result<Vec<Found>> {
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        let mut found = Vec::new();
        let mut unsound = Vec::new();
        for number in numbers {
            let file = disk.open(&file_name(number))?;
            let size = file.size()?;
            let mut start = [0; SEGMENT_HEADER as usize];
            let header = match read_exactly(&*file, &mut start, 0) {
                Ok(()) => SegmentHeader::decode(&start).filter(|header| header.number == number),
                Err(_) => None,
            };
            let Some(header) = header else {
                // The newest was just being made, unless there are records in it. An older one was
                // just being removed if nothing is before it.
                let is_used = !scan(&*file, number, size).0.is_empty();
                self.is_lost |= is_used || (Some(number) != newest && !found.is_empty());
                unsound.push(number);
                continue;
            };
            found.push(Found { number, file, header, size });
        }
        let mut total: u64 = found.iter().map(|found| found.size).sum();
        let excess = found.iter().take_while(|found| {
            let is_excess = total > max_bytes;
            total -= if is_excess { found.size } else { 0 };
            is_excess
        });
        let excess: Vec<_> = found.drain(..excess.count()).map(|found| found.number).collect();
        for number in excess.iter().chain(&unsound) {
            disk.remove(&file_name(*number))?;
            disk.sync_names()?;
        }
        Ok(found)
    }

    /// Fills the index; returns the segment to write on, if the newest is one, or what comes before
    /// the one that is to be made.
    #[expect(clippy::type_complexity, reason = "one caller, which takes it apart at once")]
    fn replay(
        &mut self,
        found: Vec<Found>,
        segment_bytes: u64,
    ) -> io::Result<(Option<Active>, Option<(u32, u64)>)> {
        let mut before = None;
        let nexts: Vec<_> = found.iter().skip(1).map(|next| Some(next.header.previous)).collect();
        for (found, next) in found.into_iter().zip(nexts.into_iter().chain([None])) {
            let Found { number, file, header, size } = found;
            self.next_generation = self.next_generation.max(header.generation_floor);
            let vouched = next.flatten().filter(|&(previous, _)| previous == number);
            // A successor that names another predecessor: a segment is missing between them.
            self.is_lost |= next.is_some() && vouched.is_none();
            let limit = vouched.map_or(size, |(_, end)| end);
            let by_footer = footer::read(&*file, number, size).unwrap_or_default();
            let by_footer = by_footer.filter(|&(_, end)| vouched.is_none_or(|(_, at)| at == end));
            let is_sealed = by_footer.is_some();
            let (listed, end) = by_footer.unwrap_or_else(|| scan(&*file, number, limit));
            for listed in &listed {
                self.next_generation = self.next_generation.max(listed.generation + 1);
                match listed.kind {
                    Kind::Rule => self.restore_rule(&*file, listed),
                    Kind::Mark => self.rules.reach(listed.size.unwrap_or(0)),
                    _ => self.index.restore(*listed, !is_sealed),
                }
            }
            if vouched.is_some_and(|(_, at)| end < at) {
                warn!(segment = number, end, "records of a cache segment are lost");
                self.is_lost = true;
            }
            let segment = Arc::new(Segment::new(number, file, size, end));
            self.segments.insert(segment.clone());
            if next.is_none()
                && !is_sealed
                && let Some(active) = reopen(segment, header.size, segment_bytes, (end, listed))?
            {
                return Ok((Some(active), before));
            }
            before = Some((number, end));
        }
        Ok((None, before))
    }

    fn restore_rule(&mut self, file: &dyn DiskFile, listed: &Listed) {
        let (place, mut record) = (listed.place, vec![0; listed.place.len as usize]);
        let is_read = read_exactly(file, &mut record, place.offset()).is_ok();
        let header = Header::decode(&record, place.segment, place.offset())
            .filter(|header| is_read && header.meta_is_sound(&record));
        let Some(header) = header else {
            warn!(segment = place.segment, "a purge rule of a cache segment is lost");
            self.is_lost = true;
            return;
        };
        let prefix = Bytes::copy_from_slice(&record[HEADER..HEADER + header.url_len]);
        let head = &record[HEADER + header.url_len..header.content_start()];
        self.rules.insert(Rule::of_record(prefix, head, header.generation));
    }
}

/// Cuts the newest segment after its last sound record; what is behind must never be taken for a
/// record once others are written before it. It is written on if it has the configured size.
fn reopen(
    segment: Arc<Segment>,
    size: u64,
    segment_bytes: u64,
    (end, listed): (u64, Vec<Listed>),
) -> io::Result<Option<Active>> {
    let room = if size == segment_bytes { size } else { 0 };
    let has_room = segment.file.cut(end, room).is_ok() && room > 0;
    // The records were read from memory perhaps: only now they surely are on the disk.
    segment.file.sync()?;
    segment.set_size(segment.file.size()?);
    Ok(has_room.then_some(Active { segment, end, listed }))
}

/// The sound records of a segment up to the first that is none, within the first `limit` bytes, and
/// where they end. Reads and verifies everything.
pub(super) fn scan(file: &dyn DiskFile, number: u32, limit: u64) -> (Vec<Listed>, u64) {
    let mut listed = Vec::new();
    let mut end = SEGMENT_HEADER;
    let mut record = Vec::new();
    while end + HEADER as u64 <= limit {
        record.resize(HEADER, 0);
        if read_exactly(file, &mut record, end).is_err() {
            break;
        }
        let Some(header) = Header::decode(&record, number, end) else { break };
        let place = Place { segment: number, unit: (end / ALIGN) as u32, len: header.len() as u32 };
        if place.end() > limit {
            break;
        }
        record.resize(header.len(), 0);
        if read_exactly(file, &mut record[HEADER..], end + HEADER as u64).is_err()
            || !header.meta_is_sound(&record)
            || !header.content_is_sound(&record)
        {
            break;
        }
        listed.push(Listed::new(&header, place));
        end = place.end();
    }
    (listed, end)
}

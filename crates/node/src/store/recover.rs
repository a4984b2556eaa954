//! Recovery: what a directory of segments says, however the last process ended.
//!
//! Segments are read from the oldest to the newest, their records replayed through the rules of the
//! [index](super::index). A footer is believed for which records there are; their bytes are verified
//! when they are read. A segment without a footer is scanned (`scan`) and every byte verified. The
//! newest such segment is cut behind its last record and written on.
//!
//! What cannot be used takes nothing else with it: a segment that cannot be read is set aside under
//! another name, one without its header is read by what its records say of themselves. Content that
//! was lost is counted, for a person to hear of.
//!
//! The epoch, a number in a file of its own, identifies this life of the content. It changes when
//! records are missing that a later segment's header vouches for, when a segment is missing or
//! unreadable in the middle, and when there is no segment at all.

use std::{
    error::Error,
    io::{self, ErrorKind},
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

use bytes::Bytes;
use stoker_domain::time::Clock;
use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use super::{
    Config, Disk, DiskFile, SLICE, Shared,
    disk::ASIDE,
    footer::{self, Listed, read_exactly},
    hot::Hot,
    index::Index,
    lock::Lock,
    log::{Active, Limits, Log, Pending, largest_record},
    pool::Pool,
    queue::Queue,
    read::VERIFIERS,
    record::{HEADER, Header, Kind},
    rules::{Rule, Rules},
    scan::scan,
    segment::{SEGMENT_HEADER, Segment, SegmentHeader, Segments, file_name, number_of},
    stats::Counters,
    write_errors::WriteErrors,
};

const EPOCH_FILE: &str = "epoch";

/// A new segment takes one part in so many of the room at most,
const SPACE_SHARE: u64 = 64;
/// unless that would be less than this.
const MIN_OF_SPACE: u64 = 8 << 20;

/// A segment file with a sound header.
struct SegmentFile {
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
    counters: Counters,
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
            counters: Counters::default(),
            is_lost: false,
        };
        let aside = names.iter().filter(|name| name.ends_with(ASIDE)).count();
        recovery.counters.unreadable.add(aside as u64);
        let found = recovery.find(&*disk, &names, config.max_bytes)?;
        let held: u64 = found.iter().map(|found| found.size).sum();
        let segment_bytes = segment_bytes(config.segment_bytes, held.saturating_add(disk.free()));
        let numbers = names.iter().filter_map(|name| number_of(name));
        let next_number = numbers.max().map_or(1, |newest| newest + 1);
        let is_empty = found.is_empty();
        let (active, previous) = recovery.replay(found, segment_bytes);
        // Eviction carries heads past their slices, so only now is it known which slices have none.
        recovery.index.drop_headless();
        let largest_record = largest_record(segment_bytes);
        let is_sliceable = largest_record >= SLICE + HEADER as u64;
        // Half of what fits, for eviction may carry as much as it makes room for.
        let sliced = (config.max_bytes - 2 * segment_bytes) / 2;
        let shared = Shared {
            queue: Arc::new(Queue::new(config.queue_bytes)),
            index: recovery.index,
            rules: recovery.rules,
            segments: recovery.segments,
            pool: Pool::default(),
            hot: Hot::new(config.hot_bytes),
            verifying: Semaphore::new(VERIFIERS),
            counters: recovery.counters,
            observer: OnceLock::new(),
            next_generation: AtomicU64::new(recovery.next_generation),
            disk: disk.clone(),
            max_bytes: config.max_bytes,
            reserve_bytes: config.reserve_bytes,
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
            write_errors: WriteErrors::default(),
            _lock: lock,
        };
        if is_empty {
            // So that "no segment" always means that there was none or that all are lost. Without
            // room the store opens all the same and each write says so.
            let _ = log.roll(&shared);
        }
        log.settle_epoch(&names, recovery.is_lost || is_empty)?;
        let (count, bytes) = shared.segments.totals();
        let entries = shared.index.len();
        info!(entries, segments = count, size_bytes = bytes, "cache store opened");
        Ok((shared, log))
    }

    /// Stores a new and higher epoch when there is none or content was lost.
    fn settle_epoch(&self, names: &[String], is_lost: bool) -> io::Result<()> {
        let mut stored = None;
        if names.iter().any(|name| name == EPOCH_FILE) {
            stored = self.read_epoch().unwrap_or_else(|error| {
                warn!(file = EPOCH_FILE, error = &error as &dyn Error, "cannot read a cache file");
                None
            });
        }
        if stored.is_some() && !is_lost {
            return Ok(());
        }
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let epoch = now.max(stored.unwrap_or(0) + 1);
        match self.disk.replace(EPOCH_FILE, format!("{epoch}\n").as_bytes()) {
            // the store opens without room too; the next start will write one
            Err(error) if error.kind() == ErrorKind::StorageFull => Ok(()),
            written => written,
        }
    }

    fn read_epoch(&self) -> io::Result<Option<u64>> {
        let file = self.disk.open(EPOCH_FILE)?;
        let mut text = vec![0; file.size()?.min(64) as usize];
        read_exactly(&*file, &mut text, 0)?;
        Ok(str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()))
    }
}

/// The length of new segments: as `wished`, if that is a small share of the `room` that this store
/// has on its disk. A power of two otherwise, so that little changes do not change it.
fn segment_bytes(wished: u64, room: u64) -> u64 {
    let share = 1 << (room / SPACE_SHARE).max(MIN_OF_SPACE).ilog2();
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
    ) -> io::Result<Vec<SegmentFile>> {
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        let mut found = Vec::new();
        let mut unsound = Vec::new();
        for number in numbers {
            let is_between = Some(number) != newest && !found.is_empty();
            match look(disk, number) {
                Ok(Some(segment)) => found.push(segment),
                // The newest was just being made. An older one was just being removed if nothing is
                // before it.
                Ok(None) if !is_between => unsound.push(number),
                Ok(None) => self.set_aside(disk, number, &ErrorKind::InvalidData.into()),
                Err(error) => self.set_aside(disk, number, &error),
            }
        }
        let mut total: u64 = found.iter().map(|found| found.size).sum();
        // The bound may have been lowered since; the oldest go, as eviction would have taken them.
        let excess = found.iter().take_while(|found| {
            let is_excess = total > max_bytes;
            total -= if is_excess { found.size } else { 0 };
            is_excess
        });
        let excess: Vec<_> = found.drain(..excess.count()).map(|found| found.number).collect();
        for number in excess.iter().chain(&unsound) {
            // One after the other: after a crash what is left is still without a gap.
            disk.remove(&file_name(*number))?;
            disk.sync_names()?;
        }
        Ok(found)
    }

    /// Goes on without a segment that cannot be used.
    fn set_aside(&mut self, disk: &dyn Disk, number: u32, error: &io::Error) {
        let name = file_name(number);
        let error = error as &dyn Error;
        error!(file = name, error, "a cache segment cannot be read: its content is lost");
        self.is_lost = true;
        self.counters.unreadable.add(1);
        match disk.set_aside(&name) {
            Ok(()) => warn!(file = format!("{name}{ASIDE}"), "set it aside under this name"),
            Err(error) => {
                warn!(file = name, error = &error as &dyn Error, "cannot rename a cache segment");
            }
        }
    }

    /// Fills the index; returns the segment to write on, if the newest is one, or what comes before
    /// the one that is to be made.
    fn replay(
        &mut self,
        found: Vec<SegmentFile>,
        segment_bytes: u64,
    ) -> (Option<Active>, Option<(u32, u64)>) {
        let mut before = None;
        let nexts: Vec<_> = found.iter().skip(1).map(|next| Some(next.header.previous)).collect();
        for (found, next) in found.into_iter().zip(nexts.into_iter().chain([None])) {
            let SegmentFile { number, file, header, size } = found;
            // Generations that were begun and never written are above all records; the header bounds
            // them, so that none is given twice.
            self.next_generation = self.next_generation.max(header.generation_floor);
            // Of its direct predecessor alone: a header says nothing of any other file.
            let vouched = next.flatten().filter(|&(previous, _)| previous == number);
            // A successor that names another predecessor: a segment is missing between them.
            self.is_lost |= next.is_some() && vouched.is_none();
            let (listed, end, is_sealed) = self.list(&*file, (number, size), vouched);
            for listed in &listed {
                self.next_generation = self.next_generation.max(listed.generation + 1);
                match listed.kind {
                    Kind::Rule => self.restore_rule(&*file, listed),
                    Kind::Mark => self.rules.reach(listed.size.unwrap_or(0)),
                    _ => self.index.restore(*listed),
                }
            }
            let segment = Arc::new(Segment::new(number, file, size, end));
            self.segments.insert(segment.clone());
            // Only the newest may be written on. Any older one without a footer was given up.
            if next.is_none() && !is_sealed {
                match reopen(segment.clone(), header.size, segment_bytes, (end, listed)) {
                    Ok(Some(active)) => return (Some(active), before),
                    Ok(None) => {}
                    Err(error) => {
                        let (file, error) = (file_name(number), &error as &dyn Error);
                        error!(file, error, "cannot sync a cache segment; it is given up");
                        self.counters.failures.add(1);
                        // readable, but nobody is told that it is durable
                        segment.set_durable(SEGMENT_HEADER);
                    }
                }
            }
            before = Some((number, end));
        }
        (None, before)
    }

    /// The records of a segment, where they end, and whether its footer says so. `vouched`: where
    /// they end by its successor's header.
    fn list(
        &mut self,
        file: &dyn DiskFile,
        (number, size): (u32, u64),
        vouched: Option<(u32, u64)>,
    ) -> (Vec<Listed>, u64, bool) {
        let by_footer = footer::read(file, number, size).unwrap_or_default();
        // The successor's header was written after the footer: where the two differ it is right.
        if let Some((listed, end)) = by_footer
            && vouched.is_none_or(|(_, at)| at == end)
        {
            return (listed, end, true);
        }
        let limit = vouched.map_or(size, |(_, end)| end);
        let scan = scan(file, number, limit, vouched.is_some());
        // what stands behind the last record was never durable, unless it is vouched for
        let is_short = vouched.is_some_and(|(_, at)| scan.end < at);
        let lost = scan.gaps + u64::from(is_short);
        if lost > 0 {
            let end = scan.end;
            warn!(file = file_name(number), end, lost, "records of a cache segment are lost");
            self.counters.lost.add(lost);
        }
        self.is_lost |= lost > 0;
        (scan.listed, scan.end, false)
    }

    fn restore_rule(&mut self, file: &dyn DiskFile, listed: &Listed) {
        let (place, mut record) = (listed.place, vec![0; listed.place.len as usize]);
        let is_read = read_exactly(file, &mut record, place.offset()).is_ok();
        let header = Header::decode(&record, place.segment, place.offset())
            .filter(|header| is_read && header.meta_is_sound(&record));
        let Some(header) = header else {
            warn!(file = file_name(place.segment), "a purge rule of a cache segment is lost");
            self.counters.lost.add(1);
            self.is_lost = true;
            return;
        };
        let prefix = Bytes::copy_from_slice(&record[HEADER..HEADER + header.url_len]);
        let head = &record[HEADER + header.url_len..header.content_start()];
        self.rules.restore(Rule::of_record(prefix, head, header.generation));
    }
}

/// The segment of this number; `None` when there is nothing in it. One whose header is unsound has
/// what its records say.
fn look(disk: &dyn Disk, number: u32) -> io::Result<Option<SegmentFile>> {
    let name = file_name(number);
    let file = disk.open(&name)?;
    let size = file.size()?;
    let mut start = [0; SEGMENT_HEADER as usize];
    let read = if size < SEGMENT_HEADER { Ok(()) } else { read_exactly(&*file, &mut start, 0) };
    let header = SegmentHeader::decode(&start).filter(|header| header.number == number);
    if let Some(header) = header {
        return Ok(Some(SegmentFile { number, file, header, size }));
    }
    if scan(&*file, number, size, false).listed.is_empty() {
        return read.map(|()| None);
    }
    warn!(file = name, "a cache segment has lost its header; its records are kept");
    Ok(Some(SegmentFile { number, file, header: SegmentHeader::lost(number), size }))
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

//! Segments: the files of the store, and the table of those that exist.
//!
//! ```text
//!  0                64                                        end       size - footer      size
//!  | segment header | record | record | record | … | record  | zeros … | footer entries | trailer |
//! ```
//!
//! ```text
//! segment header           bytes      field
//!                           0..8      magic "STOKSEG1"
//!                           8..12     number of the segment; numbers grow and are not reused
//!                          16..24     size of the file
//!                          24..32     every generation ever begun before is below this
//!                          32..40     where the predecessor's valid records end; 0: it has none
//!                          40..44     number of the predecessor
//!                          60..64     CRC-32 of bytes 0..60
//! ```
//!
//! A file's size is fixed when it is created, so the disk bound is a number of files. The footer
//! (see [`super::footer`]) is written when the segment is full; without one the records are scanned.
//! The successor's header repeats where the valid records end: what a failed sync left behind that
//! point is not part of the store, and records missing before it mean that the disk lost data.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, Guard};

use super::{
    disk::DiskFile,
    record::{Place, u32_at, u64_at},
};

/// Length of the header, and the offset of the first record.
pub(super) const SEGMENT_HEADER: u64 = 64;

const MAGIC: [u8; 8] = *b"STOKSEG1";
const SUFFIX: &str = ".segment";

/// What a segment's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub number: u32,
    pub size: u64,
    pub generation_floor: u64,
    /// The predecessor's number and where its valid records end.
    pub previous: Option<(u32, u64)>,
}

impl SegmentHeader {
    /// Stands for the header of a segment that has lost its own: nothing is written on into it.
    pub(super) fn lost(number: u32) -> Self {
        Self { number, size: 0, generation_floor: 0, previous: None }
    }

    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER as usize] {
        let mut out = [0; SEGMENT_HEADER as usize];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.number.to_le_bytes());
        out[16..24].copy_from_slice(&self.size.to_le_bytes());
        out[24..32].copy_from_slice(&self.generation_floor.to_le_bytes());
        let (previous, previous_end) = self.previous.unwrap_or_default();
        out[32..40].copy_from_slice(&previous_end.to_le_bytes());
        out[40..44].copy_from_slice(&previous.to_le_bytes());
        let crc = crc32fast::hash(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEADER as usize)?;
        if bytes[..8] != MAGIC || u32_at(bytes, 60) != crc32fast::hash(&bytes[..60]) {
            return None;
        }
        let previous_end = u64_at(bytes, 32);
        Some(Self {
            number: u32_at(bytes, 8),
            size: u64_at(bytes, 16),
            generation_floor: u64_at(bytes, 24),
            previous: (previous_end != 0).then(|| (u32_at(bytes, 40), previous_end)),
        })
    }
}

/// The file name of segment `number`.
pub(super) fn file_name(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a segment's file name; `None` for other files.
pub(super) fn number_of(file_name: &str) -> Option<u32> {
    let number = file_name.strip_suffix(SUFFIX)?.parse().ok()?;
    (self::file_name(number) == file_name).then_some(number)
}

/// One segment file.
#[derive(Debug)]
pub(super) struct Segment {
    pub number: u32,
    pub file: Arc<dyn DiskFile>,
    /// What the file takes on disk.
    size: AtomicU64,
    /// Records that end here or before outlive a power cut.
    durable: AtomicU64,
    /// Its file is about to be removed, or is.
    is_gone: AtomicBool,
}

impl Segment {
    pub(super) fn new(number: u32, file: Arc<dyn DiskFile>, size: u64, durable: u64) -> Self {
        Self {
            number,
            file,
            size: AtomicU64::new(size),
            durable: AtomicU64::new(durable),
            is_gone: AtomicBool::new(false),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Where the durable records end.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, end: u64) {
        self.durable.store(end, Ordering::Release);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// To be called before the file is touched.
    pub(super) fn set_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    pub(super) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Relaxed);
    }
}

type Table = BTreeMap<u32, Arc<Segment>>;

/// The segments that exist, by number. Readers take no lock; only the writer thread changes it.
#[derive(Debug, Default)]
pub(super) struct Segments(ArcSwap<Table>);

impl Segments {
    pub(super) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.0.load().get(&number).cloned()
    }

    pub(super) fn load(&self) -> Guard<Arc<Table>> {
        self.0.load()
    }

    pub(super) fn is_durable(&self, place: Place) -> bool {
        let table = self.0.load();
        table.get(&place.segment).is_some_and(|segment| segment.durable() >= place.end())
    }

    pub(super) fn insert(&self, segment: Arc<Segment>) {
        self.change(|table| {
            table.insert(segment.number, segment);
        });
    }

    pub(super) fn remove(&self, number: u32) {
        self.change(|table| {
            table.remove(&number);
        });
    }

    /// How many there are, and the bytes that they take on disk.
    pub(super) fn totals(&self) -> (usize, u64) {
        let table = self.0.load();
        (table.len(), table.values().map(|segment| segment.size()).sum())
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        // No lock and no loop: the writer thread alone changes it.
        let mut table = Table::clone(&self.0.load());
        change(&mut table);
        self.0.store(Arc::new(table));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_every_flipped_bit_is_found() {
        for previous in [None, Some((6, 4096))] {
            let header = SegmentHeader { number: 7, size: 1 << 20, generation_floor: 99, previous };
            let bytes = header.encode();
            assert_eq!(SegmentHeader::decode(&bytes), Some(header));
            assert_eq!(SegmentHeader::decode(&bytes[..63]), None);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(SegmentHeader::decode(&flipped), None, "bit {bit}");
            }
        }
    }

    /// What stands on disks already must be read for ever.
    #[test]
    fn the_bytes_of_a_header_are_these() {
        let previous = Some((6, 0x1112_1314));
        let header = SegmentHeader { number: 7, size: 0x0102_0304, generation_floor: 9, previous };
        let mut expected = b"STOKSEG1".to_vec();
        expected.extend([7, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0x14, 0x13, 0x12, 0x11, 0, 0, 0, 0, 6]);
        expected.resize(60, 0);
        expected.extend(crc32fast::hash(&expected).to_le_bytes());
        assert_eq!(header.encode()[..], expected[..]);
    }

    #[test]
    fn only_its_own_file_names_are_segments() {
        for number in [0, 1, 4_000_000_000] {
            assert_eq!(number_of(&file_name(number)), Some(number));
        }
        assert_eq!(file_name(12), "0000000012.segment");
        for name in
            ["12.segment", "0000000012", "0000000012.segment.bad", "+000000012.segment", "epoch"]
        {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}

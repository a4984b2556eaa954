//! Records: the unit in which content, heads and removals stand in a segment.
//!
//! ```text
//! offset  bytes  field
//!      0      4  magic "SKR1"
//!      4      1  kind: 1 WHOLE, 2 HEAD, 3 SLICE, 4 COMPLETE, 5 TOMBSTONE, 6 RULE, 7 MARK
//!      5      1  1: all before it in the segment was synced when it was written; otherwise 0
//!      6      2  length of the URL
//!      8     16  cache key
//!     24      8  generation
//!     32      8  size of the representation; all ones when it is not known yet
//!     40      4  number of the slice
//!     44      4  length of the head
//!     48      4  length of the content
//!     52      4  when it was first written, in seconds since 1970
//!     56      4  CRC-32 of URL and head
//!     60      4  CRC-32 of the content
//!     64      4  how many generations after its own it was last confirmed upstream
//!     68      4  CRC-32 of bytes 0..68, then of the segment's number and the record's offset
//!     72         URL, head, content; then zeros up to a multiple of 8
//! ```
//!
//! All numbers are little-endian. The header's checksum takes in the place where the record stands,
//! so that bytes which a file system hands back from another file or an older life are no record.
//! URL and head have a checksum of their own because a lookup reads them without a large content.
//!
//! Which kinds carry what: WHOLE has URL, head and content. HEAD has URL and head, and announces a
//! sliced generation; COMPLETE is the same and says that every slice was handed over. SLICE has
//! content alone. TOMBSTONE has nothing: it ends all lower generations of its key. RULE, with an
//! empty key, has a prefix of URLs in place of the URL and the method in place of the head: it
//! concerns all lower generations of those URLs. MARK, with an empty key, has the number of a purge
//! order in place of the size: that one and all before it were carried out.

use std::io::IoSlice;

use bytes::Bytes;
use crc32fast::Hasher;
use stoker_domain::key::Key;

use super::{head::Head, sums::Sums};

/// Length of a record's header.
pub(super) const HEADER: usize = 72;
/// A record up to this length is read and verified as a whole by each lookup.
pub(super) const LOOKUP_BYTES: usize = 64 << 10;
/// Records start at multiples of this.
pub(super) const ALIGN: u64 = 8;

/// How every record begins.
pub(super) const MAGIC: [u8; 4] = *b"SKR1";
const UNKNOWN_SIZE: u64 = u64::MAX;
static PADDING: [u8; ALIGN as usize] = [0; ALIGN as usize];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Head,
    Slice,
    Complete,
    Tombstone,
    Rule,
    Mark,
}

impl Kind {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Whole => 1,
            Self::Head => 2,
            Self::Slice => 3,
            Self::Complete => 4,
            Self::Tombstone => 5,
            Self::Rule => 6,
            Self::Mark => 7,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Whole,
            2 => Self::Head,
            3 => Self::Slice,
            4 => Self::Complete,
            5 => Self::Tombstone,
            6 => Self::Rule,
            7 => Self::Mark,
            _ => return None,
        })
    }
}

/// Where a record stands: segment, offset in units of [`ALIGN`], length without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub segment: u32,
    pub unit: u32,
    pub len: u32,
}

impl Place {
    pub(super) fn offset(self) -> u64 {
        u64::from(self.unit) * ALIGN
    }

    pub(super) fn end(self) -> u64 {
        (self.offset() + u64::from(self.len)).next_multiple_of(ALIGN)
    }
}

/// A decoded record header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub key: Key,
    pub generation: u64,
    /// Of the whole representation.
    pub size: Option<u64>,
    pub slice: u32,
    pub url_len: usize,
    pub head_len: usize,
    pub content_len: usize,
    pub written_s: u32,
    pub meta_crc: u32,
    pub content_crc: u32,
    /// All that stands before it in the segment was synced when it was written.
    pub is_after_sync: bool,
    /// Generations after its own at which it was last confirmed upstream.
    pub confirmed_after: u32,
}

impl Header {
    /// Length of the whole record without padding.
    pub(super) fn len(&self) -> usize {
        HEADER + self.url_len + self.head_len + self.content_len
    }

    /// Where the content begins within the record.
    pub(super) fn content_start(&self) -> usize {
        HEADER + self.url_len + self.head_len
    }

    /// The generation at which it was last confirmed upstream: its own, or a later one.
    pub(super) fn validated(&self) -> u64 {
        self.generation + u64::from(self.confirmed_after)
    }

    /// Its bytes for this place; `is_after_sync` is of the place too.
    pub(super) fn encode(&self, segment: u32, offset: u64, is_after_sync: bool) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = self.kind.code();
        out[5] = u8::from(is_after_sync);
        out[6..8].copy_from_slice(&(self.url_len as u16).to_le_bytes());
        out[8..24].copy_from_slice(&self.key.0);
        out[24..32].copy_from_slice(&self.generation.to_le_bytes());
        out[32..40].copy_from_slice(&self.size.unwrap_or(UNKNOWN_SIZE).to_le_bytes());
        out[40..44].copy_from_slice(&self.slice.to_le_bytes());
        out[44..48].copy_from_slice(&(self.head_len as u32).to_le_bytes());
        out[48..52].copy_from_slice(&(self.content_len as u32).to_le_bytes());
        out[52..56].copy_from_slice(&self.written_s.to_le_bytes());
        out[56..60].copy_from_slice(&self.meta_crc.to_le_bytes());
        out[60..64].copy_from_slice(&self.content_crc.to_le_bytes());
        out[64..68].copy_from_slice(&self.confirmed_after.to_le_bytes());
        let crc = placed_crc(&out[..68], segment, offset);
        out[68..72].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` when `bytes` is not a sound header written for this very place.
    pub(super) fn decode(bytes: &[u8], segment: u32, offset: u64) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        if bytes[..4] != MAGIC || u32_at(bytes, 68) != placed_crc(&bytes[..68], segment, offset) {
            return None;
        }
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[8..24]);
        // All lengths are believed from here on: the checksum over them was right.
        let size = u64_at(bytes, 32);
        Some(Self {
            kind: Kind::from_code(bytes[4])?,
            is_after_sync: bytes[5] == 1,
            key: Key(key),
            generation: u64_at(bytes, 24),
            size: (size != UNKNOWN_SIZE).then_some(size),
            slice: u32_at(bytes, 40),
            url_len: usize::from(u16::from_le_bytes([bytes[6], bytes[7]])),
            head_len: u32_at(bytes, 44) as usize,
            content_len: u32_at(bytes, 48) as usize,
            written_s: u32_at(bytes, 52),
            meta_crc: u32_at(bytes, 56),
            content_crc: u32_at(bytes, 60),
            confirmed_after: u32_at(bytes, 64),
        })
    }

    /// Whether `record`, which starts at the header and reaches at least to the content, carries
    /// the URL and head that were written.
    pub(super) fn meta_is_sound(&self, record: &[u8]) -> bool {
        record
            .get(HEADER..self.content_start())
            .is_some_and(|meta| crc32fast::hash(meta) == self.meta_crc)
    }

    /// The checksums of the content in `record`, the whole of it; `None` when it is not the content
    /// that was written.
    pub(super) fn content_sums(&self, record: &[u8]) -> Option<Sums> {
        let content = record.get(self.content_start()..self.len())?;
        let (sums, crc) = Sums::of([content].into_iter());
        (crc == self.content_crc).then_some(sums)
    }
}

/// A record that has no place yet.
#[derive(Debug)]
pub(super) struct Draft {
    header: Header,
    url: Bytes,
    head: Bytes,
    content: Vec<Bytes>,
    sums: Sums,
}

impl Draft {
    /// A record of `kind`; for WHOLE the size is the content's. The URL is at most 65,535 bytes,
    /// head and content together fit 32 bits: [`super::Writer`] refuses others.
    pub(super) fn new(
        kind: Kind,
        (key, generation): (Key, u64),
        url: Bytes,
        head: Bytes,
        content: Vec<Bytes>,
    ) -> Self {
        let mut meta_crc = Hasher::new();
        meta_crc.update(&url);
        meta_crc.update(&head);
        let (sums, content_crc) = Sums::of(content.iter().map(|part| &part[..]));
        let content_len = content.iter().map(Bytes::len).sum();
        let header = Header {
            kind,
            key,
            generation,
            size: (kind == Kind::Whole).then_some(content_len as u64),
            slice: 0,
            url_len: url.len(),
            head_len: head.len(),
            content_len,
            written_s: 0,
            meta_crc: meta_crc.finalize(),
            content_crc,
            is_after_sync: false,
            confirmed_after: 0,
        };
        Self { header, url, head, content, sums }
    }

    /// The same record for another place; `record` is all of it and was found sound, with content of
    /// these `sums`.
    pub(super) fn copied(header: Header, record: &Bytes, sums: Sums) -> Self {
        let (url, head) = (HEADER + header.url_len, header.content_start());
        Self {
            url: record.slice(HEADER..url),
            head: record.slice(url..head),
            content: vec![record.slice(head..header.len())],
            header,
            sums,
        }
    }

    pub(super) fn with_size(mut self, size: Option<u64>) -> Self {
        self.header.size = size;
        self
    }

    pub(super) fn with_slice(mut self, number: u32) -> Self {
        self.header.slice = number;
        self
    }

    pub(super) fn with_written_s(mut self, written_s: u32) -> Self {
        self.header.written_s = written_s;
        self
    }

    /// Confirmed upstream by a request that was sent at generation `validated`. What does not fit
    /// counts as confirmed earlier, which costs another validation at worst.
    pub(super) fn with_validated(mut self, validated: u64) -> Self {
        // Four bytes instead of eight: generations that are 2^32 apart do not meet within one store's life.
        let after = validated.saturating_sub(self.header.generation);
        self.header.confirmed_after = u32::try_from(after).unwrap_or(u32::MAX);
        self
    }

    pub(super) fn url(&self) -> &[u8] {
        &self.url
    }

    pub(super) fn head(&self) -> Head {
        Head::new(self.head.clone())
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    pub(super) fn into_content(self) -> Vec<Bytes> {
        self.content
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Length of the record without padding.
    pub(super) fn len(&self) -> usize {
        self.header.len()
    }

    /// Appends the record's parts, after `header` as encoded for its place, and its padding.
    pub(super) fn parts<'a>(&'a self, header: &'a [u8], out: &mut Vec<IoSlice<'a>>) {
        let padding = self.len().next_multiple_of(ALIGN as usize) - self.len();
        let fixed = [header, &self.url[..], &self.head[..]];
        let content = self.content.iter().map(|part| &part[..]);
        let all = fixed.into_iter().chain(content).chain([&PADDING[..padding]]);
        out.extend(all.filter(|part| !part.is_empty()).map(IoSlice::new));
    }
}

fn placed_crc(header: &[u8], segment: u32, offset: u64) -> u32 {
    // Segment and offset are not in the record: bytes that are right but stand elsewhere are wrong.
    let mut crc = Hasher::new();
    crc.update(header);
    crc.update(&segment.to_le_bytes());
    crc.update(&offset.to_le_bytes());
    crc.finalize()
}

/// The number at `at`; the caller has checked the length.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The number at `at`; the caller has checked the length.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Slice,
            key: Key(*b"0123456789abcdef"),
            generation: 0x0102_0304_0506_0708,
            size: Some(0x1112_1314_1516_1718),
            slice: 0x2122_2324,
            url_len: 0x3132,
            head_len: 0x4142_4344,
            content_len: 0x5152_5354,
            written_s: 0x6162_6364,
            meta_crc: 0x7172_7374,
            content_crc: 0x8182_8384,
            is_after_sync: true,
            confirmed_after: 0x9192_9394,
        }
    }

    /// What stands on disks already must be read for ever.
    #[test]
    fn the_bytes_of_a_header_are_these() {
        let mut expected = b"SKR1".to_vec();
        expected.extend([3, 1, 0x32, 0x31]);
        expected.extend(b"0123456789abcdef");
        expected.extend([8, 7, 6, 5, 4, 3, 2, 1]);
        expected.extend([0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]);
        expected.extend([0x24, 0x23, 0x22, 0x21, 0x44, 0x43, 0x42, 0x41]);
        expected.extend([0x54, 0x53, 0x52, 0x51, 0x64, 0x63, 0x62, 0x61]);
        expected.extend([0x74, 0x73, 0x72, 0x71, 0x84, 0x83, 0x82, 0x81]);
        expected.extend([0x94, 0x93, 0x92, 0x91]);
        let mut placed = expected.clone();
        placed.extend([7, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(crc32fast::hash(&placed).to_le_bytes());
        assert_eq!(header().encode(7, 64, true)[..], expected[..]);
        let unknown = Header { size: None, ..header() }.encode(7, 64, false);
        assert_eq!((&unknown[32..40], unknown[5]), (&[0xff; 8][..], 0));
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_nowhere_else() {
        for size in [None, Some(0), Some(u64::MAX - 1)] {
            for code in 1..=7 {
                let kind = Kind::from_code(code).unwrap();
                assert_eq!(kind.code(), code);
                let header = Header { kind, size, ..header() };
                let bytes = header.encode(7, 64, true);
                assert_eq!(Header::decode(&bytes, 7, 64), Some(header));
                assert_eq!(Header::decode(&bytes, 8, 64), None);
                assert_eq!(Header::decode(&bytes, 7, 72), None);
                assert_eq!(Header::decode(&bytes[..HEADER - 1], 7, 64), None);
            }
        }
        assert!([0, 8, 255].into_iter().all(|code| Kind::from_code(code).is_none()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = header().encode(7, 64, true);
        for bit in 0..HEADER * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped, 7, 64), None, "bit {bit}");
        }
    }

    #[test]
    fn a_draft_has_its_parts_in_order_and_ends_at_a_multiple_of_eight() {
        let content = vec![Bytes::from_static(b"con"), Bytes::from_static(b"tent")];
        let (url, head) = (Bytes::from_static(b"url"), Bytes::from_static(b"head"));
        let draft = Draft::new(Kind::Whole, (Key([1; 16]), 9), url, head, content);
        assert_eq!(draft.len(), HEADER + 14);
        assert_eq!(draft.header().size, Some(7), "that of the content");
        let header = draft.header().encode(1, 64, false);
        let mut parts = Vec::new();
        draft.parts(&header, &mut parts);
        let record: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        assert_eq!(record.len() % ALIGN as usize, 0);
        assert_eq!(&record[HEADER..HEADER + 16], b"urlheadcontent\0\0");
        let read = Header::decode(&record, 1, 64).unwrap();
        assert!(read.meta_is_sound(&record));
        assert_eq!(read.content_sums(&record), Some(draft.sums()));
        for (at, is_meta) in [(HEADER, true), (HEADER + 6, true), (HEADER + 7, false)] {
            let mut damaged = record.clone();
            damaged[at] ^= 1;
            assert_eq!(read.meta_is_sound(&damaged), !is_meta, "{at}");
            assert_eq!(read.content_sums(&damaged).is_some(), is_meta, "{at}");
        }
        assert!(!read.meta_is_sound(&record[..HEADER + 6]));
        assert_eq!(read.content_sums(&record[..HEADER + 13]), None);

        let record = Bytes::from(record);
        let copy = Draft::copied(read, &record, draft.sums());
        assert_eq!((copy.url(), &copy.head().bytes()[..]), (&b"url"[..], &b"head"[..]));
        assert_eq!(copy.into_content().concat(), b"content");
    }

    #[test]
    fn a_confirmation_is_kept_as_generations_after_its_own() {
        let draft =
            || Draft::new(Kind::Head, (Key([1; 16]), 100), Bytes::new(), Bytes::new(), vec![]);
        let validated = |at| draft().with_validated(at).header().validated();
        assert_eq!(draft().header().validated(), 100);
        assert_eq!(validated(150), 150);
        assert_eq!(validated(50), 100, "never before it was begun");
        assert_eq!(validated(u64::MAX), 100 + u64::from(u32::MAX), "earlier rather than wrong");
    }

    #[test]
    fn a_place_ends_at_a_multiple_of_eight() {
        for (len, end) in [(1, 24), (8, 24), (9, 32)] {
            let place = Place { segment: 1, unit: 2, len };
            assert_eq!((place.offset(), place.end()), (16, end));
        }
    }
}

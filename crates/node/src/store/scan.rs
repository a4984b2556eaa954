//! Scanning a segment: which sound records stand in it, when no footer says so.
//!
//! Every byte is read and verified. What is not sound is either what a crash left half written, and
//! then nothing behind it counts, or damage to what was durable, and then it takes no other record
//! with it. It was durable if it stands before an end that is vouched for, or before a record that
//! was the first to be written after a sync.

use super::{
    disk::DiskFile,
    footer::{Listed, read_exactly},
    record::{ALIGN, HEADER, Header, MAGIC, Place},
    segment::SEGMENT_HEADER,
};

/// Bytes that are searched at once for the next header.
const SEARCHED: usize = 64 << 10;

/// What stands in a segment.
#[derive(Debug)]
pub(super) struct Scan {
    /// The sound records that count, in their order.
    pub listed: Vec<Listed>,
    /// Where the last of them ends.
    pub end: u64,
    /// Places between them where records are damaged.
    pub gaps: u64,
}

/// What stands at one offset.
enum At {
    /// A record, and whether all before it was synced when it was written.
    Sound(Listed, bool),
    /// A header, and behind it not what it says.
    Damaged(Place),
    Nothing,
}

/// The sound records of segment `number` within its first `limit` bytes. `is_vouched`: up to there
/// all was durable.
pub(super) fn scan(file: &dyn DiskFile, number: u32, limit: u64, is_vouched: bool) -> Scan {
    let mut scan = Scan { listed: Vec::new(), end: SEGMENT_HEADER, gaps: 0 };
    let mut at = SEGMENT_HEADER;
    // since the last record that counts: gaps, and sound records behind them
    let (mut gaps, mut behind) = (0, Vec::new());
    let mut record = Vec::new();
    loop {
        match look(file, (number, at), limit, &mut record) {
            At::Sound(listed, is_after_sync) => {
                at = listed.place.end();
                behind.push(listed);
                // Sound records behind a gap count only if all before the gap was durable once: then the
                // gap is damage. Otherwise a crash left them, and older ones may be missing between.
                if gaps == 0 || is_vouched || is_after_sync {
                    scan.end = at;
                    scan.gaps += gaps;
                    scan.listed.append(&mut behind);
                    gaps = 0;
                }
            }
            At::Damaged(place) => {
                gaps += 1;
                at = place.end();
            }
            At::Nothing => {
                gaps += 1;
                let Some(next) = next_header(file, (number, at + ALIGN), limit) else {
                    return scan;
                };
                at = next;
            }
        }
    }
}

fn look(file: &dyn DiskFile, (number, at): (u32, u64), limit: u64, record: &mut Vec<u8>) -> At {
    let Some((header, place)) = header_at(file, (number, at), limit) else { return At::Nothing };
    record.resize(header.len(), 0);
    let is_sound = read_exactly(file, record, at).is_ok()
        && header.meta_is_sound(record)
        && header.content_sums(record).is_some();
    // A sound header gives the length even where the rest is damaged: the scan goes on behind.
    match is_sound {
        true => At::Sound(Listed::new(&header, place), header.is_after_sync),
        false => At::Damaged(place),
    }
}

/// The header that was written for offset `at`, if the record ends within `limit`.
fn header_at(file: &dyn DiskFile, (number, at): (u32, u64), limit: u64) -> Option<(Header, Place)> {
    if at + HEADER as u64 > limit {
        return None;
    }
    let mut bytes = [0; HEADER];
    read_exactly(file, &mut bytes, at).ok()?;
    let header = Header::decode(&bytes, number, at)?;
    let place = Place { segment: number, unit: (at / ALIGN) as u32, len: header.len() as u32 };
    (place.end() <= limit).then_some((header, place))
}

/// Where the first header stands from `at` on. What the device does not give is passed over.
fn next_header(file: &dyn DiskFile, (number, mut at): (u32, u64), limit: u64) -> Option<u64> {
    let mut bytes = vec![0; SEARCHED];
    while at + HEADER as u64 <= limit {
        let len = (limit - at).min(SEARCHED as u64) as usize;
        if read_exactly(file, &mut bytes[..len], at).is_ok() {
            // Only the first bytes are compared here, so no header is missed where two pieces meet.
            let begins = |unit: &[u8]| unit.starts_with(&MAGIC);
            let units = bytes[..len].chunks(ALIGN as usize).enumerate();
            for (unit, _) in units.filter(|(_, unit)| begins(unit)) {
                let found = at + unit as u64 * ALIGN;
                if header_at(file, (number, found), limit).is_some() {
                    return Some(found);
                }
            }
        }
        at += len.next_multiple_of(ALIGN as usize) as u64;
    }
    None
}

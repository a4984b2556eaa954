//! The footer of a full segment: what its records are, so that a restart need not read them.
//!
//! ```text
//! entry     0..16 key | 16..24 generation | 24..32 size | 32..36 offset / 8 | 36..40 length
//!          40..44 slice | 44..48 when written, s | 48 kind | 49..52 zero
//! trailer   0..8 magic "STOKEND1" | 8..12 number of entries | 12..16 CRC-32 of the entries
//!          16..24 where the records end | 24..28 segment | 28..32 CRC-32 of bytes 0..28
//! ```
//!
//! The entries stand in the order of the records, directly before the trailer, which ends the file.

use std::io::{self, ErrorKind};

use stoker_domain::key::Key;

use super::{
    disk::DiskFile,
    record::{Header, Kind, Place, u32_at, u64_at},
};

const ENTRY: u64 = 52;
const TRAILER: u64 = 32;
const MAGIC: [u8; 8] = *b"STOKEND1";

/// A record as a list of records names it: all that the index needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub kind: Kind,
    pub key: Key,
    pub generation: u64,
    pub size: Option<u64>,
    pub slice: u32,
    pub written_s: u32,
    pub place: Place,
}

impl Listed {
    pub(super) fn new(header: &Header, place: Place) -> Self {
        Self {
            kind: header.kind,
            key: header.key,
            generation: header.generation,
            size: header.size,
            slice: header.slice,
            written_s: header.written_s,
            place,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.size.unwrap_or(u64::MAX).to_le_bytes());
        out.extend_from_slice(&self.place.unit.to_le_bytes());
        out.extend_from_slice(&self.place.len.to_le_bytes());
        out.extend_from_slice(&self.slice.to_le_bytes());
        out.extend_from_slice(&self.written_s.to_le_bytes());
        out.extend_from_slice(&[self.kind.code(), 0, 0, 0]);
    }

    fn decode(bytes: &[u8], segment: u32) -> Option<Self> {
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[..16]);
        let size = u64_at(bytes, 24);
        Some(Self {
            kind: Kind::from_code(bytes[48])?,
            key: Key(key),
            generation: u64_at(bytes, 16),
            size: (size != u64::MAX).then_some(size),
            slice: u32_at(bytes, 40),
            written_s: u32_at(bytes, 44),
            place: Place { segment, unit: u32_at(bytes, 32), len: u32_at(bytes, 36) },
        })
    }
}

/// How many bytes at the end of the file a footer of `count` entries takes.
pub(super) fn footer_len(count: usize) -> u64 {
    count as u64 * ENTRY + TRAILER
}

/// The footer of `segment`, whose records end at `end`.
pub(super) fn encode(listed: &[Listed], segment: u32, end: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(footer_len(listed.len()) as usize);
    listed.iter().for_each(|listed| listed.encode(&mut out));
    let entries_crc = crc32fast::hash(&out);
    let trailer = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(listed.len() as u32).to_le_bytes());
    out.extend_from_slice(&entries_crc.to_le_bytes());
    out.extend_from_slice(&end.to_le_bytes());
    out.extend_from_slice(&segment.to_le_bytes());
    let crc = crc32fast::hash(&out[trailer..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The records of `segment`, a file of `size` bytes, and where they end; `None` without a sound
/// footer.
pub(super) fn read(
    file: &dyn DiskFile,
    segment: u32,
    size: u64,
) -> io::Result<Option<(Vec<Listed>, u64)>> {
    let mut trailer = [0; TRAILER as usize];
    let Some(trailer_at) = size.checked_sub(TRAILER) else { return Ok(None) };
    read_exactly(file, &mut trailer, trailer_at)?;
    let crc = u32_at(&trailer, 28);
    let is_sound = trailer[..8] == MAGIC && crc == crc32fast::hash(&trailer[..28]);
    if !is_sound || u32_at(&trailer, 24) != segment {
        return Ok(None);
    }
    let count = u64::from(u32_at(&trailer, 8));
    // No more than the file has room for is allocated, whatever the number says.
    let Some(entries_at) = trailer_at.checked_sub(count * ENTRY) else { return Ok(None) };
    let mut entries = vec![0; (count * ENTRY) as usize];
    read_exactly(file, &mut entries, entries_at)?;
    if crc32fast::hash(&entries) != u32_at(&trailer, 12) {
        return Ok(None);
    }
    let listed = entries.chunks_exact(ENTRY as usize).map(|entry| Listed::decode(entry, segment));
    Ok(listed.collect::<Option<Vec<_>>>().map(|listed| (listed, u64_at(&trailer, 16))))
}

/// Fills `buffer` from `offset` on, waiting for the disk.
pub(super) fn read_exactly(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..], offset + filled as u64, true) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::store::{Disk, Files};

    fn listed() -> Vec<Listed> {
        let of = |code: u8| Listed {
            kind: Kind::from_code(code).unwrap(),
            key: Key([code; 16]),
            generation: u64::from(code) << 40,
            size: code.is_multiple_of(2).then_some(u64::from(code) << 33),
            slice: u32::from(code) << 20,
            written_s: 1_700_000_000 + u32::from(code),
            place: Place { segment: 3, unit: u32::from(code) * 100, len: 700 },
        };
        (1..=7).map(of).collect()
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Arc<dyn DiskFile>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), bytes).unwrap();
        let file = Files::new(dir.path()).open("file").unwrap();
        (dir, file)
    }

    #[test]
    fn a_footer_is_read_as_it_was_written_from_the_end_of_its_file() {
        let footer = encode(&listed(), 3, 12_345);
        assert_eq!(footer.len() as u64, footer_len(7));
        let (_dir, file) = file(&[&[1; 500][..], &footer].concat());
        let size = 500 + footer.len() as u64;
        assert_eq!(read(&*file, 3, size).unwrap(), Some((listed(), 12_345)));
        assert_eq!(read(&*file, 4, size).unwrap(), None, "of another segment");
        assert_eq!(read(&*file, 3, size - 1).unwrap(), None, "not at the end");
        assert_eq!(read(&*file, 3, TRAILER - 1).unwrap(), None);
        assert!(read(&*file, 3, size + 1).is_err(), "the file is shorter");
    }

    #[test]
    fn a_footer_of_no_records_is_one() {
        let footer = encode(&[], 3, 64);
        let (_dir, file) = file(&footer);
        assert_eq!(read(&*file, 3, TRAILER).unwrap(), Some((Vec::new(), 64)));
    }

    #[test]
    fn every_flipped_byte_makes_it_none() {
        let footer = encode(&listed(), 3, 12_345);
        for at in 0..footer.len() {
            let mut flipped = footer.clone();
            flipped[at] ^= 0x10;
            let (_dir, file) = file(&flipped);
            assert_eq!(read(&*file, 3, flipped.len() as u64).unwrap(), None, "byte {at}");
        }
    }
}

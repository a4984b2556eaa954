//! Checksums of a record's content, block by block, so that a part of it is read and verified without
//! the rest.
//!
//! A record carries one checksum of all its content. Those of its blocks are kept in memory: they
//! are taken when the content is written, or when all of it was first read and found sound, and the
//! checksum of the whole follows from them.

use crc32fast::Hasher;

use super::SLICE;

/// Bytes of content that one of its checksums covers.
pub(super) const BLOCK: usize = 256 << 10;
const BLOCKS: usize = SLICE as usize / BLOCK;

/// CRC-32 of each block of a record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums([u32; BLOCKS]);

impl Sums {
    /// Those of the content that `parts` are together, of at most [`SLICE`] bytes, and the CRC-32 of
    /// the whole.
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Self, u32) {
        let mut sums = [0; BLOCKS];
        let (mut whole, mut block) = (Hasher::new(), Hasher::new());
        let (mut number, mut len) = (0, 0);
        for mut part in parts {
            while !part.is_empty() {
                let (now, rest) = part.split_at(part.len().min(BLOCK - len));
                block.update(now);
                (len, part) = (len + now.len(), rest);
                // The sum of the whole is combined from these: each byte is hashed once.
                if len == BLOCK {
                    whole.combine(&block);
                    set(&mut sums, number, &mut block);
                    (number, len) = (number + 1, 0);
                }
            }
        }
        if len > 0 {
            whole.combine(&block);
            set(&mut sums, number, &mut block);
        }
        (Self(sums), whole.finalize())
    }

    /// Whether `bytes` are what block `number` was.
    pub(super) fn is_sound(&self, number: usize, bytes: &[u8]) -> bool {
        self.0.get(number).is_some_and(|sum| *sum == crc32fast::hash(bytes))
    }
}

/// Longer content is refused before it is written; its later blocks have no place.
fn set(sums: &mut [u32; BLOCKS], number: usize, block: &mut Hasher) {
    let sum = std::mem::take(block).finalize();
    if let Some(place) = sums.get_mut(number) {
        *place = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_the_blocks_make_that_of_the_whole_however_it_is_cut() {
        let content: Vec<u8> = (0..SLICE).map(|at| (at * 7 + at / 251) as u8).collect();
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5, SLICE as usize] {
            let content = &content[..len];
            for part in [1000, BLOCK, SLICE as usize] {
                let (sums, whole) = Sums::of(content.chunks(part));
                assert_eq!(whole, crc32fast::hash(content), "{len} in parts of {part}");
                for (number, block) in content.chunks(BLOCK).enumerate() {
                    assert!(sums.is_sound(number, block), "block {number} of {len}");
                    assert!(!sums.is_sound(number, &block[1..]), "block {number} of {len}");
                }
                assert!(!sums.is_sound(BLOCKS, &[]));
            }
        }
    }
}

//! How much of a representation is wanted, in slices: what a first request asks for, and what a reply
//! has to bring. Pure.

use stoker_domain::http::ByteRange;

use super::slices::{MAX_SLICES, SLICE_BYTES, slice_of};
use crate::request::Want;

impl Want {
    /// First and last slice of a representation of `size` bytes; `None` when none is wanted.
    pub(super) fn slices(self, size: u64) -> Option<(u32, u32)> {
        let last_byte = size.checked_sub(1)?;
        let (start, end) = match self {
            Self::Head => return None,
            Self::All => (0, last_byte),
            Self::Range(ByteRange::From { start, end_inclusive }) => {
                (start, end_inclusive.unwrap_or(last_byte).min(last_byte))
            }
            Self::Range(ByteRange::Suffix(0)) => return None,
            Self::Range(ByteRange::Suffix(length)) => (size.saturating_sub(length), last_byte),
        };
        (start <= end).then(|| (slice_of(start), slice_of(end)))
    }

    /// The range that a first request asks for while the size is unknown: whole slices, the first
    /// that are wanted, at most [`MAX_SLICES`].
    pub(super) fn probe(self) -> (u64, u64) {
        let (first, last) = match self {
            // the end of something of unknown size cannot be asked for in slices
            Self::Head | Self::Range(ByteRange::Suffix(_)) => (0, 0),
            Self::All => (0, u64::MAX),
            Self::Range(ByteRange::From { start, end_inclusive }) => {
                (start / SLICE_BYTES, end_inclusive.map_or(u64::MAX, |end| end / SLICE_BYTES))
            }
        };
        let last = last.min(first.saturating_add(u64::from(MAX_SLICES) - 1));
        let end = last.saturating_add(1).saturating_mul(SLICE_BYTES) - 1;
        (first.saturating_mul(SLICE_BYTES), end)
    }

    /// Whether bytes `start..=end` are all that is wanted of a representation of `size` bytes.
    pub(super) fn is_within(self, start: u64, end: u64, size: Option<u64>) -> bool {
        match self {
            Self::Head => true,
            Self::All => start == 0 && size == Some(end + 1),
            Self::Range(ByteRange::From { start: from, end_inclusive }) => {
                let last = match (end_inclusive, size) {
                    (Some(to), Some(size)) => to.min(size.saturating_sub(1)),
                    (Some(to), None) => to,
                    (None, Some(size)) => size.saturating_sub(1),
                    (None, None) => return false,
                };
                start <= from && last <= end
            }
            Self::Range(ByteRange::Suffix(length)) => size.is_some_and(|size| {
                start <= size.saturating_sub(length) && size.saturating_sub(1) <= end
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn from(start: u64, end_inclusive: Option<u64>) -> Want {
        Want::Range(ByteRange::From { start, end_inclusive })
    }

    #[test]
    fn a_probe_asks_for_whole_slices_and_at_most_a_run() {
        let s = SLICE_BYTES;
        let run = u64::from(MAX_SLICES) * s;
        for (want, range) in [
            (Want::All, (0, run - 1)),
            (Want::Head, (0, s - 1)),
            (from(0, Some(0)), (0, s - 1)),
            (from(s, Some(2 * s)), (s, 3 * s - 1)),
            (from(3 * s + 5, None), (3 * s, 3 * s + run - 1)),
            (Want::Range(ByteRange::Suffix(9)), (0, s - 1)),
        ] {
            assert_eq!(want.probe(), range, "{want:?}");
        }
        let (start, end) = from(u64::MAX, None).probe();
        assert!(start <= end);
    }

    #[test]
    fn wanted_slices_end_with_the_representation() {
        let s = SLICE_BYTES;
        for (want, size, slices) in [
            (Want::All, 0, None),
            (Want::All, 1, Some((0, 0))),
            (Want::All, 2 * s, Some((0, 1))),
            (Want::All, 2 * s + 1, Some((0, 2))),
            (Want::Head, s, None),
            (from(s, None), s, None),
            (from(s, None), s + 1, Some((1, 1))),
            (from(0, Some(s)), 9 * s, Some((0, 1))),
            (Want::Range(ByteRange::Suffix(1)), 9 * s, Some((8, 8))),
            (Want::Range(ByteRange::Suffix(99 * s)), 9 * s, Some((0, 8))),
        ] {
            assert_eq!(want.slices(size), slices, "{want:?} of {size}");
        }
    }

    #[test]
    fn what_comes_is_enough_when_all_that_is_wanted_is_within_it() {
        let suffix = |length| Want::Range(ByteRange::Suffix(length));
        for (want, start, end, size, is_enough) in [
            (Want::Head, 5, 5, None, true),
            (Want::All, 0, 9, Some(10), true),
            (Want::All, 0, 9, Some(11), false),
            (Want::All, 0, 9, None, false),
            (Want::All, 1, 9, Some(10), false),
            (from(2, Some(5)), 2, 5, None, true),
            (from(2, Some(5)), 3, 5, None, false),
            (from(2, Some(5)), 2, 4, None, false),
            (from(2, Some(50)), 2, 9, Some(10), true),
            (from(2, Some(50)), 2, 8, Some(10), false),
            (from(2, None), 0, 9, Some(10), true),
            (from(2, None), 0, 9, Some(11), false),
            (from(2, None), 0, 9, None, false),
            (suffix(3), 7, 9, Some(10), true),
            (suffix(3), 8, 9, Some(10), false),
            (suffix(3), 7, 8, Some(10), false),
            (suffix(30), 0, 9, Some(10), true),
            (suffix(3), 0, 9, None, false),
        ] {
            assert_eq!(
                want.is_within(start, end, size),
                is_enough,
                "{want:?} in {start}-{end}/{size:?}"
            );
        }
    }
}

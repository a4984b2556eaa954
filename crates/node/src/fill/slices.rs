//! Slices: how a representation is cut, and sets of slice numbers. Pure.

use crate::store::SLICE;

/// Length of every slice but the last.
pub(super) const SLICE_BYTES: u64 = SLICE;
/// Slices that one upstream request asks for at most: large enough that requests cost nothing,
/// small enough that parallel requests share the work.
pub(super) const MAX_SLICES: u32 = 16;

/// The slice that holds byte `offset`.
pub(super) fn slice_of(offset: u64) -> u32 {
    u32::try_from(offset / SLICE_BYTES).unwrap_or(u32::MAX)
}

/// Slices of a representation of `size` bytes.
pub(super) fn count(size: u64) -> u32 {
    u32::try_from(size.div_ceil(SLICE_BYTES)).unwrap_or(u32::MAX)
}

/// First byte of slice `number`.
pub(super) fn start_of(number: u32) -> u64 {
    u64::from(number) * SLICE_BYTES
}

/// A set of slice numbers, one bit each.
#[derive(Clone, Debug, Default)]
pub(super) struct SliceSet {
    words: Vec<u64>,
    len: u32,
}

impl SliceSet {
    pub(super) fn contains(&self, number: u32) -> bool {
        self.words.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, number: u32) {
        let index = number as usize / 64;
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let bit = 1 << (number % 64);
        self.len += u32::from(self.words[index] & bit == 0);
        self.words[index] |= bit;
    }

    pub(super) fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut(number as usize / 64) {
            let bit = 1 << (number % 64);
            self.len -= u32::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    /// Takes in all of `other`.
    pub(super) fn extend(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            self.len += (more & !*word).count_ones();
            *word |= more;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The first number from `from` on that is not in the set.
    pub(super) fn first_absent(&self, from: u32) -> u32 {
        let mut number = from;
        loop {
            let Some(word) = self.words.get(number as usize / 64) else { return number };
            let absent = !word >> (number % 64);
            if absent != 0 {
                return number + absent.trailing_zeros();
            }
            number = (number / 64 + 1) * 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slice_set_is_a_set(steps in prop::collection::vec((any::<bool>(), 0u32..200), 0..80)) {
            let (mut set, mut model) = (SliceSet::default(), BTreeSet::new());
            let mut early = SliceSet::default();
            for (inserts, number) in steps {
                if inserts {
                    set.insert(number);
                    model.insert(number);
                    early.insert(number % 70);
                } else {
                    set.remove(number);
                    model.remove(&number);
                }
            }
            prop_assert_eq!(set.len() as usize, model.len());
            for number in 0..210 {
                prop_assert_eq!(set.contains(number), model.contains(&number));
                let absent = (number..).find(|n| !model.contains(n)).unwrap();
                prop_assert_eq!(set.first_absent(number), absent);
            }
            let mut both = set.clone();
            both.extend(&early);
            let is_in_both = |n: &u32| set.contains(*n) || early.contains(*n);
            prop_assert!((0..210).all(|n| both.contains(n) == is_in_both(&n)));
            prop_assert_eq!(both.len() as usize, (0..210).filter(is_in_both).count());
        }
    }
}

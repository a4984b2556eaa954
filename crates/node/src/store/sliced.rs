//! The slice table of one sliced generation: where its head and its slices stand.
//!
//! It is shared between the index and those who read or fill the generation, and stays readable
//! for them when a newer generation has replaced it in the index.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    SLICE,
    record::{HEADER, Place},
    sums::Sums,
};

#[derive(Debug)]
pub(super) struct Sliced {
    pub generation: u64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    head: Option<HeadAt>,
    is_hot: bool,
    slots: Vec<Slot>,
}

/// The newest head of the generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadAt {
    pub place: Place,
    /// Of the representation.
    pub size: Option<u64>,
    /// Somebody stated that all slices were handed over.
    pub is_complete: bool,
}

/// One slice: absent when its place has no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    place: Place,
    /// Of its content, once they are known.
    sums: Option<Sums>,
    is_hot: bool,
}

const ABSENT: Slot =
    Slot { place: Place { segment: 0, unit: 0, len: 0 }, sums: None, is_hot: false };

impl Slot {
    pub(super) fn new(place: Place, sums: Option<Sums>) -> Self {
        Self { place, sums, is_hot: false }
    }

    fn is_present(self) -> bool {
        self.place.len != 0
    }

    fn content_len(self) -> u64 {
        u64::from(self.place.len).saturating_sub(HEADER as u64)
    }
}

impl Sliced {
    pub(super) fn new(generation: u64) -> Self {
        Self { generation, table: Mutex::default() }
    }

    pub(super) fn head(&self) -> Option<HeadAt> {
        self.lock().head
    }

    pub(super) fn touch_head(&self) -> Option<HeadAt> {
        let mut table = self.lock();
        table.is_hot = true;
        table.head
    }

    /// Returns what was there before.
    pub(super) fn set_head(&self, head: Option<HeadAt>) -> Option<HeadAt> {
        let mut table = self.lock();
        mem::replace(&mut table.head, head)
    }

    /// Returns what was there before.
    pub(super) fn set_slot(&self, number: u32, slot: Slot) -> Slot {
        let mut table = self.lock();
        let number = number as usize;
        // As long as the last slice that came, not as the size promises: that is the origin's word.
        if table.slots.len() <= number {
            table.slots.resize(number + 1, ABSENT);
        }
        mem::replace(&mut table.slots[number], slot)
    }

    pub(super) fn set_slot_sums(&self, number: u32, place: Place, sums: Sums) {
        self.at(number, place, |slot| slot.sums = Some(sums));
    }

    /// Removes the slice if it stands at `place`; whether it did.
    pub(super) fn clear_slot(&self, number: u32, place: Place) -> bool {
        self.at(number, place, |slot| *slot = ABSENT).is_some()
    }

    /// Forgets all that stands in `segment`.
    pub(super) fn clear_segment(&self, segment: u32) {
        let mut table = self.lock();
        if table.head.is_some_and(|head| head.place.segment == segment) {
            table.head = None;
        }
        for slot in &mut table.slots {
            if slot.is_present() && slot.place.segment == segment {
                *slot = ABSENT;
            }
        }
    }

    /// The slice's CLOCK bit, which is taken; `None` when it does not stand at `place`.
    pub(super) fn take_slot_hot(&self, number: u32, place: Place) -> Option<bool> {
        self.at(number, place, |slot| mem::take(&mut slot.is_hot))
    }

    /// Whether the head is wanted: asked for, or there are slices that would be lost with it.
    /// Takes the CLOCK bit; `None` when the head does not stand at `place`.
    pub(super) fn take_head_hot(&self, place: Place) -> Option<bool> {
        let mut table = self.lock();
        if table.head?.place != place {
            return None;
        }
        let was_hot = mem::take(&mut table.is_hot);
        // A head is small, and without it all slices that are left would be lost.
        Some(was_hot || table.slots.iter().any(|slot| slot.is_present()))
    }

    /// Where slice `number` stands and its checksums, if they are known; marks it as asked for.
    /// `None` when it is missing or of the wrong length.
    pub(super) fn touch_slot(&self, number: u32) -> Option<(Place, Option<Sums>)> {
        let mut table = self.lock();
        // A slice that was cut for another size is none: the size may have become known only later.
        let expected = table.expected_len(number);
        let slot = table.slots.get_mut(number as usize)?;
        if !slot.is_present() || expected.is_some_and(|expected| slot.content_len() != expected) {
            return None;
        }
        slot.is_hot = true;
        Some((slot.place, slot.sums))
    }

    /// Where each slice that is there stands, ascending.
    pub(super) fn slices(&self) -> Vec<(u32, Place)> {
        let table = self.lock();
        let slots = (0..).zip(&table.slots).filter(|(_, slot)| slot.is_present());
        slots.map(|(number, slot)| (number, slot.place)).collect()
    }

    /// Where slice `number` stands.
    pub(super) fn place(&self, number: u32) -> Option<Place> {
        let table = self.lock();
        table.slots.get(number as usize).filter(|slot| slot.is_present()).map(|slot| slot.place)
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.lock().head?.size
    }

    pub(super) fn has_slice(&self, number: u32) -> bool {
        self.lock().has(number)
    }

    pub(super) fn is_complete(&self) -> bool {
        let table = self.lock();
        table.head.is_some_and(|head| head.is_complete && head.size.is_some())
            && (0..table.count()).all(|number| table.has(number))
    }

    /// Where head and slices stand, for a check of each.
    pub(super) fn places(&self) -> Vec<Place> {
        let table = self.lock();
        let slots = table.slots.iter().filter(|slot| slot.is_present()).map(|slot| slot.place);
        table.head.map(|head| head.place).into_iter().chain(slots).collect()
    }

    fn at<T>(&self, number: u32, place: Place, change: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let mut table = self.lock();
        let slot = table.slots.get_mut(number as usize)?;
        // Eviction may have carried it: what was seen at the former place is not of this one.
        (slot.is_present() && slot.place == place).then(|| change(slot))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn count(&self) -> u32 {
        let size = self.head.and_then(|head| head.size);
        size.map_or(self.slots.len() as u32, |size| size.div_ceil(SLICE) as u32)
    }

    /// `None` when the size is not known.
    fn expected_len(&self, number: u32) -> Option<u64> {
        let size = self.head?.size?;
        Some(size.saturating_sub(u64::from(number) * SLICE).min(SLICE))
    }

    fn has(&self, number: u32) -> bool {
        self.slots.get(number as usize).is_some_and(|slot| {
            let expected = self.expected_len(number);
            slot.is_present() && expected.is_none_or(|expected| slot.content_len() == expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(unit: u32, content: u64) -> Place {
        Place { segment: 1, unit, len: HEADER as u32 + content as u32 }
    }

    fn head(size: Option<u64>, is_complete: bool) -> Option<HeadAt> {
        Some(HeadAt { place: place(1, 0), size, is_complete })
    }

    /// Up to the known size, else up to the last slice that is there.
    fn missing(sliced: &Sliced) -> Vec<u32> {
        let count = sliced.lock().count();
        (0..count).filter(|&number| !sliced.has_slice(number)).collect()
    }

    /// A generation of two slices and a bit.
    fn three() -> Sliced {
        let sliced = Sliced::new(5);
        sliced.set_head(head(Some(2 * SLICE + 10), true));
        for (number, len) in [(0, SLICE), (1, SLICE), (2, 10)] {
            sliced.set_slot(number, Slot::new(place(10 + number, len), None));
        }
        sliced
    }

    #[test]
    fn it_is_complete_when_it_is_said_so_and_every_slice_is_there_with_its_length() {
        let sliced = three();
        assert!(sliced.is_complete() && missing(&sliced).is_empty());
        sliced.set_head(head(Some(2 * SLICE + 10), false));
        assert!(!sliced.is_complete(), "nobody said so");
        sliced.set_head(head(None, true));
        assert!(!sliced.is_complete(), "of unknown size");
        sliced.set_head(head(Some(2 * SLICE + 11), true));
        assert_eq!((sliced.is_complete(), missing(&sliced)), (false, vec![2]));
        assert!(!sliced.has_slice(2) && sliced.touch_slot(2).is_none());
        sliced.set_head(head(Some(3 * SLICE + 1), true));
        assert_eq!(missing(&sliced), [2, 3]);
        sliced.set_head(head(Some(SLICE), true));
        assert_eq!((sliced.is_complete(), sliced.size()), (true, Some(SLICE)));
    }

    #[test]
    fn while_the_size_is_unknown_a_slice_of_any_length_is_there_and_gaps_are_missing() {
        let sliced = Sliced::new(5);
        sliced.set_slot(3, Slot::new(place(9, 17), None));
        assert!(sliced.has_slice(3) && !sliced.has_slice(4));
        assert_eq!(missing(&sliced), [0, 1, 2]);
        assert_eq!(sliced.slices(), [(3, place(9, 17))]);
        assert_eq!(
            (sliced.place(3), sliced.place(0), sliced.place(7)),
            (Some(place(9, 17)), None, None)
        );
    }

    #[test]
    fn a_slot_changes_only_for_who_names_its_place() {
        let sliced = three();
        assert!(!sliced.clear_slot(0, place(11, SLICE)) && !sliced.clear_slot(9, place(10, SLICE)));
        assert!(sliced.clear_slot(0, place(10, SLICE)) && !sliced.clear_slot(0, place(10, SLICE)));
        assert_eq!(missing(&sliced), [0]);
        let (sums, _) = Sums::of([&b"x"[..]].into_iter());
        sliced.set_slot_sums(1, place(99, SLICE), sums);
        assert_eq!(sliced.touch_slot(1), Some((place(11, SLICE), None)));
        sliced.set_slot_sums(1, place(11, SLICE), sums);
        assert_eq!(sliced.touch_slot(1), Some((place(11, SLICE), Some(sums))));
        let before = sliced.set_slot(1, Slot::new(place(50, SLICE), None));
        assert_eq!(before.place, place(11, SLICE));
    }

    #[test]
    fn the_clock_bits_are_of_each_slice_and_of_the_head() {
        let sliced = three();
        sliced.touch_slot(1);
        let bits: Vec<_> =
            (0..3).map(|n| sliced.take_slot_hot(n, sliced.place(n).unwrap())).collect();
        assert_eq!(bits, [Some(false), Some(true), Some(false)]);
        assert_eq!(sliced.take_slot_hot(1, place(11, SLICE)), Some(false));
        assert_eq!(sliced.take_slot_hot(1, place(12, SLICE)), None);
        assert_eq!(sliced.take_head_hot(place(1, 0)), Some(true), "slices depend on it");
        assert_eq!(sliced.take_head_hot(place(2, 0)), None);
        let alone = Sliced::new(5);
        assert_eq!(alone.take_head_hot(place(1, 0)), None);
        alone.set_head(head(Some(1), false));
        assert_eq!(alone.take_head_hot(place(1, 0)), Some(false));
        alone.touch_head();
        assert_eq!(alone.take_head_hot(place(1, 0)), Some(true));
        assert_eq!(alone.take_head_hot(place(1, 0)), Some(false));
    }

    #[test]
    fn a_segment_takes_its_slices_and_its_head() {
        let sliced = three();
        sliced.set_slot(1, Slot::new(Place { segment: 2, ..place(11, SLICE) }, None));
        assert_eq!(sliced.places().len(), 4);
        sliced.clear_segment(2);
        assert_eq!((missing(&sliced), sliced.head().is_some()), (vec![1], true));
        sliced.clear_segment(1);
        assert!(sliced.head().is_none() && sliced.places().is_empty());
    }
}

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

    /// Up to the known size, else up to the last slice that is there.
    pub(super) fn missing_slices(&self) -> Vec<u32> {
        let table = self.lock();
        (0..table.count()).filter(|&number| !table.has(number)).collect()
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

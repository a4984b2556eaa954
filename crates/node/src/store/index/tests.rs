//! Which records replace which, and what is left when one is taken back or goes.

use super::*;

const KEY: Key = Key([7; 16]);

fn sums() -> Sums {
    Sums::of([&b"content"[..]].into_iter()).0
}

fn listed(kind: Kind, generation: u64, unit: u32) -> Listed {
    let place = Place { segment: 1, unit, len: 100 };
    Listed { kind, key: KEY, generation, size: Some(3 << 20), slice: 0, written_s: 0, place }
}

fn slice(number: u32, generation: u64, unit: u32) -> Listed {
    Listed { slice: number, ..listed(Kind::Slice, generation, unit) }
}

/// Generation and place of what a look-up finds.
fn found(index: &Index) -> Option<(u64, u32)> {
    Some(match index.find(KEY)? {
        Lookup::Whole(whole) => (whole.generation, whole.place.unit),
        Lookup::Sliced(sliced, head) => (sliced.generation, head.place.unit),
    })
}

#[test]
fn a_higher_generation_replaces_a_lower_one_and_never_the_other_way_round() {
    let index = Index::default();
    assert_eq!(found(&index), None);
    index.publish(listed(Kind::Whole, 5, 1), sums()).unwrap();
    assert_eq!((found(&index), index.len()), (Some((5, 1)), 1));
    assert_eq!(index.publish(listed(Kind::Whole, 4, 2), sums()).unwrap_err(), Superseded);
    assert!(index.is_superseded(KEY, 4) && !index.is_superseded(KEY, 5));
    // a refreshed head of the same generation
    index.publish(listed(Kind::Whole, 5, 3), sums()).unwrap();
    assert_eq!(found(&index), Some((5, 3)));
    index.publish(listed(Kind::Head, 6, 4), sums()).unwrap();
    assert_eq!((found(&index), index.len()), (Some((6, 4)), 1));
    index.publish(listed(Kind::Tombstone, 7, 5), sums()).unwrap();
    assert_eq!((found(&index), index.len()), (None, 1), "its key is known, and nothing under it");
    assert!(index.publish(listed(Kind::Whole, 6, 6), sums()).is_err());
    index.publish(listed(Kind::Whole, 7, 6), sums()).unwrap();
    assert_eq!(found(&index), Some((7, 6)));
}

#[test]
fn a_slice_is_admitted_only_to_its_own_generation() {
    let index = Index::default();
    assert!(index.publish(slice(0, 5, 1), sums()).is_err(), "before its head");
    index.publish(listed(Kind::Head, 5, 2), sums()).unwrap();
    index.publish(slice(0, 5, 3), sums()).unwrap();
    assert!(index.publish(slice(1, 4, 4), sums()).is_err());
    assert!(index.publish(slice(1, 6, 4), sums()).is_err());
    index.publish(listed(Kind::Whole, 6, 5), sums()).unwrap();
    assert!(index.publish(slice(1, 6, 6), sums()).is_err(), "it is no sliced one");
}

#[test]
fn rules_and_marks_are_admitted_and_are_no_keys() {
    let index = Index::default();
    for kind in [Kind::Rule, Kind::Mark] {
        let undo = index.publish(listed(kind, 9, 1), sums()).unwrap();
        index.undo(undo);
    }
    assert_eq!((index.len(), found(&index)), (0, None));
}

#[test]
fn undo_brings_back_what_was_there_unless_something_newer_came() {
    let index = Index::default();
    let first = index.publish(listed(Kind::Whole, 5, 1), sums()).unwrap();
    let second = index.publish(listed(Kind::Whole, 6, 2), sums()).unwrap();
    index.undo(second);
    assert_eq!(found(&index), Some((5, 1)));
    let third = index.publish(listed(Kind::Whole, 7, 3), sums()).unwrap();
    index.publish(listed(Kind::Whole, 8, 4), sums()).unwrap();
    index.undo(third);
    assert_eq!(found(&index), Some((8, 4)), "it was replaced meanwhile");
    index.undo(first);
    assert_eq!((found(&index), index.len()), (Some((8, 4)), 1));

    let index = Index::default();
    let only = index.publish(listed(Kind::Whole, 5, 1), sums()).unwrap();
    index.undo(only);
    assert_eq!((found(&index), index.len()), (None, 0));
}

#[test]
fn undo_of_a_head_or_a_slice_concerns_nothing_else_of_the_generation() {
    let index = Index::default();
    index.publish(listed(Kind::Head, 5, 1), sums()).unwrap();
    let Some(Lookup::Sliced(sliced, _)) = index.find(KEY) else { panic!("it is sliced") };
    index.publish(slice(0, 5, 2), sums()).unwrap();
    let again = index.publish(slice(0, 5, 3), sums()).unwrap();
    let further = index.publish(slice(1, 5, 4), sums()).unwrap();
    let complete = index.publish(listed(Kind::Complete, 5, 5), sums()).unwrap();
    assert!(sliced.head().unwrap().is_complete);
    index.undo(complete);
    assert!(!sliced.head().unwrap().is_complete);
    assert_eq!(found(&index), Some((5, 1)));
    index.undo(further);
    index.undo(again);
    let places: Vec<_> = sliced.slices().into_iter().map(|(n, place)| (n, place.unit)).collect();
    assert_eq!(places, [(0, 2)]);
}

#[test]
fn liveness_is_hot_once_after_each_use() {
    let index = Index::default();
    let whole = listed(Kind::Whole, 5, 1);
    assert_eq!(index.take_liveness(&whole), Liveness::Dead);
    index.publish(whole, sums()).unwrap();
    assert_eq!(index.take_liveness(&whole), Liveness::Cold);
    index.find(KEY);
    assert_eq!(index.take_liveness(&whole), Liveness::Hot);
    assert_eq!(index.take_liveness(&whole), Liveness::Cold);
    assert_eq!(index.take_liveness(&listed(Kind::Whole, 5, 2)), Liveness::Dead, "it has moved");
    index.publish(listed(Kind::Tombstone, 6, 3), sums()).unwrap();
    assert_eq!(index.take_liveness(&listed(Kind::Tombstone, 6, 3)), Liveness::Dead);
}

#[test]
fn a_head_lives_while_it_has_slices_and_a_slice_by_its_own_use() {
    let index = Index::default();
    let (head, first) = (listed(Kind::Head, 5, 1), slice(0, 5, 2));
    index.publish(head, sums()).unwrap();
    assert_eq!(index.take_liveness(&head), Liveness::Cold, "nothing depends on it");
    index.publish(first, sums()).unwrap();
    assert_eq!(index.take_liveness(&head), Liveness::Hot);
    assert_eq!(index.take_liveness(&first), Liveness::Cold);
    let Some(Lookup::Sliced(sliced, _)) = index.find(KEY) else { panic!("it is sliced") };
    sliced.touch_slot(0);
    // of the wrong length: not read, so not used
    assert_eq!(index.take_liveness(&first), Liveness::Cold);
    assert_eq!(index.take_liveness(&slice(0, 4, 2)), Liveness::Dead);
    assert_eq!(index.take_liveness(&slice(1, 5, 3)), Liveness::Dead);
    assert_eq!(index.take_liveness(&listed(Kind::Complete, 5, 9)), Liveness::Dead);
}

#[test]
fn what_is_forgotten_is_only_what_stands_at_that_place() {
    let index = Index::default();
    let whole = listed(Kind::Whole, 5, 1);
    index.publish(whole, sums()).unwrap();
    assert!(!index.forget(&listed(Kind::Whole, 5, 2)));
    assert!(index.forget(&whole) && !index.forget(&whole));
    assert_eq!(index.len(), 0);

    let tombstone = listed(Kind::Tombstone, 6, 3);
    index.publish(tombstone, sums()).unwrap();
    assert!(!index.forget(&listed(Kind::Whole, 6, 3)), "an older record of the key");
    assert!(index.forget(&tombstone));

    let (head, first) = (listed(Kind::Head, 7, 4), slice(0, 7, 5));
    index.publish(head, sums()).unwrap();
    index.publish(first, sums()).unwrap();
    assert!(!index.forget(&slice(0, 6, 5)) && !index.forget(&slice(1, 7, 5)));
    assert!(index.forget(&first));
    assert_eq!((found(&index), index.len()), (Some((7, 4)), 1));
    assert!(!index.forget(&listed(Kind::Complete, 7, 9)));
    assert!(index.forget(&head));
    assert_eq!(index.len(), 0);
}

#[test]
fn a_lost_segment_takes_what_stands_in_it_and_what_depends_on_that() {
    let index = Index::default();
    let at = |mut listed: Listed, key: u8, segment: u32| {
        listed.key = Key([key; 16]);
        listed.place.segment = segment;
        listed
    };
    index.publish(at(listed(Kind::Whole, 1, 1), 1, 1), sums()).unwrap();
    index.publish(at(listed(Kind::Whole, 1, 1), 2, 2), sums()).unwrap();
    index.publish(at(listed(Kind::Tombstone, 1, 1), 3, 1), sums()).unwrap();
    index.publish(at(listed(Kind::Head, 1, 1), 4, 1), sums()).unwrap();
    index.publish(at(slice(0, 1, 2), 4, 2), sums()).unwrap();
    index.publish(at(listed(Kind::Head, 1, 1), 5, 2), sums()).unwrap();
    index.publish(at(slice(0, 1, 2), 5, 1), sums()).unwrap();
    index.publish(at(slice(1, 1, 3), 5, 2), sums()).unwrap();
    index.forget_segment(1);
    assert_eq!(index.len(), 2);
    assert!(matches!(index.find(Key([2; 16])), Some(Lookup::Whole(_))));
    let Some(Lookup::Sliced(sliced, _)) = index.find(Key([5; 16])) else { panic!("it is left") };
    assert_eq!(sliced.slices().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
}

#[test]
fn recovery_takes_slices_before_their_head_and_drops_those_that_get_none() {
    let index = Index::default();
    index.restore(slice(0, 5, 1));
    assert_eq!(found(&index), None);
    index.restore(listed(Kind::Head, 5, 2));
    assert_eq!(found(&index), Some((5, 2)));
    index.restore(slice(1, 4, 3));
    assert_eq!(found(&index), Some((5, 2)), "of an older generation");
    index.restore(slice(0, 6, 4));
    index.drop_headless();
    assert_eq!((found(&index), index.len()), (None, 0));
    index.restore(listed(Kind::Tombstone, 7, 5));
    index.drop_headless();
    assert_eq!(index.len(), 1);
}

#[test]
fn checksums_are_known_of_long_records_and_are_learnt_for_their_place_alone() {
    let index = Index::default();
    let mut long = listed(Kind::Whole, 5, 1);
    let has_sums = |index: &Index| match index.find(KEY) {
        Some(Lookup::Whole(whole)) => whole.sums.is_some(),
        _ => panic!("it is whole"),
    };
    for (len, is_known) in [(LOOKUP_BYTES as u32, false), (LOOKUP_BYTES as u32 + 1, true)] {
        long.place.len = len;
        index.publish(long, sums()).unwrap();
        assert_eq!(has_sums(&index), is_known, "{len}");
    }
    index.restore(long);
    assert!(!has_sums(&index), "a restart knows none");
    index.set_sums(KEY, Place { unit: 9, ..long.place }, sums());
    assert!(!has_sums(&index));
    index.set_sums(KEY, long.place, sums());
    assert!(has_sums(&index));
    assert_eq!(index.whole_place(KEY, 5), Some(long.place));
    assert_eq!(index.whole_place(KEY, 4), None);
}

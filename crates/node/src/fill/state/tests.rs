//! What readers get and what is asked for next, whatever order things come in.

use proptest::prelude::*;
use stoker_domain::http::ByteRange;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::memory::{Memory, Shares};

proptest! {
    /// A slice that comes in many small pieces is joined under a reader who is somewhere in it.
    #[test]
    fn a_reader_gets_every_byte_however_small_the_pieces_are(
        pieces in prop::collection::vec(1_usize..40, 1..3000),
        large in prop::collection::vec(0_usize..3000, 0..5),
        reads in 1_usize..50,
    ) {
        let (mut slice, mut cursor) = (Slice::default(), Cursor::at(0));
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        for (n, len) in pieces.iter().enumerate() {
            let len = if large.contains(&n) { len * 1000 } else { *len };
            let len = len.min((SLICE_BYTES - slice.len) as usize);
            let piece: Vec<u8> = (0..len).map(|at| (at + n) as u8).collect();
            sent.extend_from_slice(&piece);
            if len > 0 {
                slice.push(piece.into());
            }
            prop_assert!(slice.chunks.len() < MAX_CHUNKS);
            if n % reads == 0 && let Some(chunk) = cursor.chunk_of(0, &slice, u64::MAX) {
                got.extend_from_slice(&chunk);
            }
        }
        while let Some(chunk) = cursor.chunk_of(0, &slice, u64::MAX) {
            got.extend_from_slice(&chunk);
        }
        prop_assert!(got == sent);
    }
}

fn interest(want: Want) -> Interest {
    Interest {
        want,
        is_prefetch: false,
        reads_playlist: false,
        priority: Priority::Interactive,
        position: 0,
    }
}

fn range(start: u64, end: u64) -> Want {
    Want::Range(ByteRange::From { start, end_inclusive: Some(end) })
}

/// A fill with these readers, numbered from 0.
fn fill(readers: &[Interest]) -> Fill {
    let fill = Fill::new(Key([1; 16]), "a.example/1".into());
    for interest in readers {
        let mut state = fill.state();
        let number = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(number, *interest);
    }
    fill
}

fn bytes(len: u64) -> Bytes {
    (0..len).map(|at| at as u8).collect::<Vec<_>>().into()
}

const MANY: u64 = 40 * SLICE_BYTES;

#[test]
fn ranges_are_asked_for_before_the_rest_and_nothing_twice() {
    let fill = fill(&[interest(Want::All), interest(range(5 * SLICE_BYTES, 6 * SLICE_BYTES))]);
    let mut state = fill.state();
    assert_eq!(state.next_slices(MANY), Some((5, 6)));
    (5..=6).for_each(|number| state.claimed.insert(number));
    assert_eq!(state.next_slices(MANY), Some((0, 4)), "up to what is on its way");
    (0..=4).for_each(|number| state.claimed.insert(number));
    assert_eq!(state.next_slices(MANY), Some((7, 6 + MAX_SLICES)), "no more than at once");
    (7..40).for_each(|number| state.claimed.insert(number));
    assert_eq!(state.next_slices(MANY), None);
    state.claimed.remove(39);
    assert_eq!(state.next_slices(MANY), Some((39, 39)));
    state.readers.clear();
    assert_eq!(state.next_slices(MANY), None, "nobody wants it");
}

#[test]
fn who_wants_the_head_alone_wants_no_slice() {
    let fill = fill(&[interest(Want::Head)]);
    assert_eq!(fill.state().next_slices(MANY), None);
    assert!(!fill.state().is_wanted(0, MANY));
    assert_eq!(fill.state().widest_want(), Want::Head);
}

#[test]
fn only_slices_that_a_viewer_has_still_to_read_are_urgent() {
    let background = Interest { priority: Priority::Background, ..interest(Want::All) };
    let fill = fill(&[background, interest(range(2 * SLICE_BYTES, 5 * SLICE_BYTES - 1))]);
    let mut state = fill.state();
    assert!(state.is_urgent(30, 30), "before the size is known the head is waited for");
    state.size = Some(MANY);
    let urgent = |state: &State| (0..8).filter(|n| state.is_urgent(*n, *n)).collect::<Vec<_>>();
    assert_eq!(urgent(&state), [2, 3, 4]);
    assert!(state.is_urgent(0, 2) && state.is_urgent(4, 39) && !state.is_urgent(5, 39));
    assert!(state.advance(1, 4) && !state.advance(1, 4) && !state.advance(9, 4));
    assert_eq!(urgent(&state), [4]);
    assert!(state.is_wanted(2, MANY) && state.has_viewer());
    state.leave(1, true);
    assert!(urgent(&state).is_empty() && !state.has_viewer() && state.has_readers());
    assert_eq!(state.readers(), 1);
}

#[test]
fn the_first_reader_waits_for_content_unless_it_prefetches_what_it_does_not_read() {
    let prefetch =
        Interest { is_prefetch: true, priority: Priority::Background, ..interest(Want::All) };
    let reads = Interest { reads_playlist: true, ..prefetch };
    for (first, of_playlist, of_other) in [
        (interest(Want::All), Some(Want::All), Some(Want::All)),
        (prefetch, None, None),
        (reads, Some(Want::All), None),
    ] {
        let fill = fill(&[first, interest(Want::Head)]);
        let mut state = fill.state();
        assert_eq!(state.first_want(true), of_playlist, "{first:?}");
        assert_eq!(state.first_want(false), of_other, "{first:?}");
        assert_eq!(state.has_prefetch(), first.is_prefetch);
        state.leave(0, true);
        assert_eq!(state.first_want(true), None, "the first has left");
    }
}

#[test]
fn the_widest_interest_decides_the_first_request() {
    let (head, some, all) = (interest(Want::Head), interest(range(0, 9)), interest(Want::All));
    assert_eq!(fill(&[head, some]).state().widest_want(), range(0, 9));
    assert_eq!(fill(&[all, some, head]).state().widest_want(), Want::All);
    assert_eq!(fill(&[]).state().widest_want(), Want::Head);
}

#[test]
fn what_is_appended_twice_counts_once_and_a_gap_is_never_left() {
    let fill = fill(&[interest(Want::All)]);
    assert_eq!(fill.append(0, 0, bytes(100)), 100);
    assert_eq!(fill.append(0, 0, bytes(100)), 0, "all of it is there");
    assert_eq!(fill.append(0, 50, bytes(100)), 50, "half of it is there");
    assert_eq!(fill.append(0, 151, bytes(10)), 0, "a byte is missing before it");
    assert_eq!(fill.append(1, 150, bytes(10)), 0, "of another epoch");
    assert_eq!(fill.state().slice(0).unwrap().len, 150);
    assert_eq!(fill.state().bytes_here(), 150);
    assert_eq!(fill.append(0, SLICE_BYTES, bytes(7)), 7, "the next slice is another one");
    fill.state().keep(0);
    assert!(fill.state().slice(0).is_none(), "the store has it");
    assert_eq!(fill.append(0, 150, bytes(10)), 0);
    assert_eq!(fill.state().bytes_here(), SLICE_BYTES + 7);
    fill.state().size = Some(SLICE_BYTES + 3);
    assert_eq!(fill.state().bytes_here(), SLICE_BYTES + 3, "never more than there are");
}

#[test]
fn a_reader_takes_from_the_window_then_from_the_store_and_hears_of_the_end() {
    let fill = fill(&[interest(Want::All)]);
    let mut cursor = Cursor::at(0);
    let take = |cursor: &mut Cursor, end| fill.take(0, 0, cursor, end);
    assert!(matches!(take(&mut cursor, 10), Take::Wait));
    fill.append(0, 0, bytes(100));
    let Take::Chunk(chunk) = take(&mut cursor, 30) else { panic!("it is there") };
    assert_eq!((chunk, cursor.offset), (bytes(30), 30));
    assert!(matches!(take(&mut cursor, 30), Take::End), "no further than it wants");
    {
        let mut state = fill.state();
        state.keep(0);
        state.size = Some(100);
    }
    assert!(matches!(take(&mut cursor, 200), Take::Wait), "nobody says yet where the store has it");
    fill.state().generation = Some(77);
    assert!(matches!(take(&mut cursor, 200), Take::InStore(77)));
    cursor.offset = 100;
    assert!(matches!(take(&mut cursor, 200), Take::End), "at the size");
}

#[test]
fn a_reader_hears_why_nothing_more_comes() {
    let fill = fill(&[interest(Want::All)]);
    let mut cursor = Cursor::at(0);
    fill.state().is_lost = true;
    assert!(matches!(fill.take(0, 0, &mut cursor, 9), Take::Lost));
    fill.state().broken = Some(changed("why"));
    let Take::Failed(fault) = fill.take(0, 0, &mut cursor, 9) else { panic!("it is broken") };
    assert_eq!(fault.detail(), "why");
    fill.append(0, 0, bytes(5));
    assert!(matches!(fill.take(0, 0, &mut cursor, 9), Take::Chunk(_)), "what came is given");
    fill.restart();
    let Take::Failed(fault) = fill.take(0, 0, &mut cursor, 9) else { panic!("it has changed") };
    assert_eq!(fault.outcome(), changed("").outcome());
}

#[test]
fn a_restart_keeps_the_readers_and_nothing_else() {
    let fill = fill(&[interest(Want::All), interest(range(0, 9))]);
    fill.append(0, 0, bytes(100));
    {
        let mut state = fill.state();
        state.size = Some(100);
        state.generation = Some(7);
        state.keep(1);
        state.can_resume = true;
        state.is_retired = true;
    }
    fill.restart();
    let state = fill.state();
    assert_eq!((state.epoch, state.readers(), state.next_reader), (1, 2, 2));
    assert_eq!((state.size, state.generation, state.bytes_here()), (None, None, 0));
    assert!(state.is_retired && !state.can_resume && !state.claimed.contains(1));
}

#[test]
fn what_the_store_lost_is_brought_again_while_the_fill_runs() {
    let fill = fill(&[interest(Want::All)]);
    fill.state().keep(3);
    assert!(!fill.lose(3), "it cannot go on");
    fill.state().can_resume = true;
    assert!(fill.lose(3));
    assert!(!fill.state().kept.contains(3) && !fill.state().claimed.contains(3));
    fill.state().claimed.insert(4);
    assert!(fill.lose(4));
    assert!(fill.state().claimed.contains(4), "it is on its way already");
    fill.state().is_retired = true;
    assert!(!fill.lose(5));
}

#[test]
fn in_relay_what_every_viewer_has_is_let_go() {
    let prefetch = Interest { is_prefetch: true, ..interest(Want::All) };
    let fill = fill(&[interest(Want::All), interest(Want::All), prefetch]);
    for number in 0..4 {
        fill.append(0, number * SLICE_BYTES, bytes(9));
    }
    let mut state = fill.state();
    assert_eq!(state.trim(), 4, "one has read nothing yet");
    state.advance(0, 3);
    state.advance(1, 2);
    assert_eq!(state.trim(), 2, "a prefetch reads nothing");
    assert!(state.has_demand());
    state.leave(0, true);
    state.leave(1, true);
    assert_eq!((state.trim(), state.has_demand()), (0, false));
}

#[test]
fn a_slice_has_memory_once_and_gives_it_back_when_it_is_dropped() {
    let budget = 8 * SLICE_BYTES;
    let shares = Shares { slices: budget, passing: 0, windows: 0 };
    let memory = Memory::new(shares, Duration::ZERO);
    let used = || memory.stats().slices.used;
    let fill = fill(&[interest(Want::All)]);
    let mut state = fill.state();
    let hold = || memory.slice_now(SLICE_BYTES).unwrap();
    state.admit(1, 0, hold());
    assert!(!state.is_admitted(0) && used() == 0, "of another epoch");
    state.admit(0, 0, hold());
    let one = used();
    assert!(state.is_admitted(0) && one > 0);
    state.admit(0, 0, hold());
    assert_eq!(used(), one, "it has some");
    state.admit(0, 1, hold());
    state.claimed.insert(1);
    state.drop_unclaimed();
    assert!(!state.is_admitted(0) && state.is_admitted(1) && used() == one);
    state.drop_empty();
    assert_eq!(used(), 0, "nothing came of it");
    state.keep(2);
    assert!(state.is_admitted(2), "what is kept needs none");
}

#[test]
fn it_is_whole_when_every_slice_is_kept() {
    let fill = fill(&[]);
    let mut state = fill.state();
    assert!(!state.is_whole(), "of unknown size");
    state.size = Some(SLICE_BYTES + 1);
    state.keep(0);
    assert!(!state.is_whole());
    state.keep(1);
    assert!(state.is_whole());
    state.size = Some(0);
    state.kept = SliceSet::default();
    assert!(state.is_whole(), "nothing is missing of nothing");
}

#[tokio::test(start_paused = true)]
async fn a_draining_node_ends_a_fill_when_its_last_viewer_leaves() {
    let fill = Arc::new(fill(&[interest(Want::All)]));
    let draining = CancellationToken::new();
    let deserted = stoker_testkit::spawn({
        let (fill, draining) = (Arc::clone(&fill), draining.clone());
        async move { fill.deserted(&draining).await }
    });
    draining.cancel();
    sleep(Duration::from_secs(60)).await;
    assert!(!deserted.is_finished(), "a viewer waits");
    fill.state().leave(0, true);
    deserted.await.unwrap();
}

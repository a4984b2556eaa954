//! Budgets: what is taken, who waits, who is refused, and that all of it comes back.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep},
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn memory(slices: u64, passing: u64, windows: u64) -> Memory {
    Memory::new(Shares { slices, passing, windows }, PATIENCE)
}

#[test]
fn the_shares_never_exceed_the_whole() {
    for whole in [32 << 20, 56 << 20, 512 << 20, 100 << 30] {
        let Division { hot, index_entries, connections, shares } = Division::of(whole);
        let Shares { slices, passing, windows } = shares;
        let counted = index_entries as u64 * INDEX_ENTRY + connections as u64 * CONNECTION;
        assert!(hot + counted + slices + passing + windows <= whole, "{whole}");
        assert!(slices >= 4 * cost_of_slice(SLICE), "{whole}: several slices at once");
    }
}

/// Fills of random lengths that hold a slice for a random time, with random budgets, the smallest
/// of which is below one slice.
#[tokio::test(start_paused = true)]
async fn every_fill_ends_and_the_budget_is_never_exceeded() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let budget = random.random_range(64 << 10..8 * SLICE);
        let memory = memory(budget, 0, 0);
        let mut fills = JoinSet::new();
        for _ in 0..60 {
            let slices: Vec<(u64, u64)> = (0..random.random_range(1..6))
                .map(|_| (random.random_range(0..=SLICE), random.random_range(0..20)))
                .collect();
            let (memory, leaves) = (memory.clone(), random.random_bool(0.1));
            fills.spawn(async move {
                for (len, millis) in slices {
                    if leaves {
                        // one who gives up waiting takes nothing along
                        let _ = timeout(Duration::from_millis(1), memory.slice(len)).await;
                        continue;
                    }
                    let hold = memory.slice(len).await;
                    let BudgetStats { used, limit, .. } = memory.stats().slices;
                    assert!(used <= limit, "{used} of {limit}");
                    sleep(Duration::from_millis(millis)).await;
                    drop(hold);
                }
            });
        }
        while let Some(ended) = fills.join_next().await {
            ended.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        let stats = memory.stats().slices;
        assert_eq!((stats.used, stats.waiting), (0, 0), "seed {seed}: {stats:?}");
        assert!(stats.most <= stats.limit && stats.limit <= budget.max(2 * UNIT), "{stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn small_content_does_not_wait_behind_large() {
    let memory = memory(4 * SLICE, 0, 0);
    let mut large = Vec::new();
    while let Some(hold) = memory.slice_now(SLICE) {
        large.push(hold);
    }
    let waiting = stoker_testkit::spawn({
        let memory = memory.clone();
        async move { memory.slice(SLICE).await }
    });
    while memory.stats().slices.waiting == 0 {
        yield_now().await;
    }
    let before = Instant::now();
    let small = memory.first_slice(SMALL, || false).await.unwrap();
    assert_eq!(Instant::now(), before, "it did not wait");
    assert!(memory.is_short());
    drop((large, small));
    waiting.await.unwrap();
    assert!(!memory.is_short());
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_refused_after_a_while_and_a_prefetch_waits() {
    let memory = memory(2 * SLICE, SLICE, SLICE);
    let held = memory.slice(SLICE).await;
    let before = Instant::now();
    let fault = memory.first_slice(SLICE, || false).await.unwrap_err();
    assert!(fault.is_busy() && fault.retry_after() == Some(RETRY_AFTER), "{fault:?}");
    assert_eq!(before.elapsed(), PATIENCE);
    let prefetch = stoker_testkit::spawn({
        let memory = memory.clone();
        async move { memory.first_slice(SLICE, || true).await.map(drop) }
    });
    sleep(PATIENCE * 100).await;
    assert!(!prefetch.is_finished());
    drop(held);
    prefetch.await.unwrap().unwrap();
    assert_eq!(memory.stats().slices.refused, 1);

    let held = memory.passing(None).await.unwrap();
    assert!(memory.passing(None).await.unwrap_err().is_busy());
    drop(held);
    assert!(memory.passing(Some(100)).await.is_ok());
    assert_eq!(memory.stats().passing.refused, 1);
}

#[tokio::test(start_paused = true)]
async fn readers_take_less_when_there_is_little_and_are_refused_at_last() {
    let memory = memory(0, 0, 8 << 20);
    let (mut windows, mut sizes) = (Vec::new(), Vec::new());
    let fault = loop {
        match memory.window(10 << 20).await {
            Ok(window) => {
                sizes.push(window.piece(10 << 20) as u64);
                windows.push(window);
            }
            Err(fault) => break fault,
        }
    };
    assert!(fault.is_busy());
    assert_eq!(sizes[0], LARGE_READ);
    assert_eq!(sizes.last(), Some(&SMALL));
    assert!(sizes.iter().filter(|size| **size == SMALL).count() >= 3, "{sizes:?}");
    assert!(sizes.is_sorted_by(|one, other| one >= other), "{sizes:?}");
    assert!(memory.window(SMALL).await.is_ok(), "small content is not accounted for");
    let stats = memory.stats().windows;
    assert!(stats.most <= stats.limit && stats.refused == 1, "{stats:?}");
    windows.clear();
    assert_eq!(memory.stats().windows.used, 0);
}

#[tokio::test]
async fn the_last_piece_of_a_reader_is_a_small_one() {
    let memory = memory(0, 0, 2 << 20);
    for len in [SMALL + 1, 100_000, LARGE_READ, LARGE_READ + SMALL, (1 << 20) + 77] {
        let window = memory.window(len).await.unwrap();
        let (mut left, mut last) = (len, 0);
        while left > 0 {
            last = window.piece(left) as u64;
            assert!(last > 0 && last <= left, "{last} of {left}");
            left -= last;
        }
        assert!(last <= SMALL, "{last} of {len}");
    }
}

#[test]
fn a_budget_counts_in_whole_units_and_has_one_at_least() {
    for (bytes, limit) in [(0, UNIT), (UNIT, UNIT), (3 * UNIT + 7, 3 * UNIT)] {
        assert_eq!(Budget::new(bytes).stats().limit, limit, "{bytes}");
    }
    let budget = Budget::new(4 * UNIT);
    for (bytes, units) in [(0, 1), (1, 1), (UNIT, 1), (UNIT + 1, 2), (4 * UNIT, 4)] {
        assert_eq!(budget.units(bytes), units, "{bytes}");
    }
    // what costs more than there is takes all of it
    assert_eq!(budget.units(u64::MAX), 4);
    let all = budget.now(u64::MAX).unwrap();
    assert!(budget.now(1).is_none());
    assert_eq!((budget.stats().used, budget.stats().most), (4 * UNIT, 4 * UNIT));
    drop(all);
    let _one = budget.now(1).unwrap();
    assert_eq!((budget.stats().used, budget.stats().most), (UNIT, 4 * UNIT));
}

#[test]
fn a_slice_costs_half_as_much_again_and_no_more_than_a_whole_one() {
    for (len, cost) in [(0, 0), (2, 3), (SLICE, SLICE / 2 * 3), (SLICE + 1, SLICE / 2 * 3)] {
        assert_eq!(cost_of_slice(len), cost, "{len}");
    }
}

#[test]
fn memory_is_short_when_more_than_half_of_it_is_held() {
    let memory = memory(8 << 20, 0, 0);
    let half = memory.0.slices.limit / 2;
    let held = memory.0.slices.now(half).unwrap();
    assert!(!memory.is_short());
    let more = memory.0.slices.now(1).unwrap();
    assert!(memory.is_short());
    drop((held, more));
    assert!(!memory.is_short());
}

#[tokio::test]
async fn a_response_that_is_passed_on_takes_twice_its_length_up_to_two_buffers() {
    let memory = memory(0, 8 << 20, 0);
    for (len, cost) in [
        (Some(10 * UNIT), 20 * UNIT),
        (Some(BUFFER), 2 * BUFFER),
        (Some(BUFFER + 1), 2 * BUFFER),
        (None, 2 * BUFFER),
    ] {
        let hold = memory.passing(len).await.unwrap();
        assert_eq!(memory.stats().passing.used, cost, "{len:?}");
        drop(hold);
    }
}

#[tokio::test]
async fn what_is_shown_of_slices_is_the_sum_of_both_budgets() {
    let memory = memory(8 << 20, 0, 0);
    let small = memory.slice(2 * UNIT).await;
    let large = memory.slice(SLICE).await;
    let stats = memory.stats().slices;
    assert_eq!((stats.limit, stats.used), (8 << 20, 3 * UNIT + SLICE / 2 * 3));
    assert_eq!(memory.0.small.stats().used, 3 * UNIT, "small content has its own part");
    drop((small, large));
    let stats = memory.stats().slices;
    assert_eq!((stats.used, stats.most), (0, 3 * UNIT + SLICE / 2 * 3));
}

#[tokio::test]
async fn only_a_small_window_copies_what_came_in_a_large_buffer() {
    let memory = memory(0, 0, 1 << 20);
    let piece = Bytes::from(vec![7; 100]);
    let is_copied = |window: &Window| window.cut(piece.clone()).as_ptr() != piece.as_ptr();
    let mut windows = vec![memory.window(10 << 20).await.unwrap()];
    assert_eq!(windows[0].most, LARGE_READ);
    assert!(!is_copied(&windows[0]));
    while windows.last().unwrap().most != SMALL {
        windows.push(memory.window(10 << 20).await.unwrap());
    }
    assert!(is_copied(windows.last().unwrap()));
    assert_eq!(windows.last().unwrap().cut(piece.clone()), piece);
    for window in [Window::of_all(), Window::of_reading()] {
        assert!(!is_copied(&window));
    }
    assert_eq!(Window::of_all().piece(10 << 20), 10 << 20);
    assert_eq!(Window::of_reading().piece(10 << 20) as u64, LARGE_READ);
}

//! Merges walks over targets, each newest task first, into one of that order.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

/// Targets of one condition, newest task first, within a task in the order submitted.
pub(crate) trait Walk {
    /// What the backend says when it cannot go on.
    type Error;

    /// The number of the next target's task and its own. Numbers of tasks ascend with time.
    fn next(&mut self) -> Result<Option<(i64, i64)>, Self::Error>;
}

/// The numbers of the targets at `skip..skip + take` of all walks together, no two of which find
/// the same target.
pub(crate) fn merge<W: Walk>(
    mut walks: Vec<W>,
    skip: u64,
    take: u64,
) -> Result<Vec<i64>, W::Error> {
    if take == 0 {
        return Ok(Vec::new());
    }
    // the greatest comes first out of the heap: the newest task, and in it the smallest number
    let mut heads = BinaryHeap::with_capacity(walks.len());
    for (index, walk) in walks.iter_mut().enumerate() {
        if let Some((task, target)) = walk.next()? {
            heads.push(((task, Reverse(target)), index));
        }
    }
    let mut found = Vec::new();
    let mut seen = 0;
    // what is skipped is walked all the same: only the walks know the order
    while seen < skip.saturating_add(take)
        && let Some(mut head) = heads.peek_mut()
    {
        let ((_, Reverse(target)), index) = *head;
        if seen >= skip {
            found.push(target);
        }
        seen += 1;
        // replaced in place: the heap sifts once, and not twice as for a pop and a push
        match walks[index].next()? {
            Some((task, target)) => head.0 = (task, Reverse(target)),
            None => {
                PeekMut::pop(head);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, vec::IntoIter};

    use proptest::prelude::*;

    use super::*;

    struct Listed(IntoIter<(i64, i64)>, u64);

    impl Walk for &mut Listed {
        type Error = Infallible;

        fn next(&mut self) -> Result<Option<(i64, i64)>, Infallible> {
            self.1 += 1;
            Ok(self.0.next())
        }
    }

    /// The order of pages: newest task first, then as submitted.
    fn sorted(mut targets: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
        targets.sort_by_key(|(task, target)| (Reverse(*task), *target));
        targets
    }

    struct Broken(u8);

    impl Walk for Broken {
        type Error = &'static str;

        fn next(&mut self) -> Result<Option<(i64, i64)>, &'static str> {
            self.0 = self.0.checked_sub(1).ok_or("the disk is gone")?;
            Ok(Some((1, i64::from(self.0))))
        }
    }

    #[test]
    fn a_walk_that_fails_fails_the_page() {
        assert_eq!(merge(vec![Broken(0)], 0, 1), Err("the disk is gone"));
        assert_eq!(merge(vec![Broken(5), Broken(2)], 0, 4), Err("the disk is gone"));
        assert_eq!(merge(vec![Broken(0)], 3, 0), Ok(vec![]), "an empty page reads nothing");
    }

    proptest! {
        #[test]
        fn merged_walks_are_a_page_of_the_sorted_whole(
            targets in prop::collection::hash_map(-3i64..500, (0i64..4, 0usize..4), 0..40),
            skip in 0u64..50,
            take in prop_oneof![0u64..50, Just(u64::MAX)],
        ) {
            let mut walks = vec![Vec::new(); 4];
            for (target, (task, walk)) in &targets {
                walks[*walk].push((*task, *target));
            }
            let all = sorted(walks.concat());
            let mut walks: Vec<_> =
                walks.into_iter().map(|walk| Listed(sorted(walk).into_iter(), 0)).collect();
            let Ok(page) = merge(walks.iter_mut().collect(), skip, take);
            let expected = all.iter().map(|(_, target)| *target);
            let (skip, take) = (usize::try_from(skip).unwrap(), usize::try_from(take).unwrap());
            prop_assert_eq!(&page, &expected.skip(skip).take(take).collect::<Vec<_>>());
            // a page reads its own end and no further, but for the head of each walk
            let read: u64 = walks.iter().map(|walk| walk.1).sum();
            prop_assert!(read <= (skip.saturating_add(take)).min(all.len()) as u64 + 4);
        }
    }
}

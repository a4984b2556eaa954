//! Merges walks over targets, each newest task first, into one of that order.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use rusqlite::Rows;

/// The numbers of the targets at `skip..skip + take` of all walks together. A walk gives the task's
/// number and the target's.
pub(super) fn merge(mut walks: Vec<Rows<'_>>, skip: u64, take: u64) -> rusqlite::Result<Vec<i64>> {
    let mut heads = BinaryHeap::with_capacity(walks.len());
    for (index, walk) in walks.iter_mut().enumerate() {
        if let Some(key) = next(walk)? {
            heads.push((key, index));
        }
    }
    let mut found = Vec::new();
    let mut seen = 0;
    while seen < skip.saturating_add(take)
        && let Some(mut head) = heads.peek_mut()
    {
        let ((_, Reverse(target)), index) = *head;
        if seen >= skip {
            found.push(target);
        }
        seen += 1;
        match next(&mut walks[index])? {
            Some(key) => head.0 = key,
            None => {
                PeekMut::pop(head);
            }
        }
    }
    Ok(found)
}

/// The next target of a walk, greater when it comes earlier.
fn next(walk: &mut Rows<'_>) -> rusqlite::Result<Option<(i64, Reverse<i64>)>> {
    let row = walk.next()?;
    row.map(|row| Ok((row.get(0)?, Reverse(row.get(1)?)))).transpose()
}

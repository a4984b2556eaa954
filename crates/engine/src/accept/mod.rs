//! What is accepted: whether the URLs of a prefetch or the targets of a purge may be, and what
//! becomes of them.
//!
//! One path for all calls: the limit of the call (`limit`), each target by the same rules (`rules`),
//! then the nodes, then the ledger with the quota. Everything is checked before anything is written;
//! what is answered with a receipt is in the ledger and will be done. Children of playlists pass the
//! same rules (`children`). Which nodes hold a target is `stoker_domain::placement`'s to say, the
//! order of the nodes of a purge `crate::purge`'s.

mod children;
mod error;
mod ids;
mod limit;
mod prefetch;
mod purge;
mod rules;

pub(crate) use children::plan_child;
pub use error::{PurgeError, SubmitError};
pub(crate) use ids::Ids;
pub use limit::BatchLimit;
pub(crate) use limit::check_count;
pub(crate) use prefetch::charges;
pub use prefetch::{PartialReceipt, Receipt, SplitReceipt, Submission};
pub use purge::{PartialPurged, PurgeSubmission};
pub(crate) use rules::{Named, Rules, parse};
use tokio::task::yield_now;

/// How much of a list must be good, and how many tasks are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// All of it as one task, or nothing.
    Whole,
    /// What can be accepted as one task; the rest is answered with its reasons. Limit, quota and
    /// nodes are all or nothing here too: they are not the fault of a single target.
    WhatCanBe,
    /// The same, named as one that is taken whole.
    Again,
    /// All of it as one task per domain in one transaction, or nothing.
    ByDomain,
}

impl Acceptance {
    /// Whether what cannot be accepted is left out.
    const fn takes_a_part(self) -> bool {
        matches!(self, Self::WhatCanBe | Self::Again)
    }
}

/// What passed the rules, and the places in the list of what did not, each with its reason.
type Sorted<T, E> = (Vec<T>, Vec<(usize, E)>);

/// Judges each entry of a list of `given` entries.
///
/// # Errors
/// The first refusal, unless `acceptance` takes what can be.
async fn sort<T, E>(
    given: usize,
    acceptance: Acceptance,
    judge: impl Fn(usize) -> Result<T, E>,
) -> Result<Sorted<T, E>, E> {
    let (mut accepted, mut refused) = (Vec::with_capacity(given), Vec::new());
    for index in 0..given {
        match judge(index) {
            Ok(target) => accepted.push(target),
            Err(error) if acceptance.takes_a_part() => refused.push((index, error)),
            Err(error) => return Err(error),
        }
        share_the_thread(index).await;
    }
    Ok((accepted, refused))
}

/// Lets others run now and then: a call may have a hundred thousand URLs.
pub(crate) async fn share_the_thread(index: usize) {
    const TURN: usize = 1000;
    if index % TURN == TURN - 1 {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sorted(
        acceptance: Acceptance,
        entries: &[Result<u8, u8>],
    ) -> Result<Sorted<u8, u8>, u8> {
        sort(entries.len(), acceptance, |index| entries[index]).await
    }

    #[tokio::test]
    async fn one_refusal_refuses_a_list_unless_the_rest_is_wanted() {
        let entries = [Ok(1), Err(2), Ok(3), Err(4)];
        assert_eq!(sorted(Acceptance::Whole, &entries).await, Err(2));
        assert_eq!(sorted(Acceptance::ByDomain, &entries).await, Err(2));
        let part = (vec![1, 3], vec![(1, 2), (3, 4)]);
        assert_eq!(sorted(Acceptance::WhatCanBe, &entries).await, Ok(part.clone()));
        assert_eq!(sorted(Acceptance::Again, &entries).await, Ok(part));
        let good = [Ok(1), Ok(3)];
        for acceptance in [Acceptance::Whole, Acceptance::ByDomain, Acceptance::WhatCanBe] {
            assert_eq!(sorted(acceptance, &good).await, Ok((vec![1, 3], Vec::new())));
            assert_eq!(sorted(acceptance, &[]).await, Ok((Vec::new(), Vec::new())));
        }
    }
}

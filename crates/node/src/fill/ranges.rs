//! Stops using ranges, and asks once for the whole, where parts of an origin's content cannot be put
//! together.
//!
//! Two things tell that: a reply to a range that contradicts itself or is refused though a plain GET
//! is answered, and an entity tag that changes from reply to reply while the size stays. The fill
//! then asks once for the whole, and so do the next fills from that origin for a while. An error
//! that a plain GET gets as well has nothing to do with ranges; that is remembered too, so that an
//! origin is not asked twice for each of its errors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::StatusCode;
use stoker_domain::{
    domain::NodeDomain,
    outcome::{OriginFault, Outcome},
};
use tokio::time::Instant;

use super::{
    driver::{Driver, Stop},
    extent::Extent,
    head::is_content,
    reply::Reply,
};
use crate::origin::{Ask, Source};

/// How long it is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Origins that are remembered at most.
const MAX_ORIGINS: usize = 1024;

/// What was learnt of the ranges of origins.
#[derive(Debug, Default)]
pub(super) struct Ranges(
    // held for a look-up, never across an await
    Mutex<HashMap<String, (Instant, RangeSupport)>>,
);

#[derive(Clone, Debug)]
enum RangeSupport {
    /// Parts cannot be put together; why.
    Unreliable(Arc<str>),
    /// A plain GET got the same error as a range: ranges were not the reason.
    Unsuspected,
}

impl Ranges {
    /// Why nothing but the whole should be asked of the origin of `domain`.
    pub(super) fn why_unreliable(&self, domain: &NodeDomain) -> Option<Arc<str>> {
        match self.of(&name_of(domain))? {
            RangeSupport::Unreliable(why) => Some(why),
            RangeSupport::Unsuspected => None,
        }
    }

    fn is_unsuspected(&self, domain: &NodeDomain) -> bool {
        matches!(self.of(&name_of(domain)), Some(RangeSupport::Unsuspected))
    }

    fn of(&self, origin: &str) -> Option<RangeSupport> {
        let origins = self.lock();
        let (since, support) = origins.get(origin)?;
        (since.elapsed() < REMEMBERED_FOR).then(|| support.clone())
    }

    fn remember(&self, origin: String, support: RangeSupport) {
        let now = Instant::now();
        let mut origins = self.lock();
        origins.retain(|_, (since, _)| now - *since < REMEMBERED_FOR);
        if origins.len() >= MAX_ORIGINS
            && !origins.contains_key(&origin)
            && let Some(oldest) =
                origins.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone())
        {
            origins.remove(&oldest);
        }
        origins.insert(origin, (now, support));
    }

    /// How many origins are remembered.
    pub(super) fn len(&self) -> usize {
        self.lock().values().filter(|(since, _)| since.elapsed() < REMEMBERED_FOR).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, RangeSupport)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A domain that gets another origin is not suspected for the former one.
fn name_of(domain: &NodeDomain) -> String {
    format!("{} {}", domain.name, domain.origin)
}

/// Why the whole may have to be asked for after a range.
enum RangeProblem {
    /// Nothing can be made of the reply.
    Inconsistent(String),
    /// Only the reply to a plain GET shows whether the range was the reason. `is_lasting`: if it was,
    /// that counts for the next fills from the origin too.
    Refused { why: String, is_lasting: bool },
}

impl Driver {
    /// Asks for no more ranges. What is `lasting` counts for the origin's next fills too.
    pub(super) fn stop_using_ranges(&self, why: &str, is_lasting: bool) {
        if let (Source::Origin(domain), true) = (&self.source, is_lasting) {
            self.fills.0.ranges.remember(name_of(domain), RangeSupport::Unreliable(why.into()));
        }
        self.ask_whole_because(why);
    }

    /// `reply`, which came to a request for a range, or where that is of no use the reply to one
    /// for the whole.
    pub(super) async fn or_whole(&self, reply: Result<Reply, Stop>) -> Result<Reply, Stop> {
        match self.range_problem(&reply) {
            None => reply,
            Some(RangeProblem::Inconsistent(why)) => {
                // what is left of it must not come beside the whole
                drop(reply);
                self.stop_using_ranges(&why, true);
                self.ask(Ask::default()).await
            }
            Some(RangeProblem::Refused { why, is_lasting }) => {
                drop(reply);
                let whole = self.ask(Ask::default()).await;
                let is_given = whole.as_ref().is_ok_and(|whole| {
                    is_content(whole.response.status) && extent(whole).total != Some(0)
                });
                match &self.source {
                    _ if is_given => self.stop_using_ranges(&why, is_lasting),
                    Source::Origin(domain) => {
                        self.fills.0.ranges.remember(name_of(domain), RangeSupport::Unsuspected);
                    }
                    Source::Parent(_) => {}
                }
                whole
            }
        }
    }

    fn range_problem(&self, reply: &Result<Reply, Stop>) -> Option<RangeProblem> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(Stop::Fault(fault) | Stop::Again(fault)) if self.may_depend_on_range() => {
                let is_garbled = matches!(
                    fault.outcome(),
                    Outcome::OriginError(OriginFault::Protocol | OriginFault::Truncated)
                );
                let why = format!("a range gets no proper reply ({})", fault.detail());
                return is_garbled.then_some(RangeProblem::Refused { why, is_lasting: true });
            }
            Err(_) => return None,
        };
        let (start, _) = reply.asked?;
        let status = reply.response.status;
        if let Err(fault) = Extent::of(status, &reply.response.fields, reply.asked) {
            return Some(RangeProblem::Inconsistent(fault.detail().to_owned()));
        }
        let is_refused = match status {
            // beyond the end of something shorter it is no wonder
            StatusCode::RANGE_NOT_SATISFIABLE => start == 0,
            status => refuses_ranges(status) && self.may_depend_on_range(),
        };
        let why = format!("a range is answered with {status}, the whole is not");
        // an origin may fail for a moment
        let is_lasting = !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED;
        is_refused.then_some(RangeProblem::Refused { why, is_lasting })
    }

    /// A parent that cannot do with ranges of the origin asks for the whole itself.
    fn may_depend_on_range(&self) -> bool {
        match &self.source {
            Source::Origin(domain) => !self.fills.0.ranges.is_unsuspected(domain),
            Source::Parent(_) => false,
        }
    }
}

fn extent(reply: &Reply) -> Extent {
    let none = Extent { start: 0, end: None, total: None, is_partial: false };
    Extent::of(reply.response.status, &reply.response.fields, reply.asked).unwrap_or(none)
}

/// Whether a server, or what stands before it, may say so to a range alone.
fn refuses_ranges(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 403 | 405 | 406 | 412 | 417 | 500 | 501)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn unreliable() -> RangeSupport {
        RangeSupport::Unreliable("why".into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_is_suspected_for_a_while_and_another_one_is_not() {
        let ranges = Ranges::default();
        ranges.remember("a".into(), unreliable());
        advance(REMEMBERED_FOR - Duration::from_secs(1)).await;
        assert!(matches!(ranges.of("a"), Some(RangeSupport::Unreliable(why)) if &*why == "why"));
        assert!(ranges.of("b").is_none());
        advance(Duration::from_secs(1)).await;
        assert!(ranges.of("a").is_none());
        ranges.remember("a".into(), RangeSupport::Unsuspected);
        assert!(matches!(ranges.of("a"), Some(RangeSupport::Unsuspected)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_forgotten_when_there_are_many() {
        let ranges = Ranges::default();
        for n in 0..=MAX_ORIGINS {
            ranges.remember(n.to_string(), unreliable());
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(ranges.len(), MAX_ORIGINS);
        assert!(ranges.of("0").is_none() && ranges.of("1").is_some());
    }
}

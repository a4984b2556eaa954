//! The range of time of a query, at most a week.

use std::time::Duration;

use stoker_domain::time::Timestamp;

use super::{clock, error::Error};
use crate::tencent::{
    common::refusal::{self, Refusal},
    params::Params,
};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// `StartTime` and `EndTime`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// From then on.
    pub(super) from: Option<Timestamp>,
    /// Until then.
    pub(super) to: Option<Timestamp>,
}

impl Range {
    /// Takes the parameters; an empty text counts as absent.
    pub(super) fn read(params: &mut Params) -> Result<Self, Refusal> {
        let mut time = |name| refusal::time(params, name, "YYYY-MM-DDTHH:MM:SSZ", clock::parse);
        let (from, to) = (time("StartTime")?, time("EndTime")?);
        // times have whole seconds, and the last one belongs to the range
        Ok(Self { from, to: to.map(|to| to + Duration::from_millis(999)) })
    }

    /// Refuses a range that is too long or ends before it begins, and none where `is_needed`.
    /// Without an end it ends at `now`.
    pub(super) fn check(&self, is_needed: bool, now: Timestamp) -> Result<(), Error> {
        let Some(from) = self.from else {
            return if is_needed { Err(Error::NoSelection) } else { Ok(()) };
        };
        let is_backwards = self.to.is_some_and(|to| to < from);
        let to = self.to.unwrap_or(now);
        if is_backwards || to.since(from) >= WEEK + Duration::from_secs(1) {
            return Err(Error::Span);
        }
        Ok(())
    }
}

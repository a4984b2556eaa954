//! When it is said that the disk takes no writes: once when it begins, once when it is over.
//!
//! A full disk refuses every write, and a cache keeps trying; its log must not fill the disk too. A
//! disk that fails and recovers again and again is heard of once a minute. Nothing is decided here
//! about the writes themselves.

use std::{
    error::Error,
    io,
    time::{Duration, Instant},
};

use tracing::{error, info};

/// Troubles that begin within so long of one that was told are not told.
const QUIET: Duration = Duration::from_secs(60);

/// What the writer knows of a disk that refuses its writes.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Writes refused since it began; 0: there is none.
    refused: u64,
    is_told: bool,
    told_at: Option<Instant>,
}

impl Trouble {
    /// A write was refused.
    pub(super) fn meets(&mut self, what: &'static str, error: &io::Error) {
        if self.begins(Instant::now()) {
            error!(error = error as &dyn Error, "{what}; further refusals are not logged");
        }
    }

    /// A write succeeded.
    pub(super) fn ends(&mut self) {
        if let Some(refused) = self.is_over() {
            info!(refused, "the cache disk takes writes again");
        }
    }

    /// Whether this refusal is to be told.
    fn begins(&mut self, now: Instant) -> bool {
        self.refused += 1;
        let is_due = self.told_at.is_none_or(|told_at| now - told_at >= QUIET);
        let is_news = self.refused == 1 && is_due;
        if is_news {
            (self.is_told, self.told_at) = (true, Some(now));
        }
        is_news
    }

    /// How many writes were refused, if a trouble that was told of is over.
    fn is_over(&mut self) -> Option<u64> {
        let refused = std::mem::take(&mut self.refused);
        let was_told = std::mem::take(&mut self.is_told);
        (refused > 0 && was_told).then_some(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_all_is_told_of_once_and_its_recovery_once() {
        let mut trouble = Trouble::default();
        let start = Instant::now();
        assert_eq!(trouble.is_over(), None, "nothing was wrong");
        let told = (0..1000).filter(|n| trouble.begins(start + Duration::from_secs(*n))).count();
        assert_eq!(told, 1);
        assert_eq!(trouble.is_over(), Some(1000));
        assert_eq!(trouble.is_over(), None);
    }

    #[test]
    fn a_disk_that_comes_and_goes_is_told_of_once_a_minute() {
        let mut trouble = Trouble::default();
        let start = Instant::now();
        let told: Vec<_> = (0..130)
            .filter(|n| {
                let is_told = trouble.begins(start + Duration::from_secs(*n));
                assert_eq!(trouble.is_over().is_some(), is_told, "both or none");
                is_told
            })
            .collect();
        assert_eq!(told, [0, 60, 120]);
    }
}

//! Logs that the disk refuses writes: once when that begins, once when it is over.
//!
//! A full disk refuses every write, and a cache keeps trying; its log must not fill the disk too. A
//! disk that fails and recovers again and again is logged once a minute. Nothing is decided here
//! about the writes themselves: see `log`.

use std::{
    error::Error,
    io,
    time::{Duration, Instant},
};

use tracing::{error, info};

/// A series of errors that begins so soon after one that was logged is not logged.
const QUIET: Duration = Duration::from_secs(60);

/// The writes that the disk has refused in a row.
#[derive(Debug, Default)]
pub(super) struct WriteErrors {
    /// 0 = the last write succeeded.
    refused: u64,
    /// The present series was logged.
    is_logged: bool,
    logged_at: Option<Instant>,
}

impl WriteErrors {
    /// A write was refused.
    pub(super) fn record(&mut self, what: &'static str, error: &io::Error) {
        if self.begin(Instant::now()) {
            error!(error = error as &dyn Error, "{what}; further refusals are not logged");
        }
    }

    /// A write succeeded.
    pub(super) fn clear(&mut self) {
        if let Some(refused) = self.end() {
            info!(refused, "the cache disk takes writes again");
        }
    }

    /// Counts a refusal; whether it is to be logged.
    fn begin(&mut self, now: Instant) -> bool {
        self.refused += 1;
        let is_due = self.logged_at.is_none_or(|logged_at| now - logged_at >= QUIET);
        // A series whose begin was too soon after another stays unlogged to its end.
        let is_news = self.refused == 1 && is_due;
        if is_news {
            (self.is_logged, self.logged_at) = (true, Some(now));
        }
        is_news
    }

    /// Ends the series; how many writes were refused, if its begin was logged.
    fn end(&mut self) -> Option<u64> {
        let refused = std::mem::take(&mut self.refused);
        let was_logged = std::mem::take(&mut self.is_logged);
        (refused > 0 && was_logged).then_some(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_all_is_logged_once_and_its_recovery_once() {
        let mut errors = WriteErrors::default();
        let start = Instant::now();
        assert_eq!(errors.end(), None, "nothing was wrong");
        let logged = (0..1000).filter(|n| errors.begin(start + Duration::from_secs(*n))).count();
        assert_eq!(logged, 1);
        assert_eq!(errors.end(), Some(1000));
        assert_eq!(errors.end(), None);
    }

    #[test]
    fn a_disk_that_comes_and_goes_is_logged_once_a_minute() {
        let mut errors = WriteErrors::default();
        let start = Instant::now();
        let logged: Vec<_> = (0..130)
            .filter(|n| {
                let is_logged = errors.begin(start + Duration::from_secs(*n));
                assert_eq!(errors.end().is_some(), is_logged, "both or none");
                is_logged
            })
            .collect();
        assert_eq!(logged, [0, 60, 120]);
    }
}

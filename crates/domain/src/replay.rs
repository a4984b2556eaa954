//! How long a signed call is remembered, so that it is taken once.

/// The kind of memory. Each kind is kept apart, so that a short memory does not shorten a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayWindow {
    /// The timestamps of its calls are good for minutes.
    Minutes,
    /// The timestamps of its calls are good for hours.
    Hours,
}

//! Signed calls that may be made once only.

/// How long calls are remembered. Each kind is kept apart, so that a short memory does not shorten
/// a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Their timestamps are good for minutes.
    Minutes,
    /// Their timestamps are good for hours.
    Hours,
}

/// A signed call that somebody makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenCall {
    /// How long it is remembered.
    pub memory: Memory,
    /// Its timestamp, in seconds since 1970.
    pub time: i64,
    /// What tells it from others of that second.
    pub call: [u8; 16],
}

//! What a measurement took, by the clock and of the processor.

use std::time::{Duration, Instant};

/// What something took, by the clock and of the processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) elapsed: Duration,
    pub(crate) used: Duration,
}

/// A moment of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start(Instant, Duration);

impl Start {
    pub(crate) fn now() -> Self {
        Self(Instant::now(), used())
    }

    pub(crate) fn cost(self) -> Cost {
        Cost { elapsed: self.0.elapsed(), used: used() - self.1 }
    }
}

/// Processor time of this process, in the ticks of a hundredth of a second that Linux tells.
fn used() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let ticks = |n| stat.split_whitespace().nth(n).and_then(|n| n.parse::<u64>().ok());
    Duration::from_millis(10 * (ticks(13).expect("user time") + ticks(14).expect("system time")))
}

//! The running product, for the tests of the command line and for end to end: the executable as a
//! server on free ports, as commands beside it, and a viewer.

mod dns;
mod http;
mod ports;
mod stoker;
mod tls;

use std::time::{Duration, Instant};

pub(crate) use dns::{Texts, name_server};
pub(crate) use http::Http;
pub(crate) use ports::Ports;
pub(crate) use stoker::{EXECUTABLE, Ran, Stoker, cli};
pub(crate) use tls::Tls;

/// Probes until the answer is there; panics with `what` when the time is over.
///
/// The programs under test are other processes: there is no event to wait for, so it asks again and
/// again, a little apart.
pub(crate) fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < deadline, "within {deadline:?}: {what}");
        pause(Duration::from_millis(20));
    }
}

/// Lets time pass where time itself is the input: the instant of a kill.
#[expect(clippy::disallowed_methods, reason = "other processes give no event to wait for")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

//! Who has nothing to do with a crowd: a viewer of another domain and a caller of the API.

use std::time::{Duration, Instant};

use crate::running::{Http, Stoker};

const VIEWS: usize = 100;
const CALLS: usize = 5;
/// What a viewer may wait, at the 99th percentile, and a caller at most.
const VIEWER: Duration = Duration::from_millis(100);
const CALLER: Duration = Duration::from_secs(1);

/// How long each of them waited.
pub(super) struct Others {
    name: String,
    views: Vec<Duration>,
    calls: Vec<Duration>,
}

impl Others {
    /// Asks one after the other; each must be answered.
    pub(super) fn ask(name: &str, stoker: &Stoker, host: &str, path: &str) -> Self {
        let edge = stoker.ports().node("edge-mainland");
        let http = Http::new();
        let mut others = Self { name: name.into(), views: Vec::new(), calls: Vec::new() };
        for number in 0..VIEWS {
            let begin = Instant::now();
            let reply = http.get(edge, host, path);
            assert!(
                reply.as_ref().is_some_and(|reply| reply.is_hit()),
                "{name}: view {number}: {reply:?}"
            );
            others.views.push(begin.elapsed());
        }
        for number in 0..CALLS {
            let begin = Instant::now();
            let ran = stoker.cli(&["domain", "list", "--json"]);
            assert_eq!(ran.code, Some(0), "{name}: call {number}: {ran:?}");
            others.calls.push(begin.elapsed());
        }
        others.views.sort_unstable();
        others.calls.sort_unstable();
        others
    }

    /// Tells the times, and judges them where that is asked for.
    #[expect(clippy::print_stdout, reason = "figures of a test")]
    pub(super) fn judge(&self) {
        let (views, calls) = (self.views[VIEWS * 99 / 100], self.calls[CALLS - 1]);
        println!("{}: p99 of another viewer {views:?}, slowest call {calls:?}", self.name);
        if are_judged() {
            assert!(views < VIEWER, "{}: p99 of another viewer {views:?}", self.name);
            assert!(calls < CALLER, "{}: slowest call {calls:?}", self.name);
        }
    }
}

fn are_judged() -> bool {
    std::env::var_os("STOKER_FLOOD_TIMES").is_some()
}

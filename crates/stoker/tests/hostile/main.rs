//! What strangers send, against the executable: a corpus of raw requests, and crowds.
//!
//! `corpus` has the requests with the outcome that each must have at the API and at a node, and why;
//! they come whole and in pieces. `crowds` has clients who hold on to connections. Nothing here
//! depends on how fast anything is: what must happen is waited for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

mod corpus;
mod crowds;
mod raw;
#[path = "../running/mod.rs"]
#[expect(dead_code, unused_imports, reason = "end to end uses the rest")]
mod running;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use raw::{Case, Place};
use running::Stoker;
use stoker_testkit::{VerbatimOrigin, verbatim};

/// The domain that the nodes serve.
const HOST: &str = "www.example.com";
/// A request for it means that content was taken for a request.
const HIDDEN: &str = "/hidden";

/// A server, and an origin that has everything.
struct App {
    stoker: Stoker,
    _origin: VerbatimOrigin,
    is_betrayed: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl App {
    fn open() -> Self {
        Self::open_with(Stoker::start)
    }

    fn open_with(start: impl Fn(&Path) -> Stoker) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stoker = start(&folder.path().join("data"));
        let is_betrayed = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_betrayed);
        let origin = VerbatimOrigin::start(move |wanted| {
            told.fetch_or(wanted.path.contains(HIDDEN), Ordering::Relaxed);
            let content = large(&wanted.path);
            let head = format!("200 OK\r\nETag: \"a\"\r\nContent-Length: {}", content.len());
            verbatim(&head, content)
        });
        stoker.add_domain(HOST, &origin.url(), &[]);
        Self { stoker, _origin: origin, is_betrayed, _folder: folder }
    }

    fn api(&self) -> Place {
        Place { port: self.stoker.ports().api(), path: "/healthz", host: "localhost" }
    }

    /// The API where it reads content.
    fn calls(&self) -> Place {
        Place { path: "/", ..self.api() }
    }

    fn node(&self) -> Place {
        Place { port: self.stoker.ports().node("edge-mainland"), path: "/a", host: HOST }
    }
}

/// More than a system takes for a client who reads nothing.
fn large(path: &str) -> &'static [u8] {
    static LARGE: Mutex<Option<&'static [u8]>> = Mutex::new(None);
    match path {
        "/large" => LARGE.lock().unwrap().get_or_insert_with(|| vec![b'x'; 32 << 20].leak()),
        _ => b"content",
    }
}

#[test]
fn each_request_of_the_corpus_has_its_outcome() {
    let app = App::open();
    let cases = corpus::all();
    assert!(cases.len() >= 250, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let api = if case.has_content { app.calls() } else { app.api() };
        for (place, outcome) in [(api, case.api), (app.node(), case.node)] {
            for pieces in [usize::MAX, pieces(case)] {
                let replies = place.send(&case.bytes(&place), pieces);
                if !outcome.allows(&replies) {
                    wrong.push(format!(
                        "{} at port {} in pieces of {pieces}: {replies:?} instead of {outcome:?}: {}",
                        case.shown(),
                        place.port,
                        case.why
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} outcomes:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!app.is_betrayed.load(Ordering::Relaxed), "content was taken for a request");
    let metrics = raw::get(app.stoker.ports().status(), "localhost", "/metrics");
    for listener in ["api", "edge-mainland"] {
        let name =
            format!("stoker_listen_refused_total{{listener=\"{listener}\",reason=\"host\"}}");
        assert!(raw::metric(&metrics, &name) > 0, "{name}");
    }
}

/// Small ones for small requests.
fn pieces(case: &Case) -> usize {
    let length = case.raw.len();
    if length > 4000 { length / 7 } else { 1 + length % 7 }
}

//! Origins that are away, and that ask to be left alone: what is waited for is told, nobody is asked in
//! vain, and nothing is given up that comes back.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::running::{Stoker, eventually};

const HOST: &str = "www.example.com";
const SOON: Duration = Duration::from_secs(60);
const BODY: &str = "hello";

/// An origin that remembers when it was asked, and refuses the first requests.
struct Origin {
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Origin {
    fn start(listener: TcpListener, refusals: usize, seconds: u64) -> Self {
        let asked = Arc::<Mutex<Vec<Instant>>>::default();
        let times = Arc::clone(&asked);
        // it ends with the process
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = {
                    let mut times = times.lock().unwrap();
                    times.push(Instant::now());
                    times.len()
                };
                let refusal = (number <= refusals).then_some(seconds);
                answer(stream, refusal);
            }
        });
        Self { asked }
    }

    fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }
}

/// One reply on each connection.
fn answer(mut stream: TcpStream, retry_after: Option<u64>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let head = match retry_after {
        Some(seconds) => format!("503 Service Unavailable\r\nRetry-After: {seconds}"),
        None => "200 OK\r\nETag: \"1\"".into(),
    };
    let length = BODY.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{BODY}"
    );
}

fn submit(stoker: &Stoker, paths: &[&str]) -> String {
    let urls: Vec<String> = paths.iter().map(|path| format!("http://{HOST}{path}")).collect();
    let mut command = vec!["prefetch"];
    command.extend(urls.iter().map(String::as_str));
    stoker.json(&command)[0]["task_id"].as_str().unwrap().into()
}

fn show(stoker: &Stoker, task: &str) -> Value {
    stoker.json(&["task", "show", task])
}

fn until_done(stoker: &Stoker, task: &str) {
    let status = eventually(SOON, "the task is over", || {
        let status = show(stoker, task)["task"]["status"].clone();
        (status != "processing").then_some(status)
    });
    assert_eq!(status, "done", "{}", show(stoker, task));
}

#[test]
fn what_waits_for_an_origin_that_is_away_says_so_and_goes_on_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    stoker.add_domain(HOST, &format!("http://127.0.0.1:{port}"), &[]);
    let task = submit(&stoker, &["/a", "/b", "/c"]);
    let shown = eventually(SOON, "all of it waits", || {
        let shown = show(&stoker, &task);
        // what is shown was asked for in two calls
        let targets = shown["targets"].as_array().unwrap().iter();
        let is_all = targets.chain([&shown["task"]]).all(|one| one["waiting"].is_object());
        is_all.then_some(shown)
    });
    for waiting in [&shown["task"]["waiting"], &shown["targets"][2]["waiting"]] {
        assert_eq!(waiting["outcome"], "origin_error:connect", "{shown}");
        assert!(waiting["next_attempt_at"].as_str().unwrap().ends_with('Z'), "{shown}");
    }
    let told = stoker.cli(&["task", "show", &task]).stdout;
    assert!(told.contains("waiting: origin_error:connect, next attempt at 20"), "{told}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let _origin = Origin::start(listener, 0, 0);
    until_done(&stoker, &task);
    assert!(show(&stoker, &task)["task"]["waiting"].is_null());
}

#[test]
fn an_origin_that_asks_for_four_seconds_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let origin = Origin::start(listener, 1, 4);
    stoker.add_domain(HOST, &format!("http://127.0.0.1:{port}"), &[]);
    let first = submit(&stoker, &["/a"]);
    eventually(SOON, "it was refused", || {
        show(&stoker, &first)["targets"][0]["waiting"].is_object().then_some(())
    });
    let second = submit(&stoker, &["/b", "/c", "/d"]);
    until_done(&stoker, &first);
    until_done(&stoker, &second);
    let asked = origin.asked();
    let pause = asked[1] - asked[0];
    assert!(pause >= Duration::from_secs(4), "asked again after {pause:?}");
    assert_eq!(asked.len(), 5, "one refusal, and each target once");
}

#[test]
fn a_task_without_patience_is_over_after_one_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, "http://127.0.0.1:1", &[]);
    let url = format!("http://{HOST}/a");
    let ran = stoker.cli(&["prefetch", "--wait", "--patience", "0s", &url]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("origin_error:connect"), "{ran:?}");
    let set = stoker.cli(&["domain", "set", HOST, "--patience", "2h"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    assert_eq!(stoker.json(&["domain", "show", HOST])["patience_seconds"], 7200);
    assert!(stoker.cli(&["domain", "show", HOST]).stdout.contains("2h 0m"));
    let far = stoker.cli(&["prefetch", "--patience", "8d", &url]);
    assert_ne!(far.code, Some(0), "{far:?}");
    assert!(far.stderr.contains("`patience_seconds` is 691200"), "{far:?}");
}

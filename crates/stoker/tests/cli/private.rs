//! What others on the machine learn: nothing from the files of the data directory, and nobody
//! anything from the log.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use stoker_testkit::{VerbatimOrigin, Wanted, verbatim};

use crate::running::{Http, Ports, Stoker, cli, eventually};

const HOST: &str = "www.example.com";
/// However slow the machine is.
const SOON: Duration = Duration::from_secs(120);

/// All that lies below a folder, the folder itself first.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        if fs::symlink_metadata(&found[next]).is_ok_and(|found| found.is_dir()) {
            let entries = fs::read_dir(&found[next]).unwrap();
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    found
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::symlink_metadata(path).ok()?.permissions().mode() & 0o777)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What is not for its owner alone.
fn open_ones(data: &Path) -> Vec<String> {
    let is_open = |path: &PathBuf| {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        // SQLite takes its files away when it likes
        mode(path).is_some_and(|mode| mode != wanted)
    };
    let open = all_below(data).into_iter().filter(is_open);
    open.map(|path| format!("{} {:o}", path.display(), mode(&path).unwrap_or(0))).collect()
}

/// The files below a folder that hold these bytes somewhere.
fn files_with(folder: &Path, text: &str) -> String {
    let found = Command::new("grep").args(["-rlF", "--", text]).arg(folder).output().unwrap();
    // SQLite may take a file away meanwhile, and grep says so
    String::from_utf8(found.stdout).unwrap()
}

/// An origin that answers once it is told to.
struct Held(Arc<(Mutex<bool>, Condvar)>);

impl Held {
    fn start() -> (Self, VerbatimOrigin) {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let held = Self(Arc::clone(&gate));
        let origin = VerbatimOrigin::start(move |_: &Wanted| {
            let (is_open, changed) = &*gate;
            drop(changed.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            verbatim("200 OK\r\nETag: \"1\"\r\nContent-Length: 5", b"hello")
        });
        (held, origin)
    }

    fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

fn finished(stoker: &Stoker, task: &str) -> serde_json::Value {
    eventually(SOON, "the task is finished", || {
        let shown = stoker.json(&["task", "show", task]);
        (shown["task"]["status"] != "processing").then_some(shown)
    })
}

#[test]
fn everything_in_the_data_directory_is_its_owners_whatever_the_umask_and_whoever_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // as somebody careless made it
    for folder in ["", "nodes", "nodes/edge-mainland"] {
        fs::create_dir_all(data.join(folder)).unwrap();
        set_mode(&data.join(folder), 0o777);
    }
    fs::write(data.join("lock"), "").unwrap();
    set_mode(&data.join("lock"), 0o666);
    let (held, origin) = Held::start();
    held.release();
    let ports = Ports::free();
    for life in 0..2 {
        let stoker = Stoker::start_under(&data, ports, "umask 000", &[]);
        if life == 0 {
            stoker.add_domain(HOST, &origin.url(), &[]);
        }
        let url = format!("http://{HOST}/{life}");
        let task = stoker.json(&["prefetch", "--wait", &url]);
        assert_eq!(task[0]["task"]["done"], task[0]["targets"], "{task}");
        assert!(all_below(&data).len() > 15, "there is something to look at");
        assert_eq!(open_ones(&data), [""; 0], "life {life}");
        stoker.kill();
        assert_eq!(open_ones(&data), [""; 0], "after life {life}");
        // as an older version left it
        for path in all_below(&data) {
            let is_secret = path.ends_with("credentials.json") || path.ends_with("seal.key");
            match path.is_dir() {
                true => set_mode(&path, 0o755),
                false => set_mode(&path, if is_secret { 0o600 } else { 0o644 }),
            }
        }
    }
}

#[test]
fn links_in_the_data_directory_are_refused_and_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "somebody's").unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for (number, (name, to)) in [
        ("lock", &target),
        ("ledger.sqlite", &target),
        ("ledger.sqlite.lock", &target),
        ("credentials.json", &target),
        ("seal.key", &target),
        ("nodes", &outside),
        ("nodes/edge-mainland", &outside),
        ("nodes/middle-overseas/lock", &target),
    ]
    .into_iter()
    .enumerate()
    {
        let data = folder.path().join(format!("data-{number}"));
        fs::create_dir_all(data.join(name).parent().unwrap()).unwrap();
        symlink(to, data.join(name)).unwrap();
        let ran = Stoker::refused(&data, Ports::free(), &[]);
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        assert!(ran.stderr.contains("hint: "), "{name}: {ran:?}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "somebody's", "{name}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn credentials_that_others_may_read_are_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stoker = Stoker::start(&data);
    let ports = stoker.ports();
    let credentials = data.join("credentials.json");
    set_mode(&credentials, 0o640);
    let ran = stoker.cli(&["task", "list"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let hint = format!("hint: chmod 600 {}", credentials.display());
    assert!(ran.stderr.contains("can be read by other users (mode 640)"), "{ran:?}");
    assert!(ran.stderr.contains(&hint), "{ran:?}");
    let ran = stoker.cli(&["doctor"]);
    assert!(ran.stdout.contains(&hint) && ran.code == Some(1), "{ran:?}");
    stoker.kill();
    for name in ["credentials.json", "seal.key"] {
        set_mode(&data.join(name), 0o644);
        let ran = Stoker::refused(&data, ports, &[]);
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        let hint = format!("hint: chmod 600 {}", data.join(name).display());
        assert!(ran.stderr.contains(&hint), "{name}: {ran:?}");
        set_mode(&data.join(name), 0o600);
    }
    Stoker::start_with(&data, ports, &[]);
    assert_eq!(cli(&data, &["doctor", "--json"], "").stderr, "");
}

#[test]
fn a_tasks_request_fields_reach_the_origin_and_no_file_no_log_and_no_view() {
    let marks = ["marked-value-of-a-field", "marked-agent"];
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = ["--log", "debug,stoker=trace,stoker_node=trace,stoker_engine=trace,hyper=info"];
    let (held, origin) = Held::start();
    let ports = Ports::free();
    let mut stoker = Stoker::start_with(&data, ports, &log);
    assert_ne!(files_with(&data, "secret_id"), "", "or this test proves nothing");
    stoker.add_domain(HOST, &origin.url(), &[]);
    let key = stoker.json(&["key", "add"]);
    let secret = key["secret_key"].as_str().unwrap().to_owned();
    let url = format!("http://{HOST}/a");
    let field = format!("X-Marked: {}", marks[0]);
    let prefetch = ["prefetch", &url, "--area", "mainland", "--header", &field];
    let task = stoker.json(&[&prefetch[..], &["--user-agent", marks[1]]].concat());
    let task = task[0]["task_id"].as_str().unwrap().to_owned();
    let asked = |times: usize| {
        eventually(SOON, "the origin is asked", || {
            let seen = origin.requests_for("/a");
            let marked = seen.iter().filter(|seen| {
                seen.field("x-marked") == marks[0] && seen.field("user-agent") == marks[1]
            });
            (marked.count() >= times).then_some(())
        });
    };
    let silent = |stoker: &Stoker, when: &str| {
        for mark in marks.iter().copied().chain([&*secret]) {
            assert_eq!(files_with(&data, mark), "", "{when}: {mark}");
            assert!(!stoker.log().contains(mark), "{when}: {mark} in the log");
        }
        let args: [&[&str]; 3] = [&["task", "show", &task], &["task", "list"], &["check", &url]];
        for args in args {
            for further in [&[][..], &["--json"]] {
                let ran = stoker.cli(&[args, further].concat());
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(!marks.iter().any(|mark| said.contains(mark)), "{when}: {ran:?}");
            }
        }
    };
    asked(1);
    silent(&stoker, "while the task runs");
    for life in 1..=2 {
        stoker.kill();
        stoker = Stoker::start_with(&data, ports, &log);
        asked(life + 1);
        silent(&stoker, "after a kill");
    }
    held.release();
    let shown = finished(&stoker, &task);
    assert_eq!(shown["task"]["done"], 1, "{shown}");
    silent(&stoker, "when the task is finished");
    let hit = Http::new().get_cached(ports.node("middle-mainland"), HOST, "/a");
    assert!(hit.is_some_and(|hit| hit.is_hit()), "it was fetched");
    stoker.terminate();
    let stoker = Stoker::start_with(&data, ports, &log);
    silent(&stoker, "after a restart");
}

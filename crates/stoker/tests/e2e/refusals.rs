//! What a machine can refuse: ports, directories, disks. Each is named with the way out, and
//! nothing that was accepted is lost.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;

use crate::{
    harness::{Content, Nginx, Sdk, sha256},
    running::{Http, Ports, Ran, Stoker, cli, eventually},
};

const HOST: &str = "www.example.com";

#[test]
fn a_first_start_is_ready_within_two_seconds_and_sigterm_ends_it_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("new/data"));
    assert!(stoker.start_up < Duration::from_secs(30), "{:?}", stoker.start_up);
    let ports = stoker.ports();
    let credentials = stoker.credentials();
    let endpoint = format!("http://127.0.0.1:{}", ports.api());
    assert_eq!(credentials["endpoint"], endpoint);
    let (status, printed) = stoker.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(printed.contains(&endpoint) && printed.contains("credentials.json"), "{printed}");
    let secret = credentials["secret_key"].as_str().unwrap();
    assert!(!printed.contains(secret), "the secret is not printed");

    // the second start keeps who the owner is
    let again = Stoker::start_with(&folder.path().join("new/data"), ports, &[]);
    assert_eq!(again.credentials(), credentials);
    assert!(!again.log().contains(secret), "the secret is not logged");
}

#[test]
fn a_busy_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    for (port, flag) in [
        (ports.api(), "--listen"),
        (ports.status(), "--status-listen"),
        (ports.node("middle-mainland"), "--base-port"),
    ] {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let ran = Stoker::refused(&folder.path().join("data"), ports, &[]);
        assert_refused(&ran, &format!("127.0.0.1:{port}"));
        assert!(ran.stderr.lines().last().unwrap().contains(flag), "{ran:?}");
        drop(taken);
    }
    // nothing is left behind that would be in the way
    Stoker::start_with(&folder.path().join("data"), ports, &[]);
}

#[test]
fn a_second_signal_cuts_what_the_grace_period_would_wait_for() {
    // it takes connections and never answers
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    let stoker = Stoker::start_with(&folder.path().join("data"), ports, &["--grace", "10m"]);
    stoker.add_domain(HOST, &format!("http://{}", silent.local_addr().unwrap()), &[]);
    let edge = (Ipv4Addr::LOCALHOST, ports.node("edge-mainland"));
    let mut viewer = TcpStream::connect(edge).unwrap();
    write!(viewer, "GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n").unwrap();
    let _asked = silent.accept().unwrap();
    stoker.ask_to_end();
    eventually(Duration::from_secs(120), "it drains", || {
        stoker.log().contains("draining").then_some(())
    });
    assert!(stoker.terminate().0.success());
}

#[test]
fn a_second_up_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = Stoker::start(&folder.path().join("data"));
    let ran = Stoker::refused(first.data(), Ports::free(), &[]);
    assert_refused(&ran, "is in use by another `stoker up`");
    assert_eq!(first.cli(&["doctor"]).code, Some(0));
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below"), "/proc/stoker".into()] {
        let ran = Stoker::refused(&path, Ports::free(), &[]);
        assert_refused(&ran, &path.display().to_string());
    }
    // a ledger that is none is not overwritten
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("ledger.sqlite"), "not a database, but somebody's text".repeat(100))
        .unwrap();
    let ran = Stoker::refused(&data, Ports::free(), &[]);
    assert_refused(&ran, "ledger.sqlite");
    assert!(fs::read_to_string(data.join("ledger.sqlite")).unwrap().starts_with("not a database"));
}

#[test]
fn a_lost_ledger_or_sealing_key_is_never_replaced_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ports) = (folder.path().join("data"), Ports::free());
    let stoker = Stoker::start_with(&data, ports, &[]);
    stoker.add_domain(HOST, "http://127.0.0.1:1", &[]);
    assert!(stoker.terminate().0.success());
    for (name, way_out) in [("seal.key", "--seal-key"), ("ledger.sqlite", "--new-ledger")] {
        let (lost, found) = (data.join(name), folder.path().join(name));
        fs::rename(&lost, &found).unwrap();
        let ran = Stoker::refused(&data, ports, &[]);
        assert_refused(&ran, name);
        assert!(ran.stderr.contains("is missing"), "{ran:?}");
        assert!(ran.stderr.lines().last().unwrap().contains(way_out), "{ran:?}");
        assert!(!lost.exists(), "`{name}` was replaced");
        let looked = cli(&data, &["doctor"], "");
        assert_eq!(looked.code, Some(1), "{looked:?}");
        assert!(looked.stdout.contains(&format!("{name}` is missing")), "{looked:?}");
        fs::rename(&found, &lost).unwrap();
    }
    let stoker = Stoker::start_with(&data, ports, &["--new-ledger"]);
    assert_eq!(stoker.json(&["domain", "list"])[0]["host"], HOST, "what is there is kept");
    assert!(stoker.terminate().0.success());
    fs::remove_file(data.join("ledger.sqlite")).unwrap();
    let stoker = Stoker::start_with(&data, ports, &["--new-ledger"]);
    assert_eq!(stoker.json(&["domain", "list"]), json!([]));
}

#[test]
fn a_damaged_ledger_is_told_as_such_by_doctor_and_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ports) = (folder.path().join("data"), Ports::free());
    assert!(Stoker::start_with(&data, ports, &[]).terminate().0.success());
    let path = data.join("ledger.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].chunks_mut(4096).for_each(|page| page[..64].fill(0xa5));
    fs::write(&path, &bytes).unwrap();
    let looked = cli(&data, &["doctor"], "");
    assert_eq!(looked.code, Some(1), "{looked:?}");
    assert!(looked.stdout.contains("ledger.sqlite` is damaged"), "{looked:?}");
    let ran = Stoker::refused(&data, ports, &[]);
    assert_refused(&ran, "malformed");
    assert!(ran.stderr.lines().last().unwrap().contains("put a backup in its place"), "{ran:?}");
    assert!(fs::read(&path).unwrap() == bytes, "it is left as it is");
}

#[test]
fn a_full_cache_makes_room_keeps_its_bound_and_refuses_what_can_never_fit() {
    let nginx = Nginx::start();
    let contents: Vec<_> =
        (0..40).map(|n| Content::write(&nginx.www(), &format!("/{n}"), 8_000_000, n)).collect();
    Content::write(&nginx.www(), "/huge", 200_000_000, 99);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ports = Ports::free();
    let stoker = Stoker::start_with(&data, ports, &["--cache-size", "128MiB"]);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker);
    let http = Http::new();
    let edge = ports.node("edge-overseas");
    let push = |paths: &[&str]| {
        let urls: Vec<_> = paths.iter().map(|path| format!("http://{HOST}{path}")).collect();
        let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "Layer": "edge"}));
        let records = sdk.wait(&task, Duration::from_secs(60));
        let told = stoker.cli(&["task", "watch", &task]).stdout;
        (records, told)
    };
    // each call fits, all of them do not
    for batch in contents.chunks(5) {
        let paths: Vec<_> = batch.iter().map(|content| content.path.as_str()).collect();
        let (records, told) = push(&paths);
        assert!(records.iter().all(|(_, status)| status == "done"), "{told}");
        for path in paths {
            assert!(http.get_cached(edge, HOST, path).unwrap().is_hit(), "{path}");
        }
        let stored = folder_size(&data.join("nodes/edge-overseas"));
        assert!(stored <= 128 << 20, "{stored} bytes on disk");
    }
    // whoever says hit has it all
    let mut held = 0;
    for content in &contents {
        let reply = http.get_cached(edge, HOST, &content.path).unwrap();
        if reply.is_hit() {
            assert_eq!(sha256(&reply.body), content.sha256, "{}", content.path);
            held += 1;
        }
    }
    assert!(held >= 5 && held < contents.len(), "320 MB do not fit, but {held} are held");

    let (records, told) = push(&["/huge"]);
    assert_eq!(records[0].1, "fail");
    assert!(told.contains("too_large"), "{told}");
    // a viewer gets it all the same, and what had to make room too
    for content in [&contents[0], &contents[39]] {
        let reply = http.get(edge, HOST, &content.path).unwrap();
        assert_eq!(sha256(&reply.body), content.sha256, "{}", content.path);
    }
    let huge = http.get(edge, HOST, "/huge").unwrap();
    assert_eq!((huge.status.as_u16(), huge.body.len()), (200, 200_000_000));
}

#[test]
fn a_full_disk_is_told_and_the_task_ends_well_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        // only root may mount; the store's own tests cover the rest
        return;
    };
    let nginx = Nginx::start();
    let contents: Vec<_> =
        (0..20).map(|n| Content::write(&nginx.www(), &format!("/{n}"), 1_000_000, n)).collect();
    let data = disk.path().join("data");
    // as it comes: the bound of the caches is far above what the disk has
    let stoker = Stoker::start_with(&data, Ports::free(), &[]);
    let taken = folder_size(&data.join("nodes"));
    assert!(taken <= 34 << 20, "{taken} bytes are taken before anything is stored");
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker);
    let ballast = disk.path().join("ballast");
    disk.fill(&ballast);

    let urls: Vec<_> = contents.iter().map(|c| format!("http://{HOST}{}", c.path)).collect();
    let parameters = json!({"Urls": urls, "Area": "overseas", "Layer": "edge"});
    let full = sdk.call("PushUrlsCache", parameters.clone());
    if full.get("Error").is_some() {
        assert_eq!(full["Error"]["Code"], "InternalError.CdnDbError", "{full}");
        assert_eq!(sdk.charged(), (0, 0));
    }
    fs::remove_file(&ballast).unwrap();
    // as soon as there is room, calls are accepted and carried out, those of before included
    let task = eventually(Duration::from_secs(120), "a call is accepted again", || {
        let reply = sdk.call("PushUrlsCache", parameters.clone());
        reply["TaskId"].as_str().map(String::from)
    });
    for task in [full["TaskId"].as_str(), Some(&task)].into_iter().flatten() {
        let records = sdk.wait(task, Duration::from_secs(120));
        assert!(records.iter().all(|(_, status)| status == "done"), "{records:?}");
    }
}

fn assert_refused(ran: &Ran, named: &str) {
    assert_eq!(ran.code, Some(1), "{ran:?}");
    // what was logged before is above
    let said: Vec<_> = ran.stderr.lines().rev().take(2).collect();
    assert!(said[1].starts_with("error: ") && said[1].contains(named), "{ran:?}");
    assert!(said[0].starts_with("hint: "), "{ran:?}");
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let size = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        found if found.is_dir() => folder_size(&entry.path()),
        found => found.len(),
    };
    entries.map(size).sum()
}

/// A file system of 100 MiB in memory.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: &std::path::Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=100m", "tmpfs"]).arg(path);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(path.into()))
    }

    fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Writes until nothing more fits.
    fn fill(&self, ballast: &std::path::Path) {
        use std::io::Write;
        let mut file = fs::File::create(ballast).unwrap();
        let block = vec![0; 1 << 16];
        while file.write_all(&block).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: the server on it may still be ending
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

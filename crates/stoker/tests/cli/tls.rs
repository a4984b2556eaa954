//! The API over TLS: who is answered, who blocks nobody, and what is said of files.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    running::{Ports, Ran, Stoker, Tls, eventually},
    stoker_with,
};

/// What a command with the owner's keys and another endpoint gives.
fn call(stoker: &Stoker, endpoint: &str, authority: Option<&Path>) -> Ran {
    let credentials = stoker.credentials();
    let text = |name: &str| credentials[name].as_str().unwrap();
    let mut variables = vec![
        ("STOKER_ENDPOINT", endpoint),
        ("STOKER_SECRET_ID", text("secret_id")),
        ("STOKER_SECRET_KEY", text("secret_key")),
    ];
    variables.extend(authority.map(|path| ("STOKER_CA", path.to_str().unwrap())));
    stoker_with(&["task", "list", "--json"], &variables)
}

/// Tells the server that files have changed.
fn hang_up(stoker: &Stoker) {
    let process = fs::read_to_string(stoker.data().join("lock")).unwrap();
    let process = Pid::from_raw(process.trim().parse().unwrap()).unwrap();
    kill_process(process, Signal::HUP).unwrap();
}

#[test]
fn the_api_is_served_over_tls_to_those_who_trust_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (stoker, tls) = Tls::start(folder.path());
    let (port, plain) = (stoker.ports().tls(), stoker.ports().api());
    for endpoint in [format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}")] {
        let ran = call(&stoker, &endpoint, Some(&tls.authority_file()));
        assert_eq!(ran.code, Some(0), "{endpoint}: {ran:?}");
        let ran = call(&stoker, &endpoint, None);
        assert_eq!(ran.code, Some(1), "{endpoint}: {ran:?}");
        assert!(ran.stderr.contains("UnknownIssuer"), "{ran:?}");
    }
    let ran = call(&stoker, &format!("http://127.0.0.1:{plain}"), None);
    assert_eq!(ran.code, Some(0), "the plain one is there too: {ran:?}");

    let endpoint = format!("https://127.0.0.1:{port}");
    let told = stoker.cli(&["doctor"]).stdout;
    assert!(
        told.contains(&format!("ok    TLS endpoint `{endpoint}` accepts connections")),
        "{told}"
    );
    assert!(told.contains("is valid from 2020-01-01T00:00:00Z until 2049-12-31"), "{told}");
    tls.put(&tls.authority.issue_until(&["localhost"], (2021, 1, 1)));
    let told = stoker.cli(&["doctor"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stdout.contains("SIGHUP"), "{told:?}");

    assert_eq!(stoker.credentials()["endpoint"], format!("http://127.0.0.1:{plain}"));
    let (data, ports) = (stoker.data().to_owned(), stoker.ports());
    let (status, printed) = stoker.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(printed.contains(&endpoint), "{printed}");
    // a start without TLS leaves nobody to believe that it is spoken
    assert!(data.join("tls.json").exists());
    Stoker::start_with(&data, ports, &[]);
    assert!(!data.join("tls.json").exists());
}

#[test]
fn half_open_handshakes_keep_neither_callers_out_nor_the_end_away() {
    let folder = tempfile::tempdir().unwrap();
    let (stoker, tls) = Tls::start(folder.path());
    let port = stoker.ports().tls();
    let hostile: Vec<_> = (0..200)
        .map(|n| {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            // nothing, rubbish, and the beginning of a record that announces more
            let words: [&[u8]; 3] = [b"", b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 2, 0, 1, 0]];
            let _ = stream.write_all(words[n % words.len()]);
            stream
        })
        .collect();
    let endpoint = format!("https://localhost:{port}");
    for _ in 0..5 {
        let ran = call(&stoker, &endpoint, Some(&tls.authority_file()));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let ready = crate::running::Http::new().get(stoker.ports().api(), "localhost", "/readyz");
    assert_eq!(ready.unwrap().status, 200);
    let (status, _) = stoker.terminate();
    assert_eq!(status.code(), Some(0));
    drop(hostile);
}

#[test]
fn a_new_certificate_is_used_after_sighup_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (stoker, tls) = Tls::start(folder.path());
    let endpoint = format!("https://localhost:{}", stoker.ports().tls());
    let is_trusted = |path: &Path| call(&stoker, &endpoint, Some(path)).code == Some(0);
    let before = tls.authority_file();
    fs::create_dir(folder.path().join("other")).unwrap();
    let other = Tls::new(&folder.path().join("other"));
    let after = other.authority_file();
    tls.put(&other.authority.issue(&["localhost"]));
    assert!(is_trusted(&before) && !is_trusted(&after), "nobody told the server");
    hang_up(&stoker);
    eventually(Duration::from_secs(120), "the new certificate is used", || {
        is_trusted(&after).then_some(())
    });
    assert!(!is_trusted(&before));
    fs::write(folder.path().join("key.pem"), "").unwrap();
    hang_up(&stoker);
    eventually(Duration::from_secs(120), "the broken key is told", || {
        stoker.log().contains("holds no private key").then_some(())
    });
    assert!(is_trusted(&after));
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::new(folder.path());
    let ports = Ports::free();
    let flags = tls.flags(ports);
    let flags = flags.each_ref().map(String::as_str);
    let data = folder.path().join("data");
    fs::write(folder.path().join("key.pem"), tls.authority.issue(&["localhost"]).key).unwrap();
    let ran = Stoker::refused(&data, ports, &flags);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said: Vec<_> = ran.stderr.lines().rev().take(2).collect();
    assert!(said[1].starts_with("error: the key in `") && said[1].contains("key.pem"), "{ran:?}");
    assert!(said[0].starts_with("hint: "), "{ran:?}");
    assert!(!data.join("credentials.json").exists());
    // one of the three alone is wrong usage
    let ran = Stoker::refused(&data, ports, &flags[..2]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--tls-cert"), "{ran:?}");
}

//! Lists of URLs: what becomes of good and of bad lines.

use std::fs;

use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::running::Stoker;

#[test]
fn bad_lines_stop_a_list_or_are_skipped_and_given_back() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    for path in ["/1", "/2"] {
        origin.on(path, Script::new(content(10, 1)).field("cache-control", "max-age=3600"));
    }
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("www.example.com", &origin.url(), &[]);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (list, rejected) = (path("urls.csv"), path("rejected.csv"));
    let lines = b"\xEF\xBB\xBFurl\r\n\"http://www.example.com/1\"\r\nhtp://www.example.com/x\r\n\
        http://www.example.com/caf\xE9\r\nhttp://www.example.com/2\t\r\n";
    fs::write(&list, lines).unwrap();

    let refused = stoker.cli(&["prefetch", "--list", &list]);
    assert_eq!((refused.code, &*refused.stdout), (Some(2), ""), "{refused:?}");
    for told in ["line 3 `htp://", "line 4 `", "--skip-invalid"] {
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    assert!(origin.requests().is_empty());

    let skip = ["prefetch", "--list", &list, "--skip-invalid", "--wait"];
    let ran = stoker.cli(&skip);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("2 of 2 done"), "{ran:?}");
    assert!(ran.stderr.contains("# line 3 must begin with") && ran.stderr.contains("\nhtp://www."));

    let ran = stoker.cli(&[&skip[..], &["--rejected", &rejected]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("lines skipped: 2"), "{ran:?}");
    let written = fs::read(&rejected).unwrap();
    assert!(written.ends_with(b"\nhttp://www.example.com/caf\xE9\n"), "{}", written.escape_ascii());
    // a line whose domain nobody has
    let other = path("other.txt");
    let lines = b"http://www.example.com/1\n\nhttp://other.example.com/1\n";
    fs::write(&other, lines).unwrap();
    let ran = stoker.cli(&["prefetch", "--list", &other]);
    assert!(ran.code == Some(1) && ran.stderr.contains("line 3 `http://other."), "{ran:?}");
    let skip = ["prefetch", "--list", &other, "--skip-invalid", "--wait"];
    let ran = stoker.cli(&skip);
    assert!(ran.code == Some(0) && ran.stdout.contains("1 of 1 done"), "{ran:?}");
    assert!(ran.stderr.contains("# line 3 is of domain `other.example.com`, which"), "{ran:?}");
    let stopped = stoker.cli(&["domain", "stop", "www.example.com"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let ran = stoker.cli(&skip);
    assert!(ran.code == Some(2) && ran.stderr.contains("# line 1 is of domain `www."), "{ran:?}");

    let ran = stoker.cli(&["prefetch", "--list", &rejected]);
    assert!(ran.code == Some(2) && ran.stderr.contains("line 2 `htp://"), "{ran:?}");
}

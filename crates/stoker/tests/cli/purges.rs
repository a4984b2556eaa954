//! Purges against a running server: what is said when they are given, listed and shown.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{results::Session, running::Stoker};

const URL: &str = "http://www.example.com/a?b=1";
const PATH: &str = "http://www.example.com/images/";

#[test]
fn purges_are_listed_and_shown_with_the_turns_of_their_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Stoker::start(&folder.path().join("data")));
    session.stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    session.record(&["purge", "list"]);
    session.record(&["purge", "list", "--json"]);
    session.record(&["purge", "show", "1"]);
    session.record(&["purge", URL, "--invalidate"]);
    session.record(&["purge", "http://other.example.com/"]);
    assert_snapshot!("refused", session.taken());
    let ids = purge(&mut session);
    assert_snapshot!("given", session.taken());
    session.record(&["purge", "list"]);
    session.record(&["purge", "list", "--json"]);
    session.record(&["purge", "list", "--limit", "1"]);
    assert_snapshot!("list", session.taken());
    for id in &ids {
        session.record(&["purge", "show", id]);
    }
    session.record(&["purge", "show", &ids[0], "--json"]);
    assert_snapshot!("show", session.taken());
}

/// Three purges, each of which is waited for: how fast the nodes are cannot be seen. Their ids.
fn purge(session: &mut Session) -> Vec<String> {
    // the URL and the path are purges of their own
    let both = ["purge", URL, PATH, "http://www.example.com/", "--wait"];
    let said = session.stoker.cli(&both);
    let path = ["purge", PATH, "--invalidate", "--area", "mainland", "--wait", "--json"];
    let printed = session.stoker.cli(&path);
    let id = |line: &str| Some(line.strip_prefix("purge ")?.strip_suffix(": done")?.to_owned());
    let mut ids: Vec<String> = said.stdout.lines().filter_map(id).collect();
    let json: Value = serde_json::from_str(&printed.stdout).unwrap();
    ids.push(json[0]["purge"].as_str().unwrap().to_owned());
    assert_eq!(ids.len(), 3, "{said:?}");
    let names = (1..).zip(&ids).map(|(number, id)| (id.clone(), format!("[PURGE-{number}]")));
    session.names.extend(names);
    session.write(&both, &said);
    session.write(&path, &printed);
    ids
}

//! Proof of ownership against a running server that asks a scripted name server.

use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    results::Session,
    running::{Ports, Ran, Stoker, Texts, cli, name_server},
};

const HOST: &str = "www.film.net";

/// A second account with credentials of its own.
fn account(stoker: &Stoker, folder: &tempfile::TempDir) -> (PathBuf, String) {
    let data = folder.path().join("film");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("credentials.json");
    let made = stoker.cli(&["account", "add", "film", "--output", file.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let made: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    (data, made["uin"].as_str().unwrap().to_owned())
}

#[test]
fn an_account_proves_a_host_by_its_record_and_adds_it() {
    let folder = tempfile::tempdir().unwrap();
    let texts = Texts::default();
    let server = name_server(&texts);
    let dns = server.address().to_string();
    let further = ["--dns", dns.as_str()];
    let stoker = Stoker::start_with(&folder.path().join("data"), Ports::free(), &further);
    let (data, uin) = account(&stoker, &folder);
    let mut session = Session::new(stoker);
    session.names.push((uin.clone(), "[UIN]".into()));
    let made = session.stoker.json(&["account", "show", &uin]);
    session.names.push((made["app_id"].to_string(), "[APP]".into()));
    let run = |args: &[&str]| -> Ran { cli(&data, args, "") };
    let record = |session: &mut Session, args: &[&str]| session.write(args, &run(args));
    let json = run(&["domain", "verify", HOST, "--show", "--json"]);
    let shown: Value = serde_json::from_str(&json.stdout).unwrap();
    let text = shown["text"].as_str().unwrap().to_owned();
    session.names.push((text.clone(), "[TEXT]".into()));

    let add = ["domain", "add", HOST, "--origin", "http://1.1.1.1"];
    record(&mut session, &add);
    record(&mut session, &["domain", "verify", HOST, "--show"]);
    record(&mut session, &["domain", "verify", HOST]);
    record(&mut session, &["domain", "verify", "*.film.net", "--method", "file"]);
    record(&mut session, &["domain", "verify", "localhost"]);
    texts.lock().unwrap().insert("_cdnauth.film.net".into(), text);
    record(&mut session, &["domain", "verify", HOST]);
    record(&mut session, &["domain", "verify", HOST, "--json"]);
    record(&mut session, &add);
    let zone = run(&["domain", "show", HOST, "--json"]).stdout;
    let zone: Value = serde_json::from_str(&zone).unwrap();
    session.names.push((zone["zone_id"].as_str().unwrap().into(), "[ZONE]".into()));
    record(&mut session, &["domain", "show", HOST]);
    record(&mut session, &["domain", "add", "www.b.net", "--origin", "http://1.1.1.1"]);
    // the owner's account cannot have what is above or below, and waives the proof
    session.record(&["domain", "add", "film.net", "--origin", "http://1.1.1.1"]);
    session.record(&["account", "verification", &uin, "waived"]);
    session.record(&["account", "show", &uin]);
    record(&mut session, &["domain", "add", "intranet", "--origin", "http://1.1.1.1"]);
    session.record(&["account", "verification", &uin, "required", "--json"]);
    session.record(&[
        "domain",
        "add",
        "www.b.net",
        "--origin",
        "http://1.1.1.1",
        "--account",
        &uin,
    ]);
    let taken = session.taken();
    // the text of the host that was not proved is another one
    let steady: Vec<&str> = taken.lines().filter(|line| !line.contains("_cdnauth.b.net")).collect();
    assert_snapshot!("ownership", steady.join("\n"));
    let names = server.questions().into_iter().map(|question| question.name);
    let names: std::collections::BTreeSet<String> = names.collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["_cdnauth.film.net"]);
}

#[test]
fn an_installation_may_ask_nobody_for_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let further = ["--waive-verification"];
    let stoker = Stoker::start_with(&folder.path().join("data"), Ports::free(), &further);
    let (data, _) = account(&stoker, &folder);
    let added = cli(&data, &["domain", "add", HOST, "--origin", "http://1.1.1.1"], "");
    assert_eq!(added.code, Some(0), "{added:?}");
    let shown = cli(&data, &["domain", "show", HOST, "--json"], "");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["ownership"], "waived");
}

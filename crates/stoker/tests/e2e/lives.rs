//! A host that changes hands or origins: nobody gets what was stored for a former owner, and one
//! command discards what a former origin said.

use crate::{
    harness::{Content, Nginx},
    running::{Http, Stoker},
};

const HOST: &str = "www.example.com";
const PATH: &str = "/x.bin";
const EDGES: [&str; 2] = ["edge-mainland", "edge-overseas"];

#[test]
fn a_host_of_a_new_owner_never_answers_with_what_the_former_one_stored() {
    let (former, latter) = (Nginx::start(), Nginx::start());
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    for (nginx, size) in [(&former, 300_000), (&latter, 400_000)] {
        Content::write(&nginx.www(), PATH, size, size as u64);
    }
    let url = format!("http://{HOST}{PATH}");
    let run = |args: &[&str]| {
        let ran = stoker.cli(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    };
    let served = || {
        EDGES.map(|edge| Http::new().get(stoker.ports().node(edge), HOST, PATH).unwrap().body.len())
    };
    let prefetch = |further: &[&str]| {
        run(&[&["prefetch", &url, "--area", "global", "--tier", "edge", "--wait"], further]
            .concat());
    };
    stoker.add_domain(HOST, &former.url(), &[]);
    prefetch(&[]);
    assert_eq!(served(), [300_000; 2]);

    let other = stoker.json(&["account", "add"])["uin"].as_str().unwrap().to_owned();
    let by_other = ["--account", other.as_str()];
    run(&["domain", "stop", HOST]);
    run(&["domain", "remove", HOST]);
    stoker.add_domain(HOST, &latter.url(), &by_other);
    assert_eq!(served(), [400_000; 2], "before any prefetch of the new owner");
    run(&["domain", "remove", HOST, "--account", &other]);
    stoker.add_domain(HOST, &latter.url(), &[]);
    prefetch(&[]);
    assert_eq!(served(), [400_000; 2]);

    // another origin alone leaves what is fresh in use, and the command says so
    let set = ["domain", "set", HOST, "--allow-private-origin", "--origin"];
    let told = run(&[&set[..], &[&former.url()]].concat());
    assert!(told.contains("--discard-cached"), "{told}");
    assert_eq!(served(), [400_000; 2]);
    let told = run(&[&set[..], &[&former.url(), "--discard-cached"]].concat());
    assert!(!told.contains("--discard-cached"), "{told}");
    assert_eq!(served(), [300_000; 2]);
}

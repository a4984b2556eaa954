//! The main job: an unmodified SDK prefetches real content, and the edges have it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use crate::{
    harness::{Content, Nginx, Pulled, Sdk, sha256},
    running::{Http, Stoker},
};

const HOST: &str = "www.example.com";
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn five_hundred_urls_for_both_areas_are_pulled_once_and_hit_on_both_edges() {
    let run = Run::new("global", 500);
    run.push_and_check(&["edge-mainland", "edge-overseas"]);
    assert_eq!(run.sdk.charged(), (500, 500));
}

#[test]
fn five_hundred_urls_for_one_area_are_pulled_once_and_hit_on_its_edge() {
    let run = Run::new("overseas", 500);
    run.push_and_check(&["edge-overseas"]);
    assert_eq!(run.sdk.charged(), (0, 500));
    // the other area was not asked for
    let reply = run.http.get_cached(run.stoker.ports().node("edge-mainland"), HOST, "/0");
    assert!(!reply.unwrap().is_hit());
}

#[test]
fn without_layer_the_mainland_stops_at_the_middle() {
    let run = Run::new("mainland", 10);
    let urls = run.urls();
    let task = run.sdk.push(json!({"Urls": urls, "Area": "mainland"}));
    assert_all_done(&run.sdk.wait(&task, DEADLINE), urls.len());
    for content in &run.contents {
        let held = |node| {
            let port = run.stoker.ports().node(node);
            run.http.get_cached(port, HOST, &content.path).unwrap().is_hit()
        };
        assert!(held("middle-mainland") && !held("edge-mainland"), "{}", content.path);
    }
}

/// An origin with files, a server with a domain, a caller.
struct Run {
    nginx: Nginx,
    contents: Vec<Content>,
    stoker: Stoker,
    sdk: Sdk,
    http: Http,
    area: &'static str,
    _folder: tempfile::TempDir,
}

impl Run {
    fn new(area: &'static str, files: usize) -> Self {
        let nginx = Nginx::start();
        // mostly small, some of several slices, one of several runs of slices
        let contents = (0..files).map(|number| {
            let size = match number {
                0 => 37_000_003,
                _ if number % 50 == 1 => 1_048_576 * 3 + number,
                _ => 1 + number * 131,
            };
            Content::write(&nginx.www(), &format!("/{number}"), size, number as u64)
        });
        let contents = contents.collect();
        let folder = tempfile::tempdir().unwrap();
        let stoker = Stoker::start(&folder.path().join("data"));
        stoker.add_domain(HOST, &nginx.url(), &[]);
        let sdk = Sdk::of(&stoker);
        Self { nginx, contents, stoker, sdk, http: Http::new(), area, _folder: folder }
    }

    fn urls(&self) -> Vec<String> {
        self.contents.iter().map(|content| format!("https://{HOST}{}", content.path)).collect()
    }

    fn push_and_check(&self, edges: &[&str]) {
        let urls = self.urls();
        let task = self.sdk.push(json!({"Urls": urls, "Area": self.area, "Layer": "edge"}));
        assert_all_done(&self.sdk.wait(&task, DEADLINE), urls.len());

        for edge in edges {
            let port = self.stoker.ports().node(edge);
            for content in &self.contents {
                let reply = self.http.get(port, HOST, &content.path).unwrap();
                let fields = &reply.fields;
                assert!(reply.is_hit(), "{edge} {}: {} {fields:?}", content.path, reply.status);
                assert_eq!(sha256(&reply.body), content.sha256, "{edge} {}", content.path);
            }
        }

        let once: BTreeMap<_, _> =
            self.contents.iter().map(|content| (content.path.clone(), content.size)).collect();
        let pulled = self.nginx.pulled();
        let bytes: BTreeMap<_, _> =
            pulled.iter().map(|(path, pulled)| (path.clone(), pulled.bytes)).collect();
        assert_eq!(bytes, once, "the origin gave each byte once");
        assert_eq!(pulled["/2"], Pulled { requests: 1, bytes: 263 });
    }
}

fn assert_all_done(records: &[(String, String)], count: usize) {
    let other: Vec<_> = records.iter().filter(|(_, status)| status != "done").collect();
    assert!(other.is_empty(), "{other:?}");
    assert_eq!(records.len(), count);
}

//! Fields of HTTP that decide what others get: directives beside odd bytes, and request fields of a
//! viewer or a task.

use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::running::{Http, Stoker};

const HOST: &str = "www.example.com";

/// A server whose domain [`HOST`] has a scripted origin.
fn with_origin(folder: &tempfile::TempDir) -> (Runtime, Origin, Stoker) {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &origin.url(), &[]);
    (runtime, origin, stoker)
}

#[test]
fn a_directive_beside_bytes_outside_ascii_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, origin, stoker) = with_origin(&folder);
    for (path, line, reason) in [
        ("/a", "no-store, note=\"café\"", "uncacheable:no-store"),
        ("/b", "note=\"café\", private", "uncacheable:private"),
    ] {
        origin.on(path, Script::new(content(1000, 1)).field("cache-control", line));
        let url = format!("http://{HOST}{path}");
        let ran = stoker.cli(&["prefetch", &url, "--tier", "edge", "--wait"]);
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(format!("{ran:?}").contains(reason), "{ran:?}");
        let port = stoker.ports().node("edge-mainland");
        for _ in 0..2 {
            assert!(!Http::new().get(port, HOST, path).unwrap().is_hit(), "{path}");
        }
    }
}

#[test]
fn request_fields_of_a_task_reach_no_domain_that_only_a_playlist_names() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, origin, stoker) = with_origin(&folder);
    stoker.add_domain("media.example.com", &origin.url(), &[]);
    let list = "#EXTM3U\n#EXTINF:1,\nhttp://media.example.com/other.ts\n#EXTINF:1,\nown.ts\n";
    let script = |bytes| Script::new(bytes).etag("\"1\"").field("cache-control", "public");
    origin.on("/list.m3u8", script(list.into()));
    origin.on("/own.ts", script(content(1000, 1)));
    origin.on("/other.ts", script(content(1000, 2)));
    let url = format!("http://{HOST}/list.m3u8");
    let secret = "Basic eDp5";
    let field = format!("Authorization: {secret}");
    let ran = stoker.cli(&["prefetch", &url, "--media", "segments", "--header", &field, "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for (path, sent) in [("/list.m3u8", secret), ("/own.ts", secret), ("/other.ts", "")] {
        let seen = origin.requests_for(path);
        assert!(!seen.is_empty(), "{path}");
        assert!(seen.iter().all(|seen| seen.field("authorization") == sent), "{path}");
    }
}

#[test]
fn fields_of_one_viewer_or_task_do_not_decide_what_others_get() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, origin, stoker) = with_origin(&folder);
    let port = stoker.ports().node("edge-overseas");
    let http = Http::new();
    origin.on("/viewed", Script::new(content(1000, 1)).etag("\"1\""));
    let claims = [("x-forwarded-host", "evil.example"), ("cookie", "a=b"), ("x-unknown", "evil")];
    assert_eq!(http.ask(port, HOST, "/viewed", &claims).unwrap().status, 200);
    let seen = &origin.requests_for("/viewed")[0];
    assert!(claims.iter().all(|(name, _)| seen.field(name).is_empty()), "{seen:?}");

    let url = |path: &str| format!("http://{HOST}{path}");
    let prefetch = |path: &str| {
        let header = ["--header", "X-Token: t"];
        stoker.cli(&[&["prefetch", &url(path), "--tier", "edge", "--wait"], &header[..]].concat())
    };
    // the same without the field, by its tag; and one that has none
    origin.on("/same", Script::new(content(1000, 2)).etag("\"2\""));
    origin.on("/unknown", Script::new(content(1000, 3)));
    assert_eq!(prefetch("/same").code, Some(0));
    let seen = origin.requests_for("/same");
    assert_eq!((seen[0].field("x-token"), seen[1].field("x-token")), ("t", ""));
    assert_eq!((seen.len(), seen[1].status), (2, 304));
    let ran = prefetch("/unknown");
    assert_ne!(ran.code, Some(0));
    assert!(format!("{ran:?}").contains("uncacheable:request-headers"), "{ran:?}");
    let reply = http.get_cached(port, HOST, "/unknown").unwrap();
    assert!(
        !reply.is_hit(),
        "{ran:?}: {:?} {:?} {:?}",
        reply.status,
        reply.fields,
        origin.requests_for("/unknown")
    );
}

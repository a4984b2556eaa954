//! Playlists tell the truth: what cannot be followed has failed, what is not followed is told.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::running::{Http, Stoker};

const HOST: &str = "video.example.com";
const MEDIA: &str = "#EXTM3U\n#EXTINF:4,\n1.ts\n#EXTINF:4,\n2.ts\n";

#[test]
fn playlists_are_decoded_recognised_and_read_and_what_is_none_has_failed() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    let kept = |script: Script| script.etag("\"1\"").field("cache-control", "max-age=600");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(MEDIA.as_bytes()).unwrap();
    let coded = encoder.finish().unwrap();
    let typed = "application/vnd.apple.mpegurl";
    origin.on("/gzip/a.m3u8", kept(Script::new(coded)).field("content-encoding", "gzip"));
    origin.on("/typed/a", kept(Script::new(MEDIA)).field("content-type", typed));
    origin.on("/no-store/a.m3u8", Script::new(MEDIA).field("cache-control", "no-store"));
    origin.on("/page/a.m3u8", kept(Script::new("<html>")).field("content-type", "text/html"));
    for folder in ["gzip", "typed", "no-store"] {
        for segment in ["1.ts", "2.ts"] {
            origin.on(&format!("/{folder}/{segment}"), kept(Script::new(content(1000, 1))));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &origin.url(), &["--area", "overseas"]);
    let http = Http::new();
    for (path, code, told) in [
        ("/gzip/a.m3u8", 0, "3 of 3 done"),
        ("/typed/a", 0, "3 of 3 done"),
        ("/no-store/a.m3u8", 1, "2 of 3 done, 1 failed"),
        ("/page/a.m3u8", 1, "playlist:not-a-playlist: the content is not an HLS playlist"),
    ] {
        let url = format!("http://{HOST}{path}");
        let ran = stoker.cli(&["prefetch", &url, "--media", "segments", "--wait"]);
        assert_eq!(ran.code, Some(code), "{path}: {ran:?}");
        assert!(ran.stdout.contains(told), "{path}: {ran:?}");
        assert!(!ran.stdout.contains("not followed"), "{path}: {ran:?}");
        if path != "/page/a.m3u8" {
            let folder = path.rsplit_once('/').unwrap().0;
            for segment in ["1.ts", "2.ts"] {
                let segment = format!("{folder}/{segment}");
                let port = stoker.ports().node("edge-overseas");
                assert!(http.get_cached(port, HOST, &segment).unwrap().is_hit(), "{segment}");
            }
        }
    }
    // the page is not asked for as a playlist
    let url = format!("http://{HOST}/page/a.m3u8");
    let ran = stoker.cli(&["prefetch", &url, "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("--media segments"), "{ran:?}");
}

#[test]
fn what_a_title_names_and_is_not_followed_is_told_everywhere() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    let kept = |text: &str| Script::new(text.to_owned()).field("cache-control", "max-age=600");
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"en.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nlow.m3u8\n";
    let media = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4,\n1.m4s\n#EXTINF:4,\n2.m4s\n";
    origin.on("/t/master.m3u8", kept(master));
    origin.on("/t/low.m3u8", kept(media));
    origin.on("/t/manifest.mpd", kept("<MPD/>"));
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &origin.url(), &[]);
    let url = format!("http://{HOST}/t/master.m3u8");
    let ran = stoker.cli(&["prefetch", &url, "--media", "segments", "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for told in [
        "2 of 2 done",
        "not followed: 2 media segments other than .ts, 1 initialization section (EXT-X-MAP), \
         1 audio rendition (EXT-X-MEDIA)",
        "http://video.example.com/t/init.mp4",
        "submit their URLs",
    ] {
        assert!(ran.stdout.contains(told), "{told}: {ran:?}");
    }
    let mpd = format!("http://{HOST}/t/manifest.mpd");
    let ran = stoker.cli(&["prefetch", &url, &mpd, "--media", "segments", "--wait", "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = &printed[0]["task"]["not_followed"]["counts"];
    let expected = json!({
        "media-segment": 2, "initialization-section": 1, "audio-rendition": 1, "dash-manifest": 1,
    });
    assert_eq!(*counts, expected);
    assert_eq!(printed[0]["task"]["not_followed"]["first"].as_array().unwrap().len(), 5);
    let task = printed[0]["task_id"].as_str().unwrap();
    let shown = stoker.cli(&["task", "show", task]);
    assert!(shown.stdout.contains("not followed: 1 DASH manifest\n"), "{shown:?}");
    let shown = stoker.json(&["task", "show", task]);
    let outcome = &shown["targets"][1]["outcomes"][0];
    assert_eq!(outcome["not_followed"]["first"], json!([mpd]));
}

//! Playlists made by ffmpeg: the master, its media playlists and all their segments.

use std::{fs, path::Path, time::Duration};

use serde_json::json;

use crate::{
    harness::{Nginx, Sdk, ffmpeg, sha256},
    running::{Http, Stoker},
};

const HOST: &str = "video.example.com";
/// Seconds of video; each gives one segment of each rendition.
const SECONDS: u64 = 130;

#[test]
fn a_master_playlist_brings_every_segment_of_its_renditions() {
    let nginx = Nginx::start();
    make_video(&nginx.www());
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker);

    let task = sdk.push(json!({
        "Urls": [format!("http://{HOST}/master.m3u8")],
        "Area": "overseas",
        "Layer": "edge",
        "ParseM3U8": true,
    }));
    let records = sdk.wait(&task, Duration::from_secs(120));
    let other: Vec<_> = records.iter().filter(|(_, status)| status != "done").collect();
    assert!(other.is_empty(), "{other:?}");

    let files = files_below(&nginx.www());
    let segments = files.iter().filter(|path| path.ends_with(".ts")).count() as u64;
    assert!(segments >= 2 * (SECONDS - 2), "ffmpeg made {segments} segments");
    let http = Http::new();
    for path in &files {
        let reply = http.get_cached(stoker.ports().node("edge-overseas"), HOST, path).unwrap();
        assert!(reply.is_hit(), "{path}: {} {:?}", reply.status, reply.fields);
        let original = fs::read(nginx.www().join(path.trim_start_matches('/'))).unwrap();
        assert_eq!(sha256(&reply.body), sha256(&original), "{path}");
        assert_eq!(nginx.pulled()[path].bytes, original.len() as u64, "{path} was pulled once");
    }

    // one unit for the master, each media playlist and each segment
    assert_eq!(sdk.charged(), (0, segments + 3));
    let shown = stoker.json(&["task", "show", &task, "--limit", "1000"]);
    assert_eq!(shown["task"]["targets"], segments + 3);
}

fn make_video(www: &Path) {
    let made = ffmpeg()
        .current_dir(www)
        .args(["-loglevel", "error", "-f", "lavfi"])
        .args(["-i", &format!("testsrc=duration={SECONDS}:size=160x90:rate=25")])
        .args(["-map", "0:v", "-map", "0:v", "-c:v", "mpeg2video", "-g", "25"])
        .args(["-b:v:0", "200k", "-b:v:1", "60k"])
        .args(["-f", "hls", "-hls_time", "1", "-hls_list_size", "0"])
        .args(["-hls_segment_filename", "v%v/%d.ts", "-var_stream_map", "v:0 v:1"])
        .args(["-master_pl_name", "master.m3u8", "v%v/index.m3u8"])
        .status()
        .unwrap();
    assert!(made.success(), "ffmpeg: {made}");
}

/// All files below `root`, as paths of the origin.
fn files_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files_below(&path).into_iter().map(|below| format!("/{name}{below}")));
        } else {
            found.push(format!("/{name}"));
        }
    }
    found.sort();
    found
}

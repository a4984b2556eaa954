//! What is told of playlists: what they name, what of it is not followed, and when nobody knows.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use stoker_domain::{
    job::ItemReport,
    media::{Kind, MAX_CHILDREN},
    outcome::{Block, Outcome, PlaylistFault, Uncacheable},
};
use stoker_testkit::{Script, content};

use crate::support::{HOST, Net};

const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n#EXTINF:4,\n2.ts\n";
/// Levels that a submitted URL has.
const SUBMITTED: u8 = 3;

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

fn kept(content: impl Into<bytes::Bytes>) -> Script {
    Script::new(content).etag("\"v1\"").field("cache-control", "max-age=600")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("it is written into memory");
    encoder.finish().expect("it is written into memory")
}

fn children(report: &ItemReport) -> Vec<&str> {
    report.children.iter().map(|child| child.url.as_str()).collect()
}

#[tokio::test]
async fn a_playlist_is_told_by_path_or_type_and_decoded_and_read_whether_kept_or_not() {
    let net = Net::single().await;
    let typed = "application/vnd.apple.mpegurl; charset=utf-8";
    let no_store = || Script::new(MEDIA).field("cache-control", "no-store");
    let mut large = String::from(MEDIA);
    (3..200_000).for_each(|n| large += &format!("#{n} a comment\n"));
    let cases = [
        ("/p/gzip.m3u8", kept(gzip(MEDIA)).field("content-encoding", "gzip"), Outcome::Filled),
        ("/p/typed", kept(MEDIA).field("content-type", typed), Outcome::Filled),
        ("/p/old.php?x=.mp4", kept(MEDIA).field("content-type", "Audio/MPEGURL"), Outcome::Filled),
        ("/p/list.M3U", kept(MEDIA), Outcome::Filled),
        ("/p/no-store.m3u8", no_store(), Outcome::Uncacheable(Uncacheable::NoStore)),
        ("/p/private", no_store().field("content-type", "audio/x-mpegurl"), NO_STORE),
        ("/p/chunked.m3u8", no_store().chunked().without_ranges(), NO_STORE),
        ("/p/large.m3u8", Script::new(large).field("cache-control", "no-store"), NO_STORE),
        (
            "/p/coded.m3u8",
            Script::new(gzip(MEDIA))
                .field("cache-control", "no-store")
                .field("content-encoding", "gzip"),
            NO_STORE,
        ),
        (
            "/p/zero.m3u8",
            Script::new(MEDIA).etag("\"v1\"").field("cache-control", "max-age=0"),
            Outcome::Uncacheable(Uncacheable::NoLifetime),
        ),
    ];
    for (id, (path, script, outcome)) in (1..).zip(cases) {
        net.origin.on(path.split('?').next().unwrap(), script.clone());
        net.origin.on(path, script);
        let report = net.sources["edge"].run(id, &url(path), SUBMITTED).await;
        assert_eq!(report.outcome, outcome, "{path}: {report:?}");
        assert_eq!(children(&report), [url("/p/1.ts"), url("/p/2.ts")], "{path}");
        assert!(report.not_followed.is_empty(), "{path}");
        // the part that begins a large one may be asked for first
        let requests = net.origin.requests_for(path).len();
        assert!(requests <= if path.contains("large") { 2 } else { 1 }, "{path}: {requests}");
    }
}

const NO_STORE: Outcome = Outcome::Uncacheable(Uncacheable::NoStore);

#[tokio::test]
async fn a_playlist_that_is_not_kept_is_read_through_all_tiers_and_asked_for_once() {
    let net = Net::full().await;
    net.origin.on("/p/index.m3u8", Script::new(MEDIA).field("cache-control", "no-store"));
    let source = &net.sources["edge-overseas"];
    let report = source.run(1, &url("/p/index.m3u8"), SUBMITTED).await;
    assert_eq!(report.outcome, NO_STORE);
    assert_eq!(children(&report).len(), 2);
    assert_eq!(net.origin.requests_for("/p/index.m3u8").len(), 1);
}

#[tokio::test]
async fn what_was_to_be_followed_and_is_no_playlist_has_failed() {
    let net = Net::single().await;
    let page = || kept("<html>an error</html>").field("content-type", "text/html");
    let not = |fault| Outcome::Playlist(fault);
    let bomb = gzip(&" ".repeat(stoker_domain::media::MAX_BYTES + 1));
    let named = SUBMITTED - 1;
    for (id, (path, script, levels, outcome, told)) in (1..).zip([
        ("/a.m3u8", page(), SUBMITTED, not(PlaylistFault::NotAPlaylist), "its type is text/html"),
        ("/named", page(), named, not(PlaylistFault::NotAPlaylist), "its type is text/html"),
        ("/empty.m3u8", kept(""), SUBMITTED, not(PlaylistFault::NotAPlaylist), "not an HLS"),
        (
            "/zstd.m3u8",
            kept("(").field("content-encoding", "zstd"),
            SUBMITTED,
            not(PlaylistFault::ContentCoding),
            "`zstd`",
        ),
        (
            "/cut.m3u8",
            kept(gzip(MEDIA)[..20].to_vec()).field("content-encoding", "gzip"),
            SUBMITTED,
            not(PlaylistFault::ContentCoding),
            "cannot be decoded",
        ),
        (
            "/bomb.m3u8",
            kept(bomb).field("content-encoding", "gzip"),
            SUBMITTED,
            not(PlaylistFault::TooLong),
            "longer than",
        ),
        (
            "/no-store.m3u8",
            Script::new("<html>").field("cache-control", "no-store"),
            SUBMITTED,
            NO_STORE,
            "not an HLS",
        ),
        // nobody said that it is one
        ("/page", page(), SUBMITTED, Outcome::Filled, ""),
        ("/off.m3u8", page(), 0, Outcome::Filled, ""),
    ]) {
        net.origin.on(path, script);
        // there already, it is no more a playlist than before
        for again in 0..2 {
            let report = net.sources["edge"].run(id * 10 + again, &url(path), levels).await;
            let outcome =
                if again == 1 && outcome.is_success() { Outcome::AlreadyFresh } else { outcome };
            assert_eq!(report.outcome, outcome, "{path}: {report:?}");
            let detail = report.detail.clone().unwrap_or_default();
            assert!(detail.contains(told) && report.children.is_empty(), "{path}: {report:?}");
        }
    }
}

#[tokio::test]
async fn what_is_named_and_not_followed_is_told() {
    let net = Net::single().await;
    let cmaf = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n\
        #EXTINF:4,\n1.m4s\n#EXTINF:4,\n2.m4s\n#EXTINF:4,\n3.ts\n";
    net.origin.on("/p/cmaf.m3u8", kept(cmaf));
    net.origin.on("/p/m.mpd", kept("<MPD/>"));
    net.origin.on("/p/dash", kept("<MPD/>").field("content-type", "application/dash+xml"));
    net.origin.on("/p/a.mp4", kept(content(5000, 1)).field("content-type", "video/mp4"));
    let source = &net.sources["edge"];
    let report = source.run(1, &url("/p/cmaf.m3u8"), SUBMITTED).await;
    assert_eq!((report.outcome, children(&report).len()), (Outcome::Filled, 1));
    let counts: Vec<_> = report.not_followed.counts.into_iter().collect();
    assert_eq!(counts, [(Kind::MediaSegment, 2), (Kind::InitializationSection, 1), (Kind::Key, 1)]);
    assert_eq!(report.not_followed.first[0], url("/p/init.mp4"));
    for (id, path) in [(2, "/p/m.mpd"), (3, "/p/dash")] {
        let report = source.run(id, &url(path), SUBMITTED).await;
        assert_eq!(report.outcome, Outcome::Filled);
        assert_eq!(report.not_followed.counts[&Kind::DashManifest], 1, "{path}");
    }
    let report = source.run(4, &url("/p/a.mp4"), SUBMITTED).await;
    assert!(report.not_followed.is_empty() && report.children.is_empty());
}

#[tokio::test]
async fn a_playlist_that_names_too_much_fails_and_one_at_the_bound_is_followed() {
    let net = Net::single().await;
    let of = |named: usize| {
        let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:4\n");
        (0..named).for_each(|n| text += &format!("#EXTINF:4,\n{n}.ts\n"));
        text
    };
    let too_many = Outcome::Blocked(Block::TooManyChildren);
    for (id, (path, named, outcome)) in (1..).zip([
        ("/at.m3u8", MAX_CHILDREN, Outcome::Filled),
        ("/beyond.m3u8", MAX_CHILDREN + 1, too_many),
    ]) {
        net.origin.on(path, kept(of(named)));
        let report = net.sources["edge"].run(id, &url(path), SUBMITTED).await;
        let followed = if outcome == too_many { 0 } else { named };
        assert_eq!((report.outcome, report.children.len()), (outcome, followed), "{path}");
        // again, when it is there already
        let report = net.sources["edge"].run(id + 10, &url(path), SUBMITTED).await;
        let outcome = if outcome == too_many { too_many } else { Outcome::AlreadyFresh };
        assert_eq!((report.outcome, report.children.len()), (outcome, followed), "{path}");
    }
    // what may not be kept fails in any case, and says so besides
    let no_store = Script::new(of(MAX_CHILDREN + 1)).field("cache-control", "no-store");
    net.origin.on("/passing.m3u8", no_store);
    let report = net.sources["edge"].run(30, &url("/passing.m3u8"), SUBMITTED).await;
    assert_eq!(report.outcome, NO_STORE);
    assert!(report.detail.unwrap().contains("more than 100000 children"));
}

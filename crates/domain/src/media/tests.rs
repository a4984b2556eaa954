//! What is taken from playlists as they are met in the field.

use proptest::prelude::*;

use super::{
    Error, Kind, MAX_BYTES, MAX_CHILDREN, Manifest, attribute, dash, is_playlist, manifest, read,
    read_within,
};

const BASE: &str = "https://v.example.com/show/1/index.m3u8?token=a%2Fb";

fn named(content: &[u8]) -> Vec<(String, bool)> {
    let found = read(BASE, content).unwrap().children;
    found.into_iter().map(|child| (child.url, child.is_playlist)).collect()
}

/// How many of each kind are not followed.
fn not_followed(content: &[u8]) -> Vec<(Kind, u64)> {
    read(BASE, content).unwrap().not_followed.counts.into_iter().collect()
}

fn segments(content: &[u8]) -> Vec<String> {
    named(content)
        .into_iter()
        .map(|(url, is_playlist)| {
            assert!(!is_playlist, "{url}");
            url
        })
        .collect()
}

#[test]
fn a_master_playlist_names_its_variants_and_not_its_renditions() {
    let master = b"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"https://keys.example.com/k\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",DEFAULT=YES,URI=\"audio/en.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"
low/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI=\"low/iframe.m3u8\"

#EXT-X-STREAM-INF:BANDWIDTH=7680000
# a comment between the tag and its URI
https://cdn.example.net/hi/playlist?id=7
#EXT-X-STREAM-INF:RESOLUTION=no-bandwidth-at-all
//mid.example.com/m.M3U8
";
    assert_eq!(
        named(master),
        [
            ("https://v.example.com/show/1/low/index.m3u8".into(), true),
            ("https://cdn.example.net/hi/playlist?id=7".into(), true),
            ("https://mid.example.com/m.M3U8".into(), true),
        ]
    );
}

#[test]
fn a_media_playlist_names_its_ts_segments_only() {
    let media = b"#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:10
#EXT-X-MEDIA-SEQUENCE:2680
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x0
#EXT-X-MAP:URI=\"init.mp4\"
#EXTINF:9.009,title, with a comma
seg-1.ts
#EXTINF:9.009,
seg-2.TS?sig=x/y.m3u8
#EXTINF:9.009,
seg-3.m4s
#EXT-X-DISCONTINUITY
#EXTINF:3.003,
not-a-ts.ts.key
#EXTINF:3.003,
query?file=a.ts
#EXT-X-ENDLIST
";
    assert_eq!(
        segments(media),
        [
            "https://v.example.com/show/1/seg-1.ts",
            "https://v.example.com/show/1/seg-2.TS?sig=x/y.m3u8"
        ]
    );
}

#[test]
fn references_are_resolved_against_the_playlist() {
    for (reference, url) in [
        ("a.ts", "https://v.example.com/show/1/a.ts"),
        ("./a.ts", "https://v.example.com/show/1/a.ts"),
        ("../2/a.ts", "https://v.example.com/show/2/a.ts"),
        ("../../../a.ts", "https://v.example.com/a.ts"),
        ("/root/a.ts", "https://v.example.com/root/a.ts"),
        ("//o.example.com/a.ts", "https://o.example.com/a.ts"),
        ("http://o.example.com:8080/a.ts#t=1", "http://o.example.com:8080/a.ts"),
        ("a.ts?x=1&y=%2F", "https://v.example.com/show/1/a.ts?x=1&y=%2F"),
        ("\u{4e2d} 1.ts", "https://v.example.com/show/1/%E4%B8%AD%201.ts"),
        ("  a.ts \t", "https://v.example.com/show/1/a.ts"),
    ] {
        let playlist = format!("#EXTM3U\n#EXTINF:1,\n{reference}\n");
        assert_eq!(segments(playlist.as_bytes()), [url], "{reference}");
    }
    // a reference without a path keeps the playlist's own, and only then its query is not inherited
    let own = named(b"#EXTM3U\n?token=c\n");
    assert_eq!(own, [("https://v.example.com/show/1/index.m3u8?token=c".into(), true)]);
}

#[test]
fn a_byte_order_mark_crlf_and_a_missing_last_newline_change_nothing() {
    let url = "https://v.example.com/show/1/a.ts";
    for content in [
        &b"\xEF\xBB\xBF#EXTM3U\r\n#EXTINF:1,\r\na.ts"[..],
        b"#EXTM3U\r\n\r\n#EXTINF:1,\r\na.ts\r\n",
        b"#EXTM3U \n#EXTINF:1,\na.ts",
        b"#EXTINF:1,\na.ts",
        b"#EXTM3U\n#EXTINF:not a number,\na.ts",
        b"#EXTM3U\n#EXTINF:1,\n\xFF\xFE.ts\n#EXTINF:1,\na.ts",
    ] {
        assert_eq!(segments(content), [url], "{}", content.escape_ascii());
    }
}

#[test]
fn each_url_is_named_once() {
    let ranges = b"#EXTM3U
#EXT-X-BYTERANGE:75232@0
#EXTINF:10,
all.ts
#EXT-X-BYTERANGE:82112@75232
#EXTINF:10,
all.ts
";
    assert_eq!(segments(ranges), ["https://v.example.com/show/1/all.ts"]);
}

#[test]
fn a_segment_marked_as_a_gap_is_left_out() {
    let gap = b"#EXTM3U\n#EXTINF:1,\n#EXT-X-GAP\nlost.ts\n#EXTINF:1,\nthere.ts\n";
    assert_eq!(segments(gap), ["https://v.example.com/show/1/there.ts"]);
}

#[test]
fn a_low_latency_playlist_names_only_whole_segments() {
    let live = b"#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0
#EXT-X-PART-INF:PART-TARGET=0.33
#EXT-X-SKIP:SKIPPED-SEGMENTS=3
#EXTINF:4.0,
271.ts
#EXT-X-PART:DURATION=0.33,URI=\"272.1.ts\"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"272.2.ts\"
#EXT-X-RENDITION-REPORT:URI=\"../1M/wait.m3u8\",LAST-MSN=273
";
    assert_eq!(segments(live), ["https://v.example.com/show/1/271.ts"]);
}

#[test]
fn only_http_urls_are_named() {
    let odd =
        b"#EXTM3U\nftp://x/a.ts\ndata:video/mp2t;base64,AA.ts\nfile:///etc/a.ts\nhttp://[/a.ts\n";
    assert_eq!(named(odd), []);
    // what an URL of its own holds is content, and not missing
    assert_eq!(not_followed(odd), [(Kind::Unusable, 3)]);
    assert_eq!(not_followed(b"#EXTM3U\nhttp://[/a.ts\nhttp://[/a.ts\n"), [(Kind::Unusable, 2)]);
}

#[test]
fn only_tags_that_refer_to_something_are_counted() {
    let tags =
        b"#EXTM3U\n#EXTINF:4,URI=\"a.mp4\"\n#EXTERN:URI=\"b.mp4\"\n#EXT-X-NEW:URI=\"c.mp4\"\n";
    assert_eq!(not_followed(tags), [(Kind::Other, 1)]);
}

#[test]
fn a_playlist_may_be_as_long_as_the_limit() {
    let mut long = b"#EXTM3U\n".to_vec();
    long.resize(MAX_BYTES, b'\n');
    assert!(read(BASE, &long).is_ok());
    long.extend_from_slice(b"\n\n");
    assert_eq!(read(BASE, &long), Err(Error::TooLong(MAX_BYTES + 2)));
}

#[test]
fn what_is_not_followed_is_told_apart_up_to_a_bound() {
    let mut content = String::from("#EXTM3U\n");
    (0..2 * MAX_CHILDREN).for_each(|number| content += &format!("{number}.mp4\n"));
    // the last of those that are remembered, and one that is not
    content += "0.mp4\n199999.mp4\nnew.mp4\nnew.mp4\n";
    let counted = 2 * MAX_CHILDREN as u64 + 4;
    assert_eq!(not_followed(content.as_bytes()), [(Kind::MediaSegment, counted)]);
    let mut content = String::from("#EXTM3U\n");
    (1..2 * MAX_CHILDREN).for_each(|number| content += &format!("{number}.mp4\n"));
    content += "1.mp4\n2.mp4\n";
    let counted = 2 * MAX_CHILDREN as u64 - 1;
    assert_eq!(not_followed(content.as_bytes()), [(Kind::MediaSegment, counted)]);
}

#[test]
fn a_dash_manifest_is_counted_and_named() {
    let url = "https://v.example.com/a.mpd";
    let named = dash(url);
    assert!(named.children.is_empty());
    assert_eq!(
        named.not_followed.counts.into_iter().collect::<Vec<_>>(),
        [(Kind::DashManifest, 1)]
    );
}

#[test]
fn what_is_not_a_playlist_is_told() {
    for content in [&b""[..], b"\n\n", b"<html><a href=a.ts></html>", b"# a comment\na.ts\n"] {
        assert_eq!(read(BASE, content), Err(Error::NotAPlaylist));
    }
    assert_eq!(read("index.m3u8", b"#EXTM3U\n"), Err(Error::Base));
}

#[test]
fn a_fan_out_bomb_is_refused() {
    let mut bomb = String::from("#EXTM3U\n");
    (0..MAX_CHILDREN).for_each(|number| bomb += &format!("{number}.ts\n"));
    assert_eq!(read(BASE, bomb.as_bytes()).unwrap().children.len(), MAX_CHILDREN);
    bomb += "one-more.ts\n";
    assert_eq!(read(BASE, bomb.as_bytes()), Err(Error::TooManyChildren));
}

#[test]
fn what_short_references_become_under_a_long_url_is_bounded() {
    const LENGTH: usize = 4096;
    let before = "http://a.example/";
    let base =
        format!("{before}{}/index.m3u8", "x".repeat(LENGTH - before.len() - "/00000.ts".len()));
    let read = |content: &str| read_within(9 * LENGTH, &base, content.as_bytes());
    let mut bomb = String::from("#EXTM3U\n");
    (0..9).for_each(|number| bomb += &format!("{number:05}.ts\n"));
    let children = read(&bomb).unwrap().children;
    assert!(children.len() == 9 && children.iter().all(|child| child.url.len() == LENGTH));
    bomb += "00000.ts\n";
    assert_eq!(read(&bomb).unwrap().children.len(), 9, "each is named once");
    bomb += "x.ts\n";
    assert_eq!(read(&bomb), Err(Error::TooManyChildren));
}

#[test]
fn a_playlist_is_told_by_its_path() {
    for path in ["/a.m3u8", "/A.M3U8", "/a.m3u8?x=y", "/.m3u8", "/a.m3u", "/a.M3U?x"] {
        assert!(is_playlist(path), "{path}");
    }
    for path in ["/a.m3u9", "/a.ts?x=.m3u8", "/m3u8", "/a.m3u8/b", "", "/中m3u8"] {
        assert!(!is_playlist(path), "{path}");
    }
}

#[test]
fn a_manifest_is_told_by_its_path_or_else_by_its_media_type() {
    let (hls, dash) = (Some(Manifest::Hls), Some(Manifest::Dash));
    for (path, media_type, told) in [
        ("/a.m3u8", None, hls),
        ("/a.m3u8", Some("text/html"), hls),
        ("/a", Some("application/vnd.apple.mpegurl"), hls),
        ("/a?b=c.ts", Some("Application/VND.apple.mpegURL ; charset=utf-8"), hls),
        ("/a.php", Some("audio/mpegurl"), hls),
        ("/a", Some("application/x-mpegURL"), hls),
        ("/a.mpd", Some("text/xml"), dash),
        ("/a.MPD?x", None, dash),
        ("/a", Some("application/dash+xml"), dash),
        ("/a", Some("text/plain"), None),
        ("/a", Some(""), None),
        ("/a.ts", None, None),
    ] {
        assert_eq!(manifest(path, media_type), told, "{path} {media_type:?}");
    }
}

#[test]
fn what_is_named_and_not_followed_is_counted_by_kind_and_url() {
    let master = b"#EXTM3U
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"https://keys.example.com/k\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English, \",URI=\"audio/en.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"in the variant\"
#EXT-X-MEDIA: TYPE=SUBTITLES, NAME=\"a=b\" , URI = \"subs/en.m3u8\"
#EXT-X-MEDIA:TYPE=VIDEO,URI=\"angle.m3u8\"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,INSTREAM-ID=\"CC1\"
#EXT-X-STREAM-INF:BANDWIDTH=1
low/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"low/iframe.m3u8\"
#EXT-X-SESSION-DATA:DATA-ID=\"x\",URI=\"data.json\"
";
    let once = |kind| (kind, 1);
    let kinds = [
        Kind::AudioRendition,
        Kind::VideoRendition,
        Kind::SubtitleRendition,
        Kind::IFramePlaylist,
        Kind::Key,
        Kind::Other,
    ];
    assert_eq!(not_followed(master), kinds.map(once));
    let media = b"#EXTM3U
#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"100@0\"
#EXT-X-KEY:METHOD=AES-128,URI=\"k\"
#EXTINF:4,
#EXT-X-BYTERANGE:10@100
all.mp4
#EXTINF:4,
#EXT-X-BYTERANGE:10
all.mp4#t
#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"100@0\"
#EXTINF:4,
data:video/mp4;base64,AA
#EXTINF:4,
2.ts
#EXT-X-PART:DURATION=1,URI=\"3.1.ts\"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"3.2.ts\"
#EXT-X-RENDITION-REPORT:URI=\"../x.m3u8\"
#EXT-X-GAP
lost.m4s
ftp://a.example/3.ts
\xFF\xFE.ts
";
    let told = read(BASE, media).unwrap();
    let counts: Vec<_> = told.not_followed.counts.into_iter().collect();
    assert_eq!(
        counts,
        [
            once(Kind::MediaSegment),
            once(Kind::PartialSegment),
            once(Kind::InitializationSection),
            once(Kind::Key),
            (Kind::Unusable, 2),
        ]
    );
    assert_eq!(told.children.len(), 1);
    assert_eq!(told.not_followed.first[0], "https://v.example.com/show/1/all.mp4");
    assert!(not_followed(b"#EXTM3U\n#EXTINF:1,\na.ts\n").is_empty());
}

#[test]
fn attributes_are_found_in_lists_as_they_are_written() {
    for (list, value) in [
        (&b"URI=\"a\""[..], Some(&b"a"[..])),
        (b"A=\"x,URI=no\",URI=\"a,b\"", Some(b"a,b")),
        (b" A=1 , URI = \"a\" ", Some(b"a")),
        (b"URI=a,B=2", Some(b"a")),
        (b"A=1,URI=a", Some(b"a")),
        (b"A=\"\",URI=\"a\"", Some(b"a")),
        (b"A=\"x=y,z\" , URI=\"\"", Some(b"")),
        (b"URI=\"open", Some(b"open")),
        (b"XURI=\"a\"", None),
        (b"A,URI", None),
        (b"", None),
    ] {
        assert_eq!(attribute(list, b"URI"), value, "{}", list.escape_ascii());
    }
}

proptest! {
    #[test]
    fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(BASE, &content);
        let _ = attribute(&content, b"URI");
    }

    #[test]
    fn lines_of_a_playlist_never_make_it_panic_and_name_only_http(lines in proptest::collection::vec(
        prop_oneof![
            Just("#EXTM3U".to_owned()), Just("#EXT-X-GAP".to_owned()),
            Just("#EXT-X-STREAM-INF:BANDWIDTH=1".to_owned()), Just("#EXTINF:1,".to_owned()),
            "#EXT-X-[A-Z-]{0,8}:.{0,12}", "[a-z/:?#.%\\\\\\[\\]@]{0,20}", "[a-z/]{1,6}\\.(ts|m3u8)", ".{0,20}",
        ], 0..20), end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]) {
        for child in read(BASE, lines.join(end).as_bytes()).unwrap_or_default().children {
            prop_assert!(child.url.starts_with("http://") || child.url.starts_with("https://"));
        }
    }
}

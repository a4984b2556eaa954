//! Media: what a playlist names that is to be prefetched with it.
//!
//! The vendor's way: the Media Playlists of a Master Playlist and, of a Media Playlist, the Media
//! Segments whose path ends in `.ts`. Everything else that is named (other segments, initialization
//! sections, keys, renditions, I-frame playlists) is counted by kind and not followed; segments
//! marked as a gap do not exist and are left out. References are resolved as RFC 3986 section 5
//! says, against the URL of the playlist. The node that holds the playlist calls this; who may fetch
//! the children is decided by the engine.
//!
//! More lenient than RFC 8216: a byte order mark, a missing `#EXTM3U`, lines that are not UTF-8
//! (counted) and playlists named by a plain line are taken. Loops are not looked for: a task has
//! each URL once.

mod not_followed;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use quick_m3u8::{HlsLine, Reader, config::ParsingOptionsBuilder};
use serde::{Deserialize, Serialize};
use url::Url;

pub use not_followed::{Kind, NotFollowed};

use crate::outcome::{Block, Outcome, PlaylistFault};

/// Children that one playlist may name.
pub const MAX_CHILDREN: usize = 100_000;

/// Bytes of the URLs of all children of one playlist: each has the playlist's own URL before it.
pub const MAX_CHILD_BYTES: usize = 64 << 20;

/// Longest playlist that is read, in bytes.
pub const MAX_BYTES: usize = 32 << 20;

/// Why a playlist cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither `#EXTM3U` nor any other tag of a playlist in it.
    #[error("the content is not an HLS playlist")]
    NotAPlaylist,
    /// Longer than [`MAX_BYTES`].
    #[error("the playlist is {0} bytes long: the limit is {MAX_BYTES}")]
    TooLong(usize),
    /// Names more than [`MAX_CHILDREN`], or their URLs take more than [`MAX_CHILD_BYTES`].
    #[error(
        "the playlist names more than {MAX_CHILDREN} children, or more than {} MiB of URLs",
        MAX_CHILD_BYTES >> 20
    )]
    TooManyChildren,
    /// The playlist's own URL cannot be resolved against.
    #[error("the URL of the playlist is not a URL")]
    Base,
}

impl Error {
    /// What becomes of the target for it.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::NotAPlaylist => Outcome::Playlist(PlaylistFault::NotAPlaylist),
            Self::TooLong(_) => Outcome::Playlist(PlaylistFault::TooLong),
            Self::TooManyChildren => Outcome::Blocked(Block::TooManyChildren),
            Self::Base => Outcome::Playlist(PlaylistFault::Unreadable),
        }
    }
}

/// The kinds of targets that name others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// An HLS playlist.
    Hls,
    /// A DASH manifest.
    Dash,
}

/// What a target is by its path or, where that says nothing, by the media type of the response
/// (RFC 8216 section 4, ISO/IEC 23009-1 annex C).
pub fn manifest(path_and_query: &str, content_type: Option<&str>) -> Option<Manifest> {
    if is_playlist(path_and_query) {
        return Some(Manifest::Hls);
    }
    if has_suffix(path_and_query, ".mpd") {
        return Some(Manifest::Dash);
    }
    let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/vnd.apple.mpegurl"
        | "audio/mpegurl"
        // not registered, and in wide use
        | "application/mpegurl"
        | "application/x-mpegurl"
        | "audio/x-mpegurl" => Some(Manifest::Hls),
        "application/dash+xml" => Some(Manifest::Dash),
        _ => None,
    }
}

/// Whether `path_and_query` names a playlist: its path ends in `.m3u8` or `.m3u`.
pub fn is_playlist(path_and_query: &str) -> bool {
    has_suffix(path_and_query, ".m3u8") || has_suffix(path_and_query, ".m3u")
}

/// A target found in a playlist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Child {
    /// Absolute URL.
    pub url: String,
    /// Whether it is itself a playlist to be followed.
    pub is_playlist: bool,
}

/// What a manifest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// What is followed: absolute URLs in the manifest's order, each once.
    pub children: Vec<Child>,
    /// What is not.
    pub not_followed: NotFollowed,
}

/// What the playlist at `playlist_url` names. Playlists are listed however deep they lie, so that one
/// nested too deep can be reported.
///
/// # Errors
/// See [`Error`].
pub fn read(playlist_url: &str, content: &[u8]) -> Result<References, Error> {
    read_within(MAX_CHILD_BYTES, playlist_url, content)
}

/// [`read`], where the URLs of children may take `most` bytes.
fn read_within(most: usize, playlist_url: &str, content: &[u8]) -> Result<References, Error> {
    if content.len() > MAX_BYTES {
        return Err(Error::TooLong(content.len()));
    }
    let base = Url::parse(playlist_url).map_err(|_| Error::Base)?;
    // RFC 8216 section 4.1 forbids it, and editors write it
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    // tags are recognised by name alone: one with a wrong value is still what it is
    let mut reader = Reader::from_bytes(content, ParsingOptionsBuilder::new().build());
    let mut scan = Scan { bytes_left: most, ..Scan::default() };
    loop {
        match reader.read_line() {
            Ok(None) => break,
            Ok(Some(HlsLine::UnknownTag(tag))) => {
                let value = tag.value().map_or(&[][..], |value| value.0);
                scan.tag(&base, tag.name().trim_end(), value);
            }
            Ok(Some(HlsLine::Uri(reference))) => scan.reference(&base, reference.trim())?,
            Ok(Some(_)) => {}
            // one line that is not UTF-8 is no reason to drop the others; its text is not shown
            Err(_) => scan.skip(Kind::Unusable, ""),
        }
    }
    if scan.is_playlist { Ok(scan.references) } else { Err(Error::NotAPlaylist) }
}

/// The DASH manifest at `url`, counted: nothing of what it names is followed.
pub fn dash(url: &str) -> References {
    let mut references = References::default();
    references.not_followed.record(Kind::DashManifest, url);
    references
}

#[derive(Default)]
struct Scan {
    is_playlist: bool,
    /// The next URI line is a Variant Stream.
    is_variant: bool,
    /// The next URI line is a segment that does not exist.
    is_gap: bool,
    references: References,
    /// That the URLs of further children may take.
    bytes_left: usize,
    /// Hashes of what is followed, and of each kind that is not.
    seen: HashSet<u64>,
}

impl Scan {
    /// `name` comes without `#EXT`.
    fn tag(&mut self, base: &Url, name: &str, value: &[u8]) {
        // `#EXTM3U` alone is not asked for: origins leave it out, and an error page has none of
        // these
        self.is_playlist |= name == "M3U" || name == "INF" || name.starts_with("-X-");
        let kind = match name {
            "-X-STREAM-INF" => {
                self.is_variant = true;
                return;
            }
            "-X-GAP" => {
                self.is_gap = true;
                return;
            }
            // of what will be there later, and of what the Master Playlist names
            "-X-PRELOAD-HINT" | "-X-RENDITION-REPORT" => return,
            "-X-MAP" => Kind::InitializationSection,
            "-X-KEY" | "-X-SESSION-KEY" => Kind::Key,
            "-X-PART" => Kind::PartialSegment,
            "-X-I-FRAME-STREAM-INF" => Kind::IFramePlaylist,
            "-X-MEDIA" => match attribute(value, b"TYPE") {
                Some(b"AUDIO") => Kind::AudioRendition,
                Some(b"VIDEO") => Kind::VideoRendition,
                _ => Kind::SubtitleRendition,
            },
            name if name.starts_with("-X-") => Kind::Other,
            _ => return,
        };
        let Some(reference) = attribute(value, b"URI") else { return };
        // what a key system or the playlist itself holds is not fetched by HTTP
        let url = str::from_utf8(reference).ok().and_then(|text| base.join(text.trim()).ok());
        if let Some(url) = url.filter(is_http) {
            self.skip(kind, &without_fragment(url));
        }
    }

    fn reference(&mut self, base: &Url, reference: &str) -> Result<(), Error> {
        // taken with the line that they speak of, also when that names nothing
        let is_variant = std::mem::take(&mut self.is_variant);
        if std::mem::take(&mut self.is_gap) || reference.is_empty() {
            return Ok(());
        }
        let url = match base.join(reference) {
            Ok(url) if is_http(&url) => url,
            // the content itself
            Ok(url) if url.scheme() == "data" => return Ok(()),
            _ => {
                self.skip(Kind::Unusable, reference);
                return Ok(());
            }
        };
        let is_playlist = is_variant || is_playlist(url.path());
        let is_wanted = is_playlist || has_suffix(url.path(), ".ts");
        let url = without_fragment(url);
        if !is_wanted {
            self.skip(Kind::MediaSegment, &url);
            return Ok(());
        }
        if !self.is_new(None, &url) {
            return Ok(());
        }
        // bytes too: the playlist's own URL before each reference makes a short list a long one
        let left = self.bytes_left.checked_sub(url.len());
        let may_come = |_: &usize| self.references.children.len() < MAX_CHILDREN;
        self.bytes_left = left.filter(may_come).ok_or(Error::TooManyChildren)?;
        self.references.children.push(Child { url, is_playlist });
        Ok(())
    }

    /// Counts each URL once, as far as memory is bounded.
    fn skip(&mut self, kind: Kind, url: &str) {
        let is_known = kind != Kind::Unusable
            // once for what is followed and once for what is not; beyond that a URL may be counted
            // twice
            && self.seen.len() < 2 * MAX_CHILDREN
            && !self.is_new(Some(kind), url);
        if !is_known {
            self.references.not_followed.record(kind, url);
        }
    }

    /// By hash, to hold each URL in memory once. Two that collide cost one child of 2^64.
    fn is_new(&mut self, kind: Option<Kind>, url: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (kind, url).hash(&mut hasher);
        self.seen.insert(hasher.finish())
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn without_fragment(mut url: Url) -> String {
    url.set_fragment(None);
    url.into()
}

/// The value of an attribute in a list (RFC 8216 section 4.2), without its quotes.
fn attribute<'a>(list: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = list;
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        // what has no value is passed over
        let found = rest[..equals].rsplit(|byte| *byte == b',').next()?.trim_ascii();
        let value = &rest[equals + 1..];
        let (value, after) = match value.trim_ascii_start().strip_prefix(b"\"") {
            Some(quoted) => split(quoted, b'"'),
            None => split(value, b','),
        };
        if found == name {
            return Some(value.trim_ascii());
        }
        // begins with what ended the value, which is passed over with what has no value
        rest = after;
    }
}

fn split(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| *byte == at).unwrap_or(bytes.len()))
}

fn has_suffix(path_and_query: &str, suffix: &str) -> bool {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default().as_bytes();
    path.len() >= suffix.len()
        && path[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

#[cfg(test)]
mod tests;

//! Media: what a playlist names that is to be prefetched with it.
//!
//! The vendor's way (wire.md section 6): the Media Playlists of a Master Playlist and, of a Media
//! Playlist, the Media Segments whose path ends in `.ts`. Initialisation sections, keys, renditions
//! and I-frame playlists are not followed; segments marked as a gap do not exist and are left out.
//! References are resolved as RFC 3986 section 5 says, against the URL of the playlist. The node
//! that holds the playlist calls this; who may fetch the children is decided by the engine.
//!
//! More lenient than RFC 8216: a byte order mark, a missing `#EXTM3U`, lines that are not UTF-8
//! (skipped) and playlists named by a plain line are taken. Loops are not looked for: a task has
//! each URL once.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use quick_m3u8::{HlsLine, Reader, config::ParsingOptionsBuilder};
use url::Url;

use crate::job::Child;

/// Children that one playlist may name.
pub const MAX_CHILDREN: usize = 100_000;

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
    /// Names more than [`MAX_CHILDREN`].
    #[error("the playlist names more than {MAX_CHILDREN} children")]
    TooManyChildren,
    /// The playlist's own URL cannot be resolved against.
    #[error("the URL of the playlist is not a URL")]
    Base,
}

/// Whether `path_and_query` names a playlist: its path ends in `.m3u8`.
pub fn is_playlist(path_and_query: &str) -> bool {
    has_suffix(path_and_query, ".m3u8")
}

/// The absolute URLs that the playlist at `playlist_url` names, in its order, each once.
///
/// `levels_left` counts this playlist: with 0 it is not looked into. Playlists are named whatever
/// the level, so that one nested too deep can be told.
///
/// # Errors
/// See [`Error`].
pub fn children(playlist_url: &str, content: &[u8], levels_left: u8) -> Result<Vec<Child>, Error> {
    if levels_left == 0 {
        return Ok(Vec::new());
    }
    if content.len() > MAX_BYTES {
        return Err(Error::TooLong(content.len()));
    }
    let base = Url::parse(playlist_url).map_err(|_| Error::Base)?;
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    // tags are told by name alone: one with a wrong value still says what it is
    let mut reader = Reader::from_bytes(content, ParsingOptionsBuilder::new().build());
    let mut found = Found::default();
    loop {
        match reader.read_line() {
            Ok(None) => break,
            Ok(Some(HlsLine::UnknownTag(tag))) => found.tag(tag.name()),
            Ok(Some(HlsLine::Uri(reference))) => found.reference(&base, reference.trim())?,
            Ok(Some(_)) | Err(_) => {}
        }
    }
    if found.is_playlist { Ok(found.children) } else { Err(Error::NotAPlaylist) }
}

#[derive(Default)]
struct Found {
    is_playlist: bool,
    /// The next URI line is a Variant Stream.
    is_variant: bool,
    /// The next URI line is a segment that does not exist.
    is_gap: bool,
    children: Vec<Child>,
    seen: HashSet<u64>,
}

impl Found {
    fn tag(&mut self, name: &str) {
        // names come without `#EXT`
        match name.trim_end() {
            "-X-STREAM-INF" => self.is_variant = true,
            "-X-GAP" => self.is_gap = true,
            _ => {}
        }
        self.is_playlist |= name.trim_end() == "M3U" || name == "INF" || name.starts_with("-X-");
    }

    fn reference(&mut self, base: &Url, reference: &str) -> Result<(), Error> {
        let is_variant = std::mem::take(&mut self.is_variant);
        if std::mem::take(&mut self.is_gap) || reference.is_empty() {
            return Ok(());
        }
        let Ok(mut url) = base.join(reference) else { return Ok(()) };
        url.set_fragment(None);
        let is_playlist = is_variant || is_playlist(url.path());
        let is_wanted = is_playlist || has_suffix(url.path(), ".ts");
        if !is_wanted || !matches!(url.scheme(), "http" | "https") || !self.is_new(&url) {
            return Ok(());
        }
        if self.children.len() == MAX_CHILDREN {
            return Err(Error::TooManyChildren);
        }
        self.children.push(Child { url: url.into(), is_playlist });
        Ok(())
    }

    /// By hash, to hold each URL in memory once. Two that collide cost one child of 2^64.
    fn is_new(&mut self, url: &Url) -> bool {
        let mut hasher = DefaultHasher::new();
        url.as_str().hash(&mut hasher);
        self.seen.insert(hasher.finish())
    }
}

fn has_suffix(path_and_query: &str, suffix: &str) -> bool {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default().as_bytes();
    path.len() >= suffix.len()
        && path[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

#[cfg(test)]
mod tests;

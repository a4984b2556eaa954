//! Purges: what is to leave the caches, and the messages by which it does.
//!
//! An order names a node's part of a purge. Orders of one node are numbered upwards and carried out
//! in that order; a node that has carried one out remembers its number, so that a repeated order
//! changes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    host,
    target::{Error, Target},
};

/// What a purge does to the stored responses that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// They are gone.
    #[default]
    Delete,
    /// They are stale: they may be used again only after their origin has confirmed them.
    Invalidate,
}

impl Method {
    /// The word stored in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Invalidate => "invalidate",
        }
    }
}

/// What the targets of a purge name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Single URLs.
    Url,
    /// Everything below a path; `/` is the whole host.
    Path,
    /// What a host's origin has marked with a tag.
    Tag,
}

impl Scope {
    /// The word stored in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Path => "path",
            Self::Tag => "tag",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One node's part of a purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeOrder {
    /// Its number: grows from order to order of one node.
    pub number: u64,
    /// What the targets name.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Normalised URLs; for [`Scope::Path`] they end in `/` or are written by [`root`], and for
    /// [`Scope::Tag`] they are written by [`tagged`].
    pub targets: Vec<String>,
}

/// A tag of a host, as an order names it: what no URL looks like. A text that this has written
/// stays as it is, whatever the host.
pub fn tagged(host: &str, tag: &str) -> String {
    if split_tagged(tag).is_some() { tag.into() } else { format!("{host} {tag}") }
}

/// The host and the tag that [`tagged`] wrote.
pub fn split_tagged(text: &str) -> Option<(&str, &str)> {
    text.split_once(' ')
}

/// The directory that is all content of the domain `name`, also of a wildcard.
pub fn root(name: &str) -> String {
    format!("http://{name}/")
}

/// The wildcard whose [`root`] `url` is.
pub fn wildcard_of_root(url: &str) -> Option<&str> {
    let name = url.strip_prefix("http://")?.strip_suffix('/')?;
    (host::is_wildcard(name) && host::is_domain_name(name)).then_some(name)
}

/// Whether `url`, a host and a path, begins with `prefix`, which may have a wildcard for its host.
pub fn is_below(prefix: &str, url: &str) -> bool {
    let split = |text| {
        let end = str::find(text, '/').unwrap_or(text.len());
        text.split_at(end)
    };
    let ((name, start), (host, path)) = (split(prefix), split(url));
    url.starts_with(prefix) || (host::covers(name, host) && path.starts_with(start))
}

/// Whether `text` can be a tag: printable ASCII without spaces and commas, 1 to 128 characters.
pub fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// Why a text does not name a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not a URL.
    #[error(transparent)]
    Target(#[from] Error),
    /// It has a query.
    #[error("has a query; name a directory")]
    Query,
}

/// Reads a directory: a URL whose path ends in `/`, which is added where it is missing.
///
/// # Errors
/// The first rule that is broken.
pub fn directory(text: &str, encode: bool) -> Result<Target, PathError> {
    let mut target = Target::parse(text, encode)?;
    if target.path_and_query.contains('?') {
        return Err(PathError::Query);
    }
    if !target.url.ends_with('/') {
        target.url.push('/');
    }
    if !target.path_and_query.ends_with('/') {
        target.path_and_query.push('/');
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_ends_with_a_slash() {
        for (given, url) in [
            ("http://a.example", "http://a.example/"),
            ("http://a.example/b", "http://a.example/b/"),
            ("http://a.example/b/", "http://a.example/b/"),
        ] {
            let found = directory(given, false).unwrap();
            assert_eq!(found.url, url);
            assert_eq!(found.path_and_query, url["http://a.example".len()..]);
        }
        assert_eq!(directory("http://a.example/b?c", false), Err(PathError::Query));
    }

    #[test]
    fn a_tag_is_one_word_and_comes_back_with_its_host() {
        for text in ["a", "A-1:b/c", &"x".repeat(128)] {
            assert!(is_tag(text), "{text}");
            assert_eq!(split_tagged(&tagged("a.example", text)), Some(("a.example", text)));
        }
        for text in ["", "a b", "a,b", "\u{e9}", "\n", &"x".repeat(129)] {
            assert!(!is_tag(text), "{text}");
        }
    }

    #[test]
    fn the_root_of_a_wildcard_is_no_url_and_holds_what_lies_below_it() {
        assert_eq!(wildcard_of_root(&root("*.a.example")), Some("*.a.example"));
        assert!(directory(&root("*.a.example"), true).is_err());
        for url in [&root("a.example"), "http://*.a.example/x/", "http://*/", "*.a.example"] {
            assert_eq!(wildcard_of_root(url), None, "{url}");
        }
        for (prefix, url, is) in [
            ("a.example/x/", "a.example/x/1", true),
            ("a.example/x/", "a.example/y", false),
            ("a.example/", "x.a.example/", false),
            ("*.a.example/", "x.a.example/1", true),
            ("*.a.example/", "y.x.a.example/", true),
            ("*.a.example/", "a.example/1", false),
            ("*.a.example/", "b.example/x.a.example/", false),
        ] {
            assert_eq!(is_below(prefix, url), is, "{prefix} {url}");
        }
        let tagged_below = tagged("x.a.example", "news");
        assert_eq!(tagged("*.a.example", &tagged_below), tagged_below);
    }

    #[test]
    fn a_directory_ends_in_a_slash_and_has_no_query() {
        assert_eq!(directory("http://a.example/x", false).unwrap().url, "http://a.example/x/");
        assert_eq!(directory("http://A.example", false).unwrap().url, "http://a.example/");
        assert_eq!(directory("http://a.example/x?y", false), Err(PathError::Query));
        assert!(directory("a.example/", false).is_err());
    }
}

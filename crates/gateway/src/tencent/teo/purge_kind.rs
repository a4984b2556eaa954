//! The kinds of purges in this API's words, and what they are to the engine.

use stoker_domain::{
    purge::{Method, Scope, split_tagged},
    quota::Product,
};

/// The value of `Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Url,
    Prefix,
    Host,
    All,
    CacheTag,
}

/// `Type` on the wire.
pub(super) const KINDS: [(&str, Kind); 5] = [
    ("purge_url", Kind::Url),
    ("purge_prefix", Kind::Prefix),
    ("purge_host", Kind::Host),
    ("purge_all", Kind::All),
    ("purge_cache_tag", Kind::CacheTag),
];

/// What a caller reads who gives another one.
pub(super) const EXPECTED: &str =
    "`purge_url`, `purge_prefix`, `purge_host`, `purge_all`, `purge_cache_tag`";

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Url => "purge_url",
            Self::Prefix => "purge_prefix",
            Self::Host => "purge_host",
            Self::All => "purge_all",
            Self::CacheTag => "purge_cache_tag",
        }
    }

    /// Whose quota it charges.
    pub(super) const fn product(self) -> Product {
        match self {
            Self::Url => Product::ZonePurgeUrl,
            Self::Prefix => Product::ZonePurgePrefix,
            Self::Host => Product::ZonePurgeHost,
            Self::All => Product::ZonePurgeAll,
            Self::CacheTag => Product::ZonePurgeTag,
        }
    }

    /// A host, and all hosts of a zone, are the directory `/` of each.
    pub(super) const fn scope(self) -> Scope {
        match self {
            Self::Url => Scope::Url,
            Self::Prefix | Self::Host | Self::All => Scope::Path,
            Self::CacheTag => Scope::Tag,
        }
    }

    /// A URL goes, whatever is asked: the method is for the others.
    pub(super) const fn method(self, asked: Method) -> Method {
        match self {
            Self::Url => Method::Delete,
            Self::Prefix | Self::Host | Self::All | Self::CacheTag => asked,
        }
    }

    /// What a target is shown as that the engine knows as `url`: a host without anything, and a tag
    /// without the host that it may carry.
    pub(super) fn shown(self, url: &str) -> &str {
        match self {
            Self::Host | Self::All => url.trim_start_matches("http://").trim_end_matches('/'),
            Self::CacheTag => split_tagged(url).map_or(url, |(_, tag)| tag),
            Self::Url | Self::Prefix => url,
        }
    }

    /// What a purge is shown as that charged `product`, whichever API it came through.
    pub(super) const fn of(product: Product) -> Self {
        match product {
            Product::DomainPurgePath | Product::ZonePurgePrefix => Self::Prefix,
            Product::ZonePurgeHost => Self::Host,
            Product::ZonePurgeAll => Self::All,
            Product::ZonePurgeTag => Self::CacheTag,
            Product::DomainPurgeUrl
            | Product::ZonePurgeUrl
            | Product::DomainPrefetch
            | Product::ZonePrefetch
            | Product::ZoneEdgePrefetch => Self::Url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_word_and_its_counter() {
        for (word, kind) in KINDS {
            assert_eq!(kind.name(), word);
            assert_eq!(Kind::of(kind.product()), kind);
            assert!(EXPECTED.contains(&format!("`{word}`")));
        }
    }

    #[test]
    fn the_method_is_for_all_but_urls() {
        for (_, kind) in KINDS {
            let is_kept = kind.method(Method::Invalidate) == Method::Invalidate;
            assert_eq!(is_kept, kind != Kind::Url);
            assert_eq!(kind.method(Method::Delete), Method::Delete);
        }
    }
}

//! Purge rules: which stored responses are gone, or must be validated, although their records stand.
//!
//! A rule names a prefix of stored URLs and the generation at which it was made. It concerns every
//! generation below: those that are stored, and those that are still being written, for a fill
//! takes its generation before it asks upstream. So a rule needs no clock, and no fill that began
//! before it brings back what it removed. Rules are tested at each lookup and before each write;
//! eviction applies them to what it carries.
//!
//! A rule whose host is a wildcard, `*.example.com`, concerns every host below it.
//!
//! A rule for a tag names a host and a word that the origin has put into the response's `Cache-Tag`.
//! Which responses those are is read from their heads, and only where the host has such a rule.
//!
//! Every rule is also a record. When the oldest segment goes, so do the rules in it, unless they are
//! less than a day older than the newest record there: a slow fill may have written after them.

use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderValue;
use stoker_domain::{http::StoredResponse, purge::Method};

/// A rule younger than this is carried forward by eviction: no fill takes longer.
pub(super) const YOUNG_S: u32 = 24 * 3600;

/// Where an origin names the tags of a response.
const CACHE_TAG: &str = "cache-tag";

/// What the rules say of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    Stale,
    Gone,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Of URLs as the store knows them: host and path, without scheme. For a tag, as `tagged` writes
    /// it: the host, a space and the tag.
    pub prefix: Bytes,
    pub method: Method,
    /// It concerns the generations below.
    pub generation: u64,
}

/// Rules by the host that they name; those of a wildcard by what follows its star.
type Table = HashMap<Bytes, Vec<Rule>>;

/// All rules, and how far purge orders have been carried out. Readers take no lock.
#[derive(Debug, Default)]
pub(super) struct Rules {
    table: ArcSwap<Table>,
    order: AtomicU64,
}

impl Rule {
    /// How the method stands in a record: its head.
    pub(super) fn head(method: Method) -> Bytes {
        Bytes::from_static(match method {
            Method::Delete => b"delete",
            Method::Invalidate => b"invalidate",
        })
    }

    /// The rule that a record with this URL and head is; what is not known deletes.
    pub(super) fn of_record(prefix: Bytes, head: &[u8], generation: u64) -> Self {
        let method = if head == b"invalidate" { Method::Invalidate } else { Method::Delete };
        Self { prefix, method, generation }
    }

    /// Whether it names the response at `path`, of a host that it concerns.
    fn names(&self, path: &[u8], tags: &mut Tags<'_>) -> bool {
        match &self.prefix[host(&self.prefix).len()..] {
            [b' ', tag @ ..] => tags.contains(tag),
            start => path.starts_with(start),
        }
    }
}

/// The tags of a response, read from its head when they are first asked for.
struct Tags<'a> {
    head: &'a Bytes,
    read: Option<Vec<HeaderValue>>,
}

impl Tags<'_> {
    fn contains(&mut self, tag: &[u8]) -> bool {
        let read = || {
            let response = StoredResponse::decode(self.head)?;
            Some(response.fields.get_all(CACHE_TAG).into_iter().cloned().collect())
        };
        let values = self.read.get_or_insert_with(|| read().unwrap_or_default());
        let mut words =
            values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        words.any(|word| word.trim_ascii() == tag)
    }
}

impl Rules {
    /// What is to be done with `url`, of `generation`, last confirmed upstream at `validated`.
    pub(super) fn verdict(
        &self,
        (url, head): (&[u8], &Bytes),
        generation: u64,
        validated: u64,
    ) -> Verdict {
        let table = self.table.load();
        if table.is_empty() {
            return Verdict::Kept;
        }
        let mut verdict = Verdict::Kept;
        let host = host(url);
        let mut tags = Tags { head, read: None };
        let path = &url[host.len()..];
        for rule in places(host).filter_map(|place| table.get(place)).flatten() {
            if rule.generation <= generation || !rule.names(path, &mut tags) {
                continue;
            }
            match rule.method {
                Method::Delete => return Verdict::Gone,
                Method::Invalidate if rule.generation > validated => verdict = Verdict::Stale,
                Method::Invalidate => {}
            }
        }
        verdict
    }

    /// Whether `url` of `generation` is gone.
    pub(super) fn is_gone(&self, response: (&[u8], &Bytes), generation: u64) -> bool {
        self.verdict(response, generation, u64::MAX) == Verdict::Gone
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.load().values().map(Vec::len).sum()
    }

    pub(super) fn insert(&self, rule: Rule) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            let host = host(&rule.prefix);
            let place = host.strip_prefix(b"*").unwrap_or(host);
            let rules = table.entry(Bytes::copy_from_slice(place)).or_default();
            if !rules.contains(&rule) {
                rules.push(rule.clone());
            }
            Arc::new(table)
        });
    }

    /// Drops the rule that was made at `generation`.
    pub(super) fn remove(&self, generation: u64) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.retain(|_, rules| {
                rules.retain(|rule| rule.generation != generation);
                !rules.is_empty()
            });
            Arc::new(table)
        });
    }

    /// The highest number of a purge order that was carried out; 0 = none.
    pub(super) fn order(&self) -> u64 {
        self.order.load(Ordering::Acquire)
    }

    pub(super) fn reach(&self, order: u64) {
        self.order.fetch_max(order, Ordering::AcqRel);
    }
}

/// The host that a stored URL, or the name of a tag, begins with.
fn host(url: &[u8]) -> &[u8] {
    let end = url.iter().position(|byte| matches!(byte, b'/' | b' ')).unwrap_or(url.len());
    &url[..end]
}

/// Where the rules stand that concern `host`: its own, and those of the wildcards over it.
fn places(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let points = (1..host.len()).filter(|at| host[*at] == b'.');
    std::iter::once(host).chain(points.map(|at| &host[at..]))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use stoker_domain::time::Timestamp;

    use super::*;

    fn rule(prefix: &'static str, method: Method, generation: u64) -> Rule {
        Rule { prefix: Bytes::from_static(prefix.as_bytes()), method, generation }
    }

    #[test]
    fn a_rule_concerns_what_is_below_its_path_and_older_than_itself() {
        let rules = Rules::default();
        rules.insert(rule("a.example/x/", Method::Delete, 10));
        let none = Bytes::new();
        let verdict =
            |url: &str, generation| rules.verdict((url.as_bytes(), &none), generation, generation);
        assert_eq!(verdict("a.example/x/1", 9), Verdict::Gone);
        assert_eq!(verdict("a.example/x/", 9), Verdict::Gone);
        assert_eq!(verdict("a.example/x/1", 10), Verdict::Kept);
        assert_eq!(verdict("a.example/x", 9), Verdict::Kept);
        assert_eq!(verdict("a.example/xy/1", 9), Verdict::Kept);
        assert_eq!(verdict("b.a.example/x/1", 9), Verdict::Kept);
        assert_eq!(verdict("a.example.com/x/1", 9), Verdict::Kept);
        rules.remove(10);
        assert_eq!((verdict("a.example/x/1", 9), rules.len()), (Verdict::Kept, 0));
    }

    #[test]
    fn a_rule_of_a_wildcard_concerns_every_host_below_it() {
        let rules = Rules::default();
        rules.insert(rule("*.a.example/", Method::Delete, 10));
        let none = Bytes::new();
        let verdict = |url: &str| rules.verdict((url.as_bytes(), &none), 9, 9);
        for url in ["x.a.example/", "x.a.example/1", "y.x.a.example/1?q"] {
            assert_eq!(verdict(url), Verdict::Gone, "{url}");
        }
        for url in ["a.example/1", "xa.example/1", "x.b.example/1", "x.a.example.org/"] {
            assert_eq!(verdict(url), Verdict::Kept, "{url}");
        }
        assert_eq!(rules.verdict((b"x.a.example/1", &none), 10, 10), Verdict::Kept);
        rules.remove(10);
        assert_eq!((verdict("x.a.example/1"), rules.len()), (Verdict::Kept, 0));
    }

    #[test]
    fn what_was_confirmed_after_an_invalidation_is_not_stale_and_deletion_wins() {
        let rules = Rules::default();
        rules.insert(rule("a.example/", Method::Invalidate, 10));
        let none = Bytes::new();
        let url = (&b"a.example/1"[..], &none);
        assert_eq!(rules.verdict(url, 5, 5), Verdict::Stale);
        assert_eq!(rules.verdict(url, 5, 10), Verdict::Kept);
        assert!(!rules.is_gone(url, 5));
        rules.insert(rule("a.example/1", Method::Delete, 8));
        assert_eq!(rules.verdict(url, 5, 20), Verdict::Gone);
        assert_eq!(rules.verdict(url, 9, 9), Verdict::Stale);
    }

    #[test]
    fn a_rule_for_a_tag_concerns_the_tagged_responses_of_its_host() {
        let rules = Rules::default();
        rules.insert(rule("a.example news", Method::Delete, 10));
        let verdict = |url: &str, tags: &[&str], generation| {
            let mut fields = HeaderMap::new();
            for tag in tags {
                fields.append(CACHE_TAG, HeaderValue::from_str(tag).unwrap());
            }
            let response = StoredResponse {
                status: StatusCode::OK,
                fields,
                size: 0,
                vary: Vec::new(),
                response_time: Timestamp::from_seconds(0),
                corrected_initial_age_ms: 0,
                lifetime_ms: 0,
            };
            rules.verdict((url.as_bytes(), &response.encode().into()), generation, generation)
        };
        for tags in [&["news"][..], &["x, news ,y"], &["x", "y,news"]] {
            assert_eq!(verdict("a.example/1", tags, 9), Verdict::Gone, "{tags:?}");
        }
        for tags in [&[][..], &["new"], &["news2"], &["old news"], &["News"]] {
            assert_eq!(verdict("a.example/1", tags, 9), Verdict::Kept, "{tags:?}");
        }
        assert_eq!(verdict("a.example/1", &["news"], 10), Verdict::Kept);
        assert_eq!(verdict("b.example/1", &["news"], 9), Verdict::Kept);
        assert_eq!(rules.verdict((b"a.example/1", &Bytes::from_static(b"?")), 9, 9), Verdict::Kept);
    }

    #[test]
    fn the_number_of_an_order_never_falls() {
        let rules = Rules::default();
        rules.reach(7);
        rules.reach(3);
        assert_eq!(rules.order(), 7);
    }
}

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
//!
//! Rules are bounded. Beyond the bound the oldest are merged into one that removes more, never less:
//! those of one host into one for all of the host, in the end those of many hosts into one for all
//! that is stored. Such a rule has the generation of the newest in it and ends with that one: the
//! records that any of them concerns stand before it. It is never a record itself; a restart merges
//! anew.

use std::{
    collections::HashMap,
    iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use stoker_domain::purge::Method;

use super::head::Head;

/// A rule younger than this is carried forward by eviction: no fill takes longer.
pub(super) const YOUNG_S: u32 = 24 * 3600;

/// Where an origin names the tags of a response.
const CACHE_TAG: &str = "cache-tag";

/// What the rules do to a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It may be used.
    None,
    /// It must be validated first.
    Invalidated,
    /// It is gone.
    Deleted,
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

/// What rules may be kept apart.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Of one host: each look-up of that host goes through all of them.
    of_host: usize,
    /// Memory of all, as [`cost`] counts it.
    bytes: usize,
}

const BOUNDS: Bounds = Bounds { of_host: 1000, bytes: 8 << 20 };

/// Memory of a rule beside its prefix.
const RULE: usize = 128;

/// All rules.
#[derive(Clone, Debug)]
struct Table {
    /// By the host that they name, those of a wildcard by what follows its star, those for all that
    /// is stored under nothing; the oldest first.
    by_place: HashMap<Bytes, Arc<Vec<Rule>>>,
    bytes: usize,
    /// How many were merged into others.
    merged: u64,
    bounds: Bounds,
}

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
    fn names(&self, path: &[u8], head: &Head) -> bool {
        match &self.prefix[host(&self.prefix).len()..] {
            [b' ', tag @ ..] => has_tag(head, tag),
            start => path.starts_with(start),
        }
    }
}

/// Whether the origin gave the response this tag. Decodes the head, which most look-ups need anyway.
fn has_tag(head: &Head, tag: &[u8]) -> bool {
    let Some(response) = head.response() else { return false };
    let values = response.fields.get_all(CACHE_TAG).into_iter();
    let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.any(|word| word.trim_ascii() == tag)
}

impl Rules {
    /// What is to be done with `url`, of `generation`, last confirmed upstream at `validated`.
    pub(super) fn effect(
        &self,
        (url, head): (&[u8], &Head),
        generation: u64,
        validated: u64,
    ) -> Effect {
        let table = self.table.load();
        if table.by_place.is_empty() {
            return Effect::None;
        }
        let mut effect = Effect::None;
        let host = host(url);
        let path = &url[host.len()..];
        let rules = places(host).filter_map(|place| table.by_place.get(place));
        for rule in rules.flat_map(|rules| rules.iter()) {
            // Equal too: a rule has a generation of its own, and what begins after it is newer.
            if rule.generation <= generation || !rule.names(path, head) {
                continue;
            }
            match rule.method {
                Method::Delete => return Effect::Deleted,
                Method::Invalidate if rule.generation > validated => effect = Effect::Invalidated,
                Method::Invalidate => {}
            }
        }
        effect
    }

    /// Whether `url` of `generation` is gone.
    pub(super) fn is_deleted(&self, response: (&[u8], &Head), generation: u64) -> bool {
        // As if it had just been confirmed: that answers every invalidation, and no deletion.
        self.effect(response, generation, u64::MAX) == Effect::Deleted
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.load().by_place.values().map(|rules| rules.len()).sum()
    }

    /// How many were merged into others since the store was opened.
    pub(super) fn merged(&self) -> u64 {
        self.table.load().merged
    }

    pub(super) fn insert(&self, rule: Rule) {
        self.table.rcu(|table| {
            // May run more than once, where two change the table at the same time.
            let mut table = Table::clone(table);
            table.insert(rule.clone());
            table
        });
    }

    /// [`Self::insert`] while nobody reads.
    pub(super) fn restore(&mut self, rule: Rule) {
        // Without a copy: recovery may restore thousands, one by one.
        let mut table = Arc::unwrap_or_clone(self.table.swap(Arc::default()));
        table.insert(rule);
        self.table.store(Arc::new(table));
    }

    /// Drops the rule that was made at `generation`, with all that were merged into it.
    pub(super) fn remove(&self, generation: u64) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.remove(generation);
            table
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

impl Default for Table {
    fn default() -> Self {
        Self { by_place: HashMap::new(), bytes: 0, merged: 0, bounds: BOUNDS }
    }
}

impl Table {
    fn insert(&mut self, rule: Rule) {
        let host = host(&rule.prefix);
        let place = rule.prefix.slice_ref(host.strip_prefix(b"*").unwrap_or(host));
        let mut rules = self.take(&place);
        if !rules.contains(&rule) {
            // Not always last: a purge takes its generation before it inserts, and eviction
            // carries old rules behind newer ones.
            let at = rules.partition_point(|known| known.generation <= rule.generation);
            rules.insert(at, rule);
        }
        if rules.len() > self.bounds.of_host {
            // The older half: least of what is stored is older still, so they remove least.
            let newer = rules.split_off(rules.len() / 2);
            rules = self.merge(&place, &rules);
            rules.extend(newer);
        }
        // not a part of a long prefix
        self.put(Bytes::copy_from_slice(&place), rules);
        if self.bytes > self.bounds.bytes {
            // to some less, so that this is seldom done
            while self.bytes > self.bounds.bytes / 8 * 7 {
                self.shrink();
            }
        }
    }

    fn remove(&mut self, generation: u64) {
        let has = |rules: &Vec<Rule>| {
            rules.binary_search_by_key(&generation, |rule| rule.generation).is_ok()
        };
        let places = self.by_place.iter().filter(|(_, rules)| has(rules));
        let places: Vec<_> = places.map(|(place, _)| place.clone()).collect();
        for place in places {
            let mut rules = self.take(&place);
            rules.retain(|rule| rule.generation != generation);
            self.put(place, rules);
        }
    }

    /// Merges the rules of the host whose rules take most; where that saves nothing, the older half
    /// of all.
    fn shrink(&mut self) {
        let largest = self.by_place.iter().max_by_key(|(_, rules)| cost(rules));
        let Some(place) = largest.map(|(place, _)| place.clone()) else { return };
        let rules = self.take(&place);
        let merged = whole(&place, &rules);
        if cost(&merged) < cost(&rules) {
            let merged = self.merge(&place, &rules);
            self.put(place, merged);
            return;
        }
        self.put(place, rules);
        let all = self.by_place.drain().flat_map(|(_, rules)| Arc::unwrap_or_clone(rules));
        let mut older: Vec<_> = all.collect();
        older.sort_unstable_by_key(|rule| rule.generation);
        let newer = older.split_off(older.len().div_ceil(2));
        // All are taken out; `insert` counts them again.
        self.bytes = 0;
        let merged = self.merge(b"", &older);
        merged.into_iter().chain(newer).for_each(|rule| self.insert(rule));
    }

    /// What does all that `rules` do, for all of `place`.
    fn merge(&mut self, place: &[u8], rules: &[Rule]) -> Vec<Rule> {
        let merged = whole(place, rules);
        self.merged += (rules.len() - merged.len()) as u64;
        merged
    }

    fn take(&mut self, place: &[u8]) -> Vec<Rule> {
        let rules = self.by_place.remove(place).map(Arc::unwrap_or_clone).unwrap_or_default();
        self.bytes -= cost(&rules);
        rules
    }

    fn put(&mut self, place: Bytes, rules: Vec<Rule>) {
        if !rules.is_empty() {
            self.bytes += cost(&rules);
            self.by_place.insert(place, Arc::new(rules));
        }
    }
}

fn cost(rules: &[Rule]) -> usize {
    rules.iter().map(|rule| RULE + rule.prefix.len()).sum()
}

/// One rule for each method in `rules`, which concerns all of `place`; the older first.
fn whole(place: &[u8], rules: &[Rule]) -> Vec<Rule> {
    let (before, after): (&[u8], &[u8]) = match place {
        [] => (b"", b""),
        [b'.', ..] => (b"*", b"/"),
        _ => (b"", b"/"),
    };
    let prefix = Bytes::from([before, place, after].concat());
    let of = |method| {
        let generations = rules.iter().filter(|rule| rule.method == method);
        let generation = generations.map(|rule| rule.generation).max()?;
        Some(Rule { prefix: prefix.clone(), method, generation })
    };
    let mut merged: Vec<_> =
        [Method::Delete, Method::Invalidate].into_iter().filter_map(of).collect();
    merged.sort_unstable_by_key(|rule| rule.generation);
    merged
}

/// The host that a stored URL, or the name of a tag, begins with.
fn host(url: &[u8]) -> &[u8] {
    let end = url.iter().position(|byte| matches!(byte, b'/' | b' ')).unwrap_or(url.len());
    &url[..end]
}

/// Where the rules stand that concern `host`: its own, those of the wildcards over it, and those for
/// all.
fn places(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let points = (1..host.len()).filter(|at| host[*at] == b'.');
    iter::once(host).chain(points.map(|at| &host[at..])).chain([&host[..0]])
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use stoker_domain::{http::StoredResponse, time::Timestamp};

    use super::*;

    fn rule(prefix: &'static str, method: Method, generation: u64) -> Rule {
        Rule { prefix: Bytes::from_static(prefix.as_bytes()), method, generation }
    }

    #[test]
    fn a_rule_concerns_what_is_below_its_path_and_older_than_itself() {
        let rules = Rules::default();
        rules.insert(rule("a.example/x/", Method::Delete, 10));
        let none = Head::new(Bytes::new());
        let effect =
            |url: &str, generation| rules.effect((url.as_bytes(), &none), generation, generation);
        assert_eq!(effect("a.example/x/1", 9), Effect::Deleted);
        assert_eq!(effect("a.example/x/", 9), Effect::Deleted);
        assert_eq!(effect("a.example/x/1", 10), Effect::None);
        assert_eq!(effect("a.example/x", 9), Effect::None);
        assert_eq!(effect("a.example/xy/1", 9), Effect::None);
        assert_eq!(effect("b.a.example/x/1", 9), Effect::None);
        assert_eq!(effect("a.example.com/x/1", 9), Effect::None);
        rules.remove(10);
        assert_eq!((effect("a.example/x/1", 9), rules.len()), (Effect::None, 0));
    }

    #[test]
    fn a_rule_of_a_wildcard_concerns_every_host_below_it() {
        let rules = Rules::default();
        rules.insert(rule("*.a.example/", Method::Delete, 10));
        let none = Head::new(Bytes::new());
        let effect = |url: &str| rules.effect((url.as_bytes(), &none), 9, 9);
        for url in ["x.a.example/", "x.a.example/1", "y.x.a.example/1?q"] {
            assert_eq!(effect(url), Effect::Deleted, "{url}");
        }
        for url in ["a.example/1", "xa.example/1", "x.b.example/1", "x.a.example.org/"] {
            assert_eq!(effect(url), Effect::None, "{url}");
        }
        assert_eq!(rules.effect((b"x.a.example/1", &none), 10, 10), Effect::None);
        rules.remove(10);
        assert_eq!((effect("x.a.example/1"), rules.len()), (Effect::None, 0));
    }

    #[test]
    fn what_was_confirmed_after_an_invalidation_is_not_stale_and_deletion_wins() {
        let rules = Rules::default();
        rules.insert(rule("a.example/", Method::Invalidate, 10));
        let none = Head::new(Bytes::new());
        let url = (&b"a.example/1"[..], &none);
        assert_eq!(rules.effect(url, 5, 5), Effect::Invalidated);
        assert_eq!(rules.effect(url, 5, 10), Effect::None);
        assert!(!rules.is_deleted(url, 5));
        rules.insert(rule("a.example/1", Method::Delete, 8));
        assert_eq!(rules.effect(url, 5, 20), Effect::Deleted);
        assert_eq!(rules.effect(url, 9, 9), Effect::Invalidated);
    }

    #[test]
    fn a_rule_for_a_tag_concerns_the_tagged_responses_of_its_host() {
        let rules = Rules::default();
        rules.insert(rule("a.example news", Method::Delete, 10));
        let effect = |url: &str, tags: &[&str], generation| {
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
            let head = Head::new(response.encode().into());
            rules.effect((url.as_bytes(), &head), generation, generation)
        };
        for tags in [&["news"][..], &["x, news ,y"], &["x", "y,news"]] {
            assert_eq!(effect("a.example/1", tags, 9), Effect::Deleted, "{tags:?}");
        }
        for tags in [&[][..], &["new"], &["news2"], &["old news"], &["News"]] {
            assert_eq!(effect("a.example/1", tags, 9), Effect::None, "{tags:?}");
        }
        assert_eq!(effect("a.example/1", &["news"], 10), Effect::None);
        assert_eq!(effect("b.example/1", &["news"], 9), Effect::None);
        let no_head = Head::new(Bytes::from_static(b"?"));
        assert_eq!(rules.effect((b"a.example/1", &no_head), 9, 9), Effect::None);
    }

    fn none() -> Head {
        Head::new(Bytes::new())
    }

    fn rule_of(prefix: String, method: Method, generation: u64) -> Rule {
        Rule { prefix: prefix.into(), method, generation }
    }

    #[test]
    fn beyond_its_bound_the_older_half_of_a_host_is_one_rule_for_all_of_it() {
        let rules = Rules::default();
        let most = BOUNDS.of_host as u64;
        let effect =
            |url: &str, generation| rules.effect((url.as_bytes(), &none()), generation, generation);
        for n in 1..=most {
            rules.insert(rule_of(format!("a.example/{n}/"), Method::Delete, 10 * n));
        }
        assert_eq!((rules.len() as u64, rules.merged()), (most, 0));
        assert_eq!(effect("a.example/other", 9), Effect::None);
        rules.insert(rule("*.a.example/x/", Method::Delete, 5));
        rules.insert(rule("a.example/last/", Method::Delete, 10 * most + 10));
        let half = most / 2;
        assert_eq!((rules.len() as u64, rules.merged()), (half + 3, half - 1));
        // more than before is gone of what is older,
        assert_eq!(effect("a.example/other", 10 * half - 1), Effect::Deleted);
        assert_eq!(effect("a.example/other", 10 * half), Effect::None);
        assert_eq!(effect("b.example/other", 1), Effect::None);
        assert_eq!(effect("b.a.example/other", 1), Effect::None);
        // and nothing less
        for n in 1..=most {
            assert_eq!(effect(&format!("a.example/{n}/1"), 10 * n - 1), Effect::Deleted, "{n}");
        }
        assert_eq!(effect(&format!("a.example/{most}/1"), 10 * most), Effect::None);
        // it ends with the newest that is in it, not before
        rules.remove(10);
        assert_eq!(effect("a.example/1/1", 9), Effect::Deleted);
        rules.remove(10 * half);
        assert_eq!(effect("a.example/1/1", 9), Effect::None);
    }

    #[test]
    fn the_host_whose_rules_take_most_memory_is_the_first_to_have_them_merged() {
        let rules = Rules::default();
        rules.insert(rule("b.example/x/", Method::Delete, 1));
        let long = "x".repeat(60_000);
        let fitting = BOUNDS.bytes / (long.len() + RULE + 20);
        let mut generation = 1;
        while rules.merged() == 0 {
            generation += 1;
            let (prefix, method) = (format!("a.example/{generation:05}{long}"), Method::Invalidate);
            rules.insert(rule_of(prefix, method, generation));
            assert!(rules.table.load().bytes <= BOUNDS.bytes);
        }
        assert!(generation > fitting as u64, "{generation}");
        assert_eq!(rules.len(), 2);
        let effect = |url: &'static str, at| rules.effect((url.as_bytes(), &none()), at, at);
        assert_eq!(effect("a.example/other", generation - 1), Effect::Invalidated);
        assert_eq!(effect("b.example/other", 0), Effect::None);
        assert_eq!(effect("b.example/x/1", 0), Effect::Deleted);
    }

    #[test]
    fn where_each_of_many_hosts_has_one_rule_the_older_half_is_one_for_all_that_is_stored() {
        let mut rules = Rules::default();
        let mut generation = 1;
        while rules.merged() == 0 {
            generation += 1;
            let prefix = format!("{generation}.example/");
            rules.restore(rule_of(prefix, Method::Delete, generation));
            assert!(rules.table.load().bytes <= BOUNDS.bytes);
        }
        assert!(generation > 50_000, "{generation}");
        let effect = |url: &str, at| rules.effect((url.as_bytes(), &none()), at, at);
        for n in 2..=generation {
            assert_eq!(effect(&format!("{n}.example/1"), n - 1), Effect::Deleted, "{n}");
        }
        assert_eq!(effect("other.example/1", generation / 4), Effect::Deleted);
        assert_eq!(effect("other.example/1", generation / 4 * 3), Effect::None);
    }

    #[test]
    fn merging_never_brings_anything_back() {
        let mut random = StdRng::seed_from_u64(7);
        for round in 0..50 {
            let bounds = Bounds { of_host: random.random_range(5..9), bytes: 4000 };
            let mut bounded = Table { bounds, ..Table::default() };
            let mut all =
                Table { bounds: Bounds { of_host: 1000, bytes: 1 << 20 }, ..Table::default() };
            for generation in 1..200 {
                let host = random.random_range(0..40);
                let place = ["a.example", "x.a.example", "*.a.example", "b.example"];
                let place = place
                    .get(host)
                    .map_or_else(|| format!("{host}.b.example"), |place| (*place).into());
                let end = ["/", "/1", "/1/2", " tag"][random.random_range(0..4)];
                let method = [Method::Delete, Method::Invalidate][random.random_range(0..2)];
                let rule = rule_of(format!("{place}{end}"), method, generation);
                bounded.insert(rule.clone());
                all.insert(rule);
                assert!(bounded.bytes <= bounds.bytes, "{round}");
                assert!(bounded.by_place.values().all(|rules| rules.len() <= bounds.of_host));
            }
            assert!(bounded.merged > 0 && all.merged == 0);
            let rules = |table| Rules { table: ArcSwap::from_pointee(table), order: 0.into() };
            let (bounded, all) = (rules(bounded), rules(all));
            let rank = |effect| match effect {
                Effect::None => 0,
                Effect::Invalidated => 1,
                Effect::Deleted => 2,
            };
            for url in
                ["a.example/1/2/3", "x.a.example/1", "y.a.example/9", "5.b.example/", "b.example/1"]
            {
                for generation in 0..200 {
                    let of = |rules: &Rules| {
                        rank(rules.effect((url.as_bytes(), &none()), generation, generation))
                    };
                    assert!(of(&bounded) >= of(&all), "{round} {url} {generation}");
                }
            }
        }
    }

    #[test]
    fn the_number_of_an_order_never_falls() {
        let rules = Rules::default();
        rules.reach(7);
        rules.reach(3);
        assert_eq!(rules.order(), 7);
    }
}

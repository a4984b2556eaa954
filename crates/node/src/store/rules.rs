//! Purge rules: which stored responses are gone, or must be validated, although their records stand.
//!
//! A rule names a prefix of stored URLs and the generation at which it was made. It concerns every
//! generation below: those that are stored, and those that are still being written, for a fill
//! takes its generation before it asks upstream. So a rule needs no clock, and no fill that began
//! before it brings back what it removed. Rules are tested at each lookup and before each write;
//! eviction applies them to what it carries.
//!
//! Every rule is also a record. When the oldest segment goes, so do the rules in it, unless they are
//! young: by then nothing is on the disk that is older than they are, but a slow fill may be.

use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use stoker_domain::purge::Method;

/// A rule younger than this is carried forward by eviction: no fill takes longer.
pub(super) const YOUNG_S: u32 = 24 * 3600;

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
    /// Of URLs as the store knows them: host and path, without scheme.
    pub prefix: Bytes,
    pub method: Method,
    /// It concerns the generations below.
    pub generation: u64,
}

/// Rules by the host that they name.
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
}

impl Rules {
    /// What is to be done with `url`, of `generation`, last confirmed upstream at `validated`.
    pub(super) fn verdict(&self, url: &[u8], generation: u64, validated: u64) -> Verdict {
        let table = self.table.load();
        if table.is_empty() {
            return Verdict::Kept;
        }
        let mut verdict = Verdict::Kept;
        for rule in table.get(host(url)).into_iter().flatten() {
            if rule.generation <= generation || !url.starts_with(&rule.prefix) {
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
    pub(super) fn is_gone(&self, url: &[u8], generation: u64) -> bool {
        self.verdict(url, generation, u64::MAX) == Verdict::Gone
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.load().values().map(Vec::len).sum()
    }

    pub(super) fn insert(&self, rule: Rule) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            let host = Bytes::copy_from_slice(host(&rule.prefix));
            let rules = table.entry(host).or_default();
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

/// The host that a stored URL begins with.
fn host(url: &[u8]) -> &[u8] {
    let end = url.iter().position(|byte| *byte == b'/').unwrap_or(url.len());
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &'static str, method: Method, generation: u64) -> Rule {
        Rule { prefix: Bytes::from_static(prefix.as_bytes()), method, generation }
    }

    #[test]
    fn a_rule_concerns_what_is_below_its_path_and_older_than_itself() {
        let rules = Rules::default();
        rules.insert(rule("a.example/x/", Method::Delete, 10));
        let verdict = |url: &str, generation| rules.verdict(url.as_bytes(), generation, generation);
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
    fn what_was_confirmed_after_an_invalidation_is_not_stale_and_deletion_wins() {
        let rules = Rules::default();
        rules.insert(rule("a.example/", Method::Invalidate, 10));
        assert_eq!(rules.verdict(b"a.example/1", 5, 5), Verdict::Stale);
        assert_eq!(rules.verdict(b"a.example/1", 5, 10), Verdict::Kept);
        assert!(!rules.is_gone(b"a.example/1", 5));
        rules.insert(rule("a.example/1", Method::Delete, 8));
        assert_eq!(rules.verdict(b"a.example/1", 5, 20), Verdict::Gone);
        assert_eq!(rules.verdict(b"a.example/1", 9, 9), Verdict::Stale);
    }

    #[test]
    fn the_number_of_an_order_never_falls() {
        let rules = Rules::default();
        rules.reach(7);
        rules.reach(3);
        assert_eq!(rules.order(), 7);
    }
}

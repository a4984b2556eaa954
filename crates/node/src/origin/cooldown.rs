//! Origins that asked to be left alone (`Retry-After`), and those that could not be reached a moment
//! ago: until when no prefetch asks them.
//!
//! Viewers are not held up: a page that a person waits for is asked for all the same. Kept in memory
//! alone, and bounded; beyond the bound the entry that ends first is forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode, header};
use stoker_domain::{domain::NodeDomain, http::parse_http_date, outcome::Outcome, retry};
use tokio::time::Instant;

use super::attempt::OriginAttempt;
use crate::fault::{Fault, whole_seconds};

/// How long all that is asked of an origin fails as it just did, when no connection came about: less
/// than the engine lets pass before it tries again, and that must reach the origin.
const AWAY: Duration = Duration::from_millis(400);

/// How long a server to which no connection could be made is asked last.
const SERVER_COOLDOWN: Duration = Duration::from_secs(10);
/// Servers that are remembered at most.
const MOST_SERVERS: usize = 1024;

/// Origins that are known at once at most; beyond, the one whose cooldown ends first is forgotten.
const MOST: usize = 1024;

/// The origins that no prefetch asks now, by their servers.
#[derive(Debug, Default)]
pub(super) struct OriginCooldowns(
    // a std mutex, held for a look-up and never across an await
    Mutex<HashMap<String, Cooldown>>,
);

#[derive(Clone, Debug)]
struct Cooldown {
    until: Instant,
    reason: Reason,
}

#[derive(Clone, Debug)]
enum Reason {
    /// It answered so and asked for it.
    Refused(u16),
    /// It could not be reached.
    Away(Fault),
}

impl OriginCooldowns {
    /// The origin of `domain` answered `status` and wants to be asked no sooner than after `wanted`.
    pub(super) fn refused(&self, domain: &NodeDomain, status: StatusCode, wanted: Duration) {
        self.put(domain.origin.authority(), wanted, Reason::Refused(status.as_u16()));
    }

    /// The origin of `domain` could not be reached.
    pub(super) fn away(&self, domain: &NodeDomain, fault: &Fault) {
        self.put(domain.origin.authority(), AWAY, Reason::Away(fault.clone()));
    }

    /// How many rest now.
    pub(super) fn len(&self) -> usize {
        let now = Instant::now();
        self.known().values().filter(|cooldown| cooldown.until > now).count()
    }

    fn put(&self, servers: String, time: Duration, reason: Reason) {
        let now = Instant::now();
        let mut cooldowns = self.known();
        cooldowns.retain(|_, cooldown| cooldown.until > now);
        if cooldowns.len() >= MOST
            && !cooldowns.contains_key(&servers)
            && let Some(first) = cooldowns
                .iter()
                .min_by_key(|(_, cooldown)| cooldown.until)
                .map(|(servers, _)| servers.clone())
        {
            cooldowns.remove(&first);
        }
        let cooldown = Cooldown { until: now + time, reason };
        let known = cooldowns.entry(servers).or_insert_with(|| cooldown.clone());
        // what it asked for stays
        if known.until < cooldown.until {
            *known = cooldown;
        }
    }

    /// Why the origin of `domain` is not asked now.
    pub(super) fn of(&self, domain: &NodeDomain) -> Option<Fault> {
        let cooldowns = self.known();
        if cooldowns.is_empty() {
            return None;
        }
        let cooldown = cooldowns.get(&domain.origin.authority())?;
        let left = cooldown.until.checked_duration_since(Instant::now())?;
        if left.is_zero() {
            return None;
        }
        Some(match &cooldown.reason {
            Reason::Away(fault) => fault.clone(),
            Reason::Refused(status) => {
                let detail = format!(
                    "origin `{}` answered {status} before and asked to be left alone for {} s more",
                    domain.origin,
                    whole_seconds(left)
                );
                Fault::new(Outcome::OriginStatus(*status), detail).after(Some(left))
            }
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Cooldown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Servers to which no connection could be made a moment ago: they are asked last.
#[derive(Debug, Default)]
pub(super) struct ServerCooldowns(
    // held for a look-up, never across an await
    Mutex<HashMap<(String, u16), Instant>>,
);

impl ServerCooldowns {
    /// Leaves the server of `attempt` for the last, for a moment.
    pub(super) fn add(&self, attempt: &OriginAttempt) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, since| since.elapsed() < SERVER_COOLDOWN);
        if known.len() < MOST_SERVERS {
            known.insert(attempt.server.clone(), Instant::now());
        }
    }

    /// Puts those servers last, without changing the order otherwise.
    pub(super) fn put_last(&self, attempts: &mut [OriginAttempt]) {
        if attempts.len() < 2 {
            return;
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_empty() {
            attempts.sort_by_cached_key(|attempt| {
                known.get(&attempt.server).is_some_and(|since| since.elapsed() < SERVER_COOLDOWN)
            });
        }
    }
}

/// How long a reply asks to be left alone, if it refuses for the moment.
pub(super) fn asked_for(status: StatusCode, fields: &HeaderMap) -> Option<Duration> {
    if !retry::is_worth_retrying(Outcome::OriginStatus(status.as_u16())) {
        return None;
    }
    let date = fields.get(header::DATE).and_then(parse_http_date);
    let value = fields.get(header::RETRY_AFTER)?;
    // without the origin's clock, a date may mean anything
    let is_date = value.as_bytes().iter().any(u8::is_ascii_alphabetic);
    if is_date && date.is_none() {
        return None;
    }
    retry::retry_after(value, date.unwrap_or_default()).filter(|wanted| !wanted.is_zero())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_ends_first_is_forgotten_when_there_are_many() {
        let cooldowns = OriginCooldowns::default();
        let put = |name: &str, seconds| {
            cooldowns.put(name.into(), Duration::from_secs(seconds), Reason::Refused(503));
        };
        put("long", 300);
        put("short", 10);
        for n in 2..MOST {
            put(&n.to_string(), 60);
        }
        put("long", 20);
        assert_eq!(cooldowns.len(), MOST, "one that is known takes no further place");
        assert!(cooldowns.known().contains_key("short"));
        put("new", 60);
        assert_eq!(cooldowns.len(), MOST);
        let known: Vec<_> = ["short", "long", "new"]
            .into_iter()
            .filter(|name| cooldowns.known().contains_key(*name))
            .collect();
        assert_eq!(known, ["long", "new"]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(cooldowns.len(), 1);
    }

    #[test]
    fn a_refusal_may_ask_to_be_left_alone() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT");
        for (status, fields, seconds) in [
            (503, &[("retry-after", "6")][..], Some(6)),
            (429, &[("retry-after", "6"), date], Some(6)),
            (503, &[later, date], Some(10)),
            (503, &[later], None),
            (503, &[("retry-after", "0")], None),
            (503, &[("retry-after", "86400")], Some(300)),
            (503, &[date], None),
            (404, &[("retry-after", "6")], None),
            (301, &[("retry-after", "6")], None),
        ] {
            let fields: HeaderMap = fields
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect();
            let found = asked_for(StatusCode::from_u16(status).unwrap(), &fields);
            assert_eq!(found, seconds.map(Duration::from_secs), "{status} {fields:?}");
        }
    }
}

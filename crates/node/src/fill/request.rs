//! What is to be filled, for whom, and how much of it.

use std::{fmt::Write as _, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stoker_domain::{
    domain::{CachePolicy, Domain},
    http::{ByteRange, CDN_LOOP, always_travels, told_caches, varying},
    key::Key,
    task::FetchOptions,
    time::Timestamp,
};

use super::{
    ForwardedFor,
    slices::{RUN, SLICE_BYTES, slice_of},
};

/// A target to be filled, as its first reader asked for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its cache key.
    pub key: Key,
    /// The domain that answers for it.
    pub domain: Arc<Domain>,
    /// `Host` as it is passed on to a parent: lower case, without port.
    pub host: String,
    /// In the normal form of [`stoker_domain::uri`].
    pub path_and_query: String,
    /// End-to-end request fields of the viewer. All of them travel to a parent and may select a
    /// response; which the origin gets, `handed` says.
    pub fields: HeaderMap,
    /// Which of `fields` the origin gets.
    pub handed: Handed,
    /// How the origin is to be asked.
    pub options: Arc<FetchOptions>,
    /// What for.
    pub intent: Intent,
    /// How many nodes have passed the request on before this one.
    pub hops: u8,
    /// Who the viewer is; the origin hears of it with [`Handed::All`] alone.
    pub client: Option<ForwardedFor>,
    /// Only a prefetch waits for it, here or on the node that asks: it may be slowed.
    pub is_patient: bool,
    /// A prefetch asks, here or on another node: an error that is kept, or was met by somebody else,
    /// is an answer only if the origin was asked for it at this moment or later. Absent = it always
    /// is.
    pub errors_since: Option<Timestamp>,
}

/// Which fields of a viewer's request the origin gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// Those that always travel, and these: the `Vary` of a response names them.
    Named(Vec<HeaderName>),
    /// All of them: what comes is for this viewer alone, and never kept.
    All,
}

impl Default for Handed {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// Why something is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Somebody waits for the content.
    Demand(Want),
    /// Nobody waits; all of it is to be durable.
    Prefetch,
    /// The same; and a playlist is read, also where it is not kept.
    PrefetchAndRead,
}

impl Intent {
    /// Whether nobody waits for the content.
    pub fn is_prefetch(self) -> bool {
        matches!(self, Self::Prefetch | Self::PrefetchAndRead)
    }
}

/// How much of the representation is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing but the head.
    Head,
    /// These bytes.
    Range(ByteRange),
    /// Everything.
    All,
}

impl Request {
    /// The text under which the store keeps the target, see [`stored_url`].
    pub fn url(&self) -> String {
        stored_url(&self.host, &self.path_and_query, self.domain.content_epoch)
    }

    /// What the domain's rules say of the path.
    pub(super) fn policy(&self) -> CachePolicy {
        self.domain.cache.policy_for(&self.path_and_query)
    }

    /// The request fields by which a response is selected and judged: the viewer's and the task's.
    pub(super) fn selecting(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        for (name, value) in &self.options.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                fields.insert(name, value);
            }
        }
        fields
    }

    /// The same, with other fields for the origin: names are added to those that are named.
    pub(super) fn handing(&self, handed: Handed) -> Arc<Self> {
        let handed = match (&self.handed, handed) {
            (Handed::Named(known), Handed::Named(further)) => {
                Handed::Named(known.iter().cloned().chain(further).collect())
            }
            (_, handed) => handed,
        };
        Arc::new(Self { handed, ..self.clone() })
    }

    /// The same, with none of the fields for the origin that `Vary` named before.
    pub(super) fn handing_none(&self) -> Arc<Self> {
        Arc::new(Self { handed: Handed::default(), ..self.clone() })
    }

    /// The fields of the viewer that the origin gets.
    pub(crate) fn for_origin(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        for name in self.fields.keys().filter(|name| !self.hands_on(name)) {
            fields.remove(name);
        }
        if self.handed != Handed::All && fields.remove(header::CACHE_CONTROL).is_some() {
            fields.extend(told_caches(&self.fields).map(|told| (header::CACHE_CONTROL, told)));
        }
        fields
    }

    /// Whether the origin gets something of the viewer by which it might answer him otherwise.
    pub(crate) fn tells_of_viewer(&self) -> bool {
        (self.handed == Handed::All && self.client.is_some())
            || self.fields.keys().any(|name| {
                // the words of caches and of other content delivery networks
                *name != header::CACHE_CONTROL && *name != CDN_LOOP && self.hands_on(name)
            })
    }

    /// The client, where the origin is to hear of him.
    pub(crate) fn client_for_origin(&self) -> Option<&ForwardedFor> {
        self.client.as_ref().filter(|_| self.handed == Handed::All)
    }

    /// Whether the viewer sent fields that are his own: neither such as always travel nor a task's.
    pub(super) fn has_own_fields(&self) -> bool {
        self.fields.keys().any(|name| !always_travels(name) && !self.is_of_task(name))
    }

    /// Whether the origin gets a field that the `Vary` of a response named before, and that the one
    /// with `fields` does not name: nobody knows what it decided.
    pub(super) fn hands_more_than(&self, fields: &HeaderMap) -> bool {
        let Handed::Named(named) = &self.handed else { return false };
        let is_sent = |name: &&HeaderName| {
            self.fields.contains_key(*name) && !always_travels(name) && !self.is_of_task(name)
        };
        named.iter().filter(is_sent).any(|name| varying(fields).all(|varying| varying != *name))
    }

    /// Whether the origin gets cookies, of the viewer or the task.
    pub(super) fn sends_cookies(&self) -> bool {
        let is_viewers = self.fields.contains_key(header::COOKIE) && self.hands_on(&header::COOKIE);
        is_viewers || self.is_of_task(&header::COOKIE)
    }

    /// Whether the origin does not get all fields of the viewer.
    pub(super) fn withholds_any(&self) -> bool {
        self.fields.keys().any(|name| !self.hands_on(name))
    }

    /// Whether the viewer sent field `name` and the origin does not get it.
    pub(super) fn withholds(&self, name: &HeaderName) -> bool {
        self.fields.contains_key(name) && !self.hands_on(name)
    }

    fn hands_on(&self, name: &HeaderName) -> bool {
        match &self.handed {
            Handed::All => true,
            Handed::Named(named) => {
                always_travels(name) || named.contains(name) || self.is_of_task(name)
            }
        }
    }

    /// The names of the fields that the task sends to the origin.
    pub(super) fn task_fields(&self) -> impl Iterator<Item = HeaderName> {
        let agent = self.options.user_agent.as_ref().map(|_| header::USER_AGENT);
        let headers = self.options.headers.iter();
        headers.filter_map(|(name, _)| name.parse().ok()).chain(agent)
    }

    fn is_of_task(&self, name: &HeaderName) -> bool {
        self.options.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name.as_str()))
    }

    pub(super) fn want(&self) -> Want {
        match self.intent {
            Intent::Demand(want) => want,
            Intent::Prefetch | Intent::PrefetchAndRead => Want::All,
        }
    }
}

/// The text that guards the store against equal keys and against content of another epoch of the
/// domain, and that a purge by prefix compares: `www.example.com/path?query`, for `http` and `https`
/// alike, and, unless it is 0, a space and the content epoch in hexadecimal digits.
pub fn stored_url(host: &str, path_and_query: &str, content_epoch: u64) -> String {
    const EPOCH_LENGTH: usize = 17;
    let mut url = String::with_capacity(host.len() + path_and_query.len() + EPOCH_LENGTH);
    url.push_str(host);
    url.push_str(path_and_query);
    if content_epoch != 0 {
        // writing to a String does not fail
        let _ = write!(url, " {content_epoch:x}");
    }
    url
}

/// Whether two stored URLs differ in nothing but the epoch of the content.
pub(super) fn is_one_target(one: &str, other: &str) -> bool {
    let target = |url| str::split(url, ' ').next();
    target(one) == target(other)
}

impl Want {
    /// First and last slice of a representation of `size` bytes; `None` when none is wanted.
    pub(super) fn slices(self, size: u64) -> Option<(u32, u32)> {
        let last_byte = size.checked_sub(1)?;
        let (start, end) = match self {
            Self::Head => return None,
            Self::All => (0, last_byte),
            Self::Range(ByteRange::From { start, end_inclusive }) => {
                (start, end_inclusive.unwrap_or(last_byte).min(last_byte))
            }
            Self::Range(ByteRange::Suffix(0)) => return None,
            Self::Range(ByteRange::Suffix(length)) => (size.saturating_sub(length), last_byte),
        };
        (start <= end).then(|| (slice_of(start), slice_of(end)))
    }

    /// The range that a first request asks for while the size is unknown: whole slices, the first
    /// that are wanted, at most [`RUN`].
    pub(super) fn probe(self) -> (u64, u64) {
        let (first, last) = match self {
            // the end of something of unknown size cannot be asked for in slices
            Self::Head | Self::Range(ByteRange::Suffix(_)) => (0, 0),
            Self::All => (0, u64::MAX),
            Self::Range(ByteRange::From { start, end_inclusive }) => {
                (start / SLICE_BYTES, end_inclusive.map_or(u64::MAX, |end| end / SLICE_BYTES))
            }
        };
        let last = last.min(first.saturating_add(u64::from(RUN) - 1));
        let end = last.saturating_add(1).saturating_mul(SLICE_BYTES) - 1;
        (first.saturating_mul(SLICE_BYTES), end)
    }

    /// Whether bytes `start..=end` are all that is wanted of a representation of `size` bytes.
    pub(super) fn is_within(self, start: u64, end: u64, size: Option<u64>) -> bool {
        match self {
            Self::Head => true,
            Self::All => start == 0 && size == Some(end + 1),
            Self::Range(ByteRange::From { start: from, end_inclusive }) => {
                let last = match (end_inclusive, size) {
                    (Some(to), Some(size)) => to.min(size.saturating_sub(1)),
                    (Some(to), None) => to,
                    (None, Some(size)) => size.saturating_sub(1),
                    (None, None) => return false,
                };
                start <= from && last <= end
            }
            Self::Range(ByteRange::Suffix(length)) => size.is_some_and(|size| {
                start <= size.saturating_sub(length) && size.saturating_sub(1) <= end
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn from(start: u64, end_inclusive: Option<u64>) -> Want {
        Want::Range(ByteRange::From { start, end_inclusive })
    }

    #[test]
    fn a_probe_asks_for_whole_slices_and_at_most_a_run() {
        let s = SLICE_BYTES;
        let run = u64::from(RUN) * s;
        for (want, range) in [
            (Want::All, (0, run - 1)),
            (Want::Head, (0, s - 1)),
            (from(0, Some(0)), (0, s - 1)),
            (from(s, Some(2 * s)), (s, 3 * s - 1)),
            (from(3 * s + 5, None), (3 * s, 3 * s + run - 1)),
            (Want::Range(ByteRange::Suffix(9)), (0, s - 1)),
        ] {
            assert_eq!(want.probe(), range, "{want:?}");
        }
        let (start, end) = from(u64::MAX, None).probe();
        assert!(start <= end);
    }

    #[test]
    fn wanted_slices_end_with_the_representation() {
        let s = SLICE_BYTES;
        for (want, size, slices) in [
            (Want::All, 0, None),
            (Want::All, 1, Some((0, 0))),
            (Want::All, 2 * s, Some((0, 1))),
            (Want::All, 2 * s + 1, Some((0, 2))),
            (Want::Head, s, None),
            (from(s, None), s, None),
            (from(s, None), s + 1, Some((1, 1))),
            (from(0, Some(s)), 9 * s, Some((0, 1))),
            (Want::Range(ByteRange::Suffix(1)), 9 * s, Some((8, 8))),
            (Want::Range(ByteRange::Suffix(99 * s)), 9 * s, Some((0, 8))),
        ] {
            assert_eq!(want.slices(size), slices, "{want:?} of {size}");
        }
    }
}

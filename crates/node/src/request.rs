//! What a node is asked for, as `serve` and `agent` put it, `fill` brings it and `origin` asks for it.
//!
//! **Invariant:** which of the viewer's fields the origin gets is decided by [`Handed`] and nothing else.
//! How a wanted range is cut into slices is said in `fill`; how a request looks on the wire in `origin`.

mod forwarded_for;

use std::{fmt::Write as _, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stoker_domain::{
    domain::{CachePolicy, NodeDomain},
    http::{ByteRange, CDN_LOOP, always_travels, upstream_cache_control, varying},
    key::Key,
    task::FetchOptions,
    time::Timestamp,
};

pub use self::forwarded_for::ForwardedFor;

/// A target to be filled, as its first reader asked for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its cache key.
    pub key: Key,
    /// The domain that answers for it.
    pub domain: Arc<NodeDomain>,
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
    /// Who waits for it, here or on the node that asks.
    pub priority: Priority,
    /// A prefetch asks, here or on another node: an error that is kept, or was met by somebody else,
    /// is an answer only if the origin was asked for it at this moment or later. Absent = it always
    /// is.
    pub errors_since: Option<Timestamp>,
}

/// Who waits for a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// A viewer: never slowed.
    #[default]
    Interactive,
    /// Only a prefetch: it waits for its turn and keeps to the limits of the domain.
    Background,
}

impl Priority {
    /// Whether only a prefetch waits.
    pub fn is_background(self) -> bool {
        self == Self::Background
    }
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
    pub(crate) fn policy(&self) -> CachePolicy {
        self.domain.cache.policy_for(&self.path_and_query)
    }

    /// The request fields by which a response is selected and judged: the viewer's and the task's.
    pub(crate) fn selecting(&self) -> HeaderMap {
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
    pub(crate) fn handing(&self, handed: Handed) -> Arc<Self> {
        let handed = match (&self.handed, handed) {
            (Handed::Named(known), Handed::Named(further)) => {
                Handed::Named(known.iter().cloned().chain(further).collect())
            }
            (_, handed) => handed,
        };
        Arc::new(Self { handed, ..self.clone() })
    }

    /// The same, with none of the fields for the origin that `Vary` named before.
    pub(crate) fn handing_none(&self) -> Arc<Self> {
        Arc::new(Self { handed: Handed::default(), ..self.clone() })
    }

    /// The fields of the viewer that the origin gets.
    pub(crate) fn for_origin(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        for name in self.fields.keys().filter(|name| !self.hands_on(name)) {
            fields.remove(name);
        }
        if self.handed != Handed::All && fields.remove(header::CACHE_CONTROL).is_some() {
            fields.extend(
                upstream_cache_control(&self.fields).map(|told| (header::CACHE_CONTROL, told)),
            );
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
    pub(crate) fn has_own_fields(&self) -> bool {
        self.fields.keys().any(|name| !always_travels(name) && !self.is_of_task(name))
    }

    /// Whether the origin gets a field that the `Vary` of a response named before, and that the one
    /// with `fields` does not name: nobody knows what it decided.
    pub(crate) fn hands_more_than(&self, fields: &HeaderMap) -> bool {
        let Handed::Named(named) = &self.handed else { return false };
        let is_sent = |name: &&HeaderName| {
            self.fields.contains_key(*name) && !always_travels(name) && !self.is_of_task(name)
        };
        named.iter().filter(is_sent).any(|name| varying(fields).all(|varying| varying != *name))
    }

    /// Whether the origin gets cookies, of the viewer or the task.
    pub(crate) fn sends_cookies(&self) -> bool {
        let is_viewers = self.fields.contains_key(header::COOKIE) && self.hands_on(&header::COOKIE);
        is_viewers || self.is_of_task(&header::COOKIE)
    }

    /// Whether the origin does not get all fields of the viewer.
    pub(crate) fn withholds_any(&self) -> bool {
        self.fields.keys().any(|name| !self.hands_on(name))
    }

    /// Whether the viewer sent field `name` and the origin does not get it.
    pub(crate) fn withholds(&self, name: &HeaderName) -> bool {
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
    pub(crate) fn task_fields(&self) -> impl Iterator<Item = HeaderName> {
        let agent = self.options.user_agent.as_ref().map(|_| header::USER_AGENT);
        let headers = self.options.headers.iter();
        headers.filter_map(|(name, _)| name.parse().ok()).chain(agent)
    }

    fn is_of_task(&self, name: &HeaderName) -> bool {
        self.options.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name.as_str()))
    }

    pub(crate) fn want(&self) -> Want {
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
pub(crate) fn is_one_target(one: &str, other: &str) -> bool {
    let target = |url| str::split(url, ' ').next();
    target(one) == target(other)
}

//! What became of one target on one node: a closed list.
//!
//! The first three are success. Vendor words (`done`, `invalid`, `fail`) are derived from these in
//! the gateway, nowhere else.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What became of one target on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Fetched, stored durably and read back.
    Filled,
    /// Was there and fresh; read back without asking the origin.
    AlreadyFresh,
    /// Was there and stale; the origin confirmed it (304) and it was read back.
    Revalidated,
    /// The response may not be, or could not be, kept.
    Uncacheable(Uncacheable),
    /// Larger than the store takes.
    TooLarge,
    /// The origin answered with a status that is not kept.
    OriginStatus(u16),
    /// The origin did not answer properly.
    OriginError(OriginFault),
    /// Stoker refuses to ask.
    Blocked(Block),
    /// A playlist that was to be followed, and what it names is not known.
    Playlist(PlaylistFault),
    /// A playlist child for which the day's quota did not suffice.
    OverQuota,
    /// The task's time was over before it was there.
    Timeout,
    /// Somebody canceled the task.
    Canceled,
}

/// Why a response was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uncacheable {
    /// `Cache-Control: no-store`.
    NoStore,
    /// `Cache-Control: private`.
    Private,
    /// `Vary: *`.
    VaryStar,
    /// No freshness, no validator: it could never be reused.
    NoLifetime,
    /// `Set-Cookie` without explicit permission to share.
    SetCookie,
    /// The request carried `Authorization` and the response does not allow sharing.
    Authorization,
    /// It depends on request fields of the task that its `Vary` does not name.
    RequestFields,
    /// A rule of the domain says that it is not to be kept.
    Rule,
    /// A partial response that cannot be combined.
    Partial,
    /// The node asked for it for one request alone; what others get, others bring.
    Unshared,
    /// The node's disk is full.
    DiskFull,
    /// The node's disk fails.
    DiskError,
}

/// How an origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginFault {
    /// The name does not resolve.
    Dns,
    /// No connection.
    Connect,
    /// TLS handshake or certificate.
    Tls,
    /// No answer within the time allowed.
    Timeout,
    /// The answer is not HTTP.
    Protocol,
    /// The content ended early or the connection broke.
    Truncated,
    /// The content is longer than announced, or length fields contradict each other.
    Length,
    /// The representation kept changing while it was fetched.
    Changed,
    /// A parent node did not answer.
    Parent,
    /// It was not asked, because too many requests were on their way to it already.
    Busy,
}

/// Why Stoker refuses to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Block {
    /// The account does not own the domain (or no longer).
    Ownership,
    /// The domain is stopped.
    Offline,
    /// The origin's address is private and the domain does not allow that.
    PrivateAddress,
    /// A playlist names too many children.
    TooManyChildren,
    /// A playlist below the last level of them that is followed.
    TooDeep,
    /// A playlist leads to a domain that the submitter's policies do not allow.
    Policy,
    /// The origin leads back to the installation.
    Loop,
    /// A redirection leads to a port at which no origin is asked without permission.
    Port,
}

/// Why what a playlist names is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaylistFault {
    /// The content is no HLS playlist: an error page, for example.
    NotAPlaylist,
    /// In a content coding that is not known or that is broken.
    ContentCoding,
    /// Longer than a playlist may be.
    TooLong,
    /// Its content could not be read again, or its URL is none to resolve others against.
    Unreadable,
}

macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in logs, reports and `--json`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(Uncacheable {
    NoStore = "no-store",
    Private = "private",
    VaryStar = "vary-star",
    NoLifetime = "no-lifetime",
    SetCookie = "set-cookie",
    Authorization = "authorization",
    RequestFields = "request-headers",
    Rule = "rule",
    Partial = "partial",
    Unshared = "unshared",
    DiskFull = "disk-full",
    DiskError = "disk-error",
});
words!(OriginFault {
    Dns = "dns",
    Connect = "connect",
    Tls = "tls",
    Timeout = "timeout",
    Protocol = "protocol",
    Truncated = "truncated",
    Length = "length",
    Changed = "changed",
    Parent = "parent",
    Busy = "busy",
});
words!(Block {
    Ownership = "ownership",
    Offline = "offline",
    PrivateAddress = "private-address",
    TooManyChildren = "too-many-children",
    TooDeep = "too-deep",
    Policy = "policy",
    Loop = "loop",
    Port = "port",
});

words!(PlaylistFault {
    NotAPlaylist = "not-a-playlist",
    ContentCoding = "content-coding",
    TooLong = "too-long",
    Unreadable = "unreadable",
});

impl Uncacheable {
    /// The field, rule or fault that decides it, for a person.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::NoStore => "`Cache-Control: no-store`",
            Self::Private => "`Cache-Control: private`",
            Self::VaryStar => "`Vary: *`",
            Self::NoLifetime => "neither freshness nor a validator",
            Self::SetCookie => "`Set-Cookie` without permission to share it",
            Self::Authorization => {
                "`Authorization` in the request, and no permission to share the reply"
            }
            Self::RequestFields => "request headers of a task that `Vary` does not name",
            Self::Rule => "a cache rule of the domain",
            Self::Partial => "a part that cannot be completed",
            Self::Unshared => "a request of its own beside those that are shared",
            Self::DiskFull => "no room on the node's disk",
            Self::DiskError => "the node's disk fails",
        }
    }
}

impl Outcome {
    /// Whether the target is there: fresh, durable and read back.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Filled | Self::AlreadyFresh | Self::Revalidated)
    }

    /// Every outcome once, of the statuses 404 alone: lists of outcomes in documents and tests are held to
    /// this.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Filled,
            Self::AlreadyFresh,
            Self::Revalidated,
            Self::TooLarge,
            Self::OriginStatus(404),
            Self::OverQuota,
            Self::Timeout,
            Self::Canceled,
        ];
        all.extend(Uncacheable::ALL.iter().map(|reason| Self::Uncacheable(*reason)));
        all.extend(OriginFault::ALL.iter().map(|reason| Self::OriginError(*reason)));
        all.extend(Block::ALL.iter().map(|reason| Self::Blocked(*reason)));
        all.extend(PlaylistFault::ALL.iter().map(|reason| Self::Playlist(*reason)));
        all
    }

    /// The token without its reason or status: `uncacheable`, `origin_status`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::AlreadyFresh => "already_fresh",
            Self::Revalidated => "revalidated",
            Self::Uncacheable(_) => "uncacheable",
            Self::TooLarge => "too_large",
            Self::OriginStatus(_) => "origin_status",
            Self::OriginError(_) => "origin_error",
            Self::Blocked(_) => "blocked",
            Self::Playlist(_) => "playlist",
            Self::OverQuota => "over_quota",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the origin refused it. A success that is not kept, such as 204, is no refusal.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::OriginStatus(..=199 | 300..))
    }
}

impl fmt::Display for Outcome {
    /// One token: `filled`, `uncacheable:no-store`, `origin_status:404`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Uncacheable(reason) => write!(f, ":{}", reason.as_str()),
            Self::OriginStatus(code) => write!(f, ":{code}"),
            Self::OriginError(reason) => write!(f, ":{}", reason.as_str()),
            Self::Blocked(reason) => write!(f, ":{}", reason.as_str()),
            Self::Playlist(reason) => write!(f, ":{}", reason.as_str()),
            Self::Filled
            | Self::AlreadyFresh
            | Self::Revalidated
            | Self::TooLarge
            | Self::OverQuota
            | Self::Timeout
            | Self::Canceled => Ok(()),
        }
    }
}

/// A text that is not an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an outcome")]
pub struct UnknownOutcome(pub String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        let unknown = || UnknownOutcome(text.into());
        let Some((kind, reason)) = text.split_once(':') else {
            return match text {
                "filled" => Ok(Self::Filled),
                "already_fresh" => Ok(Self::AlreadyFresh),
                "revalidated" => Ok(Self::Revalidated),
                "too_large" => Ok(Self::TooLarge),
                "over_quota" => Ok(Self::OverQuota),
                "timeout" => Ok(Self::Timeout),
                "canceled" => Ok(Self::Canceled),
                _ => Err(unknown()),
            };
        };
        match kind {
            "uncacheable" => Uncacheable::from_word(reason).map(Self::Uncacheable),
            "origin_status" => reason.parse().ok().map(Self::OriginStatus),
            "origin_error" => OriginFault::from_word(reason).map(Self::OriginError),
            "blocked" => Block::from_word(reason).map(Self::Blocked),
            "playlist" => PlaylistFault::from_word(reason).map(Self::Playlist),
            _ => None,
        }
        .ok_or_else(unknown)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_read_back_as_written() {
        for outcome in Outcome::all() {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        for text in ["", "done", "blocked", "blocked:x", "origin_status:abc", "filled:x"] {
            assert!(text.parse::<Outcome>().is_err(), "{text}");
        }
    }

    #[test]
    fn successes_are_three_and_refusals_are_what_no_success_is() {
        let successes: Vec<_> = Outcome::all().into_iter().filter(|it| it.is_success()).collect();
        let expected = [Outcome::Filled, Outcome::AlreadyFresh, Outcome::Revalidated];
        assert_eq!(successes, expected);
        for (status, is_refusal) in [(199, true), (200, false), (299, false), (300, true)] {
            assert_eq!(Outcome::OriginStatus(status).is_refusal(), is_refusal, "{status}");
        }
        let others = Outcome::all().into_iter().filter(|it| it.is_refusal());
        assert_eq!(others.collect::<Vec<_>>(), [Outcome::OriginStatus(404)]);
    }
}

//! What a node has of a target, and if not all of it, why: a closed list, which nodes report and
//! `stoker check` shows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{outcome::Outcome, time::Timestamp};

/// What one node has of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Why the target is not held; absent = it is: the content, whole and fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lack: Option<Lack>,
    /// Status of the stored response, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Size of its representation in bytes, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Until when it is, or was, fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Timestamp>,
    /// How the node last failed to fetch it, unless it has fetched it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
}

/// How a node failed to fetch a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended; never a success.
    pub outcome: Outcome,
    /// A sentence for a person, perhaps shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Why a node does not hold a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// Nothing is stored and nothing is remembered: it was never asked for, or too long ago.
    NeverAsked,
    /// Nothing is stored: when it was last fetched, the response was not kept.
    /// [`Holding::last_failure`] tells why.
    Refused,
    /// Nothing is stored: when it was last asked for, there was no content to keep.
    /// [`Holding::last_failure`] tells how that ended.
    Failed,
    /// What is stored is an error, or another response that is not the content.
    KeptError,
    /// The content is stored and not fresh since then.
    Stale(Timestamp),
    /// The content is stored, and the origin wants every use of it to be validated.
    AlwaysValidated,
    /// The content is stored, and a purge wants it validated before it is used.
    Invalidated,
    /// Some of the content is stored.
    Partial {
        /// Slices that are there.
        held: u32,
        /// Slices in all, when known.
        slices: Option<u32>,
    },
    /// The content is stored for other values of these request fields.
    Varies(Vec<String>),
    /// It was evicted for others at that time.
    Evicted(Timestamp),
    /// A purge removed it at that time.
    Purged(Timestamp),
    /// It was found damaged at that time, and dropped.
    Damaged(Timestamp),
    /// It is stored and cannot be read.
    Unreadable,
    /// The node does not know the domain.
    DomainUnknown,
    /// The domain is stopped.
    DomainStopped,
    /// The node was away and is carrying out the purges that it missed.
    #[serde(rename = "coming-back")]
    CatchingUp,
    /// The node does not answer.
    NoAnswer,
}

impl Lack {
    /// The word in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NeverAsked => "never-asked",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::KeptError => "kept-error",
            Self::Stale(_) => "stale",
            Self::AlwaysValidated => "always-validated",
            Self::Invalidated => "invalidated",
            Self::Partial { .. } => "partial",
            Self::Varies(_) => "varies",
            Self::Evicted(_) => "evicted",
            Self::Purged(_) => "purged",
            Self::Damaged(_) => "damaged",
            Self::Unreadable => "unreadable",
            Self::DomainUnknown => "domain-unknown",
            Self::DomainStopped => "domain-stopped",
            Self::CatchingUp => "coming-back",
            Self::NoAnswer => "no-answer",
        }
    }

    /// The moment that it names.
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Stale(at) | Self::Evicted(at) | Self::Purged(at) | Self::Damaged(at) => Some(*at),
            _ => None,
        }
    }

    /// Why nothing is stored after `failure`.
    pub const fn of_failure(failure: &Failure) -> Self {
        match failure.outcome {
            Outcome::Uncacheable(_) | Outcome::TooLarge => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for Lack {
    /// A sentence without its moment and without [`Holding::last_failure`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverAsked => f.write_str("never asked for"),
            Self::Refused => f.write_str("not kept"),
            Self::Failed => f.write_str("not fetched"),
            Self::KeptError => f.write_str("an error is kept, not the content"),
            Self::Stale(_) => f.write_str("stale"),
            Self::AlwaysValidated => f.write_str("the origin wants every use to be validated"),
            Self::Invalidated => f.write_str("a purge wants it to be validated"),
            Self::Partial { held, slices: Some(slices) } => {
                write!(f, "partial: {held} of {slices} slices")
            }
            Self::Partial { held, slices: None } => write!(f, "partial: {held} slices"),
            Self::Varies(names) => {
                write!(f, "kept for other values of the request fields {}", names.join(", "))
            }
            Self::Evicted(_) => f.write_str("evicted to make room"),
            Self::Purged(_) => f.write_str("purged"),
            Self::Damaged(_) => f.write_str("found damaged and dropped"),
            Self::Unreadable => f.write_str("stored, and cannot be read"),
            Self::DomainUnknown => f.write_str("the node does not know the domain"),
            Self::DomainStopped => f.write_str("the domain is stopped"),
            Self::CatchingUp => f.write_str("the node has just come back"),
            Self::NoAnswer => f.write_str("the node does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Uncacheable;

    #[test]
    fn a_lack_is_stored_under_its_word_and_tells_its_moment() {
        let at = Timestamp::from_seconds(7);
        for (lack, moment, text) in [
            (Lack::NeverAsked, None, "never asked for"),
            (Lack::Stale(at), Some(at), "stale"),
            (Lack::Evicted(at), Some(at), "evicted to make room"),
            (Lack::Purged(at), Some(at), "purged"),
            (Lack::Damaged(at), Some(at), "found damaged and dropped"),
            (Lack::Partial { held: 1, slices: Some(3) }, None, "partial: 1 of 3 slices"),
            (Lack::Partial { held: 2, slices: None }, None, "partial: 2 slices"),
            (
                Lack::Varies(vec!["accept".into(), "dnt".into()]),
                None,
                "kept for other values of the request fields accept, dnt",
            ),
            (Lack::CatchingUp, None, "the node has just come back"),
            (Lack::NoAnswer, None, "the node does not answer"),
        ] {
            assert_eq!((lack.at(), lack.to_string().as_str()), (moment, text));
            let json = serde_json::to_value(&lack).unwrap();
            let word = match &json {
                serde_json::Value::Object(fields) => fields.keys().next().cloned(),
                word => word.as_str().map(Into::into),
            };
            assert_eq!(word.as_deref(), Some(lack.as_str()));
            assert_eq!(serde_json::from_value::<Lack>(json).unwrap(), lack);
        }
    }

    #[test]
    fn what_was_not_kept_was_refused_and_what_was_not_there_failed() {
        let lack = |outcome| {
            Lack::of_failure(&Failure { at: Timestamp::default(), outcome, detail: None })
        };
        assert_eq!(lack(Outcome::Uncacheable(Uncacheable::NoStore)), Lack::Refused);
        assert_eq!(lack(Outcome::TooLarge), Lack::Refused);
        assert_eq!(lack(Outcome::OriginStatus(404)), Lack::Failed);
    }
}

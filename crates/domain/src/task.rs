//! Tasks and targets: what one API call asked for, and how far each URL of it is.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    area::{AreaScope, Tier},
    quota::Product,
    time::Timestamp,
};

/// The public name of a task or a purge, opaque to callers. The engine makes three forms: 19 decimal
/// digits that ascend (13 of milliseconds since the epoch, three at random, three zeros) for tasks that
/// are taken whole; 12 lower-case letters or digits for what is taken in part; and, for purges that are
/// taken whole, the seconds since the epoch, `-` and 8 letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether, and how, playlists are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaPolicy {
    /// Only what was submitted.
    #[default]
    Off,
    /// The vendor's way: playlists up to three levels and their `.ts` segments.
    Segments,
}

/// How the content of a task is asked for. Travels with the fill to the shield.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FetchOptions {
    /// `User-Agent` of the origin request, where the caller gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `User-Agent` of the origin request where the caller gives none; absent = `Stoker/<version>`.
    /// The API's own, the same for every caller, so that no caller chooses what it selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_user_agent: Option<String>,
    /// Further request fields, in the order given; at most 20. Not part of the cache key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The domains that the caller named: no other one gets `headers`. Absent = all are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_domains: Option<Vec<String>>,
    /// Ask the origin for the whole representation in one request, without `Range`.
    #[serde(default)]
    pub disable_range: bool,
    /// Whether playlists are followed.
    #[serde(default)]
    pub media: MediaPolicy,
    /// How fast the origin of each domain may be read, in megabits (10^6 bits) per second over all
    /// nodes together; absent = as fast as it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_mbps: Option<u32>,
    /// How long each target is tried after its first failure; absent = as its domain says. Not sent
    /// to nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Hosts to which playlists may lead; absent = every domain of the account. Not sent to nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist_hosts: Option<Vec<String>>,
    /// Whether children of playlists go to the areas in which their own domain is enabled, as the
    /// URLs of the task did, and not to those of the task. Nodes are not told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub areas_of_domains: bool,
}

impl FetchOptions {
    /// How content of `domain` is asked for: request fields, which may be secrets, go to no domain that
    /// the caller did not name, wherever a playlist leads.
    #[must_use]
    pub fn for_domain(&self, domain: &str) -> Self {
        let is_named = self
            .header_domains
            .as_ref()
            .is_none_or(|named| named.iter().any(|name| name == domain));
        let headers = if is_named { self.headers.clone() } else { Vec::new() };
        Self { headers, header_domains: None, ..self.clone() }
    }

    /// Remembers the domains that the caller named, where there is anything to keep from others.
    pub fn name_domains<'a>(&mut self, domains: impl Iterator<Item = &'a str>) {
        if self.media == MediaPolicy::Off || self.headers.is_empty() {
            return;
        }
        let named: BTreeSet<&str> = domains.collect();
        self.header_domains = Some(named.into_iter().map(Into::into).collect());
    }

    /// What a node has to know.
    #[must_use]
    pub fn for_nodes(self) -> Self {
        Self { playlist_hosts: None, patience_seconds: None, areas_of_domains: false, ..self }
    }
}

/// What one API call asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Public name.
    pub id: TaskId,
    /// Whose quota it charges.
    pub account: AccountId,
    /// Which API's quota it charges.
    pub product: Product,
    /// Areas asked for.
    pub areas: AreaScope,
    /// Tier asked for; absent = the default of each area.
    pub tier: Option<Tier>,
    /// How its content is asked for.
    pub options: FetchOptions,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// What its account wants of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// That it is worked on.
    #[default]
    Running,
    /// That nothing of it is worked on until it is resumed; since when.
    Paused(Timestamp),
    /// That nothing of it is worked on any more; since when. Its targets end as `canceled`.
    Canceled(Timestamp),
}

/// What an account does to a task that it has submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskCommand {
    /// Nothing of it is worked on until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends, with what is there.
    Cancel,
}

/// How far one target is, over all its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Some node has no final outcome yet.
    Processing,
    /// Every node that was asked for holds it and was read back.
    Done,
    /// At least one node ended without it; the others are final too.
    Failed,
}

impl Progress {
    /// The word in views and `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_fields_go_to_the_domains_that_the_caller_named() {
        let headers = vec![("authorization".to_owned(), "Basic eDp5".to_owned())];
        for (media, headers, named) in [
            (MediaPolicy::Off, headers.clone(), None),
            (MediaPolicy::Segments, Vec::new(), None),
            (MediaPolicy::Segments, headers, Some(vec!["*.a.example".to_owned()])),
        ] {
            let mut options = FetchOptions { media, headers, ..FetchOptions::default() };
            options.name_domains(["*.a.example", "*.a.example"].into_iter());
            assert_eq!(options.header_domains, named);
            let to = |domain| options.for_domain(domain);
            assert_eq!(to("*.a.example"), FetchOptions { header_domains: None, ..options.clone() });
            let is_open = named.is_none();
            assert_eq!(to("b.example").headers == options.headers, is_open, "{options:?}");
            assert_eq!(to("b.example").header_domains, None);
        }
    }

    #[test]
    fn nodes_do_not_get_what_the_engine_alone_decides_by() {
        let options = FetchOptions {
            user_agent: Some("Agent/1".into()),
            headers: vec![("x".into(), "y".into())],
            limit_mbps: Some(8),
            patience_seconds: Some(60),
            playlist_hosts: Some(vec!["a.example".into()]),
            ..FetchOptions::default()
        };
        let kept = FetchOptions { patience_seconds: None, playlist_hosts: None, ..options.clone() };
        assert_eq!(options.for_nodes(), kept);
    }
}

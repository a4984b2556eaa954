//! The shapes of the admin API, version 1: what programs send and what they get.
//!
//! Shared by the server and the command line, so that both sides mean the same. Times are RFC 3339
//! in UTC; words are those of `domain`. Fields are only ever added.

mod check;
pub mod identity;
pub(crate) mod lists;
pub mod ownership;
mod purge;
mod task;

pub use self::check::{
    CheckedTarget, CheckedView, FailureView, HoldingView, Layers, MOST_CHECKED, NewCheck,
};
pub(super) use self::lists::MOST_LISTED;
pub use self::{
    purge::{NewPurge, PurgeNodeView, PurgeReceipt, PurgeView, Purges},
    task::{
        Accepted, MOST_URLS, NewTask, NodeOutcomeView, RefusedTarget, Retried, TargetStatus,
        TargetView, Targets, TaskChanged, TaskStatus, TaskView, Tasks, WaitingView,
    },
};

use serde::{Deserialize, Serialize};
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    domain::{Lock, Shield},
    job::StoreHealth,
    ownership::Ownership,
    quota::{Product, Reset},
    setting::Status,
};

/// Body of `POST /admin/v1/domains`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDomain {
    /// Host that viewers ask for; a name, `localhost` or an IP literal.
    pub host: String,
    /// `http[s]://HOST[:PORT][/BASE]`.
    pub origin: String,
    /// Areas in which it is served; absent = both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Who may speak to the origin; absent = one node for all areas.
    #[serde(default)]
    pub shield: Shield,
    /// Whether private, loopback and link-local origin addresses may be connected to.
    #[serde(default)]
    pub allow_private_origin: bool,
    /// `Host` field sent to the origin; absent = `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_header: Option<String>,
    /// Freshness lifetime where the origin states none; absent = 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_lifetime_seconds: Option<u64>,
    /// Name of its zone, made if absent; absent = the registrable domain of `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether it is in no zone at all.
    #[serde(default)]
    pub no_zone: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Body of `POST /admin/v1/domains/{host}`; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainChange {
    /// `http[s]://HOST[:PORT][/BASE]`; private addresses stay allowed only if the change allows them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Whether what nodes hold of it now is never served again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub discard_cached: bool,
    /// Areas in which it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Whether it is served at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Who may speak to the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shield: Option<Shield>,
    /// Whether private, loopback and link-local origin addresses may be connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_private_origin: Option<bool>,
    /// `Host` field sent to the origin; empty = the domain's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_header: Option<String>,
    /// Freshness lifetime where the origin states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_lifetime_seconds: Option<u64>,
    /// How long a target is tried after its first failure, where its task does not set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Name of its zone, made if absent; empty = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Body of `POST /admin/v1/domains/{host}/lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainLock {
    /// Why it may not be prefetched or changed.
    pub lock: Lock,
}

/// Body of `POST /admin/v1/zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewZone {
    /// Its name, unique in the account.
    pub name: String,
    /// Areas that it is made for; absent = both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<AreaScope>,
}

/// A zone, as `GET /admin/v1/zones/{zone}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneView {
    /// Public name: `zone-` and 12 characters.
    pub zone_id: String,
    /// Its name.
    pub name: String,
    /// Areas that it is made for.
    pub area: AreaScope,
    /// Whether it is in use.
    pub status: Status,
    /// Hosts of the domains in it.
    pub domains: Vec<String>,
    /// When it was created.
    pub created_at: String,
}

/// Answer of `GET /admin/v1/zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones {
    /// The account's zones, ordered by name.
    pub zones: Vec<ZoneView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A domain, as `GET /admin/v1/domains/{host}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// Host that viewers ask for.
    pub host: String,
    /// `http[s]://HOST[:PORT][/BASE]`.
    pub origin: String,
    /// Areas in which it is served.
    pub areas: AreaScope,
    /// Whether it is served at all.
    pub status: Status,
    /// Who may speak to the origin.
    pub shield: Shield,
    /// Whether private, loopback and link-local origin addresses may be connected to.
    pub allow_private_origin: bool,
    /// `Host` field sent to the origin; absent = `host`.
    pub host_header: Option<String>,
    /// Servers beside that of `origin`, `HOST:PORT`; absent when there are none, as the next two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_origins: Vec<String>,
    /// Servers that are asked when none of those answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_origins: Vec<String>,
    /// Rules of the cache by path, one sentence each; of those that match, the last counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cache_rules: Vec<String>,
    /// Freshness lifetime where the origin states none.
    pub default_lifetime_seconds: u64,
    /// How long a target is tried after its first failure; absent = as the installation does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Why it may not be prefetched or changed for now; absent when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// The zone that it is in.
    #[serde(default)]
    pub zone_id: Option<String>,
    /// How it was established that the account may have it.
    #[serde(default)]
    pub ownership: Ownership,
    /// When it was created.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// What will not work as it is, a sentence each; looked for where one domain is shown, added or
    /// changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Answer of `GET /admin/v1/domains`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domains {
    /// The account's domains, ordered by host.
    pub domains: Vec<DomainView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A node, as `GET /admin/v1/nodes` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Unique name.
    pub name: String,
    /// Where it stands.
    pub area: Area,
    /// Edge or middle.
    pub tier: Tier,
    /// Its cluster.
    pub cluster: String,
    /// `host:port` at which viewers reach it.
    pub address: String,
    /// Whether it was heard of lately.
    pub is_alive: bool,
    /// When it was last heard of; absent = not since this control plane started.
    pub last_seen: Option<String>,
    /// The state of its store; absent = not reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreHealth>,
}

/// Answer of `GET /admin/v1/nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// All nodes, ordered by name.
    pub nodes: Vec<NodeView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of `GET /admin/v1/ledger`; a ledger that takes no writes is a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerView {
    /// Whether a write was synced to its disk just now.
    pub takes_writes: bool,
}

/// One day's quota of one product in one area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    /// What is counted.
    pub product: Product,
    /// Which area; a product that is counted in all areas together stands under the first.
    pub area: Area,
    /// URLs in one call of the vendor's API.
    pub batch: u32,
    /// URLs in one day.
    pub daily: u64,
    /// URLs charged so far today.
    pub used: u64,
    /// URLs left today.
    pub available: u64,
}

/// Query of `GET /admin/v1/quota`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaQuery {
    /// Number of the account; absent = the caller's own.
    pub account: Option<String>,
}

/// Answer of `/admin/v1/quota`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Number of the account.
    pub account: String,
    /// When the running quota day ends and all of it is available again.
    pub resets_at: String,
    /// One entry per area for the prefetches of `cdn`, as in `products`.
    pub prefetch: Vec<QuotaView>,
    /// One entry for each product and each area in which it is counted.
    pub products: Vec<QuotaView>,
}

/// Content of `POST /admin/v1/quota`: what is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaChange {
    /// Number of the account; absent = the caller's own.
    pub account: Option<String>,
    /// What is counted.
    pub product: Product,
    /// Absent = both areas.
    pub area: Option<Area>,
    /// URLs in one call of the vendor's API.
    pub batch: Option<u32>,
    /// URLs in one day.
    pub daily: Option<u64>,
}

/// Content of `POST /admin/v1/quota/day`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaDay {
    /// The time of day, with its zone, at which quota days begin: `00:00+08:00`.
    pub begins_at: Reset,
}

/// Why a call was refused (RFC 9457), sent as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:stoker:problem:<word>`; the word is stable.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, always the same for one kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This very case.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Name of the call in the server's log.
    #[serde(default)]
    pub request_id: String,
}

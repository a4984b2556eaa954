//! The shapes of the admin API, version 1: what programs send and what they get.
//!
//! Shared by the server and the command line, so that both sides mean the same. Times are RFC 3339
//! in UTC; words are those of `domain`. Fields are only ever added.

mod check;
pub mod identity;

pub use self::check::{
    CheckedTarget, CheckedView, FailureView, HoldingView, Layers, MOST_CHECKED, NewCheck,
};

use serde::{Deserialize, Serialize};
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    domain::{Lock, Shield, Status},
    job::StoreHealth,
    media::NotFollowed,
    outcome::Outcome,
    purge::{Method, Scope},
    quota::Product,
    quota::Reset,
    task::{MediaPolicy, Progress},
};

/// Most URLs that one call of `POST /admin/v1/tasks` takes.
pub const MOST_URLS: u32 = 100_000;

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
    /// `http[s]://HOST[:PORT][/BASE]`; private addresses stay allowed only if that is said again.
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
    /// How long a target is tried after its first failure, where its task says nothing.
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

/// Body of `POST /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPurge {
    /// What the targets name.
    pub scope: Scope,
    /// What becomes of it; absent = it is deleted. URLs are always deleted.
    #[serde(default)]
    pub method: Method,
    /// URLs, or directories: everything below them goes.
    pub targets: Vec<String>,
    /// Areas to be reached; absent = for each target those of its domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    #[serde(default)]
    pub encode: bool,
}

/// Answer of `POST /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReceipt {
    /// The name of the purge.
    pub purge: String,
    /// Distinct targets.
    pub targets: u64,
    /// Targets that were given more than once and merged.
    pub merged: u64,
}

/// A purge, as `GET /admin/v1/purges/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeView {
    /// Its name.
    pub purge: String,
    /// What its targets name.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas that it reaches.
    pub areas: AreaScope,
    /// Whether every node has carried it out durably: `processing`, `done`, or `failed` where some
    /// node has not for too long. What has failed is done when the last node comes back.
    pub status: Progress,
    /// How many targets it has.
    pub targets: u64,
    /// When it was accepted.
    pub created_at: String,
    /// When the last node confirmed; absent while it is processing.
    pub finished_at: Option<String>,
    /// What its targets name, 10,000 at most: URLs, beginnings of URLs, or a host and a tag. Left
    /// out in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Its nodes, turn by turn.
    pub nodes: Vec<PurgeNodeView>,
}

/// Answer of `GET /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purges {
    /// Newest first.
    pub purges: Vec<PurgeView>,
    /// How many there are in all.
    pub total: u64,
}

/// How far one node is with a purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeNodeView {
    /// Name of the node.
    pub node: String,
    /// Which turn, from 1. Nodes that others fetch through come first, and where there are several
    /// of them, twice.
    pub turn: u32,
    /// When it confirmed; absent while it has not.
    pub done_at: Option<String>,
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
    /// How its store is; absent = it has not said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreHealth>,
}

/// Answer of `GET /admin/v1/nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// All nodes, ordered by name.
    pub nodes: Vec<NodeView>,
}

/// Answer of `GET /admin/v1/ledger`; a ledger that takes no writes is a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerView {
    /// Whether a write was synced to its disk just now.
    pub takes_writes: bool,
}

/// Body of `POST /admin/v1/tasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// What is to be prefetched; 1 to [`MOST_URLS`].
    pub urls: Vec<String>,
    /// Where it must be held; absent = wherever the URLs' domains are served, which must be the
    /// same for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Tier that must hold it; absent = middle in the mainland, edge overseas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Tier>,
    /// Further request fields to the origin, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// `User-Agent` to the origin; absent = Stoker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether playlists are followed.
    #[serde(default)]
    pub media: MediaPolicy,
    /// How fast the origin of each domain may be read, in megabits (10^6 bits) per second over all
    /// nodes together; from 1, absent = as fast as it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_mbps: Option<u32>,
    /// How long each target is tried after its first failure, up to seven days; absent = as its
    /// domain says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Ask the origin without `Range`.
    #[serde(default)]
    pub disable_range: bool,
    /// Percent-encode spaces and bytes outside ASCII in the URLs.
    #[serde(default)]
    pub encode: bool,
}

/// Answer of `POST /admin/v1/tasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Public name of the task.
    pub task_id: String,
    /// Targets written.
    pub targets: u64,
    /// URLs left out because an equal one stood before them.
    pub merged: u64,
}

/// A task, as `GET /admin/v1/tasks/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// Public name.
    pub id: String,
    /// How far it is: `failed` when it is over and some target failed.
    pub status: Progress,
    /// Areas asked for.
    pub areas: AreaScope,
    /// Tier asked for; absent = the default of each area.
    pub layer: Option<Tier>,
    /// Targets in all, children of playlists included.
    pub targets: u64,
    /// Of these, done.
    pub done: u64,
    /// Of these, failed.
    pub failed: u64,
    /// How far all of it is, 0..=100; 100 only when it is over.
    pub percent: u8,
    /// Bytes durable so far, each target counted once.
    pub done_bytes: u64,
    /// Bytes in all, without what failed; absent while the size of some target is unknown, and
    /// before the end in lists and in tasks of more than 500 targets.
    pub total_bytes: Option<u64>,
    /// Bytes that nodes pulled from parents and the origin for targets that are final there.
    #[serde(default)]
    pub pulled_bytes: u64,
    /// Of the targets that wait with another attempt, that which is due first. Left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// When it was accepted.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// When its last target finished.
    pub finished_at: Option<String>,
    /// What its playlists name and is not followed; left out when there is nothing.
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")]
    pub not_followed: NotFollowed,
}

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// How the last attempt ended, of the target or of another of its origin.
    pub outcome: Outcome,
    /// When the next one is due.
    pub next_attempt_at: String,
}

impl std::fmt::Display for WaitingView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "waiting: {}, next attempt at {}", self.outcome, self.next_attempt_at)
    }
}

/// Answer of `GET /admin/v1/tasks?offset&limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// A page of the account's tasks, newest first.
    pub tasks: Vec<TaskView>,
    /// Tasks in all.
    pub total: u64,
}

/// A target, as `GET /admin/v1/tasks/{id}/targets` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    /// Number of the target.
    pub id: i64,
    /// Its URL.
    pub url: String,
    /// Number of the playlist that named it.
    pub parent: Option<i64>,
    /// How far it is.
    pub status: Progress,
    /// First failure among its nodes, or last success; absent while processing.
    pub outcome: Option<Outcome>,
    /// How far it is, 0..=100; 100 only when it is over.
    pub percent: u8,
    /// Nodes that must hold it.
    pub nodes: u32,
    /// Nodes whose outcome is final.
    pub settled_nodes: u32,
    /// Size in bytes, when known.
    pub size_bytes: Option<u64>,
    /// Bytes durable so far, averaged over its nodes.
    pub done_bytes: u64,
    /// Set while some node waits with another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// When it was accepted.
    pub created_at: String,
    /// When its last node settled.
    pub finished_at: Option<String>,
    /// What each of its nodes reported.
    pub outcomes: Vec<NodeOutcomeView>,
}

/// What one node reported of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutcomeView {
    /// Name of the node.
    pub node: String,
    /// Its area, when the node is known.
    pub area: Option<Area>,
    /// What became of it; absent while there is no report.
    pub outcome: Option<Outcome>,
    /// Size in bytes, when known.
    pub size_bytes: Option<u64>,
    /// Bytes that this node pulled for it.
    pub pulled_bytes: u64,
    /// `ETag`, or else `Last-Modified`, of the stored response.
    pub validator: Option<String>,
    /// When the read-back succeeded.
    pub verified_at: Option<String>,
    /// Until when the stored response is fresh.
    pub fresh_until: Option<String>,
    /// A sentence for a person when it failed.
    pub detail: Option<String>,
    /// What it names and is not followed; left out when there is nothing.
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")]
    pub not_followed: NotFollowed,
}

/// Answer of `GET /admin/v1/tasks/{id}/targets?offset&limit&status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// A page of the task's targets, in the order submitted.
    pub targets: Vec<TargetView>,
    /// Targets in all that match.
    pub total: u64,
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

//! An accelerated domain: a host or a wildcard, its origin, the areas it serves and the rules of its
//! cache.

mod origin;
mod rules;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    origin::{HeaderMode, HeaderRule, Origin, OriginError, Place, Pull, Scheme, Server},
    rules::{CachePolicy, CacheRule, CacheRules, Cookies, Paths, RuleLifetime},
};

use crate::{
    account::AccountId,
    area::{Area, AreaScope},
    host,
    ownership::Ownership,
    setting::{Status, VendorSettings},
    time::Timestamp,
    zone::ZoneId,
};

/// Freshness lifetime of a 200 response whose origin states none: 30 days, the vendor's default
/// rule. RFC 9111 section 4.2.2 leaves the choice to the cache.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// An accelerated domain. One thing for all APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// A lower-case host without port, where `localhost` and IP literals are valid; or `*.` and a host,
    /// for whatever lies below it, see [`crate::host`]. Stored as `host`, its name in earlier ledgers.
    #[serde(rename = "host")]
    pub name: String,
    /// Who owns it.
    pub account: AccountId,
    /// Where its content comes from.
    pub origin: Origin,
    /// Areas in which it is served.
    pub areas: AreaScope,
    /// Whether it is served at all.
    pub status: Status,
    /// How many middle nodes may speak to the origin.
    pub shield: Shield,
    /// What its cache keeps and for how long.
    pub cache: CacheRules,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The zone that it is in.
    #[serde(default)]
    pub zone: Option<ZoneId>,
    /// Which stored responses may be reused: those that were stored under the same number. Drawn
    /// anew when a host is added and when its content is discarded; 0 where none was drawn yet.
    #[serde(default)]
    pub content_epoch: u64,
    /// How fast the origin may be read for prefetches, at most one entry for each area.
    #[serde(default)]
    pub origin_limits: Vec<OriginLimit>,
    /// How long a prefetch goes on after its first failure; absent = as the installation does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Settings that are stored and answered back, nothing more. Stored as `kept`.
    #[serde(default, rename = "kept")]
    pub settings: VendorSettings,
    /// Why it may not be prefetched or changed for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// How it was established that the account may have it.
    #[serde(default)]
    pub ownership: Ownership,
}

impl Domain {
    /// A domain that is online everywhere from `now` on, with the rules that hold where none are given.
    pub fn new(
        name: impl Into<String>,
        account: AccountId,
        origin: Origin,
        now: Timestamp,
    ) -> Self {
        Self {
            name: name.into(),
            account,
            origin,
            areas: AreaScope::Global,
            status: Status::Online,
            shield: Shield::default(),
            cache: CacheRules::default(),
            created_at: now,
            updated_at: now,
            zone: None,
            content_epoch: 0,
            origin_limits: Vec::new(),
            patience_seconds: None,
            settings: VendorSettings::new(),
            lock: None,
            ownership: Ownership::default(),
        }
    }

    /// Whether it answers for whatever lies below a host rather than for one.
    pub fn is_wildcard(&self) -> bool {
        host::is_wildcard(&self.name)
    }

    /// What nodes have to know of it.
    pub fn for_nodes(&self) -> NodeDomain {
        NodeDomain {
            name: self.name.clone(),
            account: self.account,
            origin: self.origin.clone(),
            areas: self.areas,
            status: self.status,
            shield: self.shield,
            cache: self.cache.clone(),
            created_at: self.created_at,
            content_epoch: self.content_epoch,
            origin_limits: self.origin_limits.clone(),
        }
    }
}

/// A domain as nodes know it: what decides how its content is served and fetched, and nothing of what
/// only its owner and the control plane care for. [`Domain`] says what the fields mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDomain {
    /// Its name: a host, or a wildcard.
    pub name: String,
    /// Who owns it.
    pub account: AccountId,
    /// Where its content comes from.
    pub origin: Origin,
    /// Areas in which it is served.
    pub areas: AreaScope,
    /// Whether it is served at all.
    pub status: Status,
    /// How many middle nodes may speak to the origin.
    pub shield: Shield,
    /// What its cache keeps and for how long.
    pub cache: CacheRules,
    /// When it was created.
    pub created_at: Timestamp,
    /// Which stored responses may be reused.
    pub content_epoch: u64,
    /// How fast the origin may be read for prefetches.
    pub origin_limits: Vec<OriginLimit>,
}

/// How fast the origin of a domain may be read for prefetches in one area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginLimit {
    /// In which area.
    pub area: Area,
    /// Megabits (10^6 bits) per second, over all nodes of the area together.
    pub megabits_per_second: u32,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why a domain may not be prefetched or changed for now. Viewers are served, what was accepted goes
/// on, and purges are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// The operator has locked it.
    Locked,
    /// The operator is changing it.
    Changing,
}

impl Lock {
    /// In words that follow "is".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Changing => "being changed",
        }
    }
}

/// How many middle nodes may speak to the origin for one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shield {
    /// One for all areas: the origin is read once.
    #[default]
    Global,
    /// One in each area, for content that may not cross the border.
    PerArea,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_stored_under_the_words_of_earlier_ledgers() {
        let origin: Origin = "http://origin.example.com".parse().unwrap();
        let mut domain = Domain::new("*.a.example", AccountId(2), origin, Timestamp::default());
        domain.settings.insert("api".into(), serde_json::Map::new());
        let json = serde_json::to_value(&domain).unwrap();
        assert_eq!(
            (&json["host"], &json["kept"]),
            (&"*.a.example".into(), &serde_json::json!({"api": {}}))
        );
        assert!(json.get("name").is_none() && json.get("settings").is_none());
        assert_eq!(serde_json::from_value::<Domain>(json).unwrap(), domain);
        assert!(domain.is_wildcard());
    }

    #[test]
    fn nodes_get_what_decides_and_no_settings() {
        let origin: Origin = "http://origin.example.com".parse().unwrap();
        let mut domain = Domain::new("a.example", AccountId(2), origin, Timestamp::default());
        domain.settings.insert("secret-setting".into(), serde_json::Map::new());
        domain.content_epoch = 7;
        let node = domain.for_nodes();
        assert_eq!(
            (node.name.as_str(), node.account, node.content_epoch),
            ("a.example", AccountId(2), 7)
        );
        assert_eq!(
            (&node.origin, node.areas, node.status),
            (&domain.origin, domain.areas, domain.status)
        );
        assert!(!serde_json::to_string(&node).unwrap().contains("secret-setting"));
        assert!(!domain.is_wildcard());
    }
}

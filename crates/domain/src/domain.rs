//! An accelerated domain: a host, its origin, the areas it serves and the rules of its cache.

mod rules;

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::rules::{CachePolicy, CacheRule, CacheRules, Cookies, Paths, RuleLifetime};

use crate::{
    account::AccountId,
    area::{Area, AreaScope},
    time::Timestamp,
    zone::ZoneId,
};

/// Freshness lifetime of a 200 response whose origin states none: 30 days, the vendor's default
/// rule (wire.md 3.8). RFC 9111 section 4.2.2 leaves the choice to the cache.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// An accelerated domain. One thing for all APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Lower-case host without port; `localhost` and IP literals are valid.
    pub host: String,
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
    /// How fast the origin may be read for prefetches, at most one entry for each area.
    #[serde(default)]
    pub origin_limits: Vec<OriginLimit>,
    /// Settings that are stored and answered back, nothing more.
    #[serde(default)]
    pub kept: Kept,
}

/// Settings as a caller gave them, by API and name: stored and answered back, never acted on.
pub type Kept = BTreeMap<String, serde_json::Map<String, serde_json::Value>>;

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

/// Whether a domain is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Served; prefetches are accepted.
    #[default]
    Online,
    /// Stopped: viewers and prefetches are refused.
    Offline,
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

/// The scheme in which an origin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where a domain's content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// How the origin is asked.
    pub scheme: Scheme,
    /// Host name or IP literal (IPv6 in brackets) that is connected to.
    pub host: String,
    /// Port that is connected to.
    pub port: u16,
    /// Path put before the target's path, without a final `/`; empty for none.
    pub base_path: String,
    /// The `Host` field sent to the origin; absent = the accelerated domain.
    pub host_header: Option<String>,
    /// Whether private, loopback and link-local addresses may be connected to.
    pub allow_private: bool,
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL at all.
    #[error("origin `{0}` is not a URL")]
    NotAUrl(String),
    /// Neither `http` nor `https`.
    #[error("origin `{0}` must begin with `http://` or `https://`")]
    Scheme(String),
    /// Carries user information, a query or a fragment.
    #[error("origin `{0}` must be a scheme, a host, an optional port and an optional path")]
    Extra(String),
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads `http[s]://HOST[:PORT][/BASE]`. The host header stays the domain's and private
    /// addresses stay refused.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = url::Url::parse(text).map_err(|_| {
            if text.contains("://") {
                OriginError::NotAUrl(text.into())
            } else {
                OriginError::Scheme(text.into())
            }
        })?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Scheme(text.into())),
        };
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let Some(host) = url.host_str().filter(|_| plain) else {
            return Err(OriginError::Extra(text.into()));
        };
        Ok(Self {
            scheme,
            host: host.into(),
            port: url.port().unwrap_or(scheme.default_port()),
            base_path: url.path().trim_end_matches('/').into(),
            host_header: None,
            allow_private: false,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_printed_as_it_was_read() {
        for text in ["http://127.0.0.1:8080", "https://o.example.com/base", "http://[::1]:81"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        assert_eq!("https://o.example.com/".parse::<Origin>().unwrap().port, 443);
    }

    #[test]
    fn what_is_not_an_origin_is_named() {
        for text in ["127.0.0.1:80", "ftp://x/", "http://u@x/", "http://x/?q", "http://"] {
            let error = text.parse::<Origin>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

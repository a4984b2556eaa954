//! Where a domain's content comes from, and how it is asked for.
//!
//! Says which servers may be asked and in which order; whether one answers is for the node to see.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rules::{Paths, path_of};
use crate::{key::Key, port::is_open};

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

    /// The port when none is named.
    pub const fn default_port(self) -> u16 {
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
    /// The share of keys that [`Self::host`] answers for, beside those of the others.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Servers of the same content and standing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Server>,
    /// Servers that are asked when none of those answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<Server>,
    /// The `Host` field sent to those; absent = as to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_host_header: Option<String>,
    /// How it is asked.
    #[serde(default, skip_serializing_if = "Pull::is_default")]
    pub pull: Pull,
}

/// One server more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Host name or IP literal (IPv6 in brackets) that is connected to.
    pub host: String,
    /// Port that is connected to.
    pub port: u16,
    /// Its share of the keys.
    pub weight: u32,
}

/// How an origin is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pull {
    /// A redirection is followed and what it leads to is kept, instead of being handed on.
    pub follows_redirects: bool,
    /// Content is asked for whole, never by range.
    pub without_ranges: bool,
    /// How long is waited for the head of a reply, and for further content; absent = the node's
    /// time-outs.
    pub receive_timeout_seconds: Option<u64>,
    /// Changes to the request fields, in order.
    pub headers: Vec<HeaderRule>,
}

impl Pull {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// [`Self::receive_timeout_seconds`].
    pub fn receive_timeout(&self) -> Option<Duration> {
        self.receive_timeout_seconds.map(Duration::from_secs)
    }

    /// The changes that count for `path_and_query`.
    pub fn headers_for(&self, path_and_query: &str) -> impl Iterator<Item = &HeaderRule> {
        let path = path_of(path_and_query);
        self.headers.iter().filter(move |rule| rule.paths.matches(path))
    }
}

/// A change to the fields of requests to the origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// Which.
    pub mode: HeaderMode,
    /// Of this field.
    pub name: String,
    /// With this value; of no meaning when the field is deleted.
    pub value: String,
    /// For what.
    pub paths: Paths,
}

/// What a [`HeaderRule`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderMode {
    /// Puts the field in place of all that there are.
    Set,
    /// Puts it beside those that there are.
    Add,
    /// Removes it.
    Del,
}

/// A server that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Host name or IP literal.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// The `Host` field; absent = the accelerated domain.
    pub host_header: Option<&'a str>,
    /// It is asked only when no other answers.
    pub is_backup: bool,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

impl Origin {
    /// All servers, in the order in which they are to be asked for `key`: by weighted rendezvous
    /// hash, so that each answers for its share of the keys and one that fails is replaced by all
    /// others; backups last.
    pub fn places(&self, key: Key) -> Vec<Place<'_>> {
        let host_header = self.host_header.as_deref();
        let place = |host, port, is_backup| {
            let own = self.backup_host_header.as_deref().filter(|_| is_backup);
            Place { host, port, host_header: own.or(host_header), is_backup }
        };
        let first = (self.weight, place(&self.host, self.port, false));
        let others = self.others.iter().map(|one| (one.weight, place(&one.host, one.port, false)));
        let backups = self.backups.iter().map(|one| (one.weight, place(&one.host, one.port, true)));
        let mut places: Vec<_> = std::iter::once(first).chain(others).chain(backups).collect();
        places.sort_by_cached_key(|(weight, place)| (place.is_backup, rank(key, *weight, place)));
        places.into_iter().map(|(_, place)| place).collect()
    }

    /// All its servers and the host that they are asked for, if that is set: equal for domains that
    /// share an origin.
    pub fn authority(&self) -> String {
        let mut text = format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port);
        for server in self.others.iter().chain(&self.backups) {
            text.push_str(&format!(",{}:{}", server.host, server.port));
        }
        if let Some(host) = &self.host_header {
            text.push_str(&format!(" as {host}"));
        }
        text
    }

    /// The host and port of every server.
    pub fn servers(&self) -> impl Iterator<Item = (&str, u16)> {
        let further = self.others.iter().chain(&self.backups);
        let further = further.map(|server| (server.host.as_str(), server.port));
        std::iter::once((self.host.as_str(), self.port)).chain(further)
    }

    /// A port at which this origin may not be asked without permission of the installation's owner;
    /// servers of `before` stay as they were. Permission for private addresses covers ports.
    pub fn guarded_port(&self, before: Option<&Self>) -> Option<u16> {
        let is_new = |host: &str, port| !before.is_some_and(|b| b.has_server(host, port));
        let mut guarded = self
            .servers()
            .filter(|(host, port)| !self.allow_private && !is_open(*port) && is_new(host, *port));
        guarded.next().map(|(_, port)| port)
    }

    /// Whether `host:port` is one of its servers.
    pub fn has_server(&self, host: &str, port: u16) -> bool {
        self.servers().any(|server| server == (host, port))
    }

    /// Whether every server of `self` is one of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.servers().all(|(host, port)| other.has_server(host, port))
    }
}

/// The place of a server in the order for `key`: the lower, the sooner.
fn rank(key: Key, weight: u32, place: &Place<'_>) -> u64 {
    let digest = Sha256::new()
        .chain_update(b"stoker origin 1\0")
        .chain_update(key.0)
        .chain_update(place.host.as_bytes())
        .chain_update(place.port.to_le_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // uniform in (0, 1]; an exponential of rate `weight` is least with a chance of its share
    let uniform = u64::from_le_bytes(first).max(1) as f64 / (u64::MAX as f64);
    let waiting = -uniform.min(1.0).ln() / f64::from(weight.max(1));
    (waiting * 1e15) as u64
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
            weight: 1,
            others: Vec::new(),
            backups: Vec::new(),
            backup_host_header: None,
            pull: Pull::default(),
        })
    }
}

impl fmt::Display for Origin {
    /// The first server.
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

    fn several() -> Origin {
        let server = |host: &str, weight| Server { host: host.into(), port: 80, weight };
        let mut origin: Origin = "http://a".parse().unwrap();
        origin.others = vec![server("b", 3)];
        origin.backups = vec![server("z", 1)];
        origin.host_header = Some("o".into());
        origin
    }

    #[test]
    fn each_server_is_the_first_for_its_share_of_the_keys_and_backups_are_last() {
        let mut origin = several();
        let keys = || (0..4000).map(|n| Key::new("x", &format!("/{n}")));
        let firsts = keys().filter(|key| origin.places(*key)[0].host == "b").count();
        assert!((2900..3100).contains(&firsts), "{firsts} of 4000 for a weight of 3 in 4");
        for key in keys().take(100) {
            let places = origin.places(key);
            assert_eq!((places.len(), places[2].host, places[2].is_backup), (3, "z", true));
            assert!(places.iter().all(|place| place.host_header == Some("o")));
        }
        origin.backup_host_header = Some("of-backup".into());
        let place = origin.places(Key::new("x", "/"))[2];
        assert_eq!(place.host_header, Some("of-backup"));
    }

    #[test]
    fn a_server_that_goes_moves_only_its_own_keys() {
        let (two, mut one) = (several(), several());
        one.others = Vec::new();
        for n in 0..100 {
            let key = Key::new("x", &format!("/{n}"));
            let kept: Vec<_> = two.places(key).into_iter().filter(|p| p.host != "b").collect();
            assert_eq!(one.places(key), kept);
        }
    }

    #[test]
    fn an_origin_of_one_server_is_stored_as_before_there_were_several() {
        let plain: Origin = "http://a:81/b".parse().unwrap();
        let old = "{\"scheme\":\"http\",\"host\":\"a\",\"port\":81,\"base_path\":\"/b\",\
                   \"host_header\":null,\"allow_private\":false}";
        assert_eq!(serde_json::to_string(&plain).unwrap(), old);
        assert_eq!(serde_json::from_str::<Origin>(old).unwrap(), plain);
        let mut several = several();
        several.pull.receive_timeout_seconds = Some(7);
        (several.weight, several.others[0].weight) = (3, 5);
        let json = serde_json::to_string(&several).unwrap();
        assert_eq!(serde_json::from_str::<Origin>(&json).unwrap(), several);
        assert_eq!(several.pull.receive_timeout(), Some(Duration::from_secs(7)));
        assert_eq!(Pull::default().receive_timeout(), None);
    }

    #[test]
    fn domains_share_an_origin_when_servers_and_host_are_the_same() {
        let origin: Origin = "http://a:81/b".parse().unwrap();
        assert_eq!(origin.authority(), "http://a:81");
        let several = Origin { host_header: Some("h".into()), ..several() };
        let servers: Vec<_> =
            several.servers().map(|(host, port)| format!("{host}:{port}")).collect();
        assert_eq!(several.authority(), format!("http://{} as h", servers.join(",")));
    }

    #[test]
    fn guarded_ports_are_found_unless_they_were_there_or_leave_was_given() {
        let of = |url: &str| url.parse::<Origin>().unwrap();
        for url in ["http://o", "https://o", "http://o:8080", "https://o:443", "http://o:1024"] {
            assert_eq!(of(url).guarded_port(None), None, "{url}");
        }
        for (url, port) in [("http://o:22", 22), ("http://o:6379", 6379), ("https://o:80/a", 80)] {
            let guarded = Some(port).filter(|port| *port != 80);
            assert_eq!(of(url).guarded_port(None), guarded, "{url}");
            assert_eq!(of(url).guarded_port(Some(&of(url))), None, "{url}");
            assert_eq!(Origin { allow_private: true, ..of(url) }.guarded_port(None), None);
        }
        let mut several = several();
        several.backups[0].port = 25;
        assert_eq!(several.guarded_port(None), Some(25));
        assert_eq!(several.guarded_port(Some(&of("http://a"))), Some(25));
    }

    #[test]
    fn leave_for_some_servers_is_leave_for_fewer() {
        let (several, mut fewer) = (several(), several());
        fewer.backups = Vec::new();
        assert!(fewer.is_within(&several) && !several.is_within(&fewer));
        fewer.others[0].port = 81;
        assert!(!fewer.is_within(&several));
    }
}

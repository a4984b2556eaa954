//! What a caller says of a domain, and what of it acts: origin, areas, cache.
//!
//! Everything said is kept as it was given. When the domain was changed in another way since, what
//! was kept is out of date and a plain description of the domain takes its place.

use std::net::Ipv6Addr;

use serde_json::{Map, Value, json};
use stoker_domain::{
    area::AreaScope,
    domain::{Domain, Origin, Scheme},
};

use super::{Error, rules};
use crate::{
    request_fields,
    tencent::{
        message::Message,
        params::{self, Params},
    },
};

/// Under which name settings of this API are kept.
pub(crate) const KEPT: &str = "cdn";
/// More is not a configuration.
const MOST_BYTES: usize = 64 * 1024;
const SERVICES: &[&str] = &["web", "download", "media", "hybrid", "dynamic"];

/// Parameters of `AddCdnDomain` beside `Domain`.
pub(super) const ADD: &[&str] = &[
    "ServiceType",
    "Origin",
    "ProjectId",
    "IpFilter",
    "IpFreqLimit",
    "StatusCodeCache",
    "Compression",
    "BandwidthAlert",
    "RangeOriginPull",
    "FollowRedirect",
    "ErrorPage",
    "RequestHeader",
    "ResponseHeader",
    "DownstreamCapping",
    "CacheKey",
    "ResponseHeaderCache",
    "VideoSeek",
    "Cache",
    "OriginPullOptimization",
    "Https",
    "Authentication",
    "Seo",
    "ForceRedirect",
    "Referer",
    "MaxAge",
    "Ipv6",
    "SpecificConfig",
    "Area",
    "OriginPullTimeout",
    "Tag",
    "Ipv6Access",
    "OfflineCache",
    "Quic",
    "AwsPrivateAccess",
    "OssPrivateAccess",
    "HwPrivateAccess",
    "QnPrivateAccess",
    "OthersPrivateAccess",
    "HttpsBilling",
];

/// Parameters of `UpdateDomainConfig` beside `Domain`.
pub(super) const UPDATE: &[&str] = &[
    "ProjectId",
    "Origin",
    "IpFilter",
    "IpFreqLimit",
    "StatusCodeCache",
    "Compression",
    "BandwidthAlert",
    "RangeOriginPull",
    "FollowRedirect",
    "ErrorPage",
    "RequestHeader",
    "ResponseHeader",
    "DownstreamCapping",
    "CacheKey",
    "ResponseHeaderCache",
    "VideoSeek",
    "Cache",
    "OriginPullOptimization",
    "Https",
    "Authentication",
    "Seo",
    "ForceRedirect",
    "Referer",
    "MaxAge",
    "SpecificConfig",
    "ServiceType",
    "Area",
    "OriginPullTimeout",
    "AwsPrivateAccess",
    "UserAgentFilter",
    "AccessControl",
    "UrlRedirect",
    "AccessPort",
    "AdvancedAuthentication",
    "OriginAuthentication",
    "Ipv6Access",
    "OfflineCache",
    "OriginCombine",
    "PostMaxSize",
    "Quic",
    "OssPrivateAccess",
    "WebSocket",
    "RemoteAuthentication",
    "ShareCname",
    "HwPrivateAccess",
    "QnPrivateAccess",
    "OthersPrivateAccess",
    "HttpsBilling",
    "ParamFilter",
    "AutoGuard",
    "GeoBlocker",
];

/// Takes what is said, as it was given.
pub(super) fn take(
    params: &mut Params,
    fields: &[&'static str],
) -> Result<Map<String, Value>, crate::tencent::error::Error> {
    let mut said = Map::new();
    if let Some(project) = params.integer("ProjectId")? {
        said.insert("ProjectId".into(), project.into());
    }
    for field in ["ServiceType", "Area"] {
        if let Some(word) = params.text(field)? {
            said.insert(field.into(), word.into());
        }
    }
    for field in fields {
        if let Some(value) = params.json(field) {
            let is_structure =
                value.is_object() || matches!(*field, "Tag" | "AccessPort") && value.is_array();
            if !is_structure {
                return Err(params::Error::Type((*field).into()).into());
            }
            said.insert((*field).into(), value);
        }
    }
    let service = said.get("ServiceType").and_then(Value::as_str);
    if service.is_some_and(|service| !SERVICES.contains(&service)) {
        let known = SERVICES.join("`, `");
        let rule = Message::new(
            format!("`ServiceType` must be one of `{known}`"),
            format!("`ServiceType` 必须是 `{known}` 之一"),
        );
        return Err(Error::Param(rule).into());
    }
    check_size(&said)?;
    Ok(said)
}

/// Refuses what is too large to be kept.
pub(super) fn check_size(said: &Map<String, Value>) -> Result<(), Error> {
    let bytes: usize = said.values().map(|value| value.to_string().len()).sum();
    if bytes > MOST_BYTES {
        return Err(Error::Param(Message::new(
            format!("values have {bytes} bytes; at most {MOST_BYTES}"),
            format!("总长 {bytes} 字节，上限为 {MOST_BYTES} 字节"),
        )));
    }
    Ok(())
}

/// What is said of `domain`: as it was given, where it still holds.
pub(super) fn said(domain: &Domain) -> Map<String, Value> {
    let mut said = domain.kept.get(KEPT).cloned().unwrap_or_default();
    let same = |origin: Origin| {
        Origin { allow_private: domain.origin.allow_private, ..origin } == domain.origin
    };
    if !origin(&said).is_ok_and(same) {
        said.insert("Origin".into(), plain_origin(&domain.origin, &domain.host));
    }
    if !rules::read(&said).is_ok_and(|cache| cache == domain.cache) {
        said.insert("Cache".into(), rules::write(&domain.cache));
    }
    said.insert("Area".into(), domain.areas.as_str().into());
    said.entry("ServiceType").or_insert_with(|| "web".into());
    said.entry("ProjectId").or_insert_with(|| 0.into());
    said
}

fn plain_origin(origin: &Origin, host: &str) -> Value {
    let is_ip = origin.host.parse::<std::net::Ipv4Addr>().is_ok();
    json!({
        "Origins": [format!("{}:{}", origin.host, origin.port)],
        "OriginType": if is_ip { "ip" } else { "domain" },
        "ServerName": origin.host_header.as_deref().unwrap_or(host),
        "OriginPullProtocol": origin.scheme.as_str(),
        "BasePath": origin.base_path,
    })
}

/// The areas that are meant; nothing when none are named.
pub(super) fn areas(said: &Map<String, Value>) -> Result<Option<AreaScope>, Error> {
    let word = said.get("Area").and_then(Value::as_str).filter(|word| !word.is_empty());
    let areas = word.map(str::parse).transpose();
    areas.map_err(|error| Error::Word { name: "Area", error })
}

/// The origin that is meant: the first of `Origins`; private addresses are refused.
pub(super) fn origin(said: &Map<String, Value>) -> Result<Origin, Error> {
    let origin = said.get("Origin").unwrap_or(&Value::Null);
    let text = |field: &str| origin[field].as_str().filter(|text| !text.is_empty());
    let Some(first) = origin["Origins"][0].as_str() else {
        return Err(Error::Param(Message::new(
            "`Origin.Origins` must name an origin",
            "`Origin.Origins` 必须填写源站",
        )));
    };
    let wrong = || {
        Error::Param(Message::new(
            format!("`Origin.Origins`: `{first}` is not HOST[:PORT[:WEIGHT]]"),
            format!("`Origin.Origins`：`{first}` 不符合 HOST[:PORT[:WEIGHT]] 格式"),
        ))
    };
    let scheme = match text("OriginPullProtocol").unwrap_or("http") {
        // `follow`: what a node asks of another does not tell the viewer's scheme
        "http" | "follow" => Scheme::Http,
        "https" => Scheme::Https,
        other => {
            return Err(Error::Param(Message::new(
                format!("`OriginPullProtocol` is `{other}`; not `http`, `follow`, `https`"),
                format!("`OriginPullProtocol` 为 `{other}`，可选值为 `http`、`follow`、`https`"),
            )));
        }
    };
    let (host, port) = split(first, scheme).ok_or_else(wrong)?;
    let base = text("BasePath").unwrap_or_default();
    let is_plain = !host.contains(['/', '@', '?', '#']);
    let url = format!("{}://{host}:{port}{base}", scheme.as_str());
    let mut origin: Origin = url.parse().ok().filter(|_| is_plain).ok_or_else(wrong)?;
    if let Some(name) = text("ServerName") {
        request_fields::check_value("ServerName", name)?;
        origin.host_header = Some(name.into());
    }
    Ok(origin)
}

/// `IP`, `IP:port`, `IP:port:weight`, and the same with a name or an IPv6 address.
fn split(text: &str, scheme: Scheme) -> Option<(String, u16)> {
    let default = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some((format!("[{ip}]"), default));
    }
    let end = text.find(']').map_or(0, |end| end + 1);
    let (host, rest) = text.split_at(end + text[end..].find(':').unwrap_or(text.len() - end));
    let mut rest = rest.split(':').skip(1);
    let port = rest.next().map_or(Some(default), |port| port.parse().ok())?;
    let weight = rest.next().map_or(Some(0), |weight| weight.parse::<u16>().ok());
    let is_done = weight.is_some() && rest.next().is_none() && !host.is_empty();
    is_done.then(|| (host.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_origin_is_read() {
        for (text, expected) in [
            ("192.0.2.1", Some("https://192.0.2.1")),
            ("192.0.2.1:8443", Some("https://192.0.2.1:8443")),
            ("192.0.2.1:8443:100", Some("https://192.0.2.1:8443")),
            ("o.example.com", Some("https://o.example.com")),
            ("2001:db8::1", Some("https://[2001:db8::1]")),
            ("[2001:db8::1]:81:5", Some("https://[2001:db8::1]:81")),
            ("", None),
            (":80", None),
            ("a:b", None),
            ("a:1:2:3", None),
            ("a/b", None),
            ("u@a", None),
        ] {
            let said = json!({ "Origin": { "Origins": [text], "OriginPullProtocol": "https" } });
            let read = origin(said.as_object().unwrap()).map(|origin| origin.to_string());
            assert_eq!(read.ok().as_deref(), expected, "{text}");
        }
    }
}

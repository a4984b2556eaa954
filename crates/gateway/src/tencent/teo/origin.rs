//! The settings of an origin, and the origin that they stand for.
//!
//! All settings are kept as they were given. What acts is read from them each time; when the domain
//! was changed in another way since, the kept settings are out of date and a plain description of the
//! domain takes their place.

use std::net::Ipv6Addr;

use serde_json::{Map, Value, json};
use stoker_domain::domain::{Domain, Origin, Scheme};

use super::{error::Error, rule::OriginRule};
use crate::{
    request_fields,
    tencent::{
        common::{Refusal, settings::TEO},
        params::{OutOfBounds, Params, shape},
    },
};

/// The parameters that describe an origin.
pub(super) const FIELDS: [&str; 5] =
    ["OriginInfo", "OriginProtocol", "HttpOriginPort", "HttpsOriginPort", "IPv6Status"];

const INFO: &[&str] = &[
    "OriginType",
    "Origin",
    "BackupOrigin",
    "PrivateAccess",
    "PrivateParameters",
    "HostHeader",
    "VodeoSubAppId",
    "VodeoDistributionRange",
    "VodeoBucketId",
    "VodOriginScope",
    "VodBucketId",
];

/// Takes the parameters that describe an origin, as they were given.
pub(super) fn take(params: &mut Params) -> Result<Map<String, Value>, Error> {
    let mut settings = Map::new();
    if let Some(info) = params.clone().structure("OriginInfo")? {
        info.only(INFO)?;
    }
    for port in ["HttpOriginPort", "HttpsOriginPort"] {
        if let Some(given) = params.integer(port)? {
            if !(1..=65535).contains(&given) {
                let bounds = OutOfBounds { name: port, given, least: 1, most: 65535 };
                return Err(Refusal::Range(bounds).into());
            }
            settings.insert(port.into(), given.into());
        }
    }
    for field in FIELDS {
        if let Some(value) = setting(params, field)? {
            settings.insert(field.into(), value);
        }
    }
    Ok(settings)
}

/// Takes a setting that is kept, if it has its shape.
pub(super) fn setting(params: &mut Params, field: &str) -> Result<Option<Value>, Error> {
    Ok(shape::take(params, TEO, field)?)
}

/// The settings of the origin of `domain`: as they were given, if they still stand for that origin.
pub(super) fn settings(domain: &Domain) -> Map<String, Value> {
    let kept = domain.settings.get(TEO).cloned().unwrap_or_default();
    let means = |origin: Origin| {
        let pull = domain.origin.pull.clone();
        Origin { allow_private: domain.origin.allow_private, pull, ..origin } == domain.origin
    };
    if read(&kept).is_ok_and(means) {
        return kept;
    }
    let origin = &domain.origin;
    let (protocol, port) = match origin.scheme {
        Scheme::Http => ("HTTP", "HttpOriginPort"),
        Scheme::Https => ("HTTPS", "HttpsOriginPort"),
    };
    let info = json!({
        "OriginType": "IP_DOMAIN",
        "Origin": origin.host,
        "HostHeader": origin.host_header.clone().unwrap_or_default(),
    });
    let mut settings = kept;
    for field in FIELDS {
        settings.remove(field);
    }
    settings.insert("OriginInfo".into(), info);
    settings.insert("OriginProtocol".into(), protocol.into());
    settings.insert(port.into(), origin.port.into());
    settings
}

/// The origin that the settings stand for; private addresses are refused.
pub(super) fn read(settings: &Map<String, Value>) -> Result<Origin, Error> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let info = settings.get("OriginInfo").unwrap_or(&Value::Null);
    let Some(host) = text(&info["Origin"]).filter(|host| !host.is_empty()) else {
        return Err(OriginRule::Missing.into());
    };
    // a store of objects is asked by its own name
    let is_store = match text(&info["OriginType"]).unwrap_or_default().to_ascii_uppercase().as_str()
    {
        "IP_DOMAIN" => false,
        "COS" | "AWS_S3" => true,
        other => return Err(OriginRule::Kind(other.into()).into()),
    };
    let protocol = settings.get("OriginProtocol").and_then(text).unwrap_or_default();
    // `FOLLOW`: what a node asks of another does not tell the viewer's scheme
    let (scheme, field, default) = match protocol.to_ascii_uppercase().as_str() {
        "" | "FOLLOW" | "HTTP" => ("http", "HttpOriginPort", 80),
        "HTTPS" => ("https", "HttpsOriginPort", 443),
        other => return Err(OriginRule::Protocol(other.into()).into()),
    };
    let port = settings.get(field).and_then(Value::as_u64).unwrap_or(default);
    let bracketed = host.parse::<Ipv6Addr>().map_or(host.clone(), |ip| format!("[{ip}]"));
    let url = format!("{scheme}://{bracketed}:{port}");
    let is_plain = !host.contains(['/', '@', '?', '#']);
    let Some(mut origin) = url.parse::<Origin>().ok().filter(|_| is_plain) else {
        return Err(OriginRule::Server(host).into());
    };
    if let Some(host) = text(&info["HostHeader"]).filter(|host| !host.is_empty()) {
        request_fields::check_host("HostHeader", &host)?;
        origin.host_header = Some(host);
    } else if is_store {
        origin.host_header = Some(origin.host.clone());
    }
    Ok(origin)
}

//! What a caller says of an origin, and the origin that it means.
//!
//! Everything said is kept as it was given. What acts is read from it each time; when the domain
//! was changed in another way since, what was kept is out of date and a plain description of the
//! domain takes its place.

use std::net::Ipv6Addr;

use serde_json::{Map, Value, json};
use stoker_domain::domain::{Domain, Origin, Scheme};

use super::{Error, KEPT};
use crate::{
    request_fields,
    tencent::{
        error::Error as CallError,
        message::Message,
        params::{OutOfBounds, Params},
        value::shape,
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
pub(super) fn take(params: &mut Params) -> Result<Map<String, Value>, CallError> {
    let mut said = Map::new();
    if let Some(info) = params.clone().structure("OriginInfo")? {
        info.only(INFO)?;
    }
    for port in ["HttpOriginPort", "HttpsOriginPort"] {
        if let Some(given) = params.integer(port)? {
            if !(1..=65535).contains(&given) {
                let bounds = OutOfBounds { name: port, given, least: 1, most: 65535 };
                return Err(Error::Range(bounds).into());
            }
            said.insert(port.into(), given.into());
        }
    }
    for field in FIELDS {
        if let Some(value) = setting(params, field)? {
            said.insert(field.into(), value);
        }
    }
    Ok(said)
}

/// Takes a setting that is kept, if it has its shape.
pub(super) fn setting(params: &mut Params, field: &str) -> Result<Option<Value>, CallError> {
    let word = |_, name, error| Error::Word { name, error }.into();
    shape::take(params, KEPT, field).map_err(|error| error.into_call(word))
}

/// What is said of the origin of `domain`: as it was given, if it still means that origin.
pub(super) fn said(domain: &Domain) -> Map<String, Value> {
    let kept = domain.settings.get(KEPT).cloned().unwrap_or_default();
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
    let mut said = kept;
    for field in FIELDS {
        said.remove(field);
    }
    said.insert("OriginInfo".into(), info);
    said.insert("OriginProtocol".into(), protocol.into());
    said.insert(port.into(), origin.port.into());
    said
}

/// The origin that is meant; private addresses are refused.
pub(super) fn read(said: &Map<String, Value>) -> Result<Origin, Error> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let info = said.get("OriginInfo").unwrap_or(&Value::Null);
    let wrong = |en: String, zh: String| Err(Error::Origin(Message::new(en, zh)));
    let Some(host) = text(&info["Origin"]).filter(|host| !host.is_empty()) else {
        return wrong("has no `Origin`".into(), "缺少 `Origin`".into());
    };
    // a store of objects is asked by its own name
    let is_store = match text(&info["OriginType"]).unwrap_or_default().to_ascii_uppercase().as_str()
    {
        "IP_DOMAIN" => false,
        "COS" | "AWS_S3" => true,
        other => {
            return wrong(
                format!("has the type `{other}`; `IP_DOMAIN`, `COS` and `AWS_S3` are served here"),
                format!("的类型为 `{other}`，支持 `IP_DOMAIN`、`COS` 和 `AWS_S3`"),
            );
        }
    };
    let protocol = said.get("OriginProtocol").and_then(text).unwrap_or_default();
    // `FOLLOW`: what a node asks of another does not tell the viewer's scheme
    let (scheme, field, default) = match protocol.to_ascii_uppercase().as_str() {
        "" | "FOLLOW" | "HTTP" => ("http", "HttpOriginPort", 80),
        "HTTPS" => ("https", "HttpsOriginPort", 443),
        other => {
            return wrong(
                format!("`OriginProtocol` `{other}` is not `FOLLOW`, `HTTP`, `HTTPS`"),
                format!("`OriginProtocol` 为 `{other}`，可选值为 `FOLLOW`、`HTTP`、`HTTPS`"),
            );
        }
    };
    let port = said.get(field).and_then(Value::as_u64).unwrap_or(default);
    let bracketed = host.parse::<Ipv6Addr>().map_or(host.clone(), |ip| format!("[{ip}]"));
    let url = format!("{scheme}://{bracketed}:{port}");
    let is_plain = !host.contains(['/', '@', '?', '#']);
    let Some(mut origin) = url.parse::<Origin>().ok().filter(|_| is_plain) else {
        return wrong(
            format!("has the `Origin` `{host}`, which is not an address or a name"),
            format!("的 `Origin` `{host}` 不是合法的地址或域名"),
        );
    };
    if let Some(host) = text(&info["HostHeader"]).filter(|host| !host.is_empty()) {
        request_fields::check_host("HostHeader", &host)?;
        origin.host_header = Some(host);
    } else if is_store {
        origin.host_header = Some(origin.host.clone());
    }
    Ok(origin)
}

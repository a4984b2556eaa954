//! What a caller says of a domain, and what of it acts: origin, areas, cache.
//!
//! Everything said is kept as it was given. When the domain was changed in another way since, what
//! was kept is out of date and a plain description of the domain takes its place.

use serde_json::{Map, Value};
use stoker_domain::{
    area::{AreaScope, UnknownWord},
    domain::{Domain, Origin},
};

use super::{Error, origin, rules};
use crate::tencent::{error::Error as CallError, message::Message, params::Params, value::shape};

/// Under which name settings of this API are kept.
pub(crate) const KEPT: &str = "cdn";
/// More is not a configuration.
const MOST_BYTES: usize = 64 * 1024;
const SERVICES: &[&str] = &["web", "download", "media", "hybrid", "dynamic"];

/// Parameters of `AddCdnDomain` and `UpdateDomainConfig` beside `Domain`.
const BOTH: &[&str] = &[
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
    "SpecificConfig",
    "Area",
    "OriginPullTimeout",
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
/// Further ones of `AddCdnDomain`.
const ADD: &[&str] = &["Ipv6", "Tag"];
/// Further ones of `UpdateDomainConfig`.
const UPDATE: &[&str] = &[
    "UserAgentFilter",
    "AccessControl",
    "UrlRedirect",
    "AccessPort",
    "AdvancedAuthentication",
    "OriginAuthentication",
    "OriginCombine",
    "PostMaxSize",
    "WebSocket",
    "RemoteAuthentication",
    "ShareCname",
    "ParamFilter",
    "AutoGuard",
    "GeoBlocker",
];

/// Parameters of `AddCdnDomain` beside `Domain`.
pub(super) fn of_add() -> Vec<&'static str> {
    [BOTH, ADD].concat()
}

/// Parameters of `UpdateDomainConfig` beside `Domain`.
pub(super) fn of_update() -> Vec<&'static str> {
    [BOTH, UPDATE].concat()
}

/// Takes what is said, as it was given.
pub(super) fn take(
    params: &mut Params,
    fields: &[&'static str],
) -> Result<Map<String, Value>, CallError> {
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
        let value = shape::take(params, KEPT, field).map_err(|error| error.into_call(word))?;
        if let Some(value) = value {
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

fn word(path: String, _: &str, error: UnknownWord) -> CallError {
    let UnknownWord { given, expected } = &error;
    Error::Param(Message::new(
        format!("`{path}`: {error}"),
        format!("`{path}`：`{given}` 不在可选值 {expected} 之中"),
    ))
    .into()
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
    let mut said = domain.settings.get(KEPT).cloned().unwrap_or_default();
    let same = |origin: Origin| {
        Origin { allow_private: domain.origin.allow_private, ..origin } == domain.origin
    };
    if !origin::read(&said).is_ok_and(same) {
        said.insert("Origin".into(), origin::write(&domain.origin, &domain.name));
    }
    if !rules::read(&said).is_ok_and(|cache| cache == domain.cache) {
        said.insert("Cache".into(), rules::write(&domain.cache));
    }
    said.insert("Area".into(), domain.areas.as_str().into());
    said.entry("ServiceType").or_insert_with(|| "web".into());
    said.entry("ProjectId").or_insert_with(|| 0.into());
    said
}

/// The areas that are meant; nothing when none are named.
pub(super) fn areas(said: &Map<String, Value>) -> Result<Option<AreaScope>, Error> {
    let word = said.get("Area").and_then(Value::as_str).filter(|word| !word.is_empty());
    let areas = word.map(str::parse).transpose();
    areas.map_err(|error| Error::Word { name: "Area", error })
}

//! The settings of a domain, and those of them that act: origin, areas, cache.
//!
//! All settings are kept as they were given. When the domain was changed in another way since, the
//! kept settings are out of date and a plain description of the domain takes their place.

use serde_json::{Map, Value};
use stoker_domain::{
    area::AreaScope,
    domain::{Domain, Origin},
};

use super::{error::Error, origin, rule::Rule, rules};
use crate::tencent::{
    common::{Refusal, settings::CDN},
    params::{Params, shape},
};

/// Largest settings that are kept.
pub(super) const MOST_BYTES: usize = 64 * 1024;
pub(super) const SERVICES: &[&str] = &["web", "download", "media", "hybrid", "dynamic"];

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
pub(super) fn add_parameters() -> Vec<&'static str> {
    [BOTH, ADD].concat()
}

/// Parameters of `UpdateDomainConfig` beside `Domain`.
pub(super) fn update_parameters() -> Vec<&'static str> {
    [BOTH, UPDATE].concat()
}

/// Takes the settings, as they were given.
pub(super) fn take(
    params: &mut Params,
    fields: &[&'static str],
) -> Result<Map<String, Value>, Error> {
    let mut settings = Map::new();
    if let Some(project) = params.integer("ProjectId")? {
        settings.insert("ProjectId".into(), project.into());
    }
    for field in ["ServiceType", "Area"] {
        if let Some(word) = params.text(field)? {
            settings.insert(field.into(), word.into());
        }
    }
    for field in fields {
        if let Some(value) = shape::take(params, CDN, field)? {
            settings.insert((*field).into(), value);
        }
    }
    let service = settings.get("ServiceType").and_then(Value::as_str);
    if service.is_some_and(|service| !SERVICES.contains(&service)) {
        return Err(Rule::Service.into());
    }
    check_size(&settings)?;
    Ok(settings)
}

/// Refuses settings that are too large to be kept.
pub(super) fn check_size(settings: &Map<String, Value>) -> Result<(), Rule> {
    let bytes: usize = settings.values().map(|value| value.to_string().len()).sum();
    if bytes > MOST_BYTES { Err(Rule::TooLong(bytes)) } else { Ok(()) }
}

/// The settings of `domain`: as they were given, where they still hold.
pub(super) fn settings(domain: &Domain) -> Map<String, Value> {
    let mut settings = domain.settings.get(CDN).cloned().unwrap_or_default();
    let same = |origin: Origin| {
        Origin { allow_private: domain.origin.allow_private, ..origin } == domain.origin
    };
    if !origin::read(&settings).is_ok_and(same) {
        settings.insert("Origin".into(), origin::write(&domain.origin, &domain.name));
    }
    if !rules::read(&settings).is_ok_and(|cache| cache == domain.cache) {
        settings.insert("Cache".into(), rules::write(&domain.cache));
    }
    settings.insert("Area".into(), domain.areas.as_str().into());
    settings.entry("ServiceType").or_insert_with(|| "web".into());
    settings.entry("ProjectId").or_insert_with(|| 0.into());
    settings
}

/// The areas that are meant; nothing when none are named.
pub(super) fn areas(settings: &Map<String, Value>) -> Result<Option<AreaScope>, Error> {
    let word = settings.get("Area").and_then(Value::as_str).filter(|word| !word.is_empty());
    let areas = word.map(str::parse).transpose();
    Ok(areas.map_err(|error| Refusal::Word { name: "Area", error })?)
}

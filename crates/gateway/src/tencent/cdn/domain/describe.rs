//! `DescribeDomains`, `DescribeDomainsConfig`: lists of domains, in short and in full.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use stoker_domain::{
    account::Account,
    domain::{Domain, Lock},
    setting::Status,
};

use super::{
    config,
    error::{Error, Reply},
    rule::Rule,
};
use crate::tencent::{
    common::{Call, clock},
    params::Params,
};

/// Names of filters.
pub(super) const FILTERS: &[&str] = &[
    "origin",
    "domain",
    "resourceId",
    "status",
    "serviceType",
    "projectId",
    "domainType",
    "fullUrlCache",
    "https",
    "originPullProtocol",
    "tagKey",
];
/// Values that one filter takes.
pub(super) const MOST_VALUES: usize = 5;

pub(super) fn brief(call: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Offset", "Limit", "Filters"])?;
    let (rows, total) = select(call, &mut params)?;
    let rows: Vec<Value> = rows.iter().map(|domain| head(call.account, domain).into()).collect();
    Ok(reply(rows, total))
}

pub(super) fn detailed(call: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Offset", "Limit", "Filters", "Sort"])?;
    let sort = params.structure("Sort")?;
    let mut is_descending = false;
    if let Some(mut sort) = sort {
        sort.only(&["Key", "Sequence"])?;
        sort.text("Key")?;
        is_descending = sort.text("Sequence")?.as_deref() == Some("desc");
    }
    let (mut rows, total) = select(call, &mut params)?;
    rows.sort_by_key(|domain| domain.created_at);
    if is_descending {
        rows.reverse();
    }
    let rows: Vec<Value> = rows.iter().map(|domain| full(call.account, domain)).collect();
    Ok(reply(rows, total))
}

fn reply(rows: Vec<Value>, total: usize) -> Map<String, Value> {
    Map::from_iter([("Domains".into(), rows.into()), ("TotalNumber".into(), total.into())])
}

/// One page of the domains that match, and how many match.
fn select(
    Call { gateway, account, scope, .. }: Call<'_>,
    params: &mut Params,
) -> Result<(Vec<Arc<Domain>>, usize), Error> {
    let mut number = |name: &'static str, default: i64, least: i64, most: i64| {
        let given = params.bounded(name, default, least..=most)?;
        let given = given.ok().and_then(|given| usize::try_from(given).ok());
        given.ok_or_else(|| Error::from(Rule::Bounds { name, least, most }))
    };
    let (offset, limit) = (number("Offset", 0, 0, 1_000_000_000)?, number("Limit", 100, 1, 1000)?);
    let filters = params.structures("Filters")?;
    let filters = filters.into_iter().map(Filter::read).collect::<Result<Vec<_>, _>>()?;
    let mut domains = gateway.engine.domains(account.id);
    domains.retain(|domain| scope.shows(&domain.name));
    domains.retain(|domain| {
        let settings = config::settings(domain);
        filters.iter().all(|filter| filter.matches(domain, &settings))
    });
    let total = domains.len();
    Ok((domains.into_iter().skip(offset).take(limit).collect(), total))
}

struct Filter {
    name: String,
    values: Vec<String>,
    is_fuzzy: bool,
}

impl Filter {
    fn read(mut params: Params) -> Result<Self, Error> {
        params.only(&["Name", "Value", "Fuzzy"])?;
        let name = params.required_text("Name")?;
        let mut values = params.texts("Value")?.ok_or_else(|| params.missing("Value"))?;
        if name == "domain" {
            values = values.iter().map(|value| value.to_ascii_lowercase()).collect();
        }
        let is_fuzzy = params.boolean("Fuzzy")?.unwrap_or_default();
        if !FILTERS.contains(&name.as_str()) {
            return Err(Rule::FilterName(name).into());
        }
        if values.is_empty() || values.len() > MOST_VALUES {
            return Err(Rule::FilterValues(name).into());
        }
        if is_fuzzy && (!matches!(name.as_str(), "origin" | "domain") || values.len() > 1) {
            return Err(Rule::FuzzyFilter.into());
        }
        Ok(Self { name, values, is_fuzzy })
    }

    fn matches(&self, domain: &Domain, settings: &Map<String, Value>) -> bool {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let setting = |field: &str| settings.get(field).unwrap_or(&Value::Null);
        let switch = |value: &Value| value.as_str().unwrap_or("off").to_owned();
        let texts: Vec<String> = match self.name.as_str() {
            "origin" => {
                setting("Origin")["Origins"].as_array().into_iter().flatten().map(text).collect()
            }
            "domain" => vec![domain.name.clone()],
            "resourceId" => vec![resource_id(domain)],
            "status" => vec![status(domain).into()],
            "projectId" => vec![text(setting("ProjectId"))],
            "domainType" => vec![text(&setting("Origin")["OriginType"])],
            "fullUrlCache" => {
                let of_key = &setting("CacheKey")["FullUrlCache"];
                vec![if of_key.is_null() { "on".into() } else { text(of_key) }]
            }
            "https" => vec![switch(&setting("Https")["Switch"])],
            "originPullProtocol" => {
                let protocol = text(&setting("Origin")["OriginPullProtocol"]);
                vec![if protocol.is_empty() { "http".into() } else { protocol }]
            }
            "tagKey" => {
                let tags = setting("Tag").as_array().into_iter().flatten();
                tags.map(|tag| text(&tag["TagKey"])).collect()
            }
            _ => vec![text(setting("ServiceType"))],
        };
        self.values.iter().any(|value| {
            texts
                .iter()
                .any(|text| if self.is_fuzzy { text.contains(value) } else { text == value })
        })
    }
}

/// A name for the domain that does not change.
fn resource_id(domain: &Domain) -> String {
    let digest = Sha256::digest(domain.name.as_bytes());
    let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("cdn-{digits}")
}

const fn status(domain: &Domain) -> &'static str {
    match (domain.lock, domain.status) {
        (Some(Lock::Changing), _) => "processing",
        (_, Status::Online) => "online",
        (_, Status::Offline) => "offline",
    }
}

/// What both lists show.
fn head(account: &Account, domain: &Domain) -> Map<String, Value> {
    let mut settings = config::settings(domain);
    let is_locked = domain.lock == Some(Lock::Locked);
    let mut taken = |field: &str| settings.remove(field).unwrap_or_default();
    Map::from_iter(
        [
            ("ResourceId", resource_id(domain).into()),
            ("AppId", account.app_id.into()),
            ("Domain", domain.name.clone().into()),
            ("Cname", "".into()),
            ("Status", status(domain).into()),
            ("ProjectId", taken("ProjectId")),
            ("ServiceType", taken("ServiceType")),
            ("CreateTime", clock::format(domain.created_at).into()),
            ("UpdateTime", clock::format(domain.updated_at).into()),
            ("Origin", taken("Origin")),
            ("Disable", if is_locked { "readonly" } else { "normal" }.into()),
            ("Area", taken("Area")),
            ("Readonly", if is_locked { "global" } else { "normal" }.into()),
            ("Product", "cdn".into()),
            ("ParentHost", "".into()),
        ]
        .map(|(name, value): (&str, Value)| (name.into(), value)),
    )
}

/// All settings, and null for those that were not given.
fn full(account: &Account, domain: &Domain) -> Value {
    let mut fields = head(account, domain);
    fields.remove("Product");
    let settings = config::settings(domain);
    for field in config::add_parameters().into_iter().chain(config::update_parameters()) {
        fields.insert(field.into(), settings.get(field).cloned().unwrap_or_default());
    }
    json!(fields)
}

//! `DescribeDomains`, `DescribeDomainsConfig`: lists of domains, in short and in full.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use stoker_domain::{
    account::Account,
    domain::{Domain, Lock},
    setting::Status,
};

use super::{Error, Reply, config};
use crate::{
    Gateway,
    tencent::{clock, error::Error as CallError, message::Message, params::Params},
};

const NAMES: &[&str] = &[
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
const MOST_VALUES: usize = 5;

pub(super) fn brief(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    params.only(&["Offset", "Limit", "Filters"])?;
    let (rows, total) = select(gateway, account, &mut params)?;
    let rows: Vec<Value> = rows.iter().map(|domain| head(account, domain).into()).collect();
    Ok(reply(rows, total))
}

pub(super) fn detailed(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    params.only(&["Offset", "Limit", "Filters", "Sort"])?;
    let sort = params.structure("Sort")?;
    let mut is_descending = false;
    if let Some(mut sort) = sort {
        sort.only(&["Key", "Sequence"])?;
        sort.text("Key")?;
        is_descending = sort.text("Sequence")?.as_deref() == Some("desc");
    }
    let (mut rows, total) = select(gateway, account, &mut params)?;
    rows.sort_by_key(|domain| domain.created_at);
    if is_descending {
        rows.reverse();
    }
    let rows: Vec<Value> = rows.iter().map(|domain| full(account, domain)).collect();
    Ok(reply(rows, total))
}

fn reply(rows: Vec<Value>, total: usize) -> Map<String, Value> {
    Map::from_iter([("Domains".into(), rows.into()), ("TotalNumber".into(), total.into())])
}

/// One page of the domains that match, and how many match.
fn select(
    gateway: &Gateway,
    account: &Account,
    params: &mut Params,
) -> Result<(Vec<Arc<Domain>>, usize), CallError> {
    let mut number = |name: &'static str, default: i64, least: i64, most: i64| {
        let given = params.bounded(name, default, least..=most)?;
        let given = given.ok().and_then(|given| usize::try_from(given).ok());
        let wrong = || {
            Error::Param(Message::new(
                format!("`{name}` must be from {least} to {most}"),
                format!("`{name}` 的取值范围为 {least} 到 {most}"),
            ))
        };
        given.ok_or_else(|| CallError::from(wrong()))
    };
    let (offset, limit) = (number("Offset", 0, 0, 1_000_000_000)?, number("Limit", 100, 1, 1000)?);
    let filters = params.structures("Filters")?;
    let filters = filters.into_iter().map(Filter::read).collect::<Result<Vec<_>, _>>()?;
    let mut domains = gateway.engine.domains(account.id);
    domains.retain(|domain| params.shows(&domain.name));
    domains.retain(|domain| {
        let said = config::said(domain);
        filters.iter().all(|filter| filter.matches(domain, &said))
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
    fn read(mut params: Params) -> Result<Self, CallError> {
        params.only(&["Name", "Value", "Fuzzy"])?;
        let name = params.required_text("Name")?;
        let mut values = params.texts("Value")?.ok_or_else(|| params.missing("Value"))?;
        if name == "domain" {
            values = values.iter().map(|value| value.to_ascii_lowercase()).collect();
        }
        let is_fuzzy = params.boolean("Fuzzy")?.unwrap_or_default();
        let wrong = |en: String, zh: String| Err(Error::Param(Message::new(en, zh)).into());
        if !NAMES.contains(&name.as_str()) {
            let known = NAMES.join("`, `");
            return wrong(
                format!("`Filters`: `{name}` is not one of `{known}`"),
                format!("`Filters`：`{name}` 不在可选值 `{known}` 之中"),
            );
        }
        if values.is_empty() || values.len() > MOST_VALUES {
            return wrong(
                format!("`Filters`: `{name}` takes 1 to {MOST_VALUES} values"),
                format!("`Filters`：`{name}` 需要 1 到 {MOST_VALUES} 个值"),
            );
        }
        if is_fuzzy && (!matches!(name.as_str(), "origin" | "domain") || values.len() > 1) {
            return wrong(
                "`Filters`: only one `origin` or `domain` may be fuzzy".into(),
                "`Filters`：仅单个 `origin` 或 `domain` 支持模糊查询".into(),
            );
        }
        Ok(Self { name, values, is_fuzzy })
    }

    fn matches(&self, domain: &Domain, said: &Map<String, Value>) -> bool {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let said = |field: &str| said.get(field).unwrap_or(&Value::Null);
        let switch = |value: &Value| value.as_str().unwrap_or("off").to_owned();
        let texts: Vec<String> = match self.name.as_str() {
            "origin" => {
                said("Origin")["Origins"].as_array().into_iter().flatten().map(text).collect()
            }
            "domain" => vec![domain.name.clone()],
            "resourceId" => vec![resource_id(domain)],
            "status" => vec![status(domain).into()],
            "projectId" => vec![text(said("ProjectId"))],
            "domainType" => vec![text(&said("Origin")["OriginType"])],
            "fullUrlCache" => {
                let of_key = &said("CacheKey")["FullUrlCache"];
                vec![if of_key.is_null() { "on".into() } else { text(of_key) }]
            }
            "https" => vec![switch(&said("Https")["Switch"])],
            "originPullProtocol" => {
                let protocol = text(&said("Origin")["OriginPullProtocol"]);
                vec![if protocol.is_empty() { "http".into() } else { protocol }]
            }
            "tagKey" => {
                let tags = said("Tag").as_array().into_iter().flatten();
                tags.map(|tag| text(&tag["TagKey"])).collect()
            }
            _ => vec![text(said("ServiceType"))],
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
    let mut said = config::said(domain);
    let is_locked = domain.lock == Some(Lock::Locked);
    let mut taken = |field: &str| said.remove(field).unwrap_or_default();
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

/// All that was said, and null for what was not.
fn full(account: &Account, domain: &Domain) -> Value {
    let mut fields = head(account, domain);
    fields.remove("Product");
    let said = config::said(domain);
    for field in config::of_add().into_iter().chain(config::of_update()) {
        fields.insert(field.into(), said.get(field).cloned().unwrap_or_default());
    }
    json!(fields)
}

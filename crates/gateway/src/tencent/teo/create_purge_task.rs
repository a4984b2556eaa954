//! `CreatePurgeTask`: purges URLs, directories, hosts, a whole zone or tags; what cannot be accepted
//! is named.

use std::sync::Arc;

use serde_json::Map;
use stoker_domain::{
    account::Account,
    domain::Domain,
    host::is_host,
    purge::{Method, root},
    setting::Status,
    zone::ZoneId,
};
use stoker_engine::{
    BatchLimit, DomainError, PartialPurged, PurgeError, PurgeSubmission, SubmitError,
};

use super::{
    create_prefetch_task::{failed_list, invalid_target, reason},
    error::{Error, Reply},
    filters,
    purge_kind::{EXPECTED, KINDS, Kind},
};
use crate::{
    Gateway,
    tencent::{
        common::{Call, refusal::word},
        message::{Language, Message},
        params::Params,
    },
};

const PARAMETERS: &[&str] = &["ZoneId", "Type", "Method", "Targets", "EncodeUrl", "CacheTag"];

/// All zones of the account, and what is in none.
const ANY: &str = "*";

pub(super) async fn call(
    Call { gateway, account, language, .. }: Call<'_>,
    mut params: Params,
) -> Reply {
    params.only(PARAMETERS)?;
    let zone = params.required_text("ZoneId")?;
    let request = read(params)?;
    let zone = match zone.as_str() {
        ANY if request.kind == Kind::All => {
            return Err(Error::EveryZone);
        }
        ANY => None,
        id => {
            let zone = filters::find_zone(gateway, account, id);
            Some(zone.ok_or_else(|| Error::ZoneForeign(id.into()))?.id.clone())
        }
    };
    let PurgeRequest { kind, given, domains, .. } = &request;
    let (hosts, unusable) = match kind {
        Kind::CacheTag if !domains.is_empty() => known(gateway, account, zone.as_ref(), domains),
        Kind::CacheTag | Kind::All => (online(gateway, account, zone.as_ref()), Vec::new()),
        Kind::Url | Kind::Prefix | Kind::Host => (Vec::new(), Vec::new()),
    };
    if hosts.is_empty() && matches!(kind, Kind::CacheTag | Kind::All) {
        return Err(match unusable.into_iter().next() {
            Some((host, SubmitError::OtherZone { .. })) => Error::DomainNotFound(host),
            Some((host, SubmitError::DomainUnknown { .. })) => {
                Error::Domain(DomainError::Unknown { host })
            }
            Some((_, error)) => Error::NonePurged(PurgeError::Refused(error)),
            None => Error::NoneOnline,
        });
    }
    let given = if *kind == Kind::All { hosts.clone() } else { given.clone() };
    let targets = given.iter().map(|given| kind.target(given)).collect();
    let purge = PurgeSubmission {
        hosts,
        zone,
        method: request.method,
        encode: request.encode,
        // a zone is one, however many domains it has
        units: (*kind == Kind::All).then_some(1),
        batch_limit: match kind {
            Kind::All => BatchLimit::AtMost(u32::MAX),
            Kind::Url | Kind::Prefix | Kind::Host | Kind::CacheTag => BatchLimit::OfAccount,
        },
        ..PurgeSubmission::new(kind.product(), kind.scope(), targets)
    };
    let done = gateway.engine.purge_what_can_be(account, purge).await;
    let done = done.map_err(|error| match error {
        PurgeError::Refused(error) => Error::from(error),
        error @ (PurgeError::Query { .. } | PurgeError::Tag { .. }) => Error::NonePurged(error),
    })?;
    answer(*kind, &given, unusable, done, language)
}

/// `unusable` are domains that were named for tags and cannot be purged.
fn answer(
    kind: Kind,
    given: &[String],
    unusable: Vec<(String, SubmitError)>,
    done: PartialPurged,
    language: Language,
) -> Reply {
    match (done.receipt, done.refused) {
        (Some(receipt), refused) => {
            let refused = refused.iter().map(|(index, error)| (given[*index].clone(), why(error)));
            let unusable = unusable.iter().map(|(host, error)| (host.clone(), reason(error)));
            let refused = refused.chain(unusable).map(|(given, why)| (given, why.text(language)));
            Ok(Map::from_iter([
                ("JobId".into(), receipt.task.0.into()),
                ("FailedList".into(), failed_list(refused).into()),
            ]))
        }
        (None, refused) => Err(match refused.into_iter().next() {
            Some((index, _)) if kind == Kind::Host && !is_host(&given[index]) => {
                Error::NotAHost { place: index + 1, given: given[index].clone() }
            }
            Some((_, error)) => Error::NonePurged(error),
            // the last domain went away meanwhile
            None => Error::NoneOnline,
        }),
    }
}

/// What a call asks for.
#[derive(Debug)]
struct PurgeRequest {
    kind: Kind,
    method: Method,
    given: Vec<String>,
    encode: bool,
    /// Of tags: where they are looked for, if not everywhere.
    domains: Vec<String>,
}

fn read(mut params: Params) -> Result<PurgeRequest, Error> {
    let kind = word(&mut params, "Type", &KINDS, EXPECTED)?;
    let kind = kind.ok_or_else(|| params.missing("Type"))?;
    let methods = [("invalidate", Method::Invalidate), ("delete", Method::Delete)];
    let method = word(&mut params, "Method", &methods, "`invalidate`, `delete`")?;
    let domains = match params.structure("CacheTag")? {
        Some(mut tag) => {
            tag.only(&["Domains"])?;
            tag.texts("Domains")?.unwrap_or_default()
        }
        None => Vec::new(),
    };
    Ok(PurgeRequest {
        kind,
        method: kind.method(method.unwrap_or(Method::Invalidate)),
        given: params.texts("Targets")?.unwrap_or_default(),
        encode: params.boolean("EncodeUrl")?.unwrap_or_default(),
        domains: domains.iter().map(|host| host.to_ascii_lowercase()).collect(),
    })
}

impl Kind {
    /// The target as the engine knows it.
    fn target(self, given: &str) -> String {
        match self {
            Self::Host if is_host(given) => root(given),
            // what is no bare host must not become a URL: this is none
            Self::Host => format!("host {given}"),
            Self::Url | Self::Prefix | Self::All | Self::CacheTag => given.into(),
        }
    }
}

/// Which of the domains named can be purged, and why the others cannot.
fn known(
    gateway: &Gateway,
    account: &Account,
    zone: Option<&ZoneId>,
    named: &[String],
) -> (Vec<String>, Vec<(String, SubmitError)>) {
    let (mut hosts, mut unusable) = (Vec::new(), Vec::new());
    for host in named {
        let domain = gateway.engine.domain_named_or_over(account.id, host);
        let is_outside = |domain: &Domain| zone.is_some() && domain.zone.as_ref() != zone;
        let named = host.clone();
        let error = match domain {
            None => SubmitError::DomainUnknown { host: named, url: String::new() },
            Some(domain) if is_outside(&domain) => SubmitError::OtherZone { host: named },
            Some(domain) => match domain.status {
                Status::Offline => SubmitError::DomainOffline { host: named },
                Status::Online => {
                    hosts.push(named);
                    continue;
                }
            },
        };
        unusable.push((host.clone(), error));
    }
    (hosts, unusable)
}

/// The domains of the zone, or of the account, that are not offline.
fn online(gateway: &Gateway, account: &Account, zone: Option<&ZoneId>) -> Vec<String> {
    let domains = gateway.engine.domains(account.id);
    let is_meant = |domain: &&Arc<Domain>| {
        domain.status != Status::Offline
            && zone.is_none_or(|zone| domain.zone.as_ref() == Some(zone))
    };
    domains.iter().filter(is_meant).map(|domain| domain.name.clone()).collect()
}

fn why(error: &PurgeError) -> Message {
    match error {
        PurgeError::Refused(error) => reason(error),
        PurgeError::Query { .. } | PurgeError::Tag { .. } => invalid_target(),
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::{purge::Scope, target::Target};

    use super::*;

    fn asked(json: &str) -> PurgeRequest {
        read(Params::from_json(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_stored_stays_unless_deletion_is_asked_for() {
        assert_eq!(asked(r#"{"Type":"purge_host"}"#).method, Method::Invalidate);
        assert_eq!(asked(r#"{"Type":"purge_url"}"#).method, Method::Delete);
        let all = asked(r#"{"Type":"purge_all","Method":"delete","EncodeUrl":true}"#);
        assert_eq!((all.method, all.encode, all.kind), (Method::Delete, true, Kind::All));
        let tag = r#"{"Type":"purge_cache_tag","CacheTag":{"Domains":["A.example"]}}"#;
        assert_eq!(asked(tag).domains, ["a.example"]);
    }

    #[test]
    fn a_host_is_its_root_and_nothing_else_is_a_host() {
        assert_eq!(Kind::Host.target("a.example"), "http://a.example/");
        for text in ["http://a.example/", "a.example/x", "*.example", ""] {
            assert!(Target::parse(&Kind::Host.target(text), true).is_err(), "{text}");
        }
        assert_eq!(Kind::Host.scope(), Scope::Path);
    }
}

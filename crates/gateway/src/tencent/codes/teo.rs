//! The part of the table of codes that belongs to `teo`.

use stoker_domain::ownership::Unclaimable;
use stoker_engine::{DomainError, PurgeError, ZoneError};

use super::*;
use crate::tencent::{
    params::OutOfBounds,
    teo::{Action, Error as E, OriginRule},
};

pub(super) fn all() -> Vec<Error> {
    let text = || String::from("www.test.com");
    let word = UnknownWord { given: "x".into(), expected: "`on`, `off`" };
    let of_parameters = [
        E::Refusal(Refusal::Word { name: "Mode", error: word }),
        E::Refusal(OutOfBounds { name: "Limit", given: 1001, least: 1, most: 1000 }.into()),
        E::Refusal(Refusal::Fields(request_fields::Error::TooMany(21))),
        E::Refusal(Refusal::Date { name: "StartTime", form: "YYYY-MM-DDTHH:MM:SSZ" }),
        E::Span,
        E::NoSelection,
        E::too_many_values("domains".into()),
        E::TooManyFilterValues("origin".into()),
        E::Origin(OriginRule::Missing),
        E::ZoneForeign("zone-1".into()),
        E::ZoneDenied("zone-1".into()),
        E::EveryZone,
        E::DomainEmpty,
        E::DomainNotFound(text()),
        E::DomainNotMatchZone { host: text(), zone: "example.com".into() },
        E::LimitArea,
        E::LimitEnabled,
        E::LimitTooSmall,
        E::LimitTooLarge,
        E::LimitZoneArea,
        E::LimitDomainArea,
        E::LimitNotFound,
        E::LimitCount,
        E::LimitClosed,
        E::Ledger(ledger()),
        Action::DescribePrefetchTasks.published(E::Ledger(ledger())),
        Action::DescribeZones.published(E::Refusal(
            OutOfBounds { name: "Limit", given: 101, least: 1, most: 100 }.into(),
        )),
    ];
    let of_the_engine = [
        E::NoneAccepted(url(target::Error::Scheme)),
        E::NoneAccepted(SubmitError::DomainUnknown { host: text(), url: "http://a/".into() }),
        E::NoneAccepted(SubmitError::OtherZone { host: text() }),
        E::NoneAccepted(SubmitError::DomainOffline { host: text() }),
        E::NoneAccepted(SubmitError::DomainLocked { host: text(), lock: Lock::Locked }),
        E::from(SubmitError::FeatureDisabled { feature: Feature::EdgePrefetch }),
        E::NonePurged(url(target::Error::Scheme).into()),
        E::NonePurged(PurgeError::Query { index: 0, path: "http://a/?b".into() }),
        E::NonePurged(PurgeError::Tag { index: 0, tag: "a b".into() }),
        E::NotAHost { place: 1, given: "http://a".into() },
        E::NoneOnline,
        E::from(SubmitError::NoUrls),
        E::from(SubmitError::TooManyUrls { given: 501, limit: 500 }),
        E::from(SubmitError::OverQuota { area: Area::Mainland, available: 1, needed: 2, limit: 3 }),
        E::from(SubmitError::NoNode { area: Area::Mainland, tier: Tier::Middle }),
        E::from(SubmitError::Ledger(ledger())),
        E::Domain(DomainError::InvalidHost { host: "a b".into() }),
        E::Domain(DomainError::Port { port: 6379 }),
        E::Domain(DomainError::Exists { host: text() }),
        E::Domain(DomainError::TooMany { limit: 5_000 }),
        E::Domain(DomainError::Taken { host: text() }),
        E::Domain(DomainError::Related { host: text() }),
        E::Domain(DomainError::Unclaimable {
            host: "co.uk".into(),
            why: Unclaimable::PublicSuffix,
        }),
        E::Domain(DomainError::Unverified { host: text(), record: None }),
        E::Domain(DomainError::Unknown { host: text() }),
        E::Domain(DomainError::Locked { host: text(), lock: Lock::Changing }),
        E::Domain(DomainError::Ledger { host: text(), source: ledger() }),
        E::Zone(ZoneError::InvalidName { name: "a b".into() }),
        E::Zone(ZoneError::Exists { name: text() }),
        E::Zone(ZoneError::TooMany { limit: 1_000 }),
        E::Zone(ZoneError::Related { name: text() }),
        E::Zone(ZoneError::Unknown { zone: "zone-1".into() }),
        E::Zone(ZoneError::InUse { name: text(), domains: 2 }),
        E::Zone(ZoneError::Ledger { name: text(), source: ledger() }),
    ];
    let of_ownership = cdn_domain::of_ownership().into_iter().map(E::Ownership);
    let all = of_parameters.into_iter().chain(of_the_engine).chain(of_ownership);
    all.map(Error::Teo).collect()
}

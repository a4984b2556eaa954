//! The rules of API 3.0, one for each action. Adding an action without one does not compile.

use super::{
    access::{Rule, Touches},
    action::Action,
    cdn::{domain, purge, push},
    teo,
};

/// The gateway's own code, for actions whose lists have no other.
const COMMON: &str = "AuthFailure.UnauthorizedOperation";
const CAM: &str = "UnauthorizedOperation.CdnCamUnauthorized";
const HOST: &str = "UnauthorizedOperation.CdnHostUnauthorized";
const TEO: [&str; 2] =
    ["UnauthorizedOperation.CamUnauthorized", "UnauthorizedOperation.NoPermission"];

/// All pairs of codes, for the table of codes.
#[cfg(test)]
pub(super) const CODES: [(&str, [&str; 2]); 3] =
    [("cdn", [CAM, HOST]), ("cdn", [COMMON, COMMON]), ("teo", TEO)];

/// The rule of an action.
pub(super) fn of(action: Action) -> Rule {
    let (service, (touches, codes)) = match action {
        Action::CdnPush(action) => ("cdn", of_push(action)),
        Action::CdnDomain(action) => ("cdn", of_domain(action)),
        Action::CdnPurge(action) => ("cdn", of_purge(action)),
        Action::Teo(action) => ("teo", of_teo(action)),
    };
    let rule = Rule::new(service, action.name(), touches, codes);
    match action {
        Action::CdnPush(push::Action::PushUrlsCache) => rule.following("ParseM3U8"),
        Action::Teo(teo::Action::CreatePrefetchTask) => rule.following("PrefetchMediaSegments"),
        _ => rule,
    }
}

type Entry = (Touches, [&'static str; 2]);

const fn of_push(action: push::Action) -> Entry {
    use push::Action as A;
    match action {
        A::PushUrlsCache => (Touches::Urls("Urls"), [CAM, HOST]),
        A::DescribePushTasks => (Touches::Domains(&["Keyword"]), [CAM, COMMON]),
        A::DescribePushQuota => (Touches::Nothing, [COMMON, COMMON]),
    }
}

const fn of_domain(action: domain::Action) -> Entry {
    use domain::Action as A;
    match action {
        A::AddCdnDomain
        | A::UpdateDomainConfig
        | A::StartCdnDomain
        | A::StopCdnDomain
        | A::DeleteCdnDomain
        | A::CreateVerifyRecord
        | A::VerifyDomainRecord => (Touches::Domain("Domain"), [CAM, HOST]),
        A::DescribeDomains | A::DescribeDomainsConfig => (Touches::Domains(&[]), [CAM, HOST]),
    }
}

const fn of_purge(action: purge::Action) -> Entry {
    use purge::Action as A;
    match action {
        A::PurgeUrlsCache => (Touches::Urls("Urls"), [CAM, HOST]),
        A::PurgePathCache => (Touches::Urls("Paths"), [CAM, HOST]),
        A::DescribePurgeTasks => (Touches::Domains(&["Keyword"]), [CAM, COMMON]),
        A::DescribePurgeQuota => (Touches::Nothing, [COMMON, COMMON]),
    }
}

const fn of_teo(action: teo::Action) -> Entry {
    use teo::Action as A;
    match action {
        A::CreatePrefetchTask
        | A::CreatePurgeTask
        | A::DescribeContentQuota
        | A::ModifyPrefetchOriginLimit
        | A::DescribePrefetchOriginLimit
        | A::DeleteZone
        | A::CreateAccelerationDomain
        | A::DescribeAccelerationDomains
        | A::ModifyAccelerationDomain
        | A::ModifyAccelerationDomainStatuses
        | A::DeleteAccelerationDomains => (Touches::Zone, TEO),
        A::DescribePrefetchTasks | A::DescribePurgeTasks => (Touches::Zones, [COMMON, COMMON]),
        A::DescribeZones => (Touches::Zones, TEO),
        // there is no zone yet
        A::CreateZone | A::IdentifyZone | A::VerifyOwnership | A::DescribeIdentifications => {
            (Touches::Nothing, TEO)
        }
    }
}

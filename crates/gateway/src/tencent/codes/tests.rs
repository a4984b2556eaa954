//! The table of codes: one example of every way to fail, with both languages.

use stoker_domain::{
    account::Feature,
    area::{Area, Tier, UnknownWord},
    domain::Lock,
    purge::Scope,
    target,
};
use stoker_engine::{PurgeError, SubmitError};

use super::*;
use crate::{
    auth::{account::NotActive, authorization, rate},
    request_fields,
    tencent::{
        access,
        action::Action,
        cdn::{purge, push, query},
        common::Refusal,
        message::Language,
        params, rules, teo as teo_api,
    },
};

#[path = "cdn_domain.rs"]
mod cdn_domain;
#[path = "table.rs"]
pub(crate) mod table;
#[path = "teo.rs"]
mod teo;

use table::{Row, ledger, url};

fn of_the_caller() -> Vec<Error> {
    use signed::Error as E;
    let mut all: Vec<Error> = vec![Error::Method, Error::LongQuery, Error::LongForm];
    all.extend(
        [
            E::Unsigned,
            E::Authorization(authorization::Error::Algorithm),
            E::Authorization(authorization::Error::Credential),
            E::Authorization(authorization::Error::SignedHeaders),
            E::Authorization(authorization::Error::Signature),
            E::SecretId,
            E::NoTimestamp,
            E::Timestamp,
            E::Expired,
            E::Content(content::Error::TooLarge { limit: 10_485_760 }),
            E::Content(content::Error::Broken),
            E::Content(content::Error::Slow),
            E::Content(content::Error::Full(content::Full::Budget)),
            E::Content(content::Error::Suspect),
            E::Signature,
            E::Token(token::Error::Missing),
            E::Token(token::Error::Unasked),
            E::Token(token::Error::Wrong),
            E::Token(token::Error::Expired),
            E::Ledger(ledger()),
        ]
        .map(Error::Signed),
    );
    all.extend(table::callers().map(Error::Caller));
    all
}

fn of_the_request() -> Vec<Error> {
    let name = || String::from("Headers.0.Name");
    vec![
        Error::MissingCommon("Action"),
        Error::MissingCommon("Version"),
        Error::Version("2022-09-01".into()),
        Error::Action,
        Error::Rate(rate::Exceeded { calls: 7, limit: 5, period: rate::Period::Second }),
        Error::Rate(rate::Exceeded { calls: 101, limit: 100, period: rate::Period::Minute }),
        Error::ContentType,
        Error::Params(params::Error::Json),
        Error::Params(params::Error::Multipart(crate::multipart::Malformed::LastBoundary)),
        Error::Params(params::Error::TooMany),
        Error::Params(params::Error::Unknown(name())),
        Error::Params(params::Error::Type(name())),
        Error::Params(params::Error::Missing(name())),
    ]
    .into_iter()
    .chain(of_the_account())
    .collect()
}

fn of_the_account() -> impl Iterator<Item = Error> {
    use NotActive as N;
    let actions = [
        Action::CdnPush(push::Action::PushUrlsCache),
        Action::CdnPurge(purge::Action::DescribePurgeQuota),
        Action::Teo(teo_api::Action::CreatePrefetchTask),
        Action::Teo(teo_api::Action::DescribePrefetchTasks),
    ];
    let both = |action| [N::Suspended, N::AwaitingApproval].map(|error| (error, action));
    actions.into_iter().flat_map(both).map(|(error, action)| Error::NotActive { error, action })
}

fn of_an_action() -> Vec<Error> {
    let word = UnknownWord { given: "x".into(), expected: "`mainland`, `overseas`, `global`" };
    let refusals = [
        Refusal::Word { name: "Area", error: word },
        Refusal::Range(params::OutOfBounds { name: "Limit", given: 1001, least: 1, most: 1000 }),
        Refusal::Fields(request_fields::Error::TooMany(21)),
        Refusal::Fields(request_fields::Error::Name(1)),
        Refusal::Fields(request_fields::Error::Value("X-A".into())),
        Refusal::Fields(request_fields::Error::Forbidden("Host".into())),
    ];
    let date = Refusal::Date { name: "StartTime", form: "YYYY-MM-DD HH:MM:SS" };
    let others = [
        query::Error::NoSelection.into(),
        date.into(),
        query::Error::DateOrder.into(),
        query::Error::Keyword.into(),
    ];
    let refusals = refusals.into_iter().map(push::Error::Refusal);
    refusals.chain(others).map(Error::CdnPush).collect()
}

fn of_the_engine() -> Vec<Error> {
    let (host, area) = (|| String::from("www.test.com"), Area::Overseas);
    [
        SubmitError::NoUrls,
        SubmitError::TooManyUrls { given: 501, limit: 500 },
        url(target::Error::Scheme),
        url(target::Error::TooLong(5000)),
        url(target::Error::WildcardHost),
        url(target::Error::Host),
        url(target::Error::UserInfo),
        url(target::Error::NotAscii),
        url(target::Error::Character),
        SubmitError::DomainUnknown {
            host: host(),
            url: "http://www.test.com/?token=secret".into(),
        },
        SubmitError::OtherZone { host: host() },
        SubmitError::DomainOffline { host: host() },
        SubmitError::DomainLocked { host: host(), lock: Lock::Locked },
        SubmitError::DomainLocked { host: host(), lock: Lock::Changing },
        SubmitError::FeatureDisabled { feature: Feature::DisableRange },
        SubmitError::AreaNotEnabled { host: host(), area },
        SubmitError::OverQuota { area, available: 300, needed: 1200, limit: 1000 },
        SubmitError::OverQuota { area, available: 0, needed: 1200, limit: 1000 },
        SubmitError::NoNode { area, tier: Tier::Edge },
        SubmitError::Ledger(ledger()),
    ]
    .into_iter()
    .map(push::Error::Engine)
    .chain([push::Error::Ledger(ledger())])
    .map(Error::CdnPush)
    .collect()
}

fn of_policies() -> Vec<Error> {
    let of = |(service, codes)| {
        [access::Kind::Action, access::Kind::Resource]
            .map(|kind| access::tests::refusal(kind, service, codes))
    };
    rules::CODES.into_iter().flat_map(of).map(|refused| Error::Access(refused.into())).collect()
}

fn of_purges() -> Vec<Error> {
    use purge::Error as E;
    let area = Area::Overseas;
    let word = UnknownWord { given: "x".into(), expected: "`flush`, `delete`" };
    let query = PurgeError::Query { index: 0, path: "http://www.test.com/a/?token=secret".into() };
    let refused = [
        SubmitError::NoUrls,
        SubmitError::TooManyUrls { given: 1001, limit: 1000 },
        url(target::Error::Scheme),
        SubmitError::DomainOffline { host: "www.test.com".into() },
        SubmitError::OverQuota { area, available: 0, needed: 1, limit: 100 },
        SubmitError::Ledger(ledger()),
    ];
    let refused = refused.into_iter().map(PurgeError::Refused);
    let purges = refused.map(|error| E::Engine(purge::RefusedPurge { scope: Scope::Url, error }));
    let word = E::Refusal(Refusal::Word { name: "FlushType", error: word });
    let query = purge::RefusedPurge { scope: Scope::Path, error: query };
    let others = [word, E::Engine(query)];
    others.into_iter().chain(purges).map(Error::CdnPurge).collect()
}

fn all() -> Vec<Error> {
    [
        of_the_caller(),
        of_the_request(),
        of_an_action(),
        of_purges(),
        of_the_engine(),
        teo::all(),
        cdn_domain::all(),
        of_policies(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rows() -> Vec<Row> {
    let row = |error: Error| {
        let (code, message) = error.answer();
        Row {
            head: code.into(),
            documented: format!("`{code}`"),
            english: message.clone().text(Language::English),
            chinese: message.text(Language::Chinese),
            log: error.for_log(),
            is_vendors_own: false,
        }
    };
    all().into_iter().map(row).collect()
}

#[test]
fn the_table_of_codes_is_this() {
    insta::assert_snapshot!(table::text(&rows()));
}

#[test]
fn the_log_never_reads_a_url() {
    table::assert_no_log_reads_a_url(&rows());
}

#[test]
fn every_code_stands_in_the_compatibility_document() {
    table::assert_every_code_is_documented(&rows());
}

#[test]
fn every_sentence_is_told_in_both_languages_and_names_the_same_things() {
    table::assert_both_languages_name_the_same(&rows());
}

#[test]
fn a_sentence_is_in_one_language() {
    table::assert_each_sentence_is_in_one_language(&rows());
}

#[test]
fn no_sentence_names_a_command() {
    table::assert_no_sentence_names_a_command(&rows());
}

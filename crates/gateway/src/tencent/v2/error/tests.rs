//! The table of codes of API v2: one example of every way to fail.

use stoker_domain::area::{Area, Tier};

use super::*;
use crate::tencent::codes::tests::table::{self, Row, ledger};

fn url(error: target::Error) -> Error {
    table::url(error).into()
}

fn of_the_caller() -> Vec<Error> {
    let mut all = vec![
        Error::Method,
        Error::TooLarge,
        Error::Incomplete,
        Error::Busy(content::Error::Full(content::Full::Share)),
        Error::Busy(content::Error::Suspect),
        Error::Pairs(pairs::Error::Type("urls.0".into())),
        Error::Pairs(pairs::Error::Multipart(crate::multipart::Malformed::LastBoundary)),
        Error::Pairs(pairs::Error::TooMany),
        Error::missing("command"),
        Error::Params(params::Error::Type("limitRate".into())),
        Error::Params(params::Error::Unknown("limitRate".into())),
    ];
    all.extend(table::callers().map(Error::Caller));
    all
}

fn access(kind: Kind) -> Error {
    let refused = access::tests::refusal(kind, "cdn", ["", ""]).into();
    Error::Access { refused, request_id: "<request-id>".into() }
}

fn purge(scope: Scope, error: SubmitError) -> Error {
    Error::Purge { scope, error: PurgeError::Refused(error) }
}

fn of_the_action() -> Vec<Error> {
    let (host, area) = (|| String::from("www.test.com"), Area::Overseas);
    let unknown =
        SubmitError::DomainUnknown { host: host(), url: "http://www.test.com/?t=secret".into() };
    vec![
        access(Kind::Action),
        access(Kind::Resource),
        access(Kind::User),
        Error::Replay,
        Error::Rate(rate::Exceeded { calls: 7, limit: 5, period: rate::Period::Second }),
        Error::Action,
        purge(Scope::Url, SubmitError::TooManyUrls { given: 1001, limit: 1000 }),
        purge(Scope::Path, SubmitError::TooManyUrls { given: 21, limit: 20 }),
        purge(Scope::Url, SubmitError::OverQuota { area, available: 0, needed: 1, limit: 1 }),
        purge(Scope::Path, SubmitError::OverQuota { area, available: 0, needed: 1, limit: 1 }),
        purge(Scope::Path, SubmitError::DomainOffline { host: host() }),
        purge(Scope::Path, SubmitError::NoUrls),
        Error::Purge {
            scope: Scope::Path,
            error: PurgeError::Query { index: 0, path: "http://www.test.com/?t=secret".into() },
        },
        Error::Value("type"),
        Error::Date,
        Error::TaskUnknown,
        SubmitError::NoUrls.into(),
        SubmitError::TooManyUrls { given: 21, limit: 20 }.into(),
        url(target::Error::Scheme),
        url(target::Error::TooLong(5000)),
        url(target::Error::WildcardHost),
        url(target::Error::Host),
        url(target::Error::UserInfo),
        url(target::Error::NotAscii),
        url(target::Error::Character),
        unknown.into(),
        SubmitError::OtherZone { host: host() }.into(),
        SubmitError::DomainOffline { host: host() }.into(),
        SubmitError::DomainLocked { host: host(), lock: Lock::Locked }.into(),
        SubmitError::DomainLocked { host: host(), lock: Lock::Changing }.into(),
        NotActive::Suspended.into(),
        NotActive::AwaitingApproval.into(),
        SubmitError::AreaNotEnabled { host: host(), area }.into(),
        SubmitError::OverQuota { area, available: 3, needed: 12, limit: 1000 }.into(),
        SubmitError::NoNode { area, tier: Tier::Edge }.into(),
        SubmitError::Ledger(ledger()).into(),
        Error::Ledger(ledger()),
    ]
}

fn all() -> Vec<Error> {
    of_the_caller().into_iter().chain(of_the_action()).collect()
}

fn rows() -> Vec<Row> {
    let row = |error: Error| {
        let Answer { status, code, desc, message } = error.answer(Language::English);
        let zh = error.answer(Language::Chinese);
        assert_eq!((zh.status, zh.code, zh.desc), (status, code, desc));
        Row {
            head: format!("{} {code} {desc}", status.as_u16()),
            documented: format!("`{code}` `{desc}`"),
            english: message,
            chinese: zh.message,
            log: error.for_log(),
            // what a sub-user may not
            is_vendors_own: matches!(error, Error::Access { .. }),
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
fn a_sentence_is_in_one_language_and_names_no_command() {
    table::assert_each_sentence_is_in_one_language(&rows());
    table::assert_no_sentence_names_a_command(&rows());
}

//! The table of codes: one example of every way to fail, with both languages.

use std::{collections::BTreeSet, fmt::Write};

use stoker_domain::{
    account::Feature,
    area::{Area, Tier, UnknownWord},
    domain::Lock,
    purge::Scope,
    target,
};
use stoker_engine::{Error as EngineError, PurgeError, SubmitError};

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
#[path = "teo.rs"]
mod teo;

fn ledger() -> EngineError {
    EngineError {
        verb: "submit a task",
        kind: stoker_engine::ErrorKind::Unavailable,
        cause: Some("disk I/O error".into()),
    }
}

fn url(error: target::Error) -> SubmitError {
    SubmitError::Url { index: 2, url: "http://www.test.com/a?token=secret".into(), error }
}

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
    use caller::Error as C;
    all.extend(
        [
            C::Missing("Nonce"),
            C::Number("Nonce"),
            C::SecretId,
            C::Expired,
            C::Signature,
            C::Token(token::Error::Wrong),
            C::Ledger(ledger()),
        ]
        .map(Error::Caller),
    );
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
        SubmitError::FeatureClosed { feature: Feature::DisableRange },
        SubmitError::AreaNotEnabled { host: host(), area },
        SubmitError::OverQuota { area, available: 300, needed: 1200, limit: 1000 },
        SubmitError::OverQuota { area, available: 0, needed: 1200, limit: 1000 },
        SubmitError::NoNode { area, tier: Tier::Edge },
        SubmitError::Ledger(ledger()),
    ]
    .into_iter()
    .map(push::Error::Submit)
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
    let purges = refused.map(|error| E::Purge { scope: Scope::Url, error });
    let word = E::Refusal(Refusal::Word { name: "FlushType", error: word });
    let others = [word, E::Purge { scope: Scope::Path, error: query }];
    others.into_iter().chain(purges).map(Error::CdnPurge).collect()
}

fn text(error: &Error, language: Language) -> String {
    error.answer().1.text(language)
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

#[test]
fn the_table_of_codes_is_this() {
    let mut table = String::new();
    for error in all() {
        let (code, message) = error.answer();
        let (zh, en) = (message.clone().text(Language::Chinese), message.text(Language::English));
        writeln!(table, "{code}\n  {en}").unwrap();
        if zh != en {
            writeln!(table, "  {zh}").unwrap();
        }
        writeln!(table, "  log: {}", error.for_log()).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_log_never_reads_a_url() {
    for error in all() {
        let text = error.for_log();
        assert!(!text.contains("secret") && !text.contains("www.test.com/"), "{text}");
    }
}

#[test]
fn every_code_stands_in_the_compatibility_document() {
    let document = include_str!("../../../../../docs/compat/tencent.md");
    for error in all() {
        let (code, _) = error.answer();
        assert!(document.contains(&format!("`{code}`")), "{code} is not in docs/compat/tencent.md");
    }
}

#[test]
fn every_sentence_is_told_in_both_languages_and_names_the_same_things() {
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let named = |text: &str| -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(Into::into).collect()
    };
    for error in all() {
        let zh = text(&error, Language::Chinese);
        let en = text(&error, Language::English);
        assert!(is_chinese(&zh) && !is_chinese(&en), "{zh} / {en}");
        assert_eq!(named(&zh), named(&en), "{zh} / {en}");
    }
}

#[test]
fn a_sentence_is_in_one_language() {
    for error in all() {
        let zh = text(&error, Language::Chinese);
        assert!(!has_english(&zh), "{zh}");
    }
    assert!(
        has_english("参数 must be one of") && !has_english("参数 `a b` 超过了 32 KB 的 GET 上限")
    );
}

/// Whether two English words stand side by side outside of what is quoted.
pub(crate) fn has_english(text: &str) -> bool {
    let unquoted: String = text.split('`').step_by(2).collect();
    let is_word =
        |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = unquoted.split(' ').collect();
    words.windows(2).any(|pair| pair.iter().all(is_word))
}

#[test]
fn no_sentence_names_a_command() {
    for error in all() {
        for language in [Language::Chinese, Language::English] {
            let text = text(&error, language);
            assert!(!text.contains("stoker"), "{text}");
        }
    }
}

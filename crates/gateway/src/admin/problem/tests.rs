//! The table of problems: one example of every way to fail.

use std::fmt::Write;

use stoker_domain::{
    account::{AccountId, Feature},
    area::{Area, Tier},
    domain::Lock,
    ownership::{Unclaimable, VerificationRecord},
    policy, target,
    task::TaskId,
    time::Timestamp,
};
use stoker_engine::EvidenceError;

use super::*;
use crate::auth::{
    rate::{Exceeded, Period},
    token,
};

fn ledger() -> EngineError {
    EngineError { verb: "submit a task", kind: ErrorKind::Unavailable, cause: None }
}

fn broken_ledgers() -> impl Iterator<Item = Error> {
    use ErrorKind as E;
    [E::Full, E::ReadOnly, E::Corrupt]
        .map(|kind| Error::Ledger(EngineError { kind, ..ledger() }))
        .into_iter()
}

fn identities() -> impl Iterator<Item = IdentityError> {
    use IdentityError as E;
    let kinds = [
        IdentityKind::Account,
        IdentityKind::User,
        IdentityKind::Group,
        IdentityKind::Policy,
        IdentityKind::Key,
    ];
    let unknown = kinds.map(|kind| E::Unknown { kind, name: format!("{kind}-1") });
    let others = [
        E::InvalidName { kind: IdentityKind::User, name: "a b".into() },
        E::InvalidName { kind: IdentityKind::Account, name: "a\nb".into() },
        E::Exists { kind: IdentityKind::Group, name: "ops".into() },
        E::TooMany { kind: IdentityKind::Key, of: "the user".into(), limit: 5 },
        E::Attached { name: "push".into(), holders: "user `ann`".into() },
        E::InvalidPolicy { name: "push".into(), source: policy::Error::NoStatement },
        E::PolicyTooLong { name: "push".into(), given: 32_769, limit: 32_768 },
        E::Lifetime { seconds: 1, least: 60, most: 129_600 },
        E::Temporary { secret_id: "AKID1".into() },
        E::Owner { uin: "100000000001".into() },
        E::Ledger(ledger()),
    ];
    others.into_iter().chain(unknown)
}

fn record() -> VerificationRecord {
    VerificationRecord {
        account: AccountId(1),
        name: "example.com".into(),
        token: "owner-0123456789abcdef".into(),
        created_at: Timestamp::from_seconds(0),
        expires_at: Timestamp::from_seconds(86_400),
    }
}

fn claims() -> impl Iterator<Item = DomainError> {
    use DomainError as E;
    let host = || String::from("www.example.com");
    [
        E::Taken { host: host() },
        E::Related { host: host() },
        E::Unclaimable { host: "localhost".into(), why: Unclaimable::Reserved },
        E::Unverified { host: host(), record: None },
        E::Unverified { host: host(), record: Some(Box::new(record())) },
    ]
    .into_iter()
}

fn of_ownership() -> impl Iterator<Item = OwnershipError> {
    use OwnershipError as E;
    let host = || String::from("www.example.com");
    let reason = EvidenceError::Other("_cdnauth.example.com".into());
    [
        E::InvalidHost { host: "a b".into() },
        E::Unclaimable { host: "localhost".into(), why: Unclaimable::Reserved },
        E::NoFile { host: host() },
        E::NoRecord { name: "example.com".into() },
        E::ProofNotFound { reason, record: Box::new(record()) },
        E::TooMany { limit: 100 },
        E::TooOften { limit: 10 },
        E::Busy,
        E::Ledger(ledger()),
    ]
    .into_iter()
}

fn of_tasks() -> impl Iterator<Item = Error> {
    use ControlError as C;
    use RetryError as R;
    let task = || TaskId("1".into());
    let states = [
        C::Unknown { task: task() },
        C::Over { task: task(), is_canceled: false },
        C::Over { task: task(), is_canceled: true },
        C::Ledger { task: task(), error: ledger() },
    ];
    let retries = [
        R::Unknown { task: task() },
        R::Unfinished { task: task(), is_paused: false },
        R::Unfinished { task: task(), is_paused: true },
        R::NothingFailed { task: task() },
        R::FieldsGone { task: task() },
        R::Refused(SubmitError::DomainUnknown {
            host: "a.example".into(),
            url: "http://a.example/?token=secret".into(),
        }),
    ];
    states.map(Error::Control).into_iter().chain(retries.map(Error::Retry))
}

fn submissions() -> impl Iterator<Item = SubmitError> {
    let host = || String::from("a.example");
    let area = Area::Mainland;
    let url = || String::from("http://a.example/?token=secret");
    [
        SubmitError::NoUrls,
        SubmitError::TooManyUrls { given: 100_001, limit: 100_000 },
        SubmitError::Url { index: 0, url: url(), error: target::Error::Scheme },
        SubmitError::DomainUnknown { host: host(), url: url() },
        SubmitError::DomainOffline { host: host() },
        SubmitError::DomainLocked { host: host(), lock: Lock::Changing },
        SubmitError::FeatureDisabled { feature: Feature::DisableRange },
        SubmitError::AreaNotEnabled { host: host(), area },
        SubmitError::OverQuota { area, available: 0, needed: 2, limit: 1000 },
        SubmitError::NoNode { area, tier: Tier::Middle },
        SubmitError::Ledger(ledger()),
    ]
    .into_iter()
}

fn all() -> Vec<Error> {
    use signed::Error as S;
    let host = || String::from("a.example");
    let mut all: Vec<Error> = [
        S::Unsigned,
        S::SecretId,
        S::NoTimestamp,
        S::Timestamp,
        S::Expired,
        S::Content(content::Error::TooLarge { limit: 65_536 }),
        S::Content(content::Error::Broken),
        S::Content(content::Error::Slow),
        S::Content(content::Error::Full(content::Full::Budget)),
        S::Content(content::Error::Full(content::Full::Share)),
        S::Content(content::Error::Suspect),
        S::Signature,
        S::Token(token::Error::Expired),
        S::Ledger(ledger()),
    ]
    .map(Error::Signed)
    .into();
    use signature::Error as G;
    all.extend(
        [G::NoNonce, G::Nonce, G::NoHash, G::Unsigned, G::Hash, G::Fields, G::Content]
            .map(Error::Signature),
    );
    let no_urls = serde_json::from_str::<crate::admin::api::NewTask>("{}").unwrap_err();
    let exceeded = Exceeded { calls: 301, limit: 300, period: Period::Second };
    all.extend([
        Error::Replay(replay::Error::Taken),
        Error::Replay(replay::Error::TooOften(exceeded)),
        Error::Replay(replay::Error::Ledger(ledger())),
        Error::Service,
        Error::RootKey("100000000001".into()),
        Error::Page,
        Error::Method,
        Error::Content(ContentError::Json(no_urls)),
        Error::Query(QueryError::Limit { given: 0, most: 1000 }),
        Error::Origin(OriginError::Scheme("a.example".into())),
        Error::Domain(DomainError::InvalidHost { host: "a b".into() }),
        Error::Domain(DomainError::Port { port: 6379 }),
        Error::Domain(DomainError::Exists { host: host() }),
        Error::Domain(DomainError::TooMany { limit: 5_000 }),
        Error::Domain(DomainError::Unknown { host: host() }),
        Error::Domain(DomainError::Locked { host: host(), lock: Lock::Locked }),
        Error::Domain(DomainError::Ledger { host: host(), source: ledger() }),
        Error::Zone(ZoneError::InvalidName { name: "a b".into() }),
        Error::Zone(ZoneError::Exists { name: "example.com".into() }),
        Error::Zone(ZoneError::TooMany { limit: 1_000 }),
        Error::Zone(ZoneError::Related { name: "example.com".into() }),
        Error::Domain(DomainError::Zone(ZoneError::Unknown { zone: "zone-1".into() })),
        Error::Zone(ZoneError::InUse { name: "example.com".into(), domains: 2 }),
        Error::Zone(ZoneError::Ledger { name: "example.com".into(), source: ledger() }),
        Error::NotActive(NotActive::Suspended),
        Error::NotActive(NotActive::AwaitingApproval),
        Error::NotOwner,
        Error::PrivateOrigin,
        Error::PrivateAddress("10.0.0.1".into()),
        Error::Account("100000000009".into()),
        Error::Task("1".into()),
        Error::Purge("1".into()),
        Error::Areas(host(), "b.example".into()),
        Error::Fields(request_fields::Error::TooMany(21)),
        Error::Ledger(ledger()),
    ]);
    all.extend(claims().map(Error::Domain));
    all.extend(of_ownership().map(Error::Ownership));
    all.extend(broken_ledgers());
    all.extend(identities().map(Error::Identity));
    all.extend(submissions().map(Error::Submit));
    all.extend(of_tasks());
    all
}

#[test]
fn the_table_of_problems_is_this() {
    let mut table = String::new();
    for error in all() {
        let problem = error.document("id");
        writeln!(table, "{} {} ({})", problem.status, problem.kind, problem.title).unwrap();
        writeln!(table, "  {}", problem.detail).unwrap();
        if let Some(hint) = problem.hint {
            writeln!(table, "  hint: {hint}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_log_never_reads_a_url() {
    for error in all() {
        assert!(!error.for_log().contains("secret"), "{error}");
    }
}

#[test]
fn every_word_stands_in_the_reference() {
    let reference = include_str!("../../../../../docs/reference/admin-api.md");
    for error in all() {
        let word = error.label();
        assert!(reference.contains(&format!("`{word}`")), "{word}");
    }
}

//! The part of the table of codes that belongs to the domains of `cdn`.

use stoker_domain::{
    account::AccountId,
    ownership::{Unclaimable, VerificationRecord},
    time::Timestamp,
};
use stoker_engine::{DomainError, EvidenceError, OwnershipError, ZoneError};

use super::*;
use crate::tencent::cdn::domain::{Error as E, Rule};

pub(super) fn all() -> Vec<Error> {
    let host = || String::from("www.test.com");
    let word = UnknownWord { given: "x".into(), expected: "`mainland`, `overseas`, `global`" };
    [
        E::Rule(Rule::NoOrigin),
        E::Refusal(Refusal::Word { name: "Area", error: word }),
        E::Refusal(Refusal::Fields(request_fields::Error::Value("ServerName".into()))),
        E::Refusal(Refusal::Fields(request_fields::Error::Host("ServerName".into()))),
        E::Status(host()),
        E::NotOffline(host()),
        E::Domain(DomainError::InvalidHost { host: "a b".into() }),
        E::Domain(DomainError::Port { port: 6379 }),
        E::Domain(DomainError::Exists { host: host() }),
        E::Domain(DomainError::TooMany { limit: 5_000 }),
        E::Domain(DomainError::Zone(ZoneError::TooMany { limit: 1_000 })),
        E::Domain(DomainError::Taken { host: host() }),
        E::Domain(DomainError::Related { host: host() }),
        E::Domain(DomainError::Unclaimable {
            host: "co.uk".into(),
            why: Unclaimable::PublicSuffix,
        }),
        E::Domain(DomainError::Unverified { host: host(), record: Some(Box::new(record())) }),
        E::Domain(DomainError::Unverified { host: host(), record: None }),
        E::Domain(DomainError::Zone(ZoneError::Related { name: "test.com".into() })),
        E::Domain(DomainError::Unknown { host: host() }),
        E::Domain(DomainError::Locked { host: host(), lock: Lock::Locked }),
        E::Domain(DomainError::Locked { host: host(), lock: Lock::Changing }),
        E::Domain(DomainError::Ledger { host: host(), source: ledger() }),
        E::Domain(DomainError::Zone(ZoneError::Ledger { name: host(), source: ledger() })),
        E::Domain(DomainError::Zone(ZoneError::InvalidName { name: host() })),
    ]
    .into_iter()
    .chain(of_ownership().into_iter().map(E::Ownership))
    .map(Error::CdnDomain)
    .collect()
}

fn record() -> VerificationRecord {
    VerificationRecord {
        account: AccountId(1),
        name: "test.com".into(),
        token: "owner-0123456789abcdef".into(),
        created_at: Timestamp::from_seconds(0),
        expires_at: Timestamp::from_seconds(86_400),
    }
}

/// Every way in which ownership is not proved.
pub(super) fn of_ownership() -> Vec<OwnershipError> {
    use EvidenceError as U;
    use OwnershipError as O;
    let host = || String::from("www.test.com");
    let reason = [
        U::NoRecord("_cdnauth.test.com".into()),
        U::Other("_cdnauth.test.com".into()),
        U::NoAnswer("_cdnauth.test.com".into()),
        U::NoAddress(host()),
        U::NoReply(host()),
        U::Status { host: host(), status: 302 },
        U::TooLong(host()),
    ];
    let reason = reason.map(|reason| O::ProofNotFound { reason, record: Box::new(record()) });
    let others = [
        O::InvalidHost { host: "a b".into() },
        O::Unclaimable { host: "localhost".into(), why: Unclaimable::Reserved },
        O::Unclaimable { host: "10.0.0.1".into(), why: Unclaimable::Address },
        O::NoFile { host: "*.test.com".into() },
        O::NoRecord { name: "test.com".into() },
        O::TooMany { limit: 100 },
        O::TooOften { limit: 10 },
        O::Busy,
        O::Ledger(ledger()),
    ];
    others.into_iter().chain(reason).collect()
}

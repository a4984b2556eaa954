//! The part of the table of codes that belongs to the domains of `cdn`.

use stoker_engine::{DomainError, ZoneError};

use super::*;
use crate::tencent::cdn::domain::Error as E;

pub(super) fn all() -> Vec<Error> {
    let host = || String::from("www.test.com");
    let word = UnknownWord { given: "x".into(), expected: "`mainland`, `overseas`, `global`" };
    [
        E::Param(Message::new(
            "`Origin.Origins` must name an origin",
            "`Origin.Origins` 必须填写源站",
        )),
        E::Word { name: "Area", error: word },
        E::Fields(request_fields::Error::Value("ServerName".into())),
        E::Fields(request_fields::Error::Host("ServerName".into())),
        E::OfAnother(host()),
        E::Status(host()),
        E::NotOffline(host()),
        E::Domain(DomainError::InvalidHost { host: "a b".into() }),
        E::Domain(DomainError::Port { port: 6379 }),
        E::Domain(DomainError::Exists { host: host() }),
        E::Domain(DomainError::TooMany { limit: 5_000 }),
        E::Domain(DomainError::Zone(ZoneError::TooMany { limit: 1_000 })),
        E::Domain(DomainError::Unknown { host: host() }),
        E::Domain(DomainError::Locked { host: host(), lock: Lock::Locked }),
        E::Domain(DomainError::Locked { host: host(), lock: Lock::Changing }),
        E::Domain(DomainError::Ledger { host: host(), source: ledger() }),
        E::Domain(DomainError::Zone(ZoneError::Ledger { name: host(), source: ledger() })),
        E::Domain(DomainError::Zone(ZoneError::InvalidName { name: host() })),
    ]
    .map(Error::CdnDomain)
    .into()
}

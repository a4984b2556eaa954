//! Proofs that a host is an account's own: what is to be published, the search for it, and who needs
//! none.
//!
//! The rules are `stoker_domain::ownership`'s. What is found out is asked of [`Evidence`]; nothing
//! here speaks DNS or HTTP. Searches are bounded, so that no account can use this server to flood others: so
//! many at once for the whole installation, and so many in a minute for each account.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    host::{self, base_host, is_at_or_below, normal_name},
    ownership::{
        FILE_PATH, MAX_PROOFS, MAX_RECORDS, Method, Ownership, PROOF_LIFETIME, Proof, ProofRule,
        RECORD_LIFETIME, Unclaimable, VerificationRecord, check_claim, has_file, registrable,
    },
    zone::Zone,
};
use tokio::sync::Semaphore;

use super::DomainError;
use crate::{Engine, Error};

/// Searches that run at once, for all accounts together.
const AT_ONCE: usize = 8;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 16;

/// Looks for what accounts publish.
#[async_trait]
pub trait Evidence: Send + Sync + Debug {
    /// The texts of the TXT records of `name`, each with its strings joined.
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, EvidenceError>;
    /// The content of the file at `path` of `host`.
    async fn file(&self, host: &str, path: &str) -> Result<Vec<u8>, EvidenceError>;
}

/// Why nothing that proves anything was found. The caller sees it: it names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// There is no such record.
    #[error("`{0}` has no TXT record")]
    NoRecord(String),
    /// Something else is there.
    #[error("another text than the expected one was found at `{0}`")]
    Other(String),
    /// No name server gave an answer that can be used.
    #[error("the name servers do not answer for `{0}`")]
    NoAnswer(String),
    /// The host has no public address.
    #[error("`{0}` has no public address")]
    NoAddress(String),
    /// The host does not speak HTTP with us.
    #[error("`{0}` does not answer over HTTP")]
    NoReply(String),
    /// The host does not give the file.
    #[error("`{host}` answers with status {status}; it must be 200, and not lead elsewhere")]
    Status {
        /// The host.
        host: String,
        /// The status of its reply.
        status: u16,
    },
    /// The file is too long to be the right one.
    #[error("the file at `{0}` is too long")]
    TooLong(String),
}

/// Why ownership was not proved.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    /// Not a host name or wildcard.
    #[error("`{host}` is not a host name")]
    InvalidHost {
        /// The text as given.
        host: String,
    },
    /// Nobody can prove to own it.
    #[error("`{host}` {why}")]
    Unclaimable {
        /// The host.
        host: String,
        /// Why.
        why: Unclaimable,
    },
    /// A wildcard, and a file was to prove it.
    #[error("a file proves one host, not the wildcard `{host}`")]
    NoFile {
        /// The wildcard.
        host: String,
    },
    /// Nothing was to be published yet, or that was too long ago.
    #[error("there is nothing to look for yet: no record was made for `{name}` within a day")]
    NoRecord {
        /// The registrable domain.
        name: String,
    },
    /// It is not there.
    #[error("not verified: {reason}")]
    ProofNotFound {
        /// What was found instead.
        reason: EvidenceError,
        /// What is to be published.
        record: Box<VerificationRecord>,
    },
    /// Too many records wait to be found.
    #[error("{limit} domains of this account wait to be verified, which is the limit")]
    TooMany {
        /// How many may.
        limit: u32,
    },
    /// The account has let search too often.
    #[error("verified too often: {limit} times in a minute is the limit")]
    TooOften {
        /// How often it may.
        limit: u32,
    },
    /// Others are being verified.
    #[error("too many domains are being verified at the moment")]
    Busy,
    /// The ledger did not answer.
    #[error("cannot verify ownership")]
    Ledger(#[from] Error),
}

impl From<stoker_ledger::Error> for OwnershipError {
    fn from(error: stoker_ledger::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl OwnershipError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidHost { .. } => HOST_HINT.into(),
            Self::Unclaimable { .. } => WAIVE_HINT.into(),
            Self::NoFile { .. } => "verify it by DNS".into(),
            Self::NoRecord { .. } => "ask for the record first, and publish it".into(),
            Self::ProofNotFound { record, .. } => {
                format!("{}; new records may take a while to be seen", instructions(record, None))
            }
            Self::TooMany { .. } => "verify some of them, or wait a day".into(),
            Self::TooOften { .. } | Self::Busy => "wait a minute and try again".into(),
            Self::Ledger(_) => return None,
        })
    }
}

pub(crate) const HOST_HINT: &str =
    "name one host in ASCII, without scheme, port or path; other scripts as `xn--…`";
pub(crate) const WAIVE_HINT: &str = "the owner of the installation may have it, or let you: `stoker account verification UIN waived`";

/// What to publish, in words; also as a file if `host` is given.
pub fn instructions(record: &VerificationRecord, host: Option<&str>) -> String {
    let VerificationRecord { token, .. } = record;
    let dns = format!("publish the TXT record `{}` with the text `{token}`", record.dns_name());
    match host {
        Some(host) => format!("{dns}, or that text as the file http://{host}{FILE_PATH}"),
        None => dns,
    }
}

/// How often each account has let search in the running minute.
#[derive(Debug)]
pub(crate) struct Searches {
    at_once: Semaphore,
    // a std mutex, never held across an await
    minutes: Mutex<HashMap<AccountId, (i64, u32)>>,
}

impl Default for Searches {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE), minutes: Mutex::default() }
    }
}

impl Searches {
    fn count(&self, account: AccountId, minute: i64, limit: u32) -> Result<(), OwnershipError> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        minutes.retain(|_, (of, _)| *of == minute);
        let (_, count) = minutes.entry(account).or_insert((minute, 0));
        if *count >= limit {
            return Err(OwnershipError::TooOften { limit });
        }
        *count += 1;
        Ok(())
    }
}

impl Engine {
    /// Who looks for what accounts publish; without, nothing is ever found.
    pub fn set_evidence(&self, evidence: Arc<dyn Evidence>) {
        // the first one stays
        let _ = self.evidence.set(evidence);
    }

    /// What `account` is to publish to prove that `host` is its own: made up, or as it was made up
    /// within a day.
    ///
    /// # Errors
    /// [`OwnershipError::InvalidHost`], [`OwnershipError::Unclaimable`],
    /// [`OwnershipError::TooMany`], or a failure of the ledger.
    pub async fn ownership_record(
        &self,
        account: AccountId,
        host: &str,
    ) -> Result<VerificationRecord, OwnershipError> {
        let name = provable(host)?;
        let now = self.clock.now();
        let token: String =
            self.identities.token::<TOKEN_BYTES>().iter().map(|b| format!("{b:02x}")).collect();
        let new = VerificationRecord {
            account,
            name,
            token: format!("owner-{token}"),
            created_at: now,
            expires_at: now + RECORD_LIFETIME,
        };
        let limit = MAX_RECORDS;
        let put = self.ledger.put_ownership_record(&new, limit).await?;
        put.ok_or(OwnershipError::TooMany { limit })
    }

    /// What `account` is to publish, by name, each with its proof if there is one.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn ownership_records(
        &self,
        account: AccountId,
    ) -> Result<Vec<(VerificationRecord, Option<Proof>)>, Error> {
        let now = self.clock.now();
        let proofs = self.ledger.ownership_proofs(account).await?;
        let mut records = self.ledger.ownership_records(account).await?;
        records.retain(|record| now < record.expires_at);
        let proof = |record: &VerificationRecord| {
            proofs.iter().find(|proof| proof.covers(&record.name, now)).cloned()
        };
        Ok(records
            .into_iter()
            .map(|record| (proof(&record), record))
            .map(|(p, r)| (r, p))
            .collect())
    }

    /// The proof because of which `account` may add `host` now.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn ownership_proof(
        &self,
        account: AccountId,
        host: &str,
    ) -> Result<Option<Proof>, Error> {
        let (host, now) = (normal_name(host), self.clock.now());
        let proofs = self.ledger.ownership_proofs(account).await?;
        Ok(proofs.into_iter().find(|proof| proof.covers(&host, now)))
    }

    /// Whether `account` must prove what it claims.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn needs_proof(&self, account: AccountId) -> Result<bool, Error> {
        Ok(self.leave(account).await? == ProofRule::Required)
    }

    /// Looks for what `account` was to publish for `host`. What is found proves it for a day.
    ///
    /// # Errors
    /// [`OwnershipError`].
    pub async fn verify_ownership(
        &self,
        account: AccountId,
        host: &str,
        method: Method,
    ) -> Result<Proof, OwnershipError> {
        let name = provable(host)?;
        let host = normal_name(host);
        if method == Method::File && !has_file(&host) {
            return Err(OwnershipError::NoFile { host });
        }
        let now = self.clock.now();
        let records = self.ledger.ownership_records(account).await?;
        let record = records.into_iter().find(|it| it.name == name && now < it.expires_at);
        let record = record.ok_or_else(|| OwnershipError::NoRecord { name: name.clone() })?;
        let minute = now.as_seconds().div_euclid(60);
        self.searches.count(account, minute, self.config.verifications_per_minute)?;
        let _turn = self.searches.at_once.try_acquire().map_err(|_| OwnershipError::Busy)?;
        if let Err(reason) = self.search(&record, &host, method).await {
            tracing::info!(domain = host, method = method.as_str(), %reason, "host not verified");
            return Err(OwnershipError::ProofNotFound { reason, record: Box::new(record) });
        }
        let name = if method == Method::File { host.clone() } else { name };
        let now = self.clock.now();
        let proof =
            Proof { account, name, method, proved_at: now, expires_at: now + PROOF_LIFETIME };
        self.ledger.put_ownership_proof(&proof, MAX_PROOFS).await?;
        tracing::info!(domain = host, method = method.as_str(), "host verified");
        self.claim_zones(&proof).await?;
        Ok(proof)
    }

    async fn search(
        &self,
        record: &VerificationRecord,
        host: &str,
        method: Method,
    ) -> Result<(), EvidenceError> {
        let token = record.token.as_bytes();
        let (place, is_there) = match (self.evidence.get(), method) {
            (None, _) => return Err(EvidenceError::NoAnswer(host.into())),
            (Some(evidence), Method::Dns) => {
                let name = record.dns_name();
                let texts = evidence.txt(&name).await?;
                (name, texts.iter().any(|text| text == token))
            }
            (Some(evidence), Method::File) => {
                let content = evidence.file(host, FILE_PATH).await?;
                (format!("http://{host}{FILE_PATH}"), content.trim_ascii() == token)
            }
        };
        if is_there { Ok(()) } else { Err(EvidenceError::Other(place)) }
    }

    /// Zones that were made on purpose claim their names once these are proved. One that is related
    /// to another account's claim stays without.
    async fn claim_zones(&self, proof: &Proof) -> Result<(), Error> {
        let _turn = self.domain_writes.lock().await;
        let now = self.clock.now();
        for zone in self.zones(proof.account) {
            let is_meant =
                zone.claim.is_none() && !zone.settings.is_empty() && zone.name.contains('.');
            if is_meant && proof.method == Method::Dns && proof.covers(&zone.name, now) {
                self.claim(&zone, proof.method.into()).await?;
            }
        }
        Ok(())
    }

    /// How it is established that `account` may have `host`, which is a valid name; that it is waived if
    /// the owner of the installation vouches for it.
    pub(crate) async fn right_to(
        &self,
        account: AccountId,
        host: &str,
        is_vouched_for: bool,
    ) -> Result<Ownership, DomainError> {
        let failed = |source| DomainError::Ledger { host: host.into(), source };
        let leave = match self.leave(account).await.map_err(failed)? {
            ProofRule::Required if is_vouched_for => ProofRule::Waived,
            leave => leave,
        };
        if let Err(why) = check_claim(host, leave) {
            return Err(DomainError::Unclaimable { host: host.into(), why });
        }
        match leave {
            ProofRule::Owner => return Ok(Ownership::Owner),
            ProofRule::Waived => return Ok(Ownership::Waived),
            ProofRule::Required => {}
        }
        let base = base_host(host);
        let claims = self.zones(account);
        let claim = claims.iter().filter(|zone| is_at_or_below(base, &zone.name));
        if let Some(ownership) = claim.filter_map(|zone| zone.claim).next() {
            return Ok(ownership);
        }
        if let Some(proof) = self.ownership_proof(account, host).await.map_err(failed)? {
            return Ok(proof.method.into());
        }
        let record = match self.ownership_record(account, host).await {
            Ok(record) => Some(Box::new(record)),
            Err(OwnershipError::Ledger(source)) => return Err(failed(source)),
            Err(_) => None,
        };
        Err(DomainError::Unverified { host: host.into(), record })
    }

    /// How `account` may claim what is at or below the name of a zone; nothing if it may not.
    pub(crate) async fn right_to_zone(
        &self,
        account: AccountId,
        zone: &Zone,
    ) -> Result<Option<Ownership>, Error> {
        let leave = self.leave(account).await?;
        if !zone.name.contains('.') || check_claim(&zone.name, leave).is_err() {
            return Ok(None);
        }
        Ok(match leave {
            ProofRule::Owner => Some(Ownership::Owner),
            ProofRule::Waived => Some(Ownership::Waived),
            ProofRule::Required => {
                let proof = self.ownership_proof(account, &zone.name).await?;
                proof.filter(|proof| proof.method == Method::Dns).map(|proof| proof.method.into())
            }
        })
    }

    async fn leave(&self, account: AccountId) -> Result<ProofRule, Error> {
        let accounts = self.ledger.accounts().await?;
        let is_waived = |id| accounts.iter().any(|it| it.id == id && it.is_verification_waived);
        Ok(if accounts.first().is_some_and(|first| first.id == account) {
            ProofRule::Owner
        } else if self.config.waives_verification || is_waived(account) {
            ProofRule::Waived
        } else {
            ProofRule::Required
        })
    }
}

/// The registrable domain by which `host` is proved.
fn provable(host: &str) -> Result<String, OwnershipError> {
    let host = normal_name(host);
    if !host::is_new_domain_name(&host) {
        return Err(OwnershipError::InvalidHost { host });
    }
    match (check_claim(&host, ProofRule::Required), registrable(&host)) {
        (Ok(()), Some(name)) => Ok(name.into()),
        (Err(why), _) => Err(OwnershipError::Unclaimable { host, why }),
        (Ok(()), None) => Err(OwnershipError::Unclaimable { host, why: Unclaimable::PublicSuffix }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_a_proof_has_a_way_out() {
        let name = || String::from("example.com");
        for (error, way_out) in [
            (OwnershipError::InvalidHost { host: name() }, "name one host in ASCII"),
            (OwnershipError::NoFile { host: name() }, "by DNS"),
            (OwnershipError::NoRecord { name: name() }, "ask for the record first"),
            (OwnershipError::TooMany { limit: 1 }, "wait a day"),
            (OwnershipError::TooOften { limit: 1 }, "wait a minute"),
            (OwnershipError::Busy, "wait a minute"),
        ] {
            let hint = error.hint().unwrap();
            assert!(hint.contains(way_out), "{error}: {hint}");
        }
    }
}

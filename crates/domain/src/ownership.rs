//! Who may claim a host, and what proves that it is theirs. Pure.
//!
//! A claim is the name of a domain, or of a zone that an account has for itself. Claims of two accounts
//! are never related: neither equal, nor one below the other, where a wildcard counts as the host
//! that it is below. Hosts beside each other may belong to different accounts.
//!
//! The Public Suffix List says where strangers register names, as under `co.uk` or `github.io`: that of
//! the crate `psl`, as it was when this program was built.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    host::{base_host, is_address, is_at_or_below, is_wildcard},
    time::Timestamp,
};

/// The label under which a registrable domain has the record that proves who owns it.
pub const RECORD_LABEL: &str = "_cdnauth";
/// The path at which a host has the file that proves who owns it.
pub const FILE_PATH: &str = "/.well-known/stoker-verification.txt";
/// How long a record or file is looked for after it was made up.
pub const RECORD_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long hosts may be added after a proof.
pub const PROOF_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Records of one account that wait to be found, at most.
pub const MAX_RECORDS: u32 = 100;
/// Proofs of one account that are kept, at most; then the oldest goes.
pub const MAX_PROOFS: u32 = 100;

/// Top-level names that belong to nobody on the Internet (RFC 2606, 6761, 6762, 7686, 8375, 9476,
/// and `internal`, which ICANN has set aside).
const RESERVED: &[&str] =
    &["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"];

/// How it was established that an account may have a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// The domain was there before proofs were asked for.
    #[default]
    Earlier,
    /// The account owns the installation.
    Owner,
    /// The owner of the installation asks this account for no proof.
    Waived,
    /// A record of the Domain Name System.
    Dns,
    /// A file at the host.
    File,
}

impl Ownership {
    /// In words that follow "verified".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Earlier => "before verification began",
            Self::Owner => "as the owner's",
            Self::Waived => "by waiver",
            Self::Dns => "by DNS",
            Self::File => "by file",
        }
    }
}

/// Where a proof is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A TXT record of the registrable domain. It proves all that lies below.
    #[default]
    Dns,
    /// A file at the host. It proves this host alone: who runs a host need not run those beside it
    /// or below it.
    File,
}

impl Method {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::File => "file",
        }
    }
}

impl From<Method> for Ownership {
    fn from(method: Method) -> Self {
        match method {
            Method::Dns => Self::Dns,
            Method::File => Self::File,
        }
    }
}

/// What an account is to publish, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationRecord {
    /// Who is to publish it.
    pub account: AccountId,
    /// The registrable domain.
    pub name: String,
    /// What is looked for; nobody can guess it.
    pub token: String,
    /// When it was made up.
    pub created_at: Timestamp,
    /// When it is no longer looked for.
    pub expires_at: Timestamp,
}

impl VerificationRecord {
    /// The name of the TXT record.
    pub fn dns_name(&self) -> String {
        format!("{RECORD_LABEL}.{}", self.name)
    }
}

/// What an account has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who.
    pub account: AccountId,
    /// The registrable domain, or the host where a file was found.
    pub name: String,
    /// How.
    pub method: Method,
    /// When.
    pub proved_at: Timestamp,
    /// Until when hosts may be added because of it.
    pub expires_at: Timestamp,
}

impl Proof {
    /// Whether a domain of this name may be added at `now` because of it.
    pub fn covers(&self, domain: &str, now: Timestamp) -> bool {
        let is_meant = match self.method {
            Method::Dns => is_at_or_below(base_host(domain), &self.name),
            Method::File => domain == self.name,
        };
        is_meant && now < self.expires_at
    }
}

/// What an account has to prove, as the owner of the installation decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRule {
    /// It is the owner's own.
    Owner,
    /// It is asked for no proof.
    Waived,
    /// It must prove what it claims.
    Required,
}

/// Why an account may not claim a name even with a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclaimable {
    /// Strangers register names below it.
    #[error("is a public suffix: others register names below it")]
    PublicSuffix,
    /// An IP address, whose user changes.
    #[error("is an address, which nobody can prove to own")]
    Address,
    /// One label, or below a top-level name that belongs to nobody.
    #[error("is below no registered domain, so that nobody can prove to own it")]
    Reserved,
}

/// Whether an account under this rule may claim `name`, provided that nobody else has claimed a related
/// name and that what is to be proved is proved.
///
/// # Errors
/// Why not.
pub fn check_claim(name: &str, leave: ProofRule) -> Result<(), Unclaimable> {
    let base = base_host(name);
    if leave == ProofRule::Owner {
        return Ok(());
    }
    if is_public_suffix(base) {
        return Err(Unclaimable::PublicSuffix);
    }
    if leave == ProofRule::Waived {
        return Ok(());
    }
    if is_address(base) {
        return Err(Unclaimable::Address);
    }
    let last = base.rsplit('.').next().unwrap_or_default();
    if !base.contains('.') || RESERVED.contains(&last) {
        return Err(Unclaimable::Reserved);
    }
    Ok(())
}

/// Whether claims of `a` and `b` exclude each other when two accounts make them.
pub fn are_related(a: &str, b: &str) -> bool {
    let (a, b) = (base_host(a), base_host(b));
    is_at_or_below(a, b) || is_at_or_below(b, a)
}

/// The name that somebody registered, of which `host` is a part; nothing for a public suffix, a
/// single label and an address.
pub fn registrable(host: &str) -> Option<&str> {
    let host = base_host(host);
    if is_address(host) { None } else { psl::domain_str(host) }
}

/// A name on the list; a top-level name that the list does not know is not one.
fn is_public_suffix(host: &str) -> bool {
    psl::suffix(host.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == host.as_bytes())
}

/// Whether a file can prove it: not of a wildcard, which is no one host.
pub fn has_file(domain: &str) -> bool {
    !is_wildcard(domain)
}

#[cfg(test)]
mod tests;

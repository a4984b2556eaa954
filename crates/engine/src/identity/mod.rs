//! Who may call: accounts, users, groups, policies and keys.
//!
//! Finds who stands behind a key, for every call: answers are kept in memory until something of all
//! this changes. Secrets are sealed before the ledger sees them and opened when a caller is found.
//! Checks no signature and no token; what a caller may do, its policies say.

mod accounts;
mod caller;
mod error;
mod fields;
mod keys;
mod policies;
mod seal;
mod users;

use std::sync::{Mutex, PoisonError};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::account::{AccessKey, AccountId};
use stoker_ledger::Ledger;

pub use caller::Caller;
pub use error::{IdentityError, IdentityKind, OpenError};
pub use keys::{DEFAULT_LIFETIME, Issued, MAX_KEYS, MAX_LIFETIME, MAX_TEMPORARY, MIN_LIFETIME};
pub use policies::{MAX_ATTACHED, MAX_POLICIES, MAX_POLICY_BYTES};
pub use seal::{SealKey, SealKeys, Unopened};
pub use users::{MAX_GROUPS, MAX_USERS};

use crate::{Config, Error};

/// Keys whose seals are looked at in one turn when the engine opens.
const RESEAL: u32 = 1000;

/// What the engine keeps of all this.
#[derive(Debug)]
pub(crate) struct Identities {
    callers: caller::Callers,
    uses: keys::Uses,
    seals: SealKeys,
    // of its own, because its seed is longer: secrets come out of it
    random: Mutex<StdRng>,
    /// Held from looking to writing by every change, so that bounds and names stay true.
    turn: tokio::sync::Mutex<()>,
}

impl Identities {
    /// Seals with the first key whatever is not yet.
    pub(crate) async fn open(
        ledger: &dyn Ledger,
        config: &Config,
        seed: u64,
    ) -> Result<Self, OpenError> {
        let seals = config.seal.clone();
        let identities = Self {
            callers: caller::Callers::default(),
            uses: keys::Uses::default(),
            random: Mutex::new(StdRng::from_seed(seals.seed(seed))),
            turn: tokio::sync::Mutex::default(),
            seals,
        };
        // the fields first: the keys take with them what is left of both
        identities.reseal_fields(ledger).await?;
        identities.reseal(ledger).await?;
        Ok(identities)
    }

    async fn reseal(&self, ledger: &dyn Ledger) -> Result<(), OpenError> {
        let mut after = String::new();
        let mut stale = Vec::new();
        loop {
            let keys = ledger.keys_after(&after, RESEAL).await?;
            let Some(last) = keys.last() else { break };
            after.clone_from(&last.secret_id);
            for key in keys {
                let opened = self.seals.open(&key.secret_key, owner(&key));
                let secret = opened.map_err(|source| OpenError::Sealed {
                    secret_id: key.secret_id.clone(),
                    source,
                })?;
                if !self.seals.is_current(&key.secret_key) {
                    let sealed = self.seals.seal(&secret, owner(&key), self.bytes());
                    stale.push((key.secret_id, sealed));
                }
            }
        }
        if !stale.is_empty() {
            tracing::info!(keys = stale.len(), "secrets are sealed anew");
        }
        // also when there are none: a crash may have come before the old ones were wiped out
        ledger.reseal_keys(stale).await?;
        Ok(())
    }

    /// The same key as the ledger keeps it.
    fn sealed(&self, key: &AccessKey) -> AccessKey {
        let secret_key = self.seals.seal(&key.secret_key, owner(key), self.bytes());
        AccessKey { secret_key, ..key.clone() }
    }

    /// The same key as its user knows it.
    fn opened(&self, key: AccessKey) -> Result<AccessKey, Error> {
        match self.seals.open(&key.secret_key, owner(&key)) {
            Ok(secret_key) => Ok(AccessKey { secret_key, ..key }),
            Err(error) => Err(Error::corrupt("open a secret", error)),
        }
    }

    /// Bytes that cannot be guessed.
    pub(crate) fn token<const N: usize>(&self) -> [u8; N] {
        self.bytes()
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// `length` letters and digits; each adds 5.95 bits.
    fn secret(&self, length: usize) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut secret = String::with_capacity(length);
        while secret.len() < length {
            // bytes of 248 and above are thrown away, so that all 62 letters are equally likely
            let [byte] = self.bytes();
            if byte < 248 {
                secret.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
        secret
    }

    /// 12 decimal digits that begin with `first`.
    fn uin(&self, first: u8) -> String {
        format!("{first}{:011}", u64::from_le_bytes(self.bytes()) % 100_000_000_000)
    }
}

fn owner(key: &AccessKey) -> seal::Owner<'_> {
    let account: AccountId = key.account;
    seal::Owner::Key { secret_id: &key.secret_id, account }
}

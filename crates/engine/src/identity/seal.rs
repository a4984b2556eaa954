//! Sealing of secrets: the ledger's file alone opens none.
//!
//! A sealed text is `sealed:1:<key>:<data>`: the form's version, the name of the key that sealed it,
//! and in base64 the nonce with what XChaCha20-Poly1305 made of the secret. Its nonces are long
//! enough to be random. What the secret belongs to is part of the seal, so that it opens nowhere
//! else. Where the keys come from is not decided here.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use stoker_domain::account::AccountId;

const PREFIX: &str = "sealed:1:";
const NONCE: usize = 24;

/// One sealing key: 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// The key made of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its name: says nothing about the key, and tells it from others.
    pub fn name(&self) -> String {
        let hash =
            Sha256::new().chain_update(b"stoker: name of a sealing key").chain_update(self.0);
        hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealKey").field(&self.name()).finish()
    }
}

/// The sealing keys of an installation: the first one seals, all of them open. Without any, secrets
/// are kept as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealKeys(Vec<(String, SealKey)>);

impl SealKeys {
    /// These keys, in this order.
    pub fn new(keys: impl IntoIterator<Item = SealKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.name(), key)).collect())
    }

    /// Whether a secret as the ledger keeps it is sealed.
    pub fn is_sealed(kept: &str) -> bool {
        name_of(kept).is_some()
    }

    /// A seed of 256 bits that cannot be guessed without the first key.
    pub(super) fn seed(&self, seed: u64) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(b"stoker: seed of secrets");
        hash.update(seed.to_le_bytes());
        if let Some((_, key)) = self.0.first() {
            hash.update(key.0);
        }
        hash.finalize().into()
    }

    /// Whether a text as it is kept is as the first key would have it.
    pub(super) fn is_current(&self, kept: &str) -> bool {
        match (self.0.first(), name_of(kept)) {
            (Some((first, _)), Some(name)) => first == name,
            (None, None) => true,
            _ => false,
        }
    }

    /// Seals a secret of `owner`.
    pub(super) fn seal(&self, secret: &str, owner: Owner<'_>, nonce: [u8; NONCE]) -> String {
        let Some((name, key)) = self.0.first() else { return secret.into() };
        let payload = Payload { msg: secret.as_bytes(), aad: &owner.bytes() };
        let sealed = XChaCha20Poly1305::new(&key.0.into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a secret is shorter than the cipher's 256 GiB");
        let data = STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat());
        format!("{PREFIX}{name}:{data}")
    }

    /// Opens what [`Self::seal`] made for `owner`; a text that is not sealed is the secret itself.
    ///
    /// # Errors
    /// [`Unopened`].
    pub(super) fn open(&self, kept: &str, owner: Owner<'_>) -> Result<String, Unopened> {
        let Some(name) = name_of(kept) else { return Ok(kept.into()) };
        let key = self.0.iter().find(|(known, _)| known == name);
        let (_, key) = key.ok_or_else(|| Unopened::UnknownKey { name: name.into() })?;
        let data = &kept[PREFIX.len() + name.len() + 1..];
        let data = STANDARD_NO_PAD.decode(data).map_err(|_| Unopened::Altered)?;
        let (nonce, sealed) = data.split_first_chunk::<NONCE>().ok_or(Unopened::Altered)?;
        let payload = Payload { msg: sealed, aad: &owner.bytes() };
        let secret = XChaCha20Poly1305::new(&key.0.into())
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Unopened::Altered)?;
        String::from_utf8(secret).map_err(|_| Unopened::Altered)
    }
}

/// The name of the key that sealed a text; absent when it is not sealed.
fn name_of(kept: &str) -> Option<&str> {
    kept.strip_prefix(PREFIX)?.split_once(':').map(|(name, _)| name)
}

/// What a secret belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    /// A key with this public half.
    Key { secret_id: &'a str, account: AccountId },
    /// A request field of a task, by its name.
    Field { name: &'a str, task: &'a str, account: AccountId },
}

impl Owner<'_> {
    /// The number has a fixed length and no name has a NUL in it, so that no two owners have the same
    /// bytes.
    fn bytes(&self) -> Vec<u8> {
        match *self {
            Self::Key { secret_id, account } => {
                [&account.0.to_le_bytes(), secret_id.as_bytes()].concat()
            }
            Self::Field { name, task, account } => {
                let account = account.0.to_le_bytes();
                [&account, &b"\0field\0"[..], task.as_bytes(), b"\0", name.as_bytes()].concat()
            }
        }
    }
}

/// Why a sealed secret does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// None of the keys has this name.
    #[error("no sealing key has the name `{name}`")]
    UnknownKey {
        /// The name that the seal gives.
        name: String,
    },
    /// It is damaged, or was another key's secret.
    #[error("the seal is broken")]
    Altered,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'static> = Owner::Key { secret_id: "AKID1", account: AccountId(7) };

    fn keys(bytes: &[u8]) -> SealKeys {
        SealKeys::new(bytes.iter().map(|byte| SealKey::new([*byte; 32])))
    }

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let keys = keys(&[1]);
        for secret in ["", "hidden", "ü", &"long".repeat(1000)] {
            let sealed = keys.seal(secret, OWNER, [9; NONCE]);
            assert!(secret.is_empty() || !sealed.contains(secret), "{sealed}");
            assert_eq!(keys.open(&sealed, OWNER).as_deref(), Ok(secret));
        }
        assert_ne!(keys.seal("x", OWNER, [1; NONCE]), keys.seal("x", OWNER, [2; NONCE]));
    }

    #[test]
    fn the_form_stays_as_it_is() {
        let sealed =
            "sealed:1:6b683704:CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJm4Tb8juoPIIdiCALzjJd2rDNjF9LhA";
        assert_eq!(keys(&[1]).seal("hidden", OWNER, [9; NONCE]), sealed);
        assert_eq!(keys(&[1]).open(sealed, OWNER).as_deref(), Ok("hidden"));
    }

    #[test]
    fn no_flipped_bit_opens_anything() {
        let keys = keys(&[1]);
        let sealed = keys.seal("hidden", OWNER, [9; NONCE]);
        let (head, data) = sealed.rsplit_once(':').unwrap();
        let bytes = STANDARD_NO_PAD.decode(data).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let text = format!("{head}:{}", STANDARD_NO_PAD.encode(&flipped));
            assert_eq!(keys.open(&text, OWNER), Err(Unopened::Altered), "bit {bit}");
        }
        for length in 0..bytes.len() {
            let text = format!("{head}:{}", STANDARD_NO_PAD.encode(&bytes[..length]));
            assert_eq!(keys.open(&text, OWNER), Err(Unopened::Altered), "{length} bytes");
        }
        // and in the text itself: it is not the secret, whatever it says
        for index in 0..sealed.len() {
            for bit in 0..7 {
                let mut text = sealed.clone().into_bytes();
                text[index] ^= 1 << bit;
                let text = String::from_utf8(text).unwrap();
                assert_ne!(keys.open(&text, OWNER).as_deref(), Ok("hidden"), "{text}");
            }
        }
    }

    #[test]
    fn a_seal_opens_for_its_owner_alone() {
        let keys = keys(&[1]);
        let sealed = keys.seal("hidden", OWNER, [9; NONCE]);
        let (account, other) = (AccountId(7), AccountId(8));
        let field = Owner::Field { name: "x-a", task: "AKID1", account };
        for owner in [
            Owner::Key { secret_id: "AKID2", account },
            Owner::Key { secret_id: "", account },
            Owner::Key { secret_id: "AKID1", account: other },
            field,
        ] {
            assert_eq!(keys.open(&sealed, owner), Err(Unopened::Altered), "{owner:?}");
        }
        let sealed = keys.seal("hidden", field, [9; NONCE]);
        assert_eq!(keys.open(&sealed, field).as_deref(), Ok("hidden"));
        for owner in [
            OWNER,
            Owner::Field { name: "x-b", task: "AKID1", account },
            Owner::Field { name: "x-a", task: "AKID2", account },
            Owner::Field { name: "x-a", task: "AKID1", account: other },
            Owner::Field { name: "1\0x-a", task: "AKID", account },
        ] {
            assert_eq!(keys.open(&sealed, owner), Err(Unopened::Altered), "{owner:?}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_of_them_open() {
        let (old, both, new) = (keys(&[1]), keys(&[2, 1]), keys(&[2]));
        let sealed = old.seal("hidden", OWNER, [9; NONCE]);
        assert_eq!(both.open(&sealed, OWNER).as_deref(), Ok("hidden"));
        assert!(old.is_current(&sealed) && !both.is_current(&sealed));
        let name = SealKey::new([1; 32]).name();
        assert_eq!(new.open(&sealed, OWNER), Err(Unopened::UnknownKey { name: name.clone() }));
        let again = both.seal("hidden", OWNER, [9; NONCE]);
        assert_eq!(new.open(&again, OWNER).as_deref(), Ok("hidden"));
        // of another key that happens to have the same name
        let forged = again.replace(&SealKey::new([2; 32]).name(), &name);
        assert_eq!(old.open(&forged, OWNER), Err(Unopened::Altered));
    }

    #[test]
    fn without_keys_nothing_is_sealed_and_nothing_sealed_opens() {
        let none = SealKeys::default();
        assert_eq!(none.seal("plain", OWNER, [9; NONCE]), "plain");
        assert_eq!(none.open("plain", OWNER).as_deref(), Ok("plain"));
        assert!(none.is_current("plain") && !keys(&[1]).is_current("plain"));
        let sealed = keys(&[1]).seal("hidden", OWNER, [9; NONCE]);
        assert!(none.open(&sealed, OWNER).is_err() && !none.is_current(&sealed));
    }

    #[test]
    fn keys_are_not_printed() {
        let shown = format!("{:?} {:#?}", keys(&[201]), SealKey::new([201; 32]));
        assert!(!shown.contains("201") && !shown.to_lowercase().contains("c9c9"), "{shown}");
    }
}

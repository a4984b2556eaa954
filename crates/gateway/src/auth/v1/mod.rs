//! Signature v1 (HmacSHA1, HmacSHA256): whether the parameters of a call were signed with a secret.
//!
//! One verifier for API v2 and API 3.0. Signs decoded parameters, never the raw bytes. Reads no
//! clock and never logs.

pub(crate) mod caller;
pub(crate) mod pairs;
pub(crate) mod read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use self::pairs::{Pair, SIGNATURE};
use super::tc3::{hex, host_candidates};

/// Parameters that belong to the protocol; they are never left out of a signature.
pub(crate) const COMMON: [&str; 11] = [
    "Action",
    "Version",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Token",
    "Language",
    "RequestClient",
];

/// A call as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// The request method.
    pub(crate) method: &'a Method,
    /// `Host` as sent.
    pub(crate) host: &'a [u8],
    /// The path that was asked for.
    pub(crate) path: &'a str,
    /// All parameters, decoded, in the order received.
    pub(crate) pairs: &'a [Pair],
    /// Hosts that clients may have signed although they sent another one.
    pub(crate) aliases: &'a [String],
}

/// What a signature that matches covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covered {
    /// Every parameter.
    All,
    /// Those whose value does not begin with `@`; the others count as absent.
    WithoutAt,
}

/// The algorithm named by SignatureMethod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    /// Of one client, undocumented: signs the hash of the parameters.
    Tc2,
}

impl Algorithm {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("HmacSHA256") => Self::Sha256,
            Some("TC2-HmacSHA256") => Self::Tc2,
            _ => Self::Sha1,
        }
    }
}

/// Order and spelling of the keys in the signed text.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// `_` becomes `.`, then sorted.
    Replaced,
    /// Sorted as received, then `_` becomes `.`; not in a key that begins with `_`.
    Sorted,
    /// As received, sorted.
    AsReceived,
}

/// What the Signature parameter of `message` covers; `None` when it is not one by `secret_key`.
///
/// Every form that real clients sign is computed and compared, whatever the others gave, so that
/// the time taken does not tell which of them came close.
pub(crate) fn verify(secret_key: &str, message: &Message<'_>) -> Option<Covered> {
    let pairs = message.pairs;
    let signature = pairs::value(pairs, SIGNATURE)?;
    let algorithm = Algorithm::named(pairs::value(pairs, "SignatureMethod"));
    let all: Vec<&Pair> = pairs.iter().filter(|pair| pair.name != SIGNATURE).collect();
    let is_all = any_match(secret_key, algorithm, message, &all, signature);
    let is_left_out = |pair: &&Pair| pair.value.starts_with('@');
    let may_leave_out = *message.method == Method::POST
        && all.iter().any(is_left_out)
        && !all.iter().filter(|pair| is_left_out(pair)).any(|pair| is_common(&pair.name));
    let mut is_rest = Choice::from(0);
    if may_leave_out {
        let rest: Vec<&Pair> = all.into_iter().filter(|pair| !is_left_out(pair)).collect();
        is_rest = any_match(secret_key, algorithm, message, &rest, signature);
    }
    if is_all.into() {
        Some(Covered::All)
    } else if is_rest.into() {
        Some(Covered::WithoutAt)
    } else {
        None
    }
}

fn is_common(name: &str) -> bool {
    COMMON.contains(&name)
}

fn any_match(
    secret_key: &str,
    algorithm: Algorithm,
    message: &Message<'_>,
    pairs: &[&Pair],
    signature: &str,
) -> Choice {
    let mut is_match = Choice::from(0);
    let has_underscores = pairs.iter().any(|pair| pair.name.contains('_'));
    // without an underscore the three are one
    let forms: &[Keys] = if has_underscores {
        &[Keys::Replaced, Keys::Sorted, Keys::AsReceived]
    } else {
        &[Keys::AsReceived]
    };
    for keys in forms {
        let items = join(pairs, *keys);
        for host in host_candidates(message.host, message.aliases) {
            let expected = sign(secret_key, algorithm, message, &host, &items);
            is_match |= expected.as_bytes().ct_eq(signature.as_bytes());
        }
    }
    is_match
}

fn join(pairs: &[&Pair], keys: Keys) -> String {
    let replaced = |name: &str| name.replace('_', ".");
    let mut items: Vec<(String, &str)> =
        pairs.iter().map(|pair| (pair.name.clone(), pair.value.as_str())).collect();
    if matches!(keys, Keys::Replaced) {
        items.iter_mut().for_each(|(name, _)| *name = replaced(name));
    }
    items.sort_by(|(a, _), (b, _)| a.cmp(b));
    if matches!(keys, Keys::Sorted) {
        for (name, _) in items.iter_mut().filter(|(name, _)| !name.starts_with('_')) {
            *name = replaced(name);
        }
    }
    let items: Vec<String> =
        items.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    items.join("&")
}

fn sign(
    secret_key: &str,
    algorithm: Algorithm,
    message: &Message<'_>,
    host: &[u8],
    items: &str,
) -> String {
    let mut source = message.method.as_str().as_bytes().to_vec();
    source.extend_from_slice(host);
    source.extend_from_slice(message.path.as_bytes());
    source.push(b'?');
    if algorithm == Algorithm::Tc2 {
        source.push(b'\n');
        source.extend_from_slice(hex(&Sha256::digest(items)).as_bytes());
    } else {
        source.extend_from_slice(items.as_bytes());
    }
    match algorithm {
        Algorithm::Sha1 => {
            let mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes())
                .expect("HMAC takes a key of any length");
            STANDARD.encode(mac.chain_update(source).finalize().into_bytes())
        }
        Algorithm::Sha256 | Algorithm::Tc2 => {
            let mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes())
                .expect("HMAC takes a key of any length");
            STANDARD.encode(mac.chain_update(source).finalize().into_bytes())
        }
    }
}

#[cfg(test)]
mod tests;

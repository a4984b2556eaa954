//! What a call of the admin API signs: all of it, and something that makes it unique.
//!
//! Unlike the API at `/`, whose rules are its clients', every call signs its method, path, query,
//! `Content-Type`, `Host`, the hash of its content and a nonce, whatever the method, and nothing of it is
//! read leniently. As the hash stands in the head, a caller is verified before content is read. Whether
//! a nonce was taken is not decided here.

use http::{HeaderName, header, request::Parts};
use sha2::{Digest, Sha256};

use super::{
    authorization::Authorization,
    host,
    outgoing::Outgoing,
    signing_keys::SigningKeys,
    tc3::{self, CONTENT_SHA256, Signing, TIMESTAMP, UNSIGNED_PAYLOAD, hex},
};

/// Service that the credential scope of an admin call names.
pub(crate) const SERVICE: &str = "admin";
/// The field that makes a call unique.
const NONCE: HeaderName = HeaderName::from_static("stoker-nonce");
/// Length of a nonce: 128 bits, in hexadecimal.
const NONCE_DIGITS: usize = 32;
/// Length of a hash, in hexadecimal.
const HASH_DIGITS: usize = 64;
/// The fields that every call signs, in the order of the canonical request.
const SIGNED: [&str; 4] = ["content-type", "host", "stoker-nonce", "x-tc-content-sha256"];

/// Why a call is not signed as a call of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// `Stoker-Nonce` is absent, or is not among the signed fields.
    #[error("the call has no signed `Stoker-Nonce`")]
    NoNonce,
    /// `Stoker-Nonce` is not 128 bits in hexadecimal.
    #[error("`Stoker-Nonce` must be {NONCE_DIGITS} hexadecimal digits in lower case")]
    Nonce,
    /// `X-TC-Content-SHA256` is absent, or is not among the signed fields.
    #[error("the call has no signed `X-TC-Content-SHA256`")]
    NoHash,
    /// The content is left out of the signature.
    #[error("`{UNSIGNED_PAYLOAD}` is not accepted here: sign the content")]
    Unsigned,
    /// `X-TC-Content-SHA256` is not a hash.
    #[error("`X-TC-Content-SHA256` must be {HASH_DIGITS} hexadecimal digits in lower case")]
    Hash,
    /// A field that is signed is there more than once.
    #[error("a signed header field is missing or repeated")]
    Fields,
    /// The content is not what was signed.
    #[error("the content does not match `X-TC-Content-SHA256`")]
    Content,
}

/// Whose signature is wanted.
pub(crate) struct By<'a> {
    /// Secret half of the key.
    pub(crate) secret_key: &'a str,
    /// Signing keys that are known already.
    pub(crate) keys: &'a SigningKeys,
    /// Hosts that clients may have signed although they sent another one.
    pub(crate) aliases: &'a [String],
}

/// What the head of a call declares besides its `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// What its caller made up for it alone.
    pub(crate) nonce: &'a str,
    hash: &'a str,
}

impl<'a> Head<'a> {
    /// Reads the head; the signature is not looked at.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub(crate) fn read(parts: &'a Parts, authorization: &Authorization) -> Result<Self, Error> {
        let field = |name: &HeaderName, error: Error| {
            let is_signed =
                authorization.signed_headers.iter().any(|signed| signed == name.as_str());
            let field = parts.headers.get(name).filter(|_| is_signed).ok_or(error)?;
            Ok(field.to_str().unwrap_or_default())
        };
        let nonce = field(&NONCE, Error::NoNonce)?;
        if !is_hexadecimal(nonce, NONCE_DIGITS) {
            return Err(Error::Nonce);
        }
        let hash = field(&CONTENT_SHA256, Error::NoHash)?;
        if hash == UNSIGNED_PAYLOAD {
            return Err(Error::Unsigned);
        }
        if !is_hexadecimal(hash, HASH_DIGITS) {
            return Err(Error::Hash);
        }
        let others = [TIMESTAMP, header::AUTHORIZATION];
        let names = authorization.signed_headers.iter().map(String::as_str);
        for name in names.chain(others.iter().map(HeaderName::as_str)) {
            let count = parts.headers.get_all(name).iter().count();
            // a request target in absolute form may stand for it
            let least = usize::from(name != header::HOST);
            if !(least..=1).contains(&count) {
                return Err(Error::Fields);
            }
        }
        Ok(Self { nonce, hash })
    }

    /// Whether `authorization` signs the call, at `timestamp`, the text of X-TC-Timestamp.
    pub(crate) fn is_signed(
        &self,
        parts: &Parts,
        authorization: &Authorization,
        timestamp: &str,
        by: &By<'_>,
    ) -> bool {
        let hosts = [host(parts)].into_iter().chain(by.aliases.iter().map(String::as_bytes));
        let requests: Vec<_> =
            hosts.map(|host| self.canonical(parts, authorization, host)).collect();
        tc3::signs_one(by.keys, by.secret_key, authorization, timestamp, &requests)
    }

    fn canonical(&self, parts: &Parts, authorization: &Authorization, host: &[u8]) -> Vec<u8> {
        let query = parts.uri.query().unwrap_or_default();
        let mut text = format!("{}\n{}\n{query}\n", parts.method, parts.uri.path()).into_bytes();
        for name in &authorization.signed_headers {
            let value = match name.as_str() {
                "host" => host,
                name => parts.headers.get(name).map_or(&b""[..], |value| value.as_bytes()),
            };
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(value.trim_ascii());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(authorization.signed_headers.join(";").as_bytes());
        text.push(b'\n');
        text.extend_from_slice(self.hash.as_bytes());
        text
    }

    /// Checks that content with this SHA-256 is what was signed.
    ///
    /// # Errors
    /// [`Error::Content`].
    pub(crate) fn check(&self, hash: &[u8]) -> Result<(), Error> {
        if hex(hash) == self.hash { Ok(()) } else { Err(Error::Content) }
    }
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What every call gives as its `Content-Type`, also without content.
const CONTENT_TYPE: &str = "application/json";

impl Outgoing<'_> {
    /// The fields of a call of the admin API to send besides `Host`. `nonce` are 128 random bits that no
    /// other call has.
    pub fn sign_whole(
        &self,
        secret_id: &str,
        secret_key: &str,
        nonce: [u8; 16],
    ) -> [(&'static str, String); 5] {
        let (nonce, hash) = (hex(&nonce), hex(&Sha256::digest(self.content)));
        let signing = Signing { secret_id, secret_key, service: SERVICE, time: self.time };
        let authorization = signing.field(&SIGNED.join(";"), &self.whole(&nonce, &hash));
        [
            ("content-type", CONTENT_TYPE.into()),
            ("stoker-nonce", nonce),
            ("x-tc-content-sha256", hash),
            ("x-tc-timestamp", self.time.as_seconds().to_string()),
            ("authorization", authorization),
        ]
    }

    /// The canonical request: all of the call.
    fn whole(&self, nonce: &str, hash: &str) -> String {
        let values = [CONTENT_TYPE, self.host.trim(), nonce, hash];
        let fields = SIGNED.iter().zip(values).map(|(name, value)| format!("{name}:{value}\n"));
        format!(
            "{}\n{}\n{}\n{}\n{}\n{hash}",
            self.method,
            self.path,
            self.query,
            fields.collect::<String>(),
            SIGNED.join(";"),
        )
    }
}

#[cfg(test)]
#[path = "admin/tests.rs"]
mod tests;

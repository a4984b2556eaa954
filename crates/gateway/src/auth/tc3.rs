//! TC3-HMAC-SHA256: whether a call was signed with a secret, and how a client signs.
//!
//! Works on the raw bytes of the request, before anything is decoded. What is signed here is what the
//! API at `/` wants; the admin API has a canonical request of its own and shares the rest. Reads no
//! clock and never logs.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, Method};
use jiff::{Timestamp as Moment, tz::TimeZone};
use sha2::{Digest, Sha256};
use stoker_domain::time::Timestamp;
use subtle::{Choice, ConstantTimeEq};

use super::{
    authorization::{ALGORITHM, Authorization},
    outgoing::Outgoing,
    signing_keys::{Key, Origin, SigningKeys},
};

/// Seconds that a timestamp may be off, in either direction.
pub(crate) const TOLERANCE_SECONDS: i64 = 300;

/// The field that carries the time of signing.
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");

/// The field by which a client leaves its content out of the signature.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-tc-content-sha256");

/// The field that carries the token of a temporary key. No client signs it.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-tc-token");

/// The value of [`CONTENT_SHA256`] where the content is not signed.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A request as it came, for the check of its signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// The request method.
    pub(crate) method: &'a Method,
    /// Path that the client signs.
    pub(crate) path: &'a str,
    /// Query as sent, without `?`; still encoded.
    pub(crate) query: &'a str,
    /// All header fields.
    pub(crate) fields: &'a HeaderMap,
    /// `Host` as sent, or the authority of the request target.
    pub(crate) host: &'a [u8],
    /// SHA-256 of the content, in hexadecimal: of what came, or as the head declares it. Used for POST alone.
    pub(crate) content_hash: &'a str,
    /// Hosts that clients may have signed although they sent another one.
    pub(crate) aliases: &'a [String],
}

/// Whether `time`, in seconds, is close enough to `now`.
pub(crate) fn is_current(time: i64, now: Timestamp) -> bool {
    now.as_seconds().abs_diff(time) <= TOLERANCE_SECONDS.unsigned_abs()
}

/// Whether `authorization` is the signature of `message` by `secret_key`.
///
/// `timestamp` is the text of X-TC-Timestamp; the date of the scope must be its UTC date. Every
/// form in which real clients sign the host and the field values is tried, and the time taken does
/// not tell which of them came close. The signing key is looked up in `keys`, and kept there once it
/// has verified a call.
pub(crate) fn verify(
    keys: &SigningKeys,
    secret_key: &str,
    authorization: &Authorization,
    timestamp: &str,
    message: &Message<'_>,
) -> bool {
    let payload = payload_hash(message);
    let mut requests = Vec::new();
    for host in host_candidates(message.host, message.aliases) {
        for lower in [false, true] {
            let Some(request) = canonical_request(message, authorization, &host, lower, &payload)
            else {
                return false;
            };
            requests.push(request);
        }
    }
    signs_one(keys, secret_key, authorization, timestamp, &requests)
}

/// Whether `authorization` is the signature of one of these canonical requests by `secret_key`. All
/// of them are compared, in constant time.
pub(crate) fn signs_one(
    keys: &SigningKeys,
    secret_key: &str,
    authorization: &Authorization,
    timestamp: &str,
    requests: &[Vec<u8>],
) -> bool {
    if !timestamp.parse().is_ok_and(|seconds| is_utc_date(&authorization.date, seconds)) {
        return false;
    }
    let origin = Origin {
        secret_id: &authorization.secret_id,
        secret_key,
        date: &authorization.date,
        service: &authorization.service,
    };
    let kept = keys.get(&origin);
    let key = kept.unwrap_or_else(|| signing_key(secret_key, origin.date, origin.service));
    let scope = format!("{}/{}/tc3_request", authorization.date, authorization.service);
    let mut is_match = Choice::from(0);
    for request in requests {
        let signature = hex(&sign_text(&key, timestamp, &scope, request));
        is_match |= signature.as_bytes().ct_eq(authorization.signature.as_bytes());
    }
    let is_match = is_match.into();
    if is_match && kept.is_none() {
        keys.keep(&origin, key);
    }
    is_match
}

impl Outgoing<'_> {
    /// The `Authorization` field for a call of the API at `/`, which signs `content-type;host`; of POST
    /// the content, of other methods the query. `content_type` must be sent, even without content;
    /// `service` is that of the credential scope.
    pub fn authorize(
        &self,
        secret_id: &str,
        secret_key: &str,
        content_type: &str,
        service: &str,
    ) -> String {
        let (query, content) =
            if signs_content(self.method) { ("", self.content) } else { (self.query, &b""[..]) };
        let canonical = format!(
            "{}\n{}\n{query}\ncontent-type:{}\nhost:{}\n\ncontent-type;host\n{}",
            self.method,
            self.path,
            content_type.trim(),
            self.host.trim(),
            hex(&Sha256::digest(content)),
        );
        let signing = Signing { secret_id, secret_key, service, time: self.time };
        signing.field("content-type;host", &canonical)
    }
}

/// With what a request is signed.
#[derive(Clone, Copy)]
pub(crate) struct Signing<'a> {
    /// Public half of the key.
    pub(crate) secret_id: &'a str,
    /// Secret half of the key.
    pub(crate) secret_key: &'a str,
    /// Service of the credential scope.
    pub(crate) service: &'a str,
    /// Time of signing.
    pub(crate) time: Timestamp,
}

impl Signing<'_> {
    /// The `Authorization` field over a canonical request.
    pub(crate) fn field(&self, signed_headers: &str, canonical: &str) -> String {
        let timestamp = self.time.as_seconds();
        let date = utc_date(timestamp).unwrap_or_default();
        let scope = format!("{date}/{}/tc3_request", self.service);
        let key = signing_key(self.secret_key, &date, self.service);
        let signature = hex(&sign_text(&key, &timestamp.to_string(), &scope, canonical.as_bytes()));
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, \
             Signature={signature}",
            self.secret_id
        )
    }
}

fn signs_content(method: &Method) -> bool {
    *method == Method::POST
}

fn canonical_request(
    message: &Message<'_>,
    authorization: &Authorization,
    host: &[u8],
    lower: bool,
    payload: &str,
) -> Option<Vec<u8>> {
    let query = if signs_content(message.method) { "" } else { message.query };
    let mut text = format!("{}\n{}\n{query}\n", message.method, message.path).into_bytes();
    for name in &authorization.signed_headers {
        let value = match name.as_str() {
            "host" => host,
            name => message.fields.get(name)?.as_bytes(),
        };
        let start = text.len() + name.len() + 1;
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value.trim_ascii());
        if lower {
            text[start..].make_ascii_lowercase();
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(authorization.signed_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    Some(text)
}

/// The forms in which clients sign the host that they sent: as it is, without a scheme, without a
/// port, and the configured aliases.
pub(crate) fn host_candidates<'a>(host: &'a [u8], aliases: &'a [String]) -> Vec<Cow<'a, [u8]>> {
    let bare = [&b"http://"[..], b"https://"]
        .iter()
        .find_map(|scheme| host.strip_prefix(*scheme))
        .unwrap_or(host);
    let without_port = match bare.iter().rposition(|byte| *byte == b':') {
        Some(colon) if bare[colon + 1..].iter().all(u8::is_ascii_digit) => &bare[..colon],
        _ => bare,
    };
    let mut candidates: Vec<Cow<'a, [u8]>> = vec![host.into()];
    for candidate in [bare, without_port].into_iter().chain(aliases.iter().map(String::as_bytes)) {
        if !candidates.iter().any(|known| **known == *candidate) {
            candidates.push(candidate.into());
        }
    }
    candidates
}

/// The hash of the content, as far as the head of a request declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedContent<'a> {
    /// No content is signed.
    Nothing,
    /// Content with this SHA-256, in hexadecimal.
    Declared(&'a str),
    /// Whatever comes.
    Undeclared,
}

impl<'a> SignedContent<'a> {
    /// What the head of a request with `method` and `fields` declares.
    pub(crate) fn of(method: &Method, fields: &'a HeaderMap) -> Self {
        let declared = fields.get(CONTENT_SHA256).and_then(|value| value.to_str().ok());
        match declared {
            Some(UNSIGNED_PAYLOAD) => Self::Nothing,
            _ if !signs_content(method) => Self::Nothing,
            Some(hash) if is_hash(hash) => Self::Declared(hash),
            _ => Self::Undeclared,
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn payload_hash<'a>(message: &'a Message<'_>) -> Cow<'a, str> {
    let is_unsigned = message
        .fields
        .get(CONTENT_SHA256)
        .is_some_and(|value| value.as_bytes() == UNSIGNED_PAYLOAD.as_bytes());
    if is_unsigned {
        hex(&Sha256::digest(UNSIGNED_PAYLOAD)).into()
    } else if signs_content(message.method) {
        message.content_hash.into()
    } else {
        hex(&Sha256::digest(b"")).into()
    }
}

fn sign_text(key: &Key, timestamp: &str, scope: &str, request: &[u8]) -> [u8; 32] {
    let hash = hex(&Sha256::digest(request));
    hmac(key, format!("{ALGORITHM}\n{timestamp}\n{scope}\n{hash}").as_bytes())
}

fn signing_key(secret_key: &str, date: &str, service: &str) -> Key {
    let date = hmac(format!("TC3{secret_key}").as_bytes(), date.as_bytes());
    let service = hmac(&date, service.as_bytes());
    hmac(&service, b"tc3_request")
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key)
        .expect("HMAC takes a key of any length")
        .chain_update(text)
        .finalize()
        .into_bytes()
        .into()
}

fn utc_date(seconds: i64) -> Option<String> {
    let moment = Moment::from_second(seconds).ok()?;
    Some(moment.strftime("%Y-%m-%d").to_string())
}

/// Whether `text` is the UTC date of a time as [`utc_date`] writes it. Every call asks, so that no text
/// is made for it.
fn is_utc_date(text: &str, seconds: i64) -> bool {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0i16, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0'))
        })
    };
    let (Ok(moment), [year @ .., b'-', m1, m2, b'-', d1, d2]) =
        (Moment::from_second(seconds), text.as_bytes())
    else {
        return false;
    };
    let date = TimeZone::UTC.to_datetime(moment).date();
    year.len() == 4
        && number(year) == Some(date.year())
        && number(&[*m1, *m2]) == Some(date.month().into())
        && number(&[*d1, *d2]) == Some(date.day().into())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
#[path = "tc3/tests.rs"]
mod tests;

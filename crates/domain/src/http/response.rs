//! What is kept of a response beside its content: status, end-to-end fields, and what decides its
//! freshness and its reuse.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    fields::{combined, parse_http_date, strip_hop_by_hop},
    forwarded::varying,
    storable::{Lifetime, storable},
};
use crate::{
    domain::{CachePolicy, Cookies},
    outcome::Uncacheable,
    time::Timestamp,
};

/// A clock that was set back by less changes nothing.
const SET_BACK: Duration = Duration::from_secs(60);

/// A stored response, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// Status of the response to a GET.
    pub status: StatusCode,
    /// End-to-end fields; no `Age`, `Content-Length` or `Content-Range`: they are made anew.
    pub fields: HeaderMap,
    /// Bytes of content.
    pub size: u64,
    /// The request fields that `Vary` names, `Accept-Encoding` left out, with the values of the
    /// request that was answered; empty = absent.
    pub vary: Vec<(HeaderName, HeaderValue)>,
    /// When the head was received, by this node's clock.
    pub response_time: Timestamp,
    /// `corrected_initial_age` of RFC 9111 section 4.2.3, in milliseconds.
    pub corrected_initial_age_ms: u64,
    /// Freshness lifetime in milliseconds; 0 = every use must be validated.
    pub lifetime_ms: u64,
}

/// What identifies a representation byte for byte; may stand in `If-Range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validator {
    /// A strong entity tag.
    ETag(HeaderValue),
    /// A modification date that is strong by RFC 9110 section 8.8.2.2.
    LastModified(HeaderValue),
}

impl Validator {
    /// The value as it stands in `If-Range`.
    pub const fn as_value(&self) -> &HeaderValue {
        match self {
            Self::ETag(value) | Self::LastModified(value) => value,
        }
    }
}

/// The strong validator of a response with `fields`, if it has one.
///
/// RFC 9110 section 8.8.2.2: a `Last-Modified` is strong for a cache when `Date` stands beside it
/// and is at least one second later.
pub fn strong_validator(fields: &HeaderMap) -> Option<Validator> {
    if let Some(etag) = fields.get(header::ETAG) {
        return (!etag.as_bytes().starts_with(b"W/")).then(|| Validator::ETag(etag.clone()));
    }
    let modified = fields.get(header::LAST_MODIFIED)?;
    let gap = parse_http_date(fields.get(header::DATE)?)?.since(parse_http_date(modified)?);
    (gap >= Duration::from_secs(1)).then(|| Validator::LastModified(modified.clone()))
}

impl StoredResponse {
    /// What is kept of a response that [`storable`] allowed. `fields` may be as received.
    pub fn new(
        request_fields: &HeaderMap,
        status: StatusCode,
        mut fields: HeaderMap,
        size: u64,
        lifetime: Lifetime,
        response_time: Timestamp,
    ) -> Self {
        strip_hop_by_hop(&mut fields);
        for name in [header::AGE, header::CONTENT_LENGTH, header::CONTENT_RANGE] {
            fields.remove(name);
        }
        let mut stored = Self {
            status,
            vary: vary(request_fields, &fields),
            fields,
            size,
            response_time,
            corrected_initial_age_ms: 0,
            lifetime_ms: 0,
        };
        stored.set_lifetime(lifetime);
        stored
    }

    fn set_lifetime(&mut self, lifetime: Lifetime) {
        self.corrected_initial_age_ms = millis(lifetime.corrected_initial_age);
        self.lifetime_ms = millis(lifetime.lifetime);
    }

    /// `current_age` of RFC 9111 section 4.2.3.
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.corrected_initial_age_ms)
            .saturating_add(now.since(self.response_time))
    }

    /// Whether the lifetime exceeds the age (RFC 9111 section 4.2). Of what came in the future, by a
    /// clock that has been set back since, the age is not known: it is not fresh.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.response_time <= now + SET_BACK
            && Duration::from_millis(self.lifetime_ms) > self.age(now)
    }

    /// The first moment at which it is stale.
    pub fn fresh_until(&self) -> Timestamp {
        self.response_time + Duration::from_millis(self.lifetime_ms)
            - Duration::from_millis(self.corrected_initial_age_ms)
    }

    /// The entity tag, weak or strong.
    pub fn etag(&self) -> Option<&HeaderValue> {
        self.fields.get(header::ETAG)
    }

    /// See [`strong_validator`].
    pub fn strong_validator(&self) -> Option<Validator> {
        strong_validator(&self.fields)
    }

    /// The entity tag or else the modification date, for reports.
    pub fn validator_text(&self) -> Option<String> {
        let value = self.etag().or_else(|| self.fields.get(header::LAST_MODIFIED))?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// This response, freshened by a 304 with the fields `not_modified` (RFC 9111 section 3.2).
    ///
    /// Fields that the stored content depends on are kept: its length, coding and entity tag.
    ///
    /// # Errors
    /// The 304 forbids keeping it any longer.
    pub fn refreshed_by_304(
        &self,
        not_modified: &HeaderMap,
        request_fields: &HeaderMap,
        policy: &CachePolicy,
        request_time: Timestamp,
        response_time: Timestamp,
    ) -> Result<Self, Uncacheable> {
        let mut fields = self.fields_with(not_modified, policy);
        let lifetime =
            storable(request_fields, self.status, &fields, policy, request_time, response_time)?;
        let vary = match not_modified.contains_key(header::VARY) {
            true => vary(request_fields, &fields),
            false => self.vary.clone(),
        };
        fields.remove(header::AGE);
        let mut refreshed = Self { fields, vary, response_time, ..self.clone() };
        refreshed.set_lifetime(lifetime);
        Ok(refreshed)
    }

    /// The fields of this response with those of a 304 laid over them; `Age` is that of the 304.
    pub fn fields_with(&self, not_modified: &HeaderMap, policy: &CachePolicy) -> HeaderMap {
        let mut news = not_modified.clone();
        strip_hop_by_hop(&mut news);
        for name in KEPT_AT_304 {
            news.remove(name);
        }
        drop_cookies(policy, &mut news);
        let mut fields = self.fields.clone();
        for name in news.keys() {
            fields.remove(name);
        }
        for (name, value) in &news {
            fields.append(name, value.clone());
        }
        // a Date of long ago would age the fresh answer
        if !news.contains_key(header::DATE) {
            fields.remove(header::DATE);
        }
        fields
    }

    /// The bytes that [`Self::decode`] reads.
    ///
    /// ```text
    /// version u8 | status u16 | size u64 | response_time i64 | age_ms u64 | lifetime_ms u64
    /// count u16 | count × (name length u16, value length u32, name, value)     vary
    /// count u16 | count × (name length u16, value length u32, name, value)     fields
    /// ```
    /// Numbers are little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + 48 * self.fields.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.status.as_u16().to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.response_time.as_millis().to_le_bytes());
        bytes.extend_from_slice(&self.corrected_initial_age_ms.to_le_bytes());
        bytes.extend_from_slice(&self.lifetime_ms.to_le_bytes());
        put_pairs(&mut bytes, self.vary.len(), self.vary.iter().map(|(name, value)| (name, value)));
        put_pairs(&mut bytes, self.fields.len(), self.fields.iter());
        bytes
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else, also of another version.
    ///
    /// The values share `bytes` instead of being copied: this is done for every hit.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut input = Input { bytes, at: 0 };
        if input.array::<1>()? != [VERSION] {
            return None;
        }
        let status = StatusCode::from_u16(u16::from_le_bytes(input.array()?)).ok()?;
        let size = u64::from_le_bytes(input.array()?);
        let response_time = Timestamp::from_millis(i64::from_le_bytes(input.array()?));
        let corrected_initial_age_ms = u64::from_le_bytes(input.array()?);
        let lifetime_ms = u64::from_le_bytes(input.array()?);
        let selecting = input.count()?;
        let mut vary = Vec::with_capacity(selecting.min(input.most_pairs()));
        for _ in 0..selecting {
            vary.push(input.pair()?);
        }
        let count = input.count()?;
        // room for what a reply adds, so that the map is not rehashed for every hit
        let capacity = count.min(input.most_pairs()) + 8;
        let mut fields = HeaderMap::try_with_capacity(capacity).ok()?;
        for _ in 0..count {
            let (name, value) = input.pair()?;
            fields.try_append(name, value).ok()?;
        }
        (input.at == bytes.len()).then_some(Self {
            status,
            fields,
            size,
            vary,
            response_time,
            corrected_initial_age_ms,
            lifetime_ms,
        })
    }
}

/// Removes the cookies from `fields` that are to be kept, where `policy` says so.
pub fn drop_cookies(policy: &CachePolicy, fields: &mut HeaderMap) {
    if policy.cookies == Cookies::Drop {
        fields.remove(header::SET_COOKIE);
    }
}

const VERSION: u8 = 1;

/// What a 304 does not change, because the stored content depends on it or it is made anew. `Age`
/// is not among them: it makes the lifetime.
const KEPT_AT_304: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_ENCODING,
    header::ETAG,
    HeaderName::from_static("content-md5"),
];

/// The request fields that select the response. Nodes ask without `Accept-Encoding`, so it matches.
fn vary(request_fields: &HeaderMap, fields: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut selecting: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for name in varying(fields) {
        if name != header::ACCEPT_ENCODING && selecting.iter().all(|(known, _)| *known != name) {
            let value = combined(request_fields, &name);
            selecting.push((name, value));
        }
    }
    selecting
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn put_pairs<'a>(
    bytes: &mut Vec<u8>,
    count: usize,
    pairs: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    for (name, value) in pairs.take(usize::from(count)) {
        // HeaderName is at most 64 KiB less one, HeaderValue far below 4 GiB
        bytes.extend_from_slice(&(name.as_str().len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
}

struct Input<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        self.array().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
    }

    /// More pairs than this cannot follow: a count is not trusted with memory.
    fn most_pairs(&self) -> usize {
        (self.bytes.len() - self.at) / 6
    }

    fn pair(&mut self) -> Option<(HeaderName, HeaderValue)> {
        let name_length = self.count()?;
        let value_length = u32::from_le_bytes(self.array()?) as usize;
        let name = HeaderName::from_bytes(self.take(name_length)?).ok()?;
        let start = self.at;
        self.take(value_length)?;
        let value = self.bytes.slice(start..self.at);
        Some((name, HeaderValue::from_maybe_shared(value).ok()?))
    }
}

#[cfg(test)]
mod tests;

//! How the origin answers one path.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

/// A version of a representation.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) content: Bytes,
    pub(super) etag: Option<String>,
}

/// How one path is answered. Built by chaining; the default is a well-behaved static file.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) first: Version,
    /// From this request on (from 0) the second version is answered.
    pub(super) second: Option<(usize, Version)>,
    /// Every request sees another entity tag.
    pub(super) is_restless: bool,
    pub(super) status: StatusCode,
    pub(super) fields: Vec<(String, String)>,
    pub(super) has_ranges: bool,
    pub(super) has_length: bool,
    pub(super) length_offset: i64,
    pub(super) is_silent: bool,
    pub(super) is_endless: bool,
    /// The first so many replies break after so many bytes of content.
    pub(super) cut: Option<(usize, u64)>,
    pub(super) hold_after: Option<u64>,
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) failing: Option<(usize, StatusCode)>,
}

impl Script {
    /// 200 with `content`, a length, byte ranges, `If-Range` and `If-None-Match`, but no validator
    /// until one is given.
    pub fn new(content: impl Into<Bytes>) -> Self {
        Self {
            first: Version { content: content.into(), etag: None },
            second: None,
            is_restless: false,
            status: StatusCode::OK,
            fields: Vec::new(),
            has_ranges: true,
            has_length: true,
            length_offset: 0,
            is_silent: false,
            is_endless: false,
            cut: None,
            hold_after: None,
            pace: None,
            failing: None,
        }
    }

    /// `status` with a short text.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a three-digit status");
        Self { status, has_ranges: false, ..Self::new(format!("this is a {}\n", status.as_u16())) }
    }

    /// Never answers.
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::new(Bytes::new()) }
    }

    /// Repeats `content` for ever in chunked coding.
    pub fn endless(content: impl Into<Bytes>) -> Self {
        Self { is_endless: true, has_ranges: false, has_length: false, ..Self::new(content) }
    }

    /// With this entity tag, quotes (and `W/`) included.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.first.etag = Some(etag.into());
        self
    }

    /// With a further response field. May be repeated.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Ignores `Range`.
    #[must_use]
    pub fn without_ranges(mut self) -> Self {
        self.has_ranges = false;
        self
    }

    /// Chunked coding instead of a length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.has_length = false;
        self
    }

    /// Announces a length that is wrong by `offset` bytes and closes the connection at the end.
    #[must_use]
    pub fn wrong_length(mut self, offset: i64) -> Self {
        self.length_offset = offset;
        self
    }

    /// From request number `from` (from 0) on, it is another representation.
    #[must_use]
    pub fn changes(mut self, from: usize, content: impl Into<Bytes>, etag: &str) -> Self {
        let version = Version { content: content.into(), etag: Some(etag.into()) };
        self.second = Some((from, version));
        self
    }

    /// Every request sees the content under another strong entity tag.
    #[must_use]
    pub fn restless(mut self) -> Self {
        self.is_restless = true;
        self
    }

    /// The first `replies` replies break off after `bytes` bytes of content.
    #[must_use]
    pub fn cut(mut self, replies: usize, bytes: u64) -> Self {
        self.cut = Some((replies, bytes));
        self
    }

    /// The first `requests` requests are answered with `status`.
    #[must_use]
    pub fn failing(mut self, requests: usize, status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a three-digit status");
        self.failing = Some((requests, status));
        self
    }

    /// Every reply waits after `bytes` bytes of content until [`super::Origin::release`].
    #[must_use]
    pub fn hold_after(mut self, bytes: u64) -> Self {
        self.hold_after = Some(bytes);
        self
    }

    /// Sends `bytes` bytes, then rests for `pause`, and so on.
    #[must_use]
    pub fn pace(mut self, bytes: usize, pause: Duration) -> Self {
        self.pace = Some((bytes, pause));
        self
    }

    pub(super) fn version(&self, request: usize) -> Version {
        let mut version = match &self.second {
            Some((from, version)) if request >= *from => version.clone(),
            _ => self.first.clone(),
        };
        if self.is_restless {
            version.etag = Some(format!("\"{request}\""));
        }
        version
    }
}

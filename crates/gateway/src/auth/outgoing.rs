//! A request that a client of ours is about to sign and send: the same for every API, each of which signs
//! it in its own way (`tc3`, `admin`).

use http::Method;
use stoker_domain::time::Timestamp;

/// A request that a client is about to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The request method.
    pub method: &'a Method,
    /// Path as it will stand on the request line.
    pub path: &'a str,
    /// Query as it will stand on the request line, without `?`.
    pub query: &'a str,
    /// The `Host` field.
    pub host: &'a str,
    /// Content.
    pub content: &'a [u8],
    /// Time of signing; must be sent, in seconds, as `X-TC-Timestamp`.
    pub time: Timestamp,
}

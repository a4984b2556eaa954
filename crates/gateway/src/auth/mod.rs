//! Authentication: who made a call, and whether it is really theirs.
//!
//! One room for every API: the vendor's (signatures TC3 and v1), the admin API (TC3 over the whole call
//! and a nonce), and the clients that sign for them. `signed` and `v1::caller` verify a whole request;
//! `tc3`, `v1` and `admin` decide about signatures and `token` about tokens of temporary keys;
//! `rate` bounds how often an account may call, `replay` has each admin call taken once, and `account`
//! tells whether the account is active at all.
//!
//! **Invariant:** signatures are checked over the raw bytes, in constant time, before anything is decoded.
//! Decides no code and no status: what a caller is answered is the API's own. What a verified caller
//! may do is not decided here either.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod authorization;
mod outgoing;
pub(crate) mod rate;
pub(crate) mod replay;
pub(crate) mod signed;
pub(crate) mod signing_keys;
pub(crate) mod tc3;
pub(crate) mod token;
pub(crate) mod v1;

#[cfg(test)]
#[path = "../../tests/internals/timing.rs"]
mod timing;

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{header, request::Parts};

pub use self::{outgoing::Outgoing, rate::CallLimits};

/// `Host` as sent, or the authority of the request target.
pub(crate) fn host(parts: &Parts) -> &[u8] {
    match parts.headers.get(header::HOST) {
        Some(host) => host.as_bytes(),
        None => parts.uri.authority().map_or(b"", |authority| authority.as_str().as_bytes()),
    }
}

/// The address that the call came from, if the listener knows it.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

//! Speaking to the next cache towards the origin, and to the origin itself.
//!
//! Builds the requests, keeps the connections, vets addresses on every new one, bounds every wait and
//! how much is in flight, and names what went wrong as a
//! [`Fault`]. Redirects are followed where the domain says so, content
//! is never decoded and nothing is decided here about caching. RFC 9110, RFC 9112.

mod attempt;
mod bounds;
mod cause;
mod client;
mod connect;
mod content;
mod cooldown;
mod pool;
mod request;
mod stream;
mod turns;

pub use crate::fault::{Fault, Retry, Side};
pub use client::{Client, Contacts, TimeOuts};
pub use connect::Resolver;
pub use pool::Pooled;
#[cfg(test)]
pub(crate) use request::tests::domain as bare_domain;
pub use turns::{Bounds, InFlight};

pub(crate) use client::NEVER_PROMOTED;
pub(crate) use content::{Content, Response};
pub(crate) use request::{Ask, Source};

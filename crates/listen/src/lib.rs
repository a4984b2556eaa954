//! Listeners: connections in, bounded in number, in patience and in grammar; drained at the end.
//!
//! Used by the API, by its status listener and by the nodes. [`Listener`] accepts, serves and drains;
//! [`Bounds`] says how much of what there may be; `tls`, a feature, makes connections of
//! handshakes. What is not a request by the letter of RFC 9112 is refused before hyper reads it
//! (`grammar`), whatever pieces it comes in. Which requests are answered, and how, is decided
//! elsewhere.

mod bounds;
mod connection;
mod content;
mod grammar;
mod guard;
mod metrics;
mod serve;
mod stats;
mod table;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

pub use bounds::{Bounds, Hosts};
pub use connection::Connection;
pub use content::{Content, Reply};
pub use grammar::Refusal;
pub use metrics::Metrics;
pub use serve::{Accept, Listener};
pub use stats::{Closed, Open, Stats};

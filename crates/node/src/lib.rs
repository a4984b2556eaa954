//! The data plane: one cache server. Edge and middle are the same code.
//!
//! `serve` answers viewers and other nodes, `fill` brings content from the parent or the origin,
//! `store` keeps it, `cache` is all of it as the agent (`stoker_agent`) drives it. What may be stored and reused is
//! decided in [`stoker_domain::http`]; where a key lives, in [`stoker_domain::placement`]. A node
//! never sees the ledger: it knows the engine as a [`stoker_agent::JobSource`] and the configuration as a
//! [`stoker_domain::directory::Directory`].

mod cache;
mod config;
mod fault;
pub mod fill;
mod history;
mod memory;
mod metrics;
pub mod origin;
mod pace;
pub mod peer;
pub mod request;
mod serve;
mod start;
pub mod store;

pub use config::Config;
pub use memory::{BudgetStats, Division, MemoryStats, Shares};
pub use metrics::Metrics;
pub use serve::{Answered, Body, Error as BodyError, Service};
pub use start::{Counters, Inspector, Running, StartError, Stats, start};

//! The agent: drives one cache by the orders of the engine.
//!
//! It leases jobs, has the cache prefetch their items, keeps the leases alive with heartbeats,
//! reports outcomes in batches, and passes purge orders on, one after the other. It knows the engine
//! as a [`JobSource`] and the cache as a [`Cache`]; either can be replaced without the other.
//!
//! It decides nothing about retries: the engine does. It never judges whether content is there: the
//! cache proves it. Invariants: a lost lease ends the work on a job at once; a lost message is
//! repeated until it is answered; a purge order is confirmed only when the cache has made it durable.

mod agent;
mod cache;
mod job;
mod lost;
mod purge;
mod readiness;
mod session;
mod source;

pub use agent::{Agent, Config};
pub use cache::{Cache, Progress, PurgeError, Terms};
pub use readiness::Readiness;
pub use source::{Error, JobSource};

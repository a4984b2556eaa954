//! The rules of Stoker, pure: no I/O, no clock, no runtime.
//!
//! Everything here is a function of its arguments. Time enters as a [`time::Timestamp`], randomness
//! as a seed, the network not at all. All other crates import this one; it imports none of them.

pub mod account;
pub mod address;
pub mod area;
pub mod backoff;
pub mod directory;
pub mod dns;
pub mod domain;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod holding;
pub mod host;
pub mod http;
pub mod job;
pub mod key;
pub mod media;
pub mod outcome;
pub mod ownership;
pub mod pace;
pub mod placement;
pub mod plan;
pub mod policy;
pub mod port;
pub mod purge;
pub mod quota;
pub mod replay;
pub mod retry;
pub mod setting;
pub mod target;
pub mod task;
pub mod time;
pub mod uri;
pub mod view;
pub mod zone;

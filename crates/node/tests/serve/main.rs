//! Conversations with running nodes: a scripted origin on one side, a client on the other. One
//! screen each; what a viewer or the engine can observe, nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod agent;
mod base_path;
mod crowd;
mod damage;
mod disguises;
mod errors;
mod fields;
mod framing;
mod heads;
mod hit;
mod holding;
mod hostile;
mod key;
mod lifetime;
mod loops;
mod methods;
mod miss;
mod playlists;
mod poison;
mod pool;
mod purge;
mod raw;
mod raw_keep;
mod reasons;
mod replies;
mod replies_table;
mod support;
mod tiers;
mod validation;
mod wildcard;

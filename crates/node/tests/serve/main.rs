//! Conversations with running nodes: a scripted origin on one side, a client on the other. One
//! screen each; what a viewer or the engine can observe, nothing else.

mod agent;
mod errors;
mod heads;
mod hit;
mod holding;
mod hostile;
mod key;
mod lifetime;
mod miss;
mod playlists;
mod purge;
mod support;
mod tiers;
mod wildcard;

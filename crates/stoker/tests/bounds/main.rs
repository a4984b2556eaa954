//! What the whole program bears when there is little of something, and what it says where there is
//! too little to begin: the real executable under small limits.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

mod descriptors;
mod memory;
#[path = "../running/mod.rs"]
#[expect(dead_code, unused_imports, reason = "end to end uses the rest")]
mod running;

//! The agent between a scripted engine and a scripted cache. Time is paused: it passes only when all
//! wait for it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod fixture;
mod jobs;
mod purges;

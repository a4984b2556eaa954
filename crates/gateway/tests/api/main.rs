//! The gateway through its front door: the real router, the real engine, SQLite, a clock that
//! stands still. Nodes are played by the tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do; clippy knows only the test functions themselves"
)]

mod access;
mod access_v2;
mod access_views;
mod actions;
mod admin;
mod app;
mod cases;
mod codes;
mod content;
mod golden;
mod golden_v2;
mod identities;
mod identity;
mod idor;
mod lists;
mod logs;
mod once;
mod origins;
mod ownership;
mod policy;
mod rate;
mod recorded;
mod secrets;
mod standing;
mod table;
mod teo;
mod texts;
mod v1;
mod v1_call;
mod v2;
mod v2_refusals;
mod wildcard;
mod wire;
mod zones;

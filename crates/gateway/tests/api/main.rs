//! The gateway through its front door: the real router, the real engine, SQLite, a clock that
//! stands still. Nodes are played by the tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do; clippy knows only the test functions themselves"
)]

mod access;
mod access_old;
mod access_views;
mod actions;
mod admin;
mod cases;
mod codes;
mod content;
mod golden;
mod house;
mod identity;
mod idor;
mod lists;
mod logs;
mod old;
mod once;
mod origins;
mod ownership;
mod people;
mod policy;
mod rate;
mod recorded;
mod secrets;
mod standing;
mod table;
mod teo;
mod texts;
mod v1;
mod v2;
mod v2_refusals;
mod wildcard;
mod wire;
mod zones;

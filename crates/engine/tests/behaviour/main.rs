//! The engine from outside, on a real ledger: what is refused and why, who is woken, what is final,
//! what is shown. Faults are the simulation's matter.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what helpers of tests do not expect is a failure"
)]

mod acceptance;
mod accounts;
mod check;
mod clock;
mod control;
mod domains;
mod fixture;
mod fleet;
mod lease;
mod metrics;
mod ownership;
mod pace;
mod partial;
mod patience;
mod purge;
mod quota;
mod report;
mod seal;
mod submit;
mod sweep;
mod views;
mod wildcard;
mod zones;

//! The fill path against a scripted origin: what is asked for, what is stored, what is said.
//!
//! Every test has its own origin, store and clock. "Every byte once" is judged by the origin's log.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod asking;
mod fixture;
mod hostile;
mod keep;
mod memory;
mod pace;
mod parent;
mod ranges;
mod refuse;
mod resume;
mod rules;
mod servers;
mod share;

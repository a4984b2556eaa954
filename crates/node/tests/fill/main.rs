//! The fill path against a scripted origin: what is asked for, what is stored, what is said.
//!
//! Every test has its own origin, store and clock. "Every byte once" is judged by the origin's log.

mod hostile;
mod house;
mod keep;
mod parent;
mod refuse;
mod resume;
mod share;

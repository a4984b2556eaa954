//! Tasks are paused, resumed, canceled, and tried again.
//!
//! The state of a task is the ledger's; what follows from it here is that leases end at once (`state`),
//! that their nodes are told (`lost`), and that its jobs follow (`turning`). `retry` makes a new task
//! of what failed.

mod error;
mod lost;
mod retry;
mod state;
mod turning;

pub use error::{ControlError, RetryError};
pub(crate) use lost::Lost;
pub use retry::Retried;

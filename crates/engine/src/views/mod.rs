//! What callers see: tasks and targets with what moves at this moment, purges, and what nodes say
//! they hold.

mod check;
mod purges;
mod tasks;

pub use check::{Check, CheckTiers, Checked, Inspect};
pub use tasks::{TargetView, TaskView, Waiting};

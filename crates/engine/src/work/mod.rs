//! Work on jobs: handing them out, keeping them handed out, and judging what is reported of them.
//!
//! Leases and reports are the two calls of a node; the rest says what is handed out when: the time
//! that never goes back (`schedule`), what failed and is tried again (`attempts`), which origins are
//! away (`origins`), and what is handed out at this moment (`leases`).

mod attempts;
mod expand;
mod lease;
mod leases;
mod origins;
mod report;
mod schedule;

pub(crate) use attempts::{Attempts, target_hash};
pub(crate) use leases::{Leases, Moving, Taken};
pub(crate) use origins::{OriginKey, Origins};
pub(crate) use schedule::Schedule;

//! Purges under way: in which phases their nodes get orders, and how orders are handed out.
//!
//! Orders of a phase are handed out when all orders of the phases before are confirmed. Where a
//! silent node is waited for, the edges get an order early, and one more in their turn. A purge is
//! done when the last order is confirmed, and a prefetch accepted after it waits on each node for
//! that node's orders. What is accepted as a purge is decided in `crate::accept`.

mod orders;
mod phases;

pub(crate) use phases::{Reach, phases};

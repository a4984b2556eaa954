//! The engine and its SQLite ledger, real, among simulated nodes that fail in every way we know.
//!
//! A case is a list of [`arbitrary::Op`]s: time passes or jumps, tasks and purges are submitted, tasks
//! are paused, resumed, canceled and tried again, nodes
//! lease, work, purge and report, messages are lost on the way there or back or come twice, nodes are killed with
//! or without their cache, the engine is killed, the ledger refuses or loses its answer. After each
//! op the ledger is read and compared with what the simulation knows; then all faults end, and
//! honest nodes work until nothing is left.
//!
//! A failure is:
//! - an accepted task that is missing, or does not have exactly its distinct URLs and the children
//!   that its playlists named;
//! - a target that is not final within ten minutes after the last fault;
//! - a target that is `done` although some node that must hold it never reported it while holding
//!   it, or that ends otherwise than its origin allows;
//! - a target, or an item of a job, that settles twice or changes after it has settled;
//! - a job that is leased, a lease that is kept or a report that is taken while its task is paused or
//!   canceled, however the call that made it so was answered;
//! - a target of a task that is canceled and is not final within ten minutes after the last fault, or one
//!   that ends as `canceled` although its task is not; a task that is resumed and does not finish;
//! - a quota that is not charged exactly once per distinct URL and area, on the day of acceptance;
//! - a view that says 100 % of what is not done, or less of what is;
//! - an accepted purge that is missing, or has other targets, nodes or turns than it must;
//! - a purge that is not done within ten minutes after the last fault, or is done before each of its
//!   nodes has carried out and confirmed its own orders in every turn;
//! - a node that is ordered out of its turn, unless only silent nodes are waited for, or by a number
//!   below one that it has seen;
//! - a node that has confirmed all its orders and holds what left the origin before the purge;
//! - a confirmation that comes again, or from another node, and changes something;
//! - a job that is leased to a node that has still to purge;
//! - a purge whose quota is not charged exactly once, or that is overdue too early or too late;
//! - a panic.
//!
//! Not a failure:
//! - a submission that was answered with an error and is nevertheless there, whole: its answer was
//!   lost, as a commit's can be;
//! - content fetched twice, because a lease ran out or a report was lost;
//! - an origin that fails for a while and is given up after six attempts;
//! - content that a node loses after it has reported it;
//! - old content on a node that has still to purge, as on one that serves because it heard nothing
//!   of the engine when it started.
//!
//! Everything is a function of the seed but for the order in which SQLite's threads answer, on
//! which nothing here depends. `STOKER_SIMULATION_SEED` and `STOKER_SIMULATION_CASES` choose others.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helpers of tests do not expect is a failure"
)]

mod arbitrary;
mod controlling;
mod flaky;
mod model;
mod purges;
mod purging;
mod random;
mod regressions;
mod run;

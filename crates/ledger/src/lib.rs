//! Durable state: accounts, users, keys, domains, tasks, jobs, quotas.
//!
//! One trait of use-case verbs, [`Ledger`]; each verb is one transaction and is durable when it
//! returns. The ledger is the only truth: whatever is not in it was never accepted. It decides
//! nothing that `domain` can decide, never reads a clock and never makes a random number.
//!
//! The trait is made of smaller ones, cut by use: each is implemented in one file of a backend,
//! beside its statements. What needs no table is in files of its own and serves every backend:
//! `chunk`, `rollup`, `tally`, `merge`, `budget`, `stored`. Every backend passes `suite`.

mod budget;
mod catalog;
mod chunk;
mod error;
mod faults;
mod identities;
mod maintenance;
mod merge;
mod metrics;
mod purges;
mod rollup;
mod sqlite;
mod stored;
#[doc(hidden)]
pub mod suite;
mod tally;
mod tasks;

pub use catalog::{Catalog, Domains, Ownership, Zones};
pub use error::{Error, ErrorKind};
#[doc(hidden)]
pub use faults::{Fault, Faults};
pub use identities::{
    Accounts, AdmittedCall, Charge, Identities, Identity, Keys, NewLimits, Policies, Quotas,
    SignedCalls, Users,
};
pub use maintenance::{EndJobs, EndReason, EndedJobs, Maintenance, Removed};
pub use metrics::Metrics;
pub use purges::{NewPurge, Purged, Purges};
pub use sqlite::{Inspected, OpenError, Sqlite, Stats, has_sealed_keys, inspect};
pub use tasks::{
    Applied, ChildPlan, Control, Controlled, ItemDecision, Leased, LeasedItem, Leases, NewTask,
    PlannedTarget, ReportWrite, RequestFields, Submissions, Submitted, TargetViews, TaskControl,
    TaskViews, Tasks, Turned,
};

/// The verbs of durable state.
pub trait Ledger: Tasks + Purges + Catalog + Identities + Maintenance + std::fmt::Debug {}

impl<L> Ledger for L where L: Tasks + Purges + Catalog + Identities + Maintenance + std::fmt::Debug {}

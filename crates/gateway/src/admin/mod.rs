//! The admin API under `/admin/v1`: domains, zones, nodes, tasks, quota, users, keys and policies of
//! the account that signs, and for the owner of the installation the accounts themselves.
//!
//! Calls are signed as `auth::admin` says and taken once (`auth::replay`). The command line is a client
//! of this API and can do nothing that the API cannot.

mod accounts;
pub mod api;
mod call;
mod check;
mod domains;
mod invalid;
mod keys;
mod named_account;
mod nodes;
mod ownership;
mod page;
mod policies;
mod policy_check;
mod problem;
mod purges;
mod quota;
mod reach;
mod routes;
mod tasks;
mod time;
mod users;
mod zones;

pub use routes::calls;
pub(crate) use routes::{not_found, router};

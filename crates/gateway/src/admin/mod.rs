//! The admin API under `/admin/v1`: domains, zones, nodes, tasks, quota, users, keys and policies of
//! the account that signs, and for the owner of the installation the accounts themselves.
//!
//! Calls are signed as `auth::admin` says and taken once (`auth::replay`). The command line is a client of it and can do nothing that this API cannot.

mod accounts;
pub mod api;
mod call;
mod check;
mod domains;
mod keys;
mod nodes;
mod ownership;
mod page;
mod policies;
mod policy_test;
mod problem;
mod purges;
mod quota;
mod reach;
mod routes;
mod tasks;
mod users;
mod zones;

use axum::{body::Body, extract::State};
use http::Response;
use jiff::Timestamp as Moment;
use stoker_domain::time::Timestamp;

pub use routes::calls;
pub(crate) use routes::router;

use self::problem::Error;
use crate::Gateway;
pub use crate::auth::OutgoingCall;

/// The answer where there is no route.
pub(crate) async fn not_found(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Page.reply(&gateway.request_id())
}

async fn wrong_method(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Method.reply(&gateway.request_id())
}

/// A moment as the API writes it, always to the millisecond, so that texts sort as moments do; a
/// moment beyond the calendar becomes its beginning.
fn rfc3339(moment: Timestamp) -> String {
    let moment = Moment::from_millisecond(moment.as_millis()).unwrap_or(Moment::UNIX_EPOCH);
    format!("{moment:.3}")
}

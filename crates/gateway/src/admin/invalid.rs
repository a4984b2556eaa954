//! What may be wrong with the query and with the content of a call, in words for its caller.

use axum::extract::rejection::QueryRejection;
use stoker_domain::policy::NotAnAction;
use stoker_engine::PurgeError;

/// What is wrong with a query.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// It cannot be read.
    #[error("{}", .0.body_text())]
    Unreadable(QueryRejection),
    /// No rows, or more than a page has.
    #[error("`limit` is {given}; it must be from 1 to {most}")]
    Limit {
        /// What was given.
        given: u64,
        /// Rows of the largest page.
        most: u64,
    },
    /// More rows than can be skipped.
    #[error("`offset` is {given}; the furthest is {most}")]
    Offset {
        /// What was given.
        given: u64,
        /// The furthest.
        most: u64,
    },
    /// `status` of a list of tasks.
    #[error("`status` selects targets, not tasks")]
    StatusOfTasks,
    /// `after` of a list of targets.
    #[error("targets keep their places: `offset` names a page")]
    AfterOfTargets,
    /// An account or a user of the list of all accounts.
    #[error("all accounts are listed")]
    AllAccounts,
    /// A user of a list that is not one of keys.
    #[error("`user` is for lists of keys")]
    UserOfKeys,
    /// An account or a user of the list of nodes.
    #[error("nodes belong to no account")]
    OwnerOfNodes,
}

/// What is wrong with content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// It is not the JSON that the call takes.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// No pace at all.
    #[error("`limit_mbps` is 0; it must be at least 1")]
    LimitMbps,
    /// More patience than there is.
    #[error("`patience_seconds` is {given}; it must be from 0 to {most}")]
    Patience {
        /// What was given.
        given: u64,
        /// The longest.
        most: u64,
    },
    /// A list of more targets than a purge has.
    #[error("a purge names at most {0} targets")]
    TooManyTargets(usize),
    /// Tags, which have no zone here.
    #[error("tags are purged through their zones")]
    Tags,
    /// A target that cannot be purged.
    #[error(transparent)]
    Purge(PurgeError),
    /// Nothing of what the call changes.
    #[error("name {0}")]
    Nothing(&'static str),
    /// An area of a product that does not count by area.
    #[error("`{0}` is counted in all areas together")]
    CountedTogether(&'static str),
    /// Not a resource.
    #[error(
        "`{0}` is neither one resource, as in `qcs::cdn:::domain/www.example.com`, nor the last part \
         of one, as in `domain/www.example.com`"
    )]
    Resource(String),
    /// Not a time.
    #[error("`{0}` is not a time such as `2026-01-31T08:00:00Z`")]
    Time(String),
    /// Not an IP address.
    #[error("`{0}` is not an address")]
    Address(String),
    /// Not an action.
    #[error(transparent)]
    Action(NotAnAction),
}

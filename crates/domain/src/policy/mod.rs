//! Who may do what: access policies, read and evaluated.
//!
//! A policy document is a list of statements. A statement applies to a call when one of its actions,
//! one of its resources and its whole condition match. A deny that applies wins, then an allow, and
//! what nothing applies to is refused; the order of policies and statements is irrelevant. Callers
//! read the text with a parser of their own ([`Draft`] is `Deserialize`), resolve groups to policies
//! and turn a [`Decision`] into an answer. Nothing here looks up users, reads a clock or knows which
//! operations there are.
//!
//! Where the specification is silent or vague, access is refused rather than granted by accident:
//!
//! - `permid/<n>` (a predefined bundle of actions) is accepted and never matches, not even in a deny.
//! - `principal`, `not_action` and other keys are refused: to ignore one would widen the policy.
//! - A condition whose key is absent does not hold, negated operators included, unless the operator
//!   ends in `_if_exist`. A key without values is absent, so `for_all_value:` is never true of
//!   nothing.
//! - A negated operator with several values holds when none of them is equal: `ip_not_equal` with
//!   two networks means outside both.
//! - Without a qualifier, a key with several values is equal when any of them is.
//! - A value of the call that cannot be read as the operator's type equals nothing.
//! - `*` is the only wildcard, in `string_like` too. It never comes out of a variable.
//! - Actions and resources compare without regard to ASCII case, for hosts have none; condition keys
//!   and values regard it.
//! - A call that names no resource needs the resource `*`, as written.

mod action;
mod caller;
mod condition;
mod date;
mod document;
mod draft;
mod error;
mod evaluate;
mod network;
mod operator;
mod pattern;
mod resource;

pub use action::{Action, NotAnAction};
pub use caller::Caller;
pub use condition::Context;
pub use document::{Document, Effect};
pub use draft::Draft;
pub use error::{Error, MAX_LENGTH, Problem};
pub use evaluate::{
    Call, Decision, Policy, allows_somewhere, allows_somewhere_as_bound, denies_somewhere,
    evaluate, evaluate_as_bound,
};
pub use resource::{NotAResource, Resource};

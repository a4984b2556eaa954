//! What the actions of all products are made of: the call they get, its scope, what they all refuse
//! alike, and how the vendor writes times.
//!
//! Imports no product, so that none of them depends on another one through it.

mod call;
pub(crate) mod clock;
mod product;
pub(crate) mod refusal;
pub(crate) mod scope;
pub(crate) mod settings;

pub(crate) use self::{call::Call, product::Refused, refusal::Refusal, scope::Scope};

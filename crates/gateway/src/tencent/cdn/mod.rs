//! API 3.0 `cdn`, version 2018-06-06: one folder for each subject, one file for each action or group of
//! them.
//!
//! Each subject has actions and, in `codes.rs`, what is answered when they refuse. What prefetches and
//! purges refuse alike is in `error`.

pub(crate) mod domain;
mod error;
pub(crate) mod purge;
pub(crate) mod push;
pub(crate) mod query;
mod quota;

/// The version that names this product.
pub(crate) const VERSION: &str = "2018-06-06";

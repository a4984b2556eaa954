//! Zones: groups of an account's domains under one registrable name.
//!
//! The engine decides which zone a host goes into, and makes the names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    area::AreaScope,
    ownership::Ownership,
    setting::{Status, VendorSettings},
    time::Timestamp,
};

/// The public name of a zone: `zone-` and 12 lower-case letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneId(pub String);

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A zone. Each domain says in which zone it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Public name.
    pub id: ZoneId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name, mostly a registrable domain; unique within the account.
    pub name: String,
    /// How it was established that whatever lies at or below its name is its account's alone; absent =
    /// it is not, as of a zone that was only made because a domain went into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Ownership>,
    /// Areas that it was made for.
    pub area: AreaScope,
    /// Whether it is in use.
    pub status: Status,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Settings that are stored and answered back, nothing more. Stored as `kept`.
    #[serde(default, rename = "kept")]
    pub settings: VendorSettings,
}

//! Shapes of proofs that a host is an account's own.

use serde::{Deserialize, Serialize};
use stoker_domain::ownership::Method;

/// Body of `POST /admin/v1/domains/{host}/verification`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Where to look; absent = for the TXT record.
    #[serde(default)]
    pub method: Method,
}

/// What to publish for a host, and whether it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// The host or wildcard.
    pub host: String,
    /// Whether the account may not add it without.
    pub is_needed: bool,
    /// The registrable domain, which the record proves with all that is below.
    pub domain: String,
    /// Name of the record.
    pub record_name: String,
    /// Always `TXT`.
    pub record_type: String,
    /// Text of the record, or content of the file.
    pub text: String,
    /// Where the file goes, which proves this host alone; absent for a wildcard.
    pub file_url: Option<String>,
    /// When the text is no longer looked for.
    pub expires_at: String,
    /// What was found; absent = nothing.
    pub verified_by: Option<Method>,
    /// Until when the host may be added because of that.
    pub verified_until: Option<String>,
}

//! Under which names the settings of each product are kept with a domain or a zone, beside what the
//! engine acts on.

/// Settings of `cdn`.
pub(crate) const CDN: &str = "cdn";
/// Settings of `teo`.
pub(crate) const TEO: &str = "teo";

//! The catalog: domains and zones, who may have them, and the directory that is published of them.

mod directory;
mod domains;
mod error;
mod ownership;
mod zones;

pub(crate) use directory::{Catalog, DirectoryPublisher};
pub use domains::NewDomain;
pub(crate) use error::unlock;
pub use error::{DomainError, ZoneError};
pub(crate) use ownership::Searches;
pub use ownership::{Evidence, EvidenceError, OwnershipError, instructions};
pub(crate) use zones::Zones;
pub use zones::{NewZone, ZoneChoice};

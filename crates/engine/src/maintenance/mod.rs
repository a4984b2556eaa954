//! Maintenance: what ends or is removed by age, and which calls are remembered so that none is made
//! twice.

mod replay;
mod sweep;

pub use replay::SignedCall;
pub(crate) use replay::Steadiness;
pub(crate) use sweep::Sweep;
pub use sweep::Swept;

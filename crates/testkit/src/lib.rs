//! Test doubles for the outside world.
//!
//! A scripted origin whose every reply a test decides and whose log says what was asked and how
//! many bytes left it, an origin that sends what no server should,
//! a name server of the same two kinds, a clock that a test moves, certificates of an authority of its own,
//! and [`eventually()`], which waits for a fact instead of for time. Development only: nothing that is shipped depends on it.

mod authority;
mod clock;
mod eventually;
mod metrics;
mod name_server;
mod origin;
mod read_head;
mod spawn;
mod verbatim;

pub use authority::{Authority, Issued};
pub use clock::FakeClock;
pub use eventually::eventually;
pub use metrics::{documented_metrics, exposed_metrics};
pub use name_server::{Answer, NameServer, Question};
pub use origin::{Origin, Script, Seen, content};
pub use read_head::read_head;
pub use spawn::spawn;
pub use verbatim::{VerbatimOrigin, Wanted, chunks, verbatim};

//! What a request is, by the letter of RFC 9110 and RFC 9112; the rest is refused.
//!
//! hyper reads what passes here, and reads it alike: whatever it takes more lightly (line ends,
//! codings, chunk extensions, repeated fields) does not reach it. [`Messages`] finds the requests in
//! the bytes of a connection, [`head`](mod@head) judges a head, `chunked` the framing of content.

mod chunked;
mod fields;
mod head;
mod messages;
mod refusal;
mod target;

pub(crate) use messages::{Messages, Verdict};
pub use refusal::Refusal;

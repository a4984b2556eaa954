//! What nodes say to each other beside HTTP, in both directions.
//!
//! Between nodes plain HTTP/1.1 carries the viewer's `Host` and path. Beside them a request has the
//! secret of the installation, how the content is to be asked for, how many nodes have passed it on,
//! who the viewer is, how old an error may be that answers it, and its priority (`PeerRequest`). A reply says that
//! a node sent it; where it is not the origin's, why (`write_fault`); and what there is to note
//! about it (`Remarks`).
//!
//! **Invariant:** a viewer's fields of these names are dropped before anything acts on them, and none
//! ever reaches an origin or a viewer (`strip`). **Invariant:** an error that is not marked as a
//! node's is never taken for the origin's. What stands in a request besides is made in `origin::request`;
//! which status a fault has for a viewer is decided in `serve::refusal`.

mod fields;
mod options;
mod priority;
mod reply;
mod request;

pub use self::{
    fields::{FAULT, MAX_HOPS},
    options::{decode_options, encode_options},
};
pub(crate) use self::{
    fields::{PRIORITY, is_reserved, strip},
    reply::{Remarks, is_from_node, mark, read_reply, write_fault},
    request::PeerRequest,
};

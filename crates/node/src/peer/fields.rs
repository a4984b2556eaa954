//! The names of the fields that only nodes may send.

use http::{HeaderMap, HeaderName};

/// The secret that the nodes of one installation share.
pub(super) const PEER: HeaderName = HeaderName::from_static("stoker-peer");
/// How the content is to be asked for, see [`super::encode_options`]; absent = the defaults.
pub(super) const OPTIONS: HeaderName = HeaderName::from_static("stoker-options");
/// How many nodes have passed the request on.
pub(super) const HOPS: HeaderName = HeaderName::from_static("stoker-hops");
/// Who the viewer is.
pub(super) const CLIENT: HeaderName = HeaderName::from_static("stoker-client");
/// How old an error may be that answers the request, in milliseconds since 1970.
pub(super) const ERRORS_SINCE: HeaderName = HeaderName::from_static("stoker-errors-since");
/// The outcome that a reply stands for, when it is a failure.
pub const FAULT: HeaderName = HeaderName::from_static("stoker-fault");
/// The sentence beside it.
pub(super) const FAULT_DETAIL: HeaderName = HeaderName::from_static("stoker-fault-detail");
/// How long the origin asked to be left alone, in seconds.
pub(super) const FAULT_RETRY_AFTER: HeaderName =
    HeaderName::from_static("stoker-fault-retry-after");
/// Why a reply is kept for nobody, though it may look as if it could: fields of one viewer or of a
/// task selected it.
pub(super) const ALONE: HeaderName = HeaderName::from_static("stoker-alone");
/// Stands in every reply of a node to another that it knows as one.
pub(super) const ANSWERED: HeaderName = HeaderName::from_static("stoker-answered");
/// What a person should know of a reply: a sentence about what the origin did.
pub(super) const NOTE: HeaderName = HeaderName::from_static("stoker-note");
/// How urgent a request is (RFC 9218). Browsers send it too, for their own connection: between nodes
/// it is the node's own, and a viewer's never travels.
pub(crate) const PRIORITY: HeaderName = HeaderName::from_static("priority");

/// A request that was passed on more often goes round between nodes.
pub const MAX_HOPS: u8 = 4;

/// Whether only nodes may send a field of this name.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().starts_with("stoker-")
}

/// Removes every field that only nodes may send.
pub(crate) fn strip(fields: &mut HeaderMap) {
    let reserved: Vec<HeaderName> =
        fields.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in reserved {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reserved_fields_are_stripped_and_others_stay() {
        let all = [
            PEER,
            OPTIONS,
            HOPS,
            CLIENT,
            ERRORS_SINCE,
            FAULT,
            FAULT_DETAIL,
            FAULT_RETRY_AFTER,
            ALONE,
            ANSWERED,
            NOTE,
        ];
        let further = ["stoker-x", "accept", "x-stoker-peer"].map(HeaderName::from_static);
        let mut fields = HeaderMap::new();
        for name in all.into_iter().chain(further) {
            fields.append(name.clone(), HeaderValue::from_static("1"));
            fields.append(name, HeaderValue::from_static("2"));
        }
        strip(&mut fields);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-stoker-peer"]);
        assert_eq!(fields.len(), 4, "both lines of each");
    }
}

//! The head of a stored response: its bytes as they stand in the record, decoded once, when somebody
//! first needs it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use stoker_domain::http::StoredResponse;

/// A head. Clones made after it was decoded share what came of that.
#[derive(Clone, Debug)]
pub(super) struct Head {
    bytes: Bytes,
    decoded: OnceLock<Option<Arc<StoredResponse>>>,
}

impl Head {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, decoded: OnceLock::new() }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The response; `None` when the bytes are none.
    pub(super) fn response(&self) -> Option<&Arc<StoredResponse>> {
        let decode = || StoredResponse::decode(&self.bytes).map(Arc::new);
        self.decoded.get_or_init(decode).as_ref()
    }

    /// The response for one who changes it: not copied unless somebody else has it. Asked for again,
    /// it is decoded again.
    pub(super) fn take_response(&mut self) -> Option<StoredResponse> {
        self.response()?;
        self.decoded.take().flatten().map(Arc::unwrap_or_clone)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use stoker_domain::time::Timestamp;

    use super::*;

    fn head(size: u64) -> Head {
        let response = StoredResponse {
            status: StatusCode::OK,
            fields: HeaderMap::new(),
            size,
            vary: Vec::new(),
            response_time: Timestamp::from_seconds(0),
            corrected_initial_age_ms: 0,
            lifetime_ms: 0,
        };
        Head::new(response.encode().into())
    }

    #[test]
    fn it_is_decoded_once_for_all_who_ask() {
        let head = head(7);
        let first = Arc::clone(head.response().unwrap());
        let clone = head.clone();
        assert!(Arc::ptr_eq(&first, head.response().unwrap()));
        assert!(Arc::ptr_eq(&first, clone.response().unwrap()));
    }

    #[test]
    fn who_takes_it_takes_it_from_nobody() {
        let mut head = head(7);
        let kept = head.clone();
        assert_eq!(head.take_response().unwrap().size, 7);
        assert_eq!(head.take_response().unwrap().size, 7);
        assert_eq!(kept.response().unwrap().size, 7);
    }

    #[test]
    fn what_is_no_head_is_no_response() {
        let mut head = Head::new(Bytes::from_static(b"?"));
        assert!(head.response().is_none() && head.take_response().is_none());
        assert_eq!(&head.bytes()[..], b"?");
    }
}

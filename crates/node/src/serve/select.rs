//! Which part of a representation a request gets, and under which status: conditions first, then
//! the range (RFC 9110 sections 13.2.2 and 14.2). One place for hits and fills.

use http::{HeaderMap, StatusCode, header};
use stoker_domain::http::{
    ByteRange, Conditions, ContentRange, RangeRequest, StoredResponse, evaluate_conditions,
    if_range_matches, parse_byte_range, unsatisfied_range,
};

/// What a request gets of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it, with its own status.
    Whole,
    /// 206 with these bytes.
    Part {
        start: u64,
        /// Last byte.
        end_inclusive: u64,
    },
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416.
    Unsatisfiable,
}

/// The range that a request for `response` may be answered with, if it asks for one.
fn asked_range(request_fields: &HeaderMap, response: &StoredResponse) -> Option<ByteRange> {
    let range = request_fields.get(header::RANGE)?;
    let applies = response.status == StatusCode::OK
        && request_fields
            .get(header::IF_RANGE)
            .is_none_or(|validator| if_range_matches(validator, response));
    if applies { parse_byte_range(range) } else { None }
}

/// What a request gets of `response` with `size` bytes, when that is known.
///
/// A HEAD has no range (RFC 9110 section 14.2 defines it for GET alone).
pub(super) fn select(
    request_fields: &HeaderMap,
    is_head: bool,
    response: &StoredResponse,
    size: Option<u64>,
) -> Selection {
    match evaluate_conditions(request_fields, response) {
        Conditions::NotModified => return Selection::NotModified,
        Conditions::PreconditionFailed => return Selection::PreconditionFailed,
        Conditions::Proceed => {}
    }
    let Some(size) = size.filter(|_| !is_head) else { return Selection::Whole };
    match asked_range(request_fields, response).map(|range| range.resolve(size)) {
        Some(RangeRequest::Satisfiable { start, end_inclusive }) => {
            Selection::Part { start, end_inclusive }
        }
        Some(RangeRequest::Unsatisfiable) => Selection::Unsatisfiable,
        Some(RangeRequest::None) | None => Selection::Whole,
    }
}

impl Selection {
    /// The status that goes with it.
    pub(super) fn status(self, response: &StoredResponse) -> StatusCode {
        match self {
            Self::Whole => response.status,
            Self::Part { .. } => StatusCode::PARTIAL_CONTENT,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// Changes `fields` of a response with `status` into those that belong to this part of it.
    pub(super) fn amend(self, fields: &mut HeaderMap, status: StatusCode, size: Option<u64>) {
        match (self, size) {
            // RFC 9110 section 8.6: no length where no content is possible
            (Self::Whole, _) if status == StatusCode::NO_CONTENT => {}
            (Self::Whole, Some(size)) => {
                fields.insert(header::CONTENT_LENGTH, size.into());
            }
            (Self::Whole, None) => {}
            (Self::Part { start, end_inclusive }, total) => {
                let range = ContentRange { start, end_inclusive, total };
                fields.insert(header::CONTENT_LENGTH, range.length().into());
                fields.insert(header::CONTENT_RANGE, range.to_value());
            }
            // RFC 9110 section 15.4.5: no metadata of content that is not sent
            (Self::NotModified, _) => without_content(fields),
            (Self::PreconditionFailed, _) => {
                without_content(fields);
                fields.insert(header::CONTENT_LENGTH, 0.into());
            }
            (Self::Unsatisfiable, size) => {
                without_content(fields);
                fields.insert(header::CONTENT_LENGTH, 0.into());
                fields.insert(header::CONTENT_RANGE, unsatisfied_range(size.unwrap_or(0)));
            }
        }
    }

    /// The bytes to be sent, first and one past the last, of `size`; `None` = no content.
    pub(super) fn span(self, size: u64) -> Option<(u64, u64)> {
        match self {
            Self::Whole => Some((0, size)),
            Self::Part { start, end_inclusive } => Some((start, end_inclusive + 1)),
            Self::NotModified | Self::PreconditionFailed | Self::Unsatisfiable => None,
        }
    }
}

fn without_content(fields: &mut HeaderMap) {
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_DISPOSITION,
        header::ACCEPT_RANGES,
    ] {
        fields.remove(name);
    }
}

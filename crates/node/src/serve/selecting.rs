//! Which fields of a task select a response, as a viewer's would.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stoker_domain::task::FetchOptions;

/// The fields that a task sends to the origin, as far as they may select a response: conditions,
/// ranges and directives are not taken, they would change what is served.
pub(crate) fn selecting(options: &FetchOptions) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in &options.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            && !NOT_SELECTING.contains(&name)
        {
            fields.insert(name, value);
        }
    }
    fields
}

const NOT_SELECTING: [HeaderName; 9] = [
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

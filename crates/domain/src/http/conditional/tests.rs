//! Conditions in the order of RFC 9110 section 13.2.2.

use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::{domain::CachePolicy, http::storable, time::Timestamp};

const BEFORE: &str = "Sun, 06 Nov 1994 08:00:00 GMT";
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE: &str = "Sun, 06 Nov 1994 09:00:00 GMT";

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, HeaderValue::from_str(value).unwrap());
    }
    fields
}

fn stored(status: u16, response: &[(&'static str, &str)]) -> StoredResponse {
    let mut response = fields(response);
    response.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
    let (status, now) = (StatusCode::from_u16(status).unwrap(), Timestamp::from_seconds(0));
    let request = HeaderMap::new();
    let lifetime =
        storable(&request, status, &response, &CachePolicy::default(), now, now).unwrap();
    StoredResponse::new(&request, status, response, 5, lifetime, now)
}

fn evaluate(request: &[(&'static str, &str)], response: &[(&'static str, &str)]) -> Conditions {
    evaluate_conditions(&fields(request), &stored(200, response))
}

use Conditions::{NotModified, PreconditionFailed, Proceed};

#[test]
fn if_none_match_compares_weakly_and_takes_lists() {
    for (asked, held, expected) in [
        ("\"a\"", "\"a\"", NotModified),
        ("W/\"a\"", "\"a\"", NotModified),
        ("\"a\"", "W/\"a\"", NotModified),
        ("\"x\", \"a,b\" , W/\"c\"", "\"a,b\"", NotModified),
        ("\"x\",\"y\"", "\"y\"", NotModified),
        ("*", "\"a\"", NotModified),
        ("\"b\"", "\"a\"", Proceed),
        ("\"a", "\"a\"", Proceed),
    ] {
        let found = evaluate(&[("if-none-match", asked)], &[("etag", held)]);
        assert_eq!(found, expected, "{asked} {held}");
    }
}

/// Section 13.1.1: "A recipient MUST use the strong comparison function".
#[test]
fn if_match_compares_strongly() {
    let held = [("etag", "\"a\"")];
    assert_eq!(evaluate(&[("if-match", "\"a\"")], &held), Proceed);
    assert_eq!(evaluate(&[("if-match", "*")], &held), Proceed);
    assert_eq!(evaluate(&[("if-match", "W/\"a\"")], &held), PreconditionFailed);
    assert_eq!(evaluate(&[("if-match", "W/\"a\"")], &[("etag", "W/\"a\"")]), PreconditionFailed);
    assert_eq!(evaluate(&[("if-match", "\"a\"")], &[]), PreconditionFailed);
}

#[test]
fn dates_count_where_no_tags_are_given() {
    let held = [("last-modified", MODIFIED), ("date", DATE), ("etag", "\"a\"")];
    let since = |text| ("if-modified-since", text);
    assert_eq!(evaluate(&[since(MODIFIED)], &held), NotModified);
    assert_eq!(evaluate(&[since(DATE)], &held), NotModified);
    assert_eq!(evaluate(&[since(BEFORE)], &held), Proceed);
    assert_eq!(evaluate(&[since("yesterday")], &held), Proceed);
    // section 13.1.3: "MUST ignore If-Modified-Since if the request contains an If-None-Match"
    assert_eq!(evaluate(&[since(DATE), ("if-none-match", "\"b\"")], &held), Proceed);
    assert_eq!(evaluate(&[("if-unmodified-since", BEFORE)], &held), PreconditionFailed);
    assert_eq!(evaluate(&[("if-unmodified-since", MODIFIED)], &held), Proceed);
    assert_eq!(evaluate(&[("if-unmodified-since", BEFORE), ("if-match", "\"a\"")], &held), Proceed);
}

/// RFC 9111 section 4.3.2: without Last-Modified "use the Date field value".
#[test]
fn the_date_stands_for_a_missing_modification_date() {
    assert_eq!(evaluate(&[("if-modified-since", DATE)], &[("date", DATE)]), NotModified);
    assert_eq!(evaluate(&[("if-modified-since", BEFORE)], &[("date", DATE)]), Proceed);
}

/// Section 13.2.1: ignored where the answer "would have been a status code other than a 2xx".
#[test]
fn conditions_do_not_touch_a_stored_error() {
    let kept = stored(404, &[("etag", "\"a\"")]);
    assert_eq!(evaluate_conditions(&fields(&[("if-none-match", "\"a\"")]), &kept), Proceed);
    assert_eq!(evaluate_conditions(&fields(&[("if-match", "\"b\"")]), &kept), Proceed);
}

#[test]
fn if_range_wants_a_strong_match() {
    let matches = |asked: &str, response: &[(&'static str, &str)]| {
        if_range_matches(&HeaderValue::from_str(asked).unwrap(), &stored(200, response))
    };
    let tagged = [("etag", "\"a\""), ("last-modified", MODIFIED), ("date", DATE)];
    assert!(matches("\"a\"", &tagged));
    assert!(matches(MODIFIED, &tagged));
    assert!(!matches("W/\"a\"", &tagged));
    assert!(!matches(DATE, &tagged));
    assert!(!matches("W/\"a\"", &[("etag", "W/\"a\"")]));
    assert!(matches(MODIFIED, &tagged[1..]));
    assert!(!matches(MODIFIED, &[("last-modified", MODIFIED), ("date", MODIFIED)]));
    // beside an entity tag, too, the date must be strong
    assert!(!matches(MODIFIED, &tagged[..2]));
    assert!(!matches(MODIFIED, &[tagged[0], tagged[1], ("date", MODIFIED)]));
}

proptest! {
    #[test]
    fn no_list_of_tags_breaks_it(text in "[ W/\"a,*]{0,20}", held in "(W/)?\"[a,]{0,4}\"") {
        let request = [("if-none-match", text.as_str()), ("if-match", "*")];
        evaluate(&request, &[("etag", &held)]);
    }

    #[test]
    fn a_listed_tag_is_found(before in "(\"[b-d,]{0,3}\", ?){0,3}", after in "(, ?\"[b-d]\"){0,3}") {
        let list = format!("{before}\"a\"{after}");
        let found = evaluate(&[("if-none-match", &list)], &[("etag", "\"a\"")]);
        prop_assert_eq!(found, NotModified);
    }
}

//! The reply of API 3.0: always HTTP 200, Content-Type exactly `application/json`, always a
//! RequestId.
//!
//! With any parameter on the Content-Type the vendor's Python client overlooks errors, so the field
//! is set here and nowhere else.

use axum::body::Body;
use http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};

/// The reply to a call that succeeded with `fields`.
pub(crate) fn success(mut fields: Map<String, Value>, request_id: &str) -> Response<Body> {
    fields.insert("RequestId".into(), request_id.into());
    reply(&json!({ "Response": fields }))
}

/// The reply to a call that was refused.
pub(crate) fn failure(code: &str, message: &str, request_id: &str) -> Response<Body> {
    reply(&json!({ "Response": {
        "Error": { "Code": code, "Message": message },
        "RequestId": request_id,
    } }))
}

fn reply(content: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(content.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

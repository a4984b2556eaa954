//! The reply of API v2: HTTP 200 and `code`, `message`, `codeDesc`, `data`.
//!
//! Decides no code.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::error::Answer;

/// The reply to a call that succeeded.
pub(super) fn success(data: Option<Value>) -> Response<Body> {
    let mut reply = json!({ "code": 0, "message": "", "codeDesc": "Success" });
    if let Some(data) = data {
        reply["data"] = data;
    }
    respond(StatusCode::OK, &reply)
}

/// The reply to a call that was refused.
pub(super) fn failure(answer: &Answer) -> Response<Body> {
    let reply = json!({ "code": answer.code, "message": answer.message, "codeDesc": answer.desc });
    respond(answer.status, &reply)
}

fn respond(status: StatusCode, reply: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

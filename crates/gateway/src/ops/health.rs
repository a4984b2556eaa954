//! `/healthz` and `/readyz`: whether the process lives, and whether it can take work.

use axum::extract::State;
use http::StatusCode;

use crate::Gateway;

/// The process answers.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// The ledger answers and the gateway is not draining; 503 otherwise.
pub(crate) async fn readiness(State(gateway): State<Gateway>) -> (StatusCode, &'static str) {
    if gateway.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match gateway.engine.accounts().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the ledger does not answer\n"),
    }
}

//! What operators and their machines ask of this process: health and metrics, without a signature.

mod health;
pub(crate) mod metrics;

use axum::{Router, extract::State, routing::get};
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::prometheus_text;

use crate::Gateway;

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::readiness))
        .route("/metrics", get(exposition))
}

async fn exposition(
    State(gateway): State<Gateway>,
) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], gateway.metrics.render())
}

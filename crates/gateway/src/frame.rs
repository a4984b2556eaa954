//! The frame around every call of every API: its request id, one log line and one count when it is
//! answered.
//!
//! Knows nothing of what a call does and of how its reply is written.

use std::time::Instant;

use crate::Gateway;

/// Which API a call belongs to, as the log tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// The vendor's: every call is logged.
    Vendor,
    /// Ours: people poll it, so calls that succeed are logged at debug level.
    Admin,
}

/// Why a call is not carried out, as log and metrics get it.
pub(crate) trait Failure {
    /// The stable word of the failure: label of the metric and field of the log line.
    fn label(&self) -> &'static str;

    /// What the log reads: never a URL, a secret or a query.
    fn for_log(&self) -> String;

    /// Whether somebody has to act: the server failed, not the caller.
    fn is_internal(&self) -> bool;
}

/// A call that is not answered yet.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    gateway: &'a Gateway,
    api: Api,
    started: Instant,
    /// The name of the request in reply and log.
    pub(crate) request_id: String,
}

impl<'a> Frame<'a> {
    /// Opens the frame of a call that has just come.
    pub(crate) fn open(gateway: &'a Gateway, api: Api) -> Self {
        Self { gateway, api, started: Instant::now(), request_id: gateway.request_id() }
    }

    /// Logs and counts what became of a call of `action`, and hands it on.
    pub(crate) fn close<T, E: Failure>(
        &self,
        action: &'static str,
        result: Result<T, E>,
    ) -> Result<T, E> {
        let duration = self.started.elapsed();
        let code = result.as_ref().map_or_else(Failure::label, |_| "ok");
        self.gateway.metrics.record(action, code, duration);
        let (id, duration_ms) = (self.request_id.as_str(), duration.as_millis() as u64);
        macro_rules! log {
            ($level:ident, $message:literal $(, $reason:ident)?) => {
                tracing::$level!(request.id = id, action, code, duration_ms, $($reason,)? $message)
            };
        }
        let Err(error) = &result else {
            match self.api {
                Api::Vendor => log!(info, "call answered"),
                Api::Admin => log!(debug, "admin call answered"),
            }
            return result;
        };
        let reason = error.for_log();
        match (self.api, error.is_internal()) {
            (Api::Vendor, true) => log!(error, "call failed", reason),
            (Api::Vendor, false) => log!(info, "call refused", reason),
            (Api::Admin, true) => log!(error, "admin call failed", reason),
            (Api::Admin, false) => log!(info, "admin call refused", reason),
        }
        result
    }
}

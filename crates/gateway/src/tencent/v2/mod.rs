//! API v2 at `/v2/index.php`: signature v1, one flat set of parameters, an envelope of its own.
//!
//! A call with a `Version` parameter is one of API 3.0 that came here, and is answered as such.
//! One file per action; what comes out is a command of the engine.

mod cdn_oversea_pushser;
mod cdn_pusher_v2;
mod cdn_url_pusher;
mod envelope;
mod error;
mod flush_or_push_overall;
mod get_cdn_oversea_push_logs;
mod get_cdn_refresh_log;
mod get_flush_quota;
mod get_push_logs;
mod number;
mod refresh;
mod submission;

use std::time::Instant;

use axum::{body::Body, extract::State};
use http::{Request, Response, request::Parts};
use serde_json::Value;
use stoker_domain::{account::Account, area::AreaScope};
use stoker_engine::{Memory, SignedCall};

use self::{
    envelope::{failure, success},
    error::Error,
};
use super::{
    access::{self, Rule},
    answer_v1, language,
    message::Language,
    own_params,
    params::Params,
};
use crate::{
    Gateway,
    auth::{
        account,
        v1::{
            caller, pairs,
            read::{self, Unverified},
        },
    },
    content,
};

/// Seconds that a timestamp may be off.
const TOLERANCE_SECONDS: u64 = 7200;

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CdnPusherV2,
    CdnOverseaPushser,
    CdnUrlPusher,
    FlushOrPushOverall,
    GetPushLogs,
    GetCdnOverseaPushLogs,
    GetFlushQuota,
    RefreshCdnUrl,
    RefreshCdnOverSeaUrl,
    RefreshCdnDir,
    RefreshCdnOverSeaDir,
    GetCdnRefreshLog,
}

impl Action {
    pub(crate) const ALL: [Self; 12] = [
        Self::CdnPusherV2,
        Self::CdnOverseaPushser,
        Self::CdnUrlPusher,
        Self::FlushOrPushOverall,
        Self::GetPushLogs,
        Self::GetCdnOverseaPushLogs,
        Self::GetFlushQuota,
        Self::RefreshCdnUrl,
        Self::RefreshCdnOverSeaUrl,
        Self::RefreshCdnDir,
        Self::RefreshCdnOverSeaDir,
        Self::GetCdnRefreshLog,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CdnPusherV2 => "CdnPusherV2",
            Self::CdnOverseaPushser => "CdnOverseaPushser",
            Self::CdnUrlPusher => "CdnUrlPusher",
            Self::FlushOrPushOverall => "FlushOrPushOverall",
            Self::GetPushLogs => "GetPushLogs",
            Self::GetCdnOverseaPushLogs => "GetCdnOverseaPushLogs",
            Self::GetFlushQuota => "GetFlushQuota",
            Self::RefreshCdnUrl => "RefreshCdnUrl",
            Self::RefreshCdnOverSeaUrl => "RefreshCdnOverSeaUrl",
            Self::RefreshCdnDir => "RefreshCdnDir",
            Self::RefreshCdnOverSeaDir => "RefreshCdnOverSeaDir",
            Self::GetCdnRefreshLog => "GetCdnRefreshLog",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Carries the action out; what comes back is `data`, if the reply has any.
    async fn call(
        self,
        gateway: &Gateway,
        account: &Account,
        params: Params,
    ) -> Result<Option<Value>, Error> {
        match self {
            Self::CdnPusherV2 => cdn_pusher_v2::call(gateway, account, params).await.map(Some),
            Self::CdnOverseaPushser => {
                cdn_oversea_pushser::call(gateway, account, params).await.map(Some)
            }
            Self::CdnUrlPusher => cdn_url_pusher::call(gateway, account, params).await.map(Some),
            Self::FlushOrPushOverall => {
                flush_or_push_overall::call(gateway, account, params).await?;
                Ok(None)
            }
            Self::GetPushLogs => get_push_logs::call(gateway, account, params).await.map(Some),
            Self::GetCdnOverseaPushLogs => {
                get_cdn_oversea_push_logs::call(gateway, account, params).await.map(Some)
            }
            Self::GetFlushQuota => get_flush_quota::call(gateway, account).await.map(Some),
            Self::RefreshCdnUrl => {
                refresh::urls(gateway, account, params, AreaScope::Mainland).await.map(Some)
            }
            Self::RefreshCdnOverSeaUrl => {
                refresh::urls(gateway, account, params, AreaScope::Overseas).await.map(Some)
            }
            Self::RefreshCdnDir => {
                refresh::dirs(gateway, account, params, AreaScope::Mainland).await
            }
            Self::RefreshCdnOverSeaDir => {
                refresh::dirs(gateway, account, params, AreaScope::Overseas).await
            }
            Self::GetCdnRefreshLog => {
                get_cdn_refresh_log::call(gateway, account, params).await.map(Some)
            }
        }
    }
}

/// Answers one call at `/v2/index.php`.
pub(crate) async fn answer(
    State(gateway): State<Gateway>,
    request: Request<Body>,
) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut name = "unknown";
    let read = read::v2_call(&gateway, &parts, body).await;
    let named = read.language.as_deref().and_then(Language::from_word);
    let language = named.unwrap_or_else(|| language(&gateway, &parts));
    if read.has_version {
        return answer_v1(&gateway, &parts, read).await;
    }
    let result = match read.call {
        Ok(unverified) => call(&gateway, &parts, unverified, &mut name).await,
        Err(error) => Err(error.into()),
    };
    let duration = started.elapsed();
    let duration_ms = duration.as_millis() as u64;
    match result {
        Ok(data) => {
            gateway.metrics.record(name, "ok", duration);
            tracing::info!(action = name, code = "ok", duration_ms, "call answered");
            success(data)
        }
        Err(error) => {
            let answer = error.answer(language);
            let reason = error.for_log();
            gateway.metrics.record(name, answer.desc, duration);
            if error.is_internal() {
                tracing::error!(
                    action = name,
                    code = answer.code,
                    duration_ms,
                    reason,
                    "call failed"
                );
            } else {
                tracing::info!(
                    action = name,
                    code = answer.code,
                    duration_ms,
                    reason,
                    "call refused"
                );
            }
            let response = failure(&answer);
            if error.is_busy() { content::come_again(response) } else { response }
        }
    }
}

async fn call(
    gateway: &Gateway,
    parts: &Parts,
    unverified: Unverified,
    name: &mut &'static str,
) -> Result<Option<Value>, Error> {
    let verified = caller::verify(gateway, parts, unverified, TOLERANCE_SECONDS).await?;
    let signed = SignedCall {
        secret_id: &verified.secret_id,
        nonce: &verified.nonce.to_string(),
        time: verified.timestamp,
    };
    // as long again as the timestamp is good: the clock is read twice, and may be set back
    let keep_seconds = 2 * TOLERANCE_SECONDS;
    let is_first = gateway.engine.admit_once(&signed, Memory::Hours, keep_seconds).await;
    if !is_first.map_err(Error::Ledger)? {
        return Err(Error::Replay);
    }
    let action = pairs::value(&verified.pairs, "Action").filter(|action| !action.is_empty());
    let action = Action::from_name(action.ok_or(Error::missing("Action"))?).ok_or(Error::Action)?;
    *name = action.name();
    let now = gateway.clock.now();
    let caller_account = verified.caller.account.id;
    gateway.calls.admit(&gateway.config.calls, caller_account, ("v2", action.name()), now)?;
    account::check(&verified.caller.account)?;
    let (caller, mut params) = (verified.caller, own_params(verified.pairs)?);
    let _taken = verified.taken;
    let permitted = access::check(gateway, &caller, parts, &Rule::of_old(action), &mut params);
    permitted.map_err(|refused| Error::Access { refused, request_id: gateway.request_id() })?;
    action.call(gateway, &caller.account, params).await
}

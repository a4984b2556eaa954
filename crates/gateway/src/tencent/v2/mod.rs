//! API v2 at `/v2/index.php`: signature v1, one flat set of parameters, an envelope of its own.
//!
//! One file for each action, or for those that differ in little; what comes out is a command of the
//! engine.

mod action;
mod envelope;
mod error;
mod get_cdn_oversea_push_logs;
mod get_cdn_refresh_log;
mod get_flush_quota;
mod get_push_logs;
mod number;
mod push;
mod refresh;
mod rules;

use axum::body::Body;
use http::{Response, request::Parts};
use serde_json::Value;
use stoker_domain::{area::AreaScope, replay::ReplayWindow};
use stoker_engine::SignedCall;

pub(super) use self::{action::Action, rules::rule};
use self::{
    envelope::{failure, success},
    error::Error,
};
use super::{access, common::Call, message::Language, params::Params};
use crate::{
    Gateway,
    auth::{
        account,
        v1::{
            caller, pairs,
            read::{Unread, Unverified},
        },
    },
    content,
    frame::Frame,
};

/// Seconds that a timestamp may be off.
const TOLERANCE_SECONDS: u64 = 7200;

/// Answers one call whose parameters were read.
pub(super) async fn answer(
    gateway: &Gateway,
    frame: &Frame<'_>,
    parts: &Parts,
    read: Result<Unverified, Unread>,
    language: Language,
) -> Response<Body> {
    let mut name = "unknown";
    let result = match read {
        Ok(unverified) => call(gateway, frame, parts, unverified, (&mut name, language)).await,
        Err(error) => Err(error.into()),
    };
    match frame.close(name, result) {
        Ok(data) => success(data),
        Err(error) => {
            let response = failure(&error.answer(language));
            if error.is_busy() { content::with_retry_after(response) } else { response }
        }
    }
}

async fn call(
    gateway: &Gateway,
    frame: &Frame<'_>,
    parts: &Parts,
    unverified: Unverified,
    (name, language): (&mut &'static str, Language),
) -> Result<Option<Value>, Error> {
    let verified = caller::verify(gateway, parts, unverified, TOLERANCE_SECONDS).await?;
    let signed = SignedCall {
        secret_id: &verified.secret_id,
        nonce: &verified.nonce.to_string(),
        time: verified.timestamp,
    };
    // as long again as the timestamp is valid: the clock is read twice, and may be set back
    let keep_seconds = 2 * TOLERANCE_SECONDS;
    let is_first = gateway.engine.admit_once(&signed, ReplayWindow::Hours, keep_seconds).await;
    if !is_first.map_err(Error::Ledger)? {
        return Err(Error::Replay);
    }
    let action = pairs::value(&verified.pairs, "Action").filter(|action| !action.is_empty());
    let action = Action::from_name(action.ok_or(Error::missing("Action"))?).ok_or(Error::Action)?;
    *name = action.name();
    let caller = verified.caller;
    let key = ("v2", action.name());
    gateway.calls.admit(&gateway.config.calls, caller.account.id, key, gateway.clock.now())?;
    account::check(&caller.account)?;
    let params = Params::from_signed(verified.pairs)?;
    let _taken = verified.taken;
    let scope = access::check(gateway, &caller, parts, &rule(action), &params);
    let refused = |refused| Error::Access { refused, request_id: frame.request_id.clone() };
    let scope = scope.map_err(refused)?;
    carry_out(action, Call { gateway, account: &caller.account, scope: &scope, language }, params)
        .await
}

/// Carries the action out; what comes back is `data`, if the reply has any.
async fn carry_out(action: Action, call: Call<'_>, params: Params) -> Result<Option<Value>, Error> {
    use AreaScope::{Mainland, Overseas};
    match action {
        Action::CdnPusherV2 => push::mainland_by_domain(call, params).await.map(Some),
        Action::CdnOverseaPushser => push::overseas_by_domain(call, params).await.map(Some),
        Action::CdnUrlPusher => push::mainland(call, params).await.map(Some),
        Action::FlushOrPushOverall => push::overall(call, params).await.map(|()| None),
        Action::GetPushLogs => get_push_logs::call(call, params).await.map(Some),
        Action::GetCdnOverseaPushLogs => {
            get_cdn_oversea_push_logs::call(call, params).await.map(Some)
        }
        Action::GetFlushQuota => get_flush_quota::call(call).await.map(Some),
        Action::RefreshCdnUrl => refresh::urls(call, params, Mainland).await.map(Some),
        Action::RefreshCdnOverSeaUrl => refresh::urls(call, params, Overseas).await.map(Some),
        Action::RefreshCdnDir => refresh::dirs(call, params, Mainland).await,
        Action::RefreshCdnOverSeaDir => refresh::dirs(call, params, Overseas).await,
        Action::GetCdnRefreshLog => get_cdn_refresh_log::call(call, params).await.map(Some),
    }
}

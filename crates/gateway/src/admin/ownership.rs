//! Proofs that a host is an account's own: what to publish, and the search for it.

use http::StatusCode;
use stoker_domain::{
    account::AccountId,
    host::normal_name,
    ownership::{FILE_PATH, has_file},
};

use super::{
    api::ownership as api,
    call::{Call, Reply},
    named_account,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    Ok(Reply::json(StatusCode::OK, &view(&call, account, &host).await?))
}

pub(super) async fn verify(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    let api::Verify { method } = call.json()?;
    call.gateway.engine.verify_ownership(account, &host, method).await?;
    Ok(Reply::json(StatusCode::OK, &view(&call, account, &host).await?))
}

async fn view(call: &Call, account: AccountId, host: &str) -> Result<api::Verification, Error> {
    let engine = &call.gateway.engine;
    let record = engine.ownership_record(account, host).await?;
    let host = normal_name(host);
    let proof = engine.ownership_proof(account, &host).await?;
    Ok(api::Verification {
        is_needed: engine.needs_proof(account).await?,
        domain: record.name.clone(),
        record_name: record.dns_name(),
        record_type: "TXT".into(),
        file_url: has_file(&host).then(|| format!("http://{host}{FILE_PATH}")),
        expires_at: rfc3339(record.expires_at),
        text: record.token,
        verified_by: proof.as_ref().map(|proof| proof.method),
        verified_until: proof.map(|proof| rfc3339(proof.expires_at)),
        host,
    })
}

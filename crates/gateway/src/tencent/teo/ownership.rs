//! `IdentifyZone`, `VerifyOwnership`, `DescribeIdentifications`: proofs that a name is the account's
//! own.

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    host::{is_at_or_below, normal_name},
    ownership::{FILE_PATH, Method, RECORD_LABEL, VerificationRecord, has_file},
};
use stoker_engine::OwnershipError;

use super::{
    error::{Error, Reply},
    filters,
};
use crate::{
    Gateway,
    tencent::{
        common::{Call, refusal},
        params::Params,
    },
};

pub(super) async fn identify(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneName", "Domain"])?;
    let zone = params.required_text("ZoneName")?;
    let host = params.given("Domain")?;
    if let Some(host) = &host
        && !is_at_or_below(&normal_name(host), &normal_name(&zone))
    {
        return Err(Error::DomainNotMatchZone { host: host.clone(), zone });
    }
    let host = host.unwrap_or(zone);
    let record = gateway.engine.ownership_record(account.id, &host).await;
    let record = record.map_err(Error::Ownership)?;
    Ok(Map::from_iter([
        ("Ascription".into(), ascription(&record)),
        ("FileAscription".into(), file(&record, &host)),
    ]))
}

/// Looks for the record, and failing that for the file. What is not found is an answer, no error.
pub(super) async fn verify(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Domain"])?;
    let host = params.required_text("Domain")?;
    let engine = &gateway.engine;
    let mut result = engine.verify_ownership(account.id, &host, Method::Dns).await;
    let mut reasons = Vec::new();
    if let Err(OwnershipError::ProofNotFound { reason, .. }) = &result
        && has_file(&host)
    {
        reasons.push(reason.to_string());
        result = engine.verify_ownership(account.id, &host, Method::File).await;
    }
    let status = match result {
        Ok(_) => {
            reasons.clear();
            "success"
        }
        Err(OwnershipError::ProofNotFound { reason, .. }) => {
            reasons.push(reason.to_string());
            "fail"
        }
        Err(error @ OwnershipError::NoRecord { .. }) => {
            reasons.push(error.to_string());
            "fail"
        }
        Err(error) => return Err(Error::Ownership(error)),
    };
    Ok(Map::from_iter([
        ("Status".into(), status.into()),
        ("Result".into(), reasons.join("; ").into()),
    ]))
}

pub(super) async fn describe(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Filters", "Offset", "Limit"])?;
    let page = refusal::page(&mut params, 1000)?;
    let filters = filters::plain_filters(&mut params, &["zone-name"])?;
    let mut records = gateway.engine.ownership_records(account.id).await.map_err(Error::Ledger)?;
    records.retain(|(record, _)| filters.iter().all(|filter| filter.matches(&[&record.name])));
    let total = records.len();
    let rows: Vec<Value> = filters::cut(records, page)
        .iter()
        .map(|(record, proof)| {
            json!({
                "ZoneName": record.name,
                "Domain": "",
                "Status": if proof.is_some() { "finished" } else { "pending" },
                "Ascription": ascription(record),
                "OriginalNameServers": [],
                "FileAscription": file(record, &record.name),
            })
        })
        .collect();
    Ok(Map::from_iter([
        ("TotalCount".into(), total.into()),
        ("Identifications".into(), rows.into()),
    ]))
}

/// What a new zone or domain is to publish, where the account has yet to prove that it is its own.
pub(super) async fn pending(gateway: &Gateway, account: &Account, name: &str) -> Value {
    let engine = &gateway.engine;
    let is_needed = engine.needs_proof(account.id).await.unwrap_or_default();
    let is_proved =
        engine.ownership_proof(account.id, name).await.is_ok_and(|proof| proof.is_some());
    if !is_needed || is_proved {
        return Value::Null;
    }
    match engine.ownership_record(account.id, name).await {
        Ok(record) => json!({
            "DnsVerification": ascription(&record),
            "FileVerification": { "Path": FILE_PATH, "Content": record.token },
            "NsVerification": null,
        }),
        // of a word, for example, of which nothing can be proved
        Err(_) => Value::Null,
    }
}

fn ascription(record: &VerificationRecord) -> Value {
    json!({ "Subdomain": RECORD_LABEL, "RecordType": "TXT", "RecordValue": record.token })
}

fn file(record: &VerificationRecord, host: &str) -> Value {
    if has_file(host) {
        json!({ "IdentifyPath": FILE_PATH, "IdentifyContent": record.token })
    } else {
        Value::Null
    }
}

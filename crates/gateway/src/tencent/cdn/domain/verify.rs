//! `CreateVerifyRecord` and `VerifyDomainRecord`: proofs that a domain is the account's own.

use serde_json::{Map, Value, json};
use stoker_domain::{
    host::normal_name,
    ownership::{FILE_PATH, Method, RECORD_LABEL, has_file},
};

use super::error::{Error, Reply};
use crate::tencent::{
    common::{Call, refusal::word},
    params::Params,
};

const METHODS: &[(&str, Method)] = &[("dns", Method::Dns), ("file", Method::File)];

pub(super) async fn create(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Domain"])?;
    let host = params.required_text("Domain")?;
    let record = gateway.engine.ownership_record(account.id, &host).await;
    let record = record.map_err(Error::Ownership)?;
    let host = Some(normal_name(&host)).filter(|host| has_file(host));
    let of_file = |value: fn(&str) -> Value| host.as_deref().map_or(Value::Null, value);
    Ok(Map::from_iter([
        ("SubDomain".into(), RECORD_LABEL.into()),
        ("Record".into(), record.token.into()),
        ("RecordType".into(), "TXT".into()),
        ("FileVerifyUrl".into(), of_file(|host| format!("http://{host}{FILE_PATH}").into())),
        ("FileVerifyDomains".into(), of_file(|host| json!([host]))),
        ("FileVerifyName".into(), of_file(|_| FILE_PATH.rsplit('/').next().into())),
    ]))
}

pub(super) async fn verify(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Domain", "VerifyType"])?;
    let host = params.required_text("Domain")?;
    let method = word(&mut params, "VerifyType", METHODS, "`dns`, `file`")?;
    let method = method.unwrap_or(Method::Dns);
    let proof = gateway.engine.verify_ownership(account.id, &host, method).await;
    proof.map_err(Error::Ownership)?;
    Ok(Map::from_iter([("Result".into(), true.into())]))
}

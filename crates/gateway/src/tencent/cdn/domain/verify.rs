//! `CreateVerifyRecord` and `VerifyDomainRecord`: proofs that a domain is the account's own.

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    area::UnknownWord,
    host::normal_name,
    ownership::{FILE_PATH, Method, RECORD_LABEL, has_file},
};

use super::{Error, Reply};
use crate::{Gateway, tencent::params::Params};

pub(super) async fn create(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
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

pub(super) async fn verify(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    params.only(&["Domain", "VerifyType"])?;
    let host = params.required_text("Domain")?;
    let method = match params.text("VerifyType")?.as_deref() {
        None | Some("" | "dns") => Method::Dns,
        Some("file") => Method::File,
        Some(other) => {
            let error = UnknownWord { given: other.into(), expected: "`dns`, `file`" };
            return Err(Error::Word { name: "VerifyType", error }.into());
        }
    };
    let proof = gateway.engine.verify_ownership(account.id, &host, method).await;
    proof.map_err(Error::Ownership)?;
    Ok(Map::from_iter([("Result".into(), true.into())]))
}

//! Sentences about proofs that a domain belongs to an account. The English is the engine's own.

use stoker_domain::ownership::{Unclaimable, VerificationRecord};
use stoker_engine::{DomainError, EvidenceError, OwnershipError, instructions};

use super::Message;

/// Why ownership was not proved.
pub(crate) fn ownership(error: &OwnershipError) -> Message {
    use OwnershipError as E;
    let zh = match error {
        E::InvalidHost { host } => format!("`{host}` 不是合法的域名"),
        E::Unclaimable { host, why } => unclaimable(host, *why),
        E::NoFile { host } => format!("泛域名 `{host}` 不支持文件验证"),
        E::NoRecord { name } => format!("域名 `{name}` 没有 24 小时内生成的解析记录，请先生成"),
        E::ProofNotFound { reason, record } => {
            let en = format!("{error}; {}", instructions(record, None));
            return Message::new(en, format!("验证未通过：{}；{}", of(reason), publish(record)));
        }
        E::TooMany { limit } => format!("当前账号等待验证的域名已达上限 {limit} 个"),
        E::TooOften { limit } => format!("验证过于频繁，每分钟上限 {limit} 次"),
        E::Busy => "当前验证的域名过多，请稍后重试".into(),
        E::Ledger(_) => "暂时无法验证域名归属权".into(),
    };
    Message::new(error.to_string(), zh)
}

/// A domain that the account has yet to prove to be its own.
pub(super) fn unverified(
    error: &DomainError,
    host: &str,
    record: Option<&VerificationRecord>,
) -> Message {
    let zh = format!("域名 `{host}` 未通过归属权验证");
    match record {
        Some(record) => Message::new(
            format!("{error}; {}", instructions(record, None)),
            format!("{zh}；{}", publish(record)),
        ),
        None => Message::new(error.to_string(), zh),
    }
}

/// A name that an account may not have whatever it proves.
pub(super) fn unclaimable(host: &str, why: Unclaimable) -> String {
    match why {
        Unclaimable::PublicSuffix => format!("`{host}` 是公共后缀，不允许接入"),
        Unclaimable::Address => format!("`{host}` 是 IP 地址，无法验证归属权"),
        Unclaimable::Reserved => format!("`{host}` 不属于任何可注册域名，无法验证归属权"),
    }
}

fn of(reason: &EvidenceError) -> String {
    match reason {
        EvidenceError::NoRecord(name) => format!("`{name}` 没有 TXT 记录"),
        EvidenceError::Other(place) => format!("`{place}` 的内容不匹配"),
        EvidenceError::NoAnswer(name) => format!("域名服务器未应答 `{name}`"),
        EvidenceError::NoAddress(host) => format!("`{host}` 没有公网地址"),
        EvidenceError::NoReply(host) => format!("`{host}` 未通过 HTTP 应答"),
        EvidenceError::Status { host, status } => {
            format!("`{host}` 返回状态码 {status}，必须直接返回 200")
        }
        EvidenceError::TooLong(host) => format!("`{host}` 的文件过长"),
    }
}

fn publish(record: &VerificationRecord) -> String {
    format!("请添加 TXT 记录 `{}`，记录值为 `{}`", record.dns_name(), record.token)
}

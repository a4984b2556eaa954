//! What an action of this API answers when it refuses: code, sentence and log line.
//!
//! Texts name the parameter and the rule; what the caller gave never reaches the log.

use stoker_domain::account::Feature;
use stoker_engine::{DomainError, OwnershipError, PurgeError, SubmitError, ZoneError, with_causes};

use super::error::Error;
use crate::tencent::{
    common::{Refusal, Refused},
    message::{self, Message},
};

impl Refused for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Refusal(error) => error.code("InvalidParameter.ParameterError"),
            Self::Span
            | Self::NoSelection
            | Self::EveryZone
            | Self::Filter(_)
            | Self::Origin(_) => "InvalidParameter.ParameterError",
            Self::TooManyFilterValues(_) => "InvalidParameter.TooManyFilterValues",
            Self::ZoneForeign(_) => "UnauthorizedOperation.NoPermission",
            Self::ZoneDenied(_) => "OperationDenied",
            Self::DomainEmpty => "UnauthorizedOperation.DomainEmpty",
            Self::DomainNotFound(_) => "InvalidParameter.DomainNotFound",
            Self::DomainNotMatchZone { .. } => "InvalidParameterValue.DomainNotMatchZone",
            Self::NoneAccepted(error) | Self::NonePurged(PurgeError::Refused(error)) => {
                none_accepted(error)
            }
            Self::NonePurged(_) | Self::NotAHost { .. } => "InvalidParameter.Target",
            Self::NoneOnline => "InvalidParameter.DomainNotFound",
            Self::LimitArea => "InvalidParameter.PrefetchOriginLimitAreaInvalid",
            Self::LimitEnabled => "InvalidParameter.PrefetchOriginLimitEnabledInvalid",
            Self::LimitTooSmall => "InvalidParameter.PrefetchOriginLimitBandwidthTooSmall",
            Self::LimitTooLarge => "InvalidParameter.PrefetchOriginLimitBandwidthTooLarge",
            Self::LimitZoneArea => "InvalidParameter.ZoneAreaNotSupportPrefetchOriginLimitArea",
            Self::LimitDomainArea => "InvalidParameter.DomainAreaNotSupportPrefetchOriginLimitArea",
            Self::LimitNotFound => "FailedOperation.PrefetchOriginLimitNotFound",
            Self::LimitClosed => "OperationDenied.NotInPrefetchOriginLimitWhiteList",
            Self::LimitCount => "FailedOperation.PrefetchOriginLimitCountExceeded",
            Self::DailyQuota { .. } => "LimitExceeded.DailyQuota",
            Self::Submit(error) => submit_code(error),
            Self::Domain(error) => match error {
                DomainError::InvalidHost { .. } => "InvalidParameterValue.InvalidDomainName",
                DomainError::Port { .. } => "InvalidParameter.ParameterError",
                DomainError::Exists { .. } => "ResourceInUse.AlreadyExistsAsAnAccelerationDomain",
                DomainError::Taken { .. } => "ResourceInUse.Others",
                DomainError::Related { .. } => "ResourceInUse.OthersHost",
                DomainError::Unclaimable { .. } => "InvalidParameterValue.InvalidDomainName",
                DomainError::Unverified { .. } => "OperationDenied.OwnershipVerificationNotPassed",
                DomainError::Unknown { .. } => "InvalidParameter.DomainNotFound",
                DomainError::Locked { .. } | DomainError::TooMany { .. } => "OperationDenied",
                DomainError::Zone(error) => zone_code(error),
                DomainError::Ledger { .. } => "InternalError.BackendError",
            },
            Self::Zone(error) => zone_code(error),
            Self::Ownership(error) => match error {
                OwnershipError::InvalidHost { .. }
                | OwnershipError::Unclaimable { .. }
                | OwnershipError::NoFile { .. } => "InvalidParameterValue.InvalidDomainName",
                OwnershipError::NoRecord { .. } | OwnershipError::ProofNotFound { .. } => {
                    "OperationDenied.OwnershipVerificationNotPassed"
                }
                OwnershipError::TooMany { .. }
                | OwnershipError::TooOften { .. }
                | OwnershipError::Busy => "LimitExceeded.RateLimitExceeded",
                OwnershipError::Ledger(_) => "InternalError.BackendError",
            },
            Self::Ledger(_) => "InternalError.BackendError",
            Self::Plain(error) => {
                let code = error.code();
                code.split_once('.').map_or(code, |(first, _)| first)
            }
        }
    }

    fn message(&self) -> Message {
        let zh = match self {
            Self::Refusal(error) => return error.message(),
            Self::Span => "`EndTime` 不得早于 `StartTime`，且时间跨度不得超过 7 天".into(),
            Self::NoSelection => "必须填写时间范围或过滤条件 `job-id`".into(),
            Self::Filter(rule) => return rule.message().after("filter ", "过滤条件 "),
            Self::TooManyFilterValues(name) => format!("过滤条件 `{name}` 的值超过了 20 个"),
            Self::Origin(rule) => return rule.message().after("`OriginInfo` ", "`OriginInfo` "),
            Self::ZoneForeign(zone) | Self::ZoneDenied(zone) => {
                format!("`{zone}` 不是当前账号下任何站点的 ID")
            }
            Self::EveryZone => "参数 `ZoneId` 必须指定一个站点，不能为 `*`".into(),
            Self::DomainEmpty => "当前账号没有域名".into(),
            Self::DomainNotFound(host) => format!("域名 `{host}` 不属于该站点"),
            Self::DomainNotMatchZone { host, zone } => {
                format!("域名 `{host}` 与站点 `{zone}` 不匹配")
            }
            Self::NoneAccepted(error) | Self::NonePurged(PurgeError::Refused(error)) => {
                return message::none_accepted(error);
            }
            Self::NonePurged(error) => {
                return message::purge(error).after("no task was made: ", "未生成任务：");
            }
            Self::NotAHost { place, given } => {
                format!("未生成任务：第 {place} 个目标 `{given}` 必须是不含协议和路径的域名")
            }
            Self::NoneOnline => "未生成任务：没有在线的域名".into(),
            Self::LimitArea => "`Area` 必须是 `Overseas` 或 `MainlandChina`".into(),
            Self::LimitEnabled => "`Enabled` 必须是 `on` 或 `off`".into(),
            Self::LimitTooSmall => "`Bandwidth` 不得小于 100 Mbps".into(),
            Self::LimitTooLarge => "`Bandwidth` 不得大于 100000 Mbps".into(),
            Self::LimitZoneArea => "该站点不支持此区域".into(),
            Self::LimitDomainArea => "该域名未在此区域提供服务".into(),
            Self::LimitNotFound => "该域名在此区域没有限速配置".into(),
            Self::LimitClosed => format!("当前账号未开通功能 `{}`", Feature::OriginLimit),
            Self::LimitCount => "单个账号最多 100 条限速配置".into(),
            Self::DailyQuota { available, needed, limit } => {
                format!("需要 {needed} 条额度，当日上限 {limit} 条，仅剩 {available} 条")
            }
            Self::Submit(error) => return message::submit(error),
            Self::Domain(error) => return message::domain(error),
            Self::Zone(error) => return message::zone(error),
            Self::Ownership(error) => return message::ownership(error),
            Self::Ledger(_) => "请求暂时无法完成，请稍后重试".into(),
            Self::Plain(error) => return error.message(),
        };
        Message::new(self.to_string(), zh)
    }

    fn for_log(&self) -> String {
        match self {
            Self::Refusal(
                error @ (Refusal::Params(_) | Refusal::Word { .. } | Refusal::Range(_)),
            ) => error.for_log().into(),
            Self::Ledger(_)
            | Self::Submit(SubmitError::Ledger(_))
            | Self::Domain(_)
            | Self::Ownership(_) => with_causes(self),
            Self::Plain(error) => error.for_log(),
            _ => self.code().into(),
        }
    }
}

/// When no target was accepted, the code is that of the first.
fn none_accepted(error: &SubmitError) -> &'static str {
    match error {
        SubmitError::Url { .. } => "InvalidParameter.Target",
        SubmitError::DomainUnknown { .. } | SubmitError::OtherZone { .. } => {
            "InvalidParameter.DomainNotFound"
        }
        SubmitError::DomainOffline { .. } | SubmitError::DomainLocked { .. } => {
            "InvalidParameter.TaskNotGenerated"
        }
        other => submit_code(other),
    }
}

fn submit_code(error: &SubmitError) -> &'static str {
    use SubmitError as E;
    match error {
        E::NoUrls | E::Url { .. } => "InvalidParameter.Target",
        E::TooManyUrls { .. } => "LimitExceeded.BatchQuota",
        E::OverQuota { .. } => "LimitExceeded.DailyQuota",
        E::DomainUnknown { .. } | E::OtherZone { .. } => "InvalidParameter.DomainNotFound",
        E::DomainOffline { .. } | E::DomainLocked { .. } | E::AreaNotEnabled { .. } => {
            "InvalidParameter.TaskNotGenerated"
        }
        E::FeatureDisabled { .. } => "UnauthorizedOperation.NoPermission",
        E::NoNode { .. } => "InternalError.DomainConfig",
        E::Ledger(_) => "InternalError.BackendError",
    }
}

const fn zone_code(error: &ZoneError) -> &'static str {
    match error {
        ZoneError::InvalidName { .. } => "InvalidParameterValue.ZoneNameInvalid",
        ZoneError::Exists { .. } => "ResourceInUse.Zone",
        ZoneError::TooMany { .. } => "OperationDenied",
        ZoneError::Related { .. } => "ResourceInUse.Others",
        ZoneError::Unknown { .. } => "UnauthorizedOperation.NoPermission",
        ZoneError::InUse { .. } => "OperationDenied.DomainNumberIsNotZero",
        ZoneError::Ledger { .. } => "InternalError.BackendError",
    }
}

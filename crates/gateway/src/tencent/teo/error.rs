//! Every way in which an action of this API refuses, and its code.
//!
//! Texts name the parameter and the rule; what the caller gave never reaches the log.

use stoker_domain::{account::Feature, area::UnknownWord};
use stoker_engine::{
    DomainError, Error as LedgerError, OwnershipError, PurgeError, SubmitError, ZoneError,
};

use super::Action;
use crate::{
    request_fields,
    tencent::{
        message::{self, Message},
        params::OutOfBounds,
    },
};

/// Codes that these actions do not publish; of each the first word alone.
const PLAIN: &[(&str, &[Action])] = &[
    (
        "InvalidParameter.ParameterError",
        &[
            Action::DescribeZones,
            Action::DescribeAccelerationDomains,
            Action::DescribePrefetchOriginLimit,
        ],
    ),
    (
        "InternalError.BackendError",
        &[Action::DescribePrefetchTasks, Action::DescribePurgeTasks, Action::DescribeContentQuota],
    ),
];

/// Why an action was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not one of a closed list.
    #[error("parameter `{name}`: {error}")]
    Word {
        /// The parameter.
        name: &'static str,
        /// What was given and what is taken.
        error: UnknownWord,
    },
    /// A number out of bounds.
    #[error(transparent)]
    Range(#[from] OutOfBounds),
    /// `Headers` or `HostHeader`.
    #[error(transparent)]
    Fields(#[from] request_fields::Error),
    /// Not a time.
    #[error("parameter `{0}` is not a time of the form `YYYY-MM-DDTHH:MM:SSZ`")]
    Date(&'static str),
    /// The range ends before it begins, or is too long.
    #[error("`EndTime` must not lie before `StartTime`, nor more than 7 days after it")]
    Span,
    /// Neither a range nor a job.
    #[error("a range of time or the filter `job-id` must be given")]
    NoSelection,
    /// A filter that the action does not have, or not so.
    #[error("filter {0}")]
    Filter(Message),
    /// A filter with too many values, where a code of its own tells so.
    #[error("filter `{0}` has more than 20 values")]
    TooManyFilterValues(String),
    /// An origin that cannot be asked.
    #[error("`OriginInfo` {0}")]
    Origin(Message),
    /// The caller has no zone with this id; it may have one with this name.
    #[error("`{0}` is not the id of a zone of this account")]
    ZoneForeign(String),
    /// The same, where another code tells so.
    #[error("`{0}` is not the id of a zone of this account")]
    ZoneDenied(String),
    /// `*` where one zone must be named.
    #[error("parameter `ZoneId` must name one zone, not `*`")]
    EveryZone,
    /// The caller has no domain at all.
    #[error("this account has no domain")]
    DomainEmpty,
    /// The zone has no such domain.
    #[error("domain `{0}` is not in this zone")]
    DomainNotFound(String),
    /// The domain's name does not end like the zone's.
    #[error("domain `{host}` does not belong under the zone `{zone}`")]
    DomainNotMatchZone {
        /// The domain.
        host: String,
        /// The zone's name.
        zone: String,
    },
    /// None of the targets was accepted; the reason of the first.
    #[error("no task was made: {0}")]
    NoneAccepted(#[source] SubmitError),
    /// None of the targets was accepted to be purged; the reason of the first.
    #[error("no task was made: {0}")]
    NonePurged(#[source] PurgeError),
    /// The first of the hosts to be purged is none, and no other was accepted.
    #[error("no task was made: target {place} `{given}` must be a host without scheme and path")]
    NotAHost {
        /// Its place in the list, from 1.
        place: usize,
        /// What was given.
        given: String,
    },
    /// There is no domain on which to purge.
    #[error("no task was made: there is no domain that is online")]
    NoneOnline,
    /// The limit's area does not exist.
    #[error("`Area` must be `Overseas` or `MainlandChina`")]
    LimitArea,
    /// The limit is neither set nor deleted.
    #[error("`Enabled` must be `on` or `off`")]
    LimitEnabled,
    /// The limit is below 100 Mbps.
    #[error("`Bandwidth` must be at least 100 Mbps")]
    LimitTooSmall,
    /// The limit is above 100000 Mbps.
    #[error("`Bandwidth` must be at most 100000 Mbps")]
    LimitTooLarge,
    /// The zone is not made for that area.
    #[error("the zone is not made for that area")]
    LimitZoneArea,
    /// The domain is not served in that area.
    #[error("the domain is not served in that area")]
    LimitDomainArea,
    /// There is no limit to delete.
    #[error("the domain has no limit in that area")]
    LimitNotFound,
    /// The account has 100 limits.
    #[error("an account has at most 100 limits")]
    LimitCount,
    /// The day's quota does not suffice for all targets.
    #[error("cannot accept {needed} targets: {available} of {limit} are left today")]
    DailyQuota {
        /// What is left of the day.
        available: u64,
        /// Distinct targets of the call.
        needed: u64,
        /// The day's limit.
        limit: u64,
    },
    /// Limits of origins are closed to the account.
    #[error("feature `{}` is closed to this account", Feature::OriginLimit)]
    LimitClosed,
    /// The engine refused the whole list.
    #[error("{0}")]
    Submit(#[source] SubmitError),
    /// The engine refused a domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The engine refused a zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// It is not proved that a name is the account's own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// The ledger did not answer.
    #[error("the request cannot be carried out now; try again")]
    Ledger(#[from] LedgerError),
    /// Any of these, where the action publishes no more than the first word of its code.
    #[error(transparent)]
    Plain(Box<Self>),
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        match error {
            // counted once, wherever it goes: the area says nothing here
            SubmitError::OverQuota { available, needed, limit, .. } => {
                Self::DailyQuota { available, needed, limit }
            }
            other => Self::Submit(other),
        }
    }
}

impl Error {
    /// A filter with too many values, where no code of its own tells so.
    pub(crate) fn too_many_values(name: String) -> Self {
        Self::Filter(Message::new(
            format!("`{name}` has more than 20 values"),
            format!("`{name}` 的值超过了 20 个"),
        ))
    }

    /// As an error of `action`.
    pub(crate) fn of(self, action: Action) -> Self {
        let code = self.code();
        let is_plain = |(of, actions): &(&str, &[Action])| *of == code && actions.contains(&action);
        if PLAIN.iter().any(is_plain) { Self::Plain(Box::new(self)) } else { self }
    }

    /// The vendor's code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Word { .. }
            | Self::Range(_)
            | Self::Fields(_)
            | Self::Date(_)
            | Self::Span
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
                OwnershipError::NoRecord { .. } | OwnershipError::Unfound { .. } => {
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

    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        let zh = match self {
            Self::Word { name, error } => return message::unknown_word(name, error),
            Self::Range(bounds) => return message::range(*bounds),
            Self::Fields(error) => return message::fields(error),
            Self::Date(name) => format!("参数 `{name}` 不是 `YYYY-MM-DDTHH:MM:SSZ` 格式的时间"),
            Self::Span => "`EndTime` 不得早于 `StartTime`，且时间跨度不得超过 7 天".into(),
            Self::NoSelection => "必须填写时间范围或过滤条件 `job-id`".into(),
            Self::Filter(rule) => return rule.clone().after("filter ", "过滤条件 "),
            Self::TooManyFilterValues(name) => format!("过滤条件 `{name}` 的值超过了 20 个"),
            Self::Origin(rule) => return rule.clone().after("`OriginInfo` ", "`OriginInfo` "),
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

    /// The rule that is broken, without what was given.
    pub(crate) fn for_log(&self) -> String {
        match self {
            Self::Word { name, .. } | Self::Range(OutOfBounds { name, .. }) => (*name).into(),
            Self::Ledger(_)
            | Self::Submit(SubmitError::Ledger(_))
            | Self::Domain(_)
            | Self::Ownership(_) => crate::chain(self),
            Self::Plain(error) => error.for_log(),
            _ => self.code().into(),
        }
    }

    /// Whether somebody has to act: the server failed, not the caller.
    pub(crate) fn is_internal(&self) -> bool {
        self.code().starts_with("InternalError")
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
        E::FeatureClosed { .. } => "UnauthorizedOperation.NoPermission",
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

//! Sentences about what the engine refuses. The English is the engine's own.

use stoker_domain::{
    area::{Area, Tier},
    domain::Lock,
    target,
};
use stoker_engine::{DomainError, PurgeError, SubmitError, ZoneError};

use super::{
    Message,
    ownership::{unclaimable, unverified},
};

/// A refused task.
pub(crate) fn submit(error: &SubmitError) -> Message {
    use SubmitError as E;
    let zh = match error {
        E::NoUrls => "任务中没有 URL".into(),
        E::TooManyUrls { given, limit } => {
            format!("单次提交了 {given} 条 URL，超过了单次上限 {limit} 条")
        }
        E::Url { index, url, error } => {
            format!("第 {} 条 URL `{}` {}", index + 1, shown(url), target(error))
        }
        E::DomainUnknown { host, url } => {
            format!("URL `{}` 的域名 `{host}` 不属于当前账号", shown(url))
        }
        E::OtherZone { host } => format!("域名 `{host}` 不在指定的站点中"),
        E::DomainOffline { host } => format!("域名 `{host}` 未上线"),
        E::DomainLocked { host, lock } => locked(host, *lock),
        E::FeatureDisabled { feature } => format!("当前账号未开通功能 `{feature}`"),
        E::AreaNotEnabled { host, area } => {
            format!("域名 `{host}` 未在{}（`{area}`）启用", area_name(*area))
        }
        E::OverQuota { area, available, needed, limit } => format!(
            "需要 {needed} 条 URL 的额度，{}（`{area}`）当日上限 {limit} 条，仅剩 {available} 条",
            area_name(*area)
        ),
        E::NoNode { area, tier } => {
            format!("{}（`{area}`）没有可用的{}节点", area_name(*area), tier_name(*tier))
        }
        E::Ledger(_) => "无法受理该任务".into(),
    };
    Message::new(error.to_string(), zh)
}

/// A refused task, and what can be done about it.
pub(crate) fn with_hint(error: &SubmitError) -> Message {
    let message = submit(error);
    match submit_hint(error) {
        Some(hint) => hinted(&message, &hint),
        None => message,
    }
}

/// For callers of the API: it names no command, and nothing that only the operator can do.
fn submit_hint(error: &SubmitError) -> Option<Message> {
    use SubmitError as E;
    let day = ("the quota is full again when its next day begins", "额度在下一个额度日开始时恢复");
    Some(match error {
        E::NoUrls => Message::new("name at least one URL", "请至少提供一条 URL"),
        E::TooManyUrls { limit, .. } => Message::new(
            format!("split the list into calls of {limit}"),
            format!("请按每次 {limit} 条拆分提交"),
        ),
        E::Url { .. } => Message::new(
            "nothing was accepted; correct the URL and send all again",
            "所有 URL 均未受理，请修正后重新提交",
        ),
        E::DomainUnknown { .. } => Message::new("add the domain first", "请先添加该域名"),
        E::OtherZone { .. } => {
            Message::new("name the zone of the domain", "请指定该域名所在的站点")
        }
        E::DomainOffline { host } => {
            Message::new(format!("bring `{host}` online first"), format!("请先启用域名 `{host}`"))
        }
        E::DomainLocked { .. } => Message::new("try again later", "请稍后重试"),
        E::FeatureDisabled { .. } => {
            Message::new("ask the operator to open it", "请联系服务商开通该功能")
        }
        E::AreaNotEnabled { host, area } => Message::new(
            format!("enable `{area}` for `{host}` or ask for an area that it has"),
            format!("请为域名 `{host}` 启用 `{area}`，或改用其已启用的区域"),
        ),
        E::OverQuota { available: 0, .. } => Message::new(day.0, day.1),
        E::OverQuota { available, .. } => Message::new(
            format!("send at most {available} URLs; {}", day.0),
            format!("本次最多可提交 {available} 条；{}", day.1),
        ),
        E::NoNode { .. } => Message::new("ask for another area or tier", "请改用其他区域或层级"),
        E::Ledger(_) => return None,
    })
}

/// A refused purge.
pub(crate) fn bare_purge(error: &PurgeError) -> Message {
    let zh = match error {
        PurgeError::Refused(error) => return submit(error),
        PurgeError::Query { index, path } => {
            format!("第 {} 个目录 `{path}` 含有查询串，请填写目录", index + 1)
        }
        PurgeError::Tag { index, tag } => {
            format!("第 {} 个标签 `{tag}` 必须是 1 至 128 个可见字符", index + 1)
        }
    };
    Message::new(error.to_string(), zh)
}

/// A refused purge, and what can be done about it.
pub(crate) fn purge(error: &PurgeError) -> Message {
    let message = bare_purge(error);
    match error {
        PurgeError::Refused(error) => with_hint(error),
        PurgeError::Query { .. } => {
            let hint = "to purge one URL with its query, purge it as a URL";
            hinted(&message, &Message::new(hint, "如需刷新带查询串的单条 URL，请使用 URL 刷新"))
        }
        PurgeError::Tag { .. } => {
            let hint = "give the tags as the origin names them, one by one";
            hinted(&message, &Message::new(hint, "请逐个填写源站响应中的标签"))
        }
    }
}

/// A list of which nothing was accepted; the reason of its first target.
pub(crate) fn none_accepted(error: &SubmitError) -> Message {
    submit(error).after("no task was made: ", "未生成任务：")
}

/// A refused change of a domain.
pub(crate) fn domain(error: &DomainError) -> Message {
    let zh = match error {
        DomainError::InvalidHost { host } => format!("`{host}` 不是合法的域名或 IP 地址"),
        DomainError::Port { port } => format!("源站端口 `{port}` 不允许使用"),
        DomainError::Exists { host } => format!("域名 `{host}` 已存在"),
        DomainError::TooMany { limit } => format!("当前账号已有 {limit} 个域名，达到上限"),
        DomainError::Taken { host } => format!("域名 `{host}` 已被其他账号使用"),
        DomainError::Related { host } => format!("域名 `{host}` 与其他账号的域名存在上下级关系"),
        DomainError::Unclaimable { host, why } => unclaimable(host, *why),
        DomainError::Unverified { host, record } => {
            return unverified(error, host, record.as_deref());
        }
        DomainError::Unknown { host } => format!("当前账号没有名为 `{host}` 的域名"),
        DomainError::Locked { host, lock } => locked(host, *lock),
        DomainError::Zone(error) => return zone(error),
        DomainError::Ledger { host, .. } => format!("暂时无法修改域名 `{host}`"),
    };
    Message::new(error.to_string(), zh)
}

fn locked(host: &str, lock: Lock) -> String {
    match lock {
        Lock::Locked => format!("域名 `{host}` 已被锁定"),
        Lock::Changing => format!("域名 `{host}` 正在变更中"),
    }
}

/// A refused change of a zone.
pub(crate) fn zone(error: &ZoneError) -> Message {
    let zh = match error {
        ZoneError::InvalidName { name } => format!("`{name}` 不是合法的站点名称"),
        ZoneError::Exists { name } => format!("站点 `{name}` 已存在"),
        ZoneError::TooMany { limit } => format!("当前账号已有 {limit} 个站点，达到上限"),
        ZoneError::Related { name } => format!("站点 `{name}` 与其他账号的域名存在冲突"),
        ZoneError::Unknown { zone } => format!("站点 `{zone}` 不属于当前账号"),
        ZoneError::InUse { name, domains } => format!("站点 `{name}` 下还有 {domains} 个域名"),
        ZoneError::Ledger { name, .. } => format!("暂时无法修改站点 `{name}`"),
    };
    Message::new(error.to_string(), zh)
}

fn target(error: &target::Error) -> String {
    use target::Error as E;
    match error {
        E::Scheme => "必须以 `http://` 或 `https://` 开头".into(),
        E::TooLong(given) => format!("长度为 {given} 字节，上限为 {} 字节", target::MAX_LENGTH),
        E::WildcardHost => "的域名含有通配符，请填写具体域名".into(),
        E::Host => "没有合法的域名".into(),
        E::UserInfo => "的域名前带有用户信息，凭证请放在请求头中".into(),
        E::NotAscii => "含有非 ASCII 字符或空格，请先做 URL 编码，或开启 URL 编码参数".into(),
        E::Character => "含有 URI 不允许的字符".into(),
    }
}

fn hinted(message: &Message, hint: &Message) -> Message {
    let (Message { en, zh }, Message { en: hint_en, zh: hint_zh }) = (message, hint);
    Message::new(format!("{en}; hint: {hint_en}"), format!("{zh}；提示：{hint_zh}"))
}

const fn area_name(area: Area) -> &'static str {
    match area {
        Area::Mainland => "境内",
        Area::Overseas => "境外",
    }
}

const fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Edge => "边缘",
        Tier::Middle => "中间层",
    }
}

/// A URL cut to a length that a person reads, as the engine cuts it.
fn shown(url: &str) -> String {
    const LONGEST: usize = 200;
    match url.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.into(),
    }
}

//! The rules that filters and origins of this API may break, in both languages.

use crate::tencent::message::Message;

/// A rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterRule {
    /// Never fuzzy.
    #[error("`{0}` is never fuzzy")]
    NeverFuzzy(String),
    /// Several values of one that takes one.
    #[error("`{0}` takes one value")]
    OneValue(String),
    /// A filter that the action does not have.
    #[error("`{name}` is not one of `{list}`", list = known.join("`, `"))]
    Unknown {
        /// What was given.
        name: String,
        /// Those there are.
        known: &'static [&'static str],
    },
    /// Given twice, or without a value.
    #[error("`{0}` must be given once, with a value")]
    Once(String),
    /// More values than a filter takes.
    #[error("`{0}` has more than 20 values")]
    TooManyValues(String),
    /// `target` is not a URL.
    #[error("`target` must be a full URL")]
    Target,
}

impl FilterRule {
    /// The sentence, to stand behind "filter".
    pub(super) fn message(&self) -> Message {
        let zh = match self {
            Self::NeverFuzzy(name) => format!("`{name}` 不支持模糊查询"),
            Self::OneValue(name) => format!("`{name}` 只接受一个值"),
            Self::Unknown { name, known } => {
                format!("`{name}` 不在可选值 `{}` 之中", known.join("`, `"))
            }
            Self::Once(name) => format!("`{name}` 只能填写一次，且必须有值"),
            Self::TooManyValues(name) => format!("`{name}` 的值超过了 20 个"),
            Self::Target => "`target` 必须是完整的 URL".into(),
        };
        Message::new(self.to_string(), zh)
    }
}

/// A rule of `OriginInfo` and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OriginRule {
    /// No server is named.
    #[error("has no `Origin`")]
    Missing,
    /// A kind of origin that is not served.
    #[error("has the type `{0}`; `IP_DOMAIN`, `COS` and `AWS_S3` are served here")]
    Kind(String),
    /// A protocol that does not exist.
    #[error("`OriginProtocol` `{0}` is not `FOLLOW`, `HTTP`, `HTTPS`")]
    Protocol(String),
    /// Not a server.
    #[error("has the `Origin` `{0}`, which is not an address or a name")]
    Server(String),
}

impl OriginRule {
    /// The sentence, to stand behind "`OriginInfo`".
    pub(super) fn message(&self) -> Message {
        let zh = match self {
            Self::Missing => "缺少 `Origin`".into(),
            Self::Kind(kind) => format!("的类型为 `{kind}`，支持 `IP_DOMAIN`、`COS` 和 `AWS_S3`"),
            Self::Protocol(protocol) => {
                format!("`OriginProtocol` 为 `{protocol}`，可选值为 `FOLLOW`、`HTTP`、`HTTPS`")
            }
            Self::Server(host) => format!("的 `Origin` `{host}` 不是合法的地址或域名"),
        };
        Message::new(self.to_string(), zh)
    }
}

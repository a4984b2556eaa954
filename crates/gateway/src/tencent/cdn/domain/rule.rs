//! The rules that settings and filters of a domain may break, in both languages.

use stoker_domain::area::UnknownWord;

use super::{
    config::{MOST_BYTES, SERVICES},
    describe::{FILTERS, MOST_VALUES},
    pull::{LONGEST_NAME, LONGEST_VALUE, MOST_RULES},
};
use crate::tencent::message::Message;

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rule {
    /// A number out of bounds.
    #[error("`{name}` must be from {least} to {most}")]
    Bounds {
        /// The parameter.
        name: &'static str,
        /// Least that is taken.
        least: i64,
        /// Most that is taken.
        most: i64,
    },
    /// A time out of bounds.
    #[error("`{name}` must be from {least} to {most} seconds")]
    Seconds {
        /// The setting.
        name: &'static str,
        /// Least that is taken.
        least: u64,
        /// Most that is taken.
        most: u64,
    },
    /// A filter that does not exist.
    #[error("`Filters`: `{0}` is not one of `{known}`", known = FILTERS.join("`, `"))]
    FilterName(String),
    /// A filter with no value, or too many.
    #[error("`Filters`: `{0}` takes 1 to {MOST_VALUES} values")]
    FilterValues(String),
    /// A filter that cannot be fuzzy.
    #[error("`Filters`: only one `origin` or `domain` may be fuzzy")]
    FuzzyFilter,
    /// More rules for request fields than there may be.
    #[error("`HeaderRules` has {0} rules; at most {MOST_RULES}")]
    TooManyHeaders(usize),
    /// Not the name of a field.
    #[error("`HeaderName` is `{0}`, which names no header of at most {LONGEST_NAME} bytes")]
    HeaderName(String),
    /// Not the value of the field with this name.
    #[error(
        "`HeaderValue` of `{0}` must have at most {LONGEST_VALUE} characters, none of them a \
         control character"
    )]
    HeaderValue(String),
    /// A word of a setting that is not one of those it takes.
    #[error("`{name}` is `{given}`; not `{list}`", list = expected.join("`, `"))]
    Word {
        /// The setting.
        name: &'static str,
        /// Its value.
        given: String,
        /// The values that it takes.
        expected: &'static [&'static str],
    },
    /// The same, at a place inside of a setting.
    #[error("`{path}`: {error}")]
    WordAt {
        /// The place.
        path: String,
        /// What was given and what is taken.
        error: UnknownWord,
    },
    /// No origin at all.
    #[error("`Origin.Origins` must name an origin")]
    NoOrigin,
    /// Not an origin.
    #[error("`Origin.{name}`: `{given}` is not HOST[:PORT[:WEIGHT]]")]
    NotAServer {
        /// The setting.
        name: &'static str,
        /// Its value.
        given: String,
    },
    /// Two modes of caching at once.
    #[error("`Cache`: `FollowOrigin` and `CompareMaxAge` exclude each other")]
    FollowAndCompare,
    /// A lifetime of more than a year.
    #[error("`CacheTime` must be from 0 to 31536000 seconds")]
    CacheTime,
    /// A kind of service that does not exist.
    #[error("`ServiceType` must be one of `{known}`", known = SERVICES.join("`, `"))]
    Service,
    /// More than is kept.
    #[error("values have {0} bytes; at most {MOST_BYTES}")]
    TooLong(usize),
}

impl Rule {
    /// The sentence, to stand behind "parameter".
    pub(super) fn message(&self) -> Message {
        let zh = match self {
            Self::Bounds { name, least, most } => {
                format!("`{name}` 的取值范围为 {least} 到 {most}")
            }
            Self::Seconds { name, least, most } => {
                format!("`{name}` 的取值范围为 {least} 到 {most} 秒")
            }
            Self::FilterName(name) => {
                format!("`Filters`：`{name}` 不在可选值 `{}` 之中", FILTERS.join("`, `"))
            }
            Self::FilterValues(name) => {
                format!("`Filters`：`{name}` 需要 1 到 {MOST_VALUES} 个值")
            }
            Self::FuzzyFilter => "`Filters`：仅单个 `origin` 或 `domain` 支持模糊查询".into(),
            Self::TooManyHeaders(given) => {
                format!("`HeaderRules` 有 {given} 条规则，上限为 {MOST_RULES} 条")
            }
            Self::HeaderName(name) => {
                format!("`HeaderName` 为 `{name}`，不是 {LONGEST_NAME} 字节以内的合法头部名称")
            }
            Self::HeaderValue(name) => format!(
                "`{name}` 的 `HeaderValue` 不能超过 {LONGEST_VALUE} 个字符，且不能包含控制字符"
            ),
            Self::Word { name, given, expected } => {
                format!("`{name}` 为 `{given}`，可选值为 `{}`", expected.join("`、`"))
            }
            Self::WordAt { path, error: UnknownWord { given, expected } } => {
                format!("`{path}`：`{given}` 不在可选值 {expected} 之中")
            }
            Self::NoOrigin => "`Origin.Origins` 必须填写源站".into(),
            Self::NotAServer { name, given } => {
                format!("`Origin.{name}`：`{given}` 不符合 HOST[:PORT[:WEIGHT]] 格式")
            }
            Self::FollowAndCompare => {
                "`Cache`：`FollowOrigin` 与 `CompareMaxAge` 不能同时开启".into()
            }
            Self::CacheTime => "`CacheTime` 的取值范围为 0 到 31536000 秒".into(),
            Self::Service => format!("`ServiceType` 必须是 `{}` 之一", SERVICES.join("`, `")),
            Self::TooLong(bytes) => format!("总长 {bytes} 字节，上限为 {MOST_BYTES} 字节"),
        };
        Message::new(self.to_string(), zh)
    }
}

//! The sentences that callers read, in both languages side by side.
//!
//! Names of parameters, domains, URLs and codes stand in both as they are. Where the vendor's own
//! sentence is known it is used, for callers look for it (wire.md 2.7).

mod engine;
mod request;

use std::fmt;

pub(crate) use engine::{domain, none_accepted, purge, submit, with_hint, zone};
pub(crate) use request::{authorization, fields, range, unknown_word};

/// The language of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `zh-CN`, the default.
    Chinese,
    /// `en-US`.
    English,
}

impl Language {
    /// The one that `X-TC-Language` or the parameter `Language` names; Chinese for any other word.
    pub(crate) fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("en-US") => Self::English,
            _ => Self::Chinese,
        }
    }
}

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    en: String,
    zh: String,
}

impl Message {
    pub(crate) fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// The sentence in `language`.
    pub(crate) fn text(self, language: Language) -> String {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }

    /// Puts `en` and `zh` before it.
    pub(crate) fn after(self, en: &str, zh: &str) -> Self {
        Self { en: format!("{en}{}", self.en), zh: format!("{zh}{}", self.zh) }
    }
}

/// In English, as logs and other errors show it.
impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.en)
    }
}

/// That a required parameter is absent.
pub(crate) fn missing(name: &str) -> Message {
    Message::new(
        format!("The request is missing a required parameter `{name}`."),
        format!("请求缺少必要参数 `{name}`。"),
    )
}

/// That a parameter has another type.
pub(crate) fn type_error(name: &str) -> Message {
    Message::new(format!("Parameter `{name}` type error."), format!("参数 `{name}` 类型错误。"))
}

/// That the server failed.
pub(crate) fn try_again() -> Message {
    Message::new(
        "The request cannot be carried out now; try again.",
        "请求暂时无法完成，请稍后重试。",
    )
}

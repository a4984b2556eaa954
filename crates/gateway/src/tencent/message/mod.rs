//! The sentences that callers read, in both languages side by side.
//!
//! Names of parameters, domains, URLs and codes stand in both as they are. Where the vendor's own
//! sentence is known it is used, for callers look for it.

mod engine;
mod ownership;
mod request;

use std::fmt;

use crate::content::{self, SMALL};

pub(crate) use engine::{bare_purge, domain, none_accepted, purge, submit, with_hint, zone};
pub(crate) use ownership::ownership;
pub(crate) use request::{
    authorization, fields, not_active, params, range, token, too_often, unknown_word,
};

/// The language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `zh-CN`.
    #[default]
    Chinese,
    /// `en-US`.
    English,
}

impl Language {
    /// The one that `X-TC-Language` or the parameter `Language` names.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "zh-CN" => Some(Self::Chinese),
            "en-US" => Some(Self::English),
            _ => None,
        }
    }

    /// The one for a call to `host` that names none: English where the host is international, as
    /// `cdn.intl.example.com` is, else `default`.
    pub(crate) fn of_host(host: &[u8], default: Self) -> Self {
        let mut labels = host.split(|byte| *byte == b'.').skip(1);
        let is_international = labels.any(|label| label.eq_ignore_ascii_case(b"intl"));
        // `intl` as the last label is no public name
        if is_international && labels.next().is_some() { Self::English } else { default }
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

/// That the content of a call cannot be taken now.
pub(crate) fn busy(error: content::Error) -> Message {
    match error {
        content::Error::Suspect => Message::new(
            format!(
                "Too many wrong signatures: for a minute no request body over {SMALL} bytes is taken."
            ),
            format!("签名错误次数过多，一分钟内不接受超过 {SMALL} 字节的请求体。"),
        ),
        _ => Message::new(
            "Too many large requests are being processed; try again in a moment.",
            "正在处理的大请求过多，请稍后重试。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_an_international_host_is_answered_in_english() {
        use Language::{Chinese, English};
        for (host, expected) in [
            ("cdn.intl.tencentcloudapi.com", English),
            ("cdn.ap-singapore.INTL.tencentcloudapi.com:8443", English),
            ("http://teo.intl.tencentcloudapi.com", English),
            ("cdn.tencentcloudapi.com", Chinese),
            ("intl.example.com", Chinese),
            ("cdn.intl", Chinese),
            ("cdn.intl:80", Chinese),
            ("xintl.example.com", Chinese),
            ("127.0.0.1:7700", Chinese),
            ("", Chinese),
        ] {
            assert_eq!(Language::of_host(host.as_bytes(), Chinese), expected, "{host}");
            assert_eq!(Language::of_host(host.as_bytes(), English), English, "{host}");
        }
    }
}

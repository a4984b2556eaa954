//! Sentences about what stands in a request.

use stoker_domain::area::UnknownWord;

use super::{Message, missing, type_error};
use crate::{
    auth::{account::NotActive, authorization, rate, token},
    request_fields::{self, LONGEST_NAME, LONGEST_VALUE, MOST},
    tencent::params::{self, OutOfBounds},
};

/// Not one of a closed list.
pub(crate) fn unknown_word(name: &str, error: &UnknownWord) -> Message {
    let UnknownWord { given, expected } = error;
    Message::new(
        format!("parameter `{name}`: {error}"),
        format!("参数 `{name}`：`{given}` 不在可选值 {expected} 之中"),
    )
}

/// A number out of bounds.
pub(crate) fn range(bounds: OutOfBounds) -> Message {
    let OutOfBounds { name, given, least, most } = bounds;
    Message::new(
        bounds.to_string(),
        format!("参数 `{name}` 的值为 {given}，取值范围为 {least} 到 {most}"),
    )
}

/// Fields of requests to an origin.
pub(crate) fn fields(error: &request_fields::Error) -> Message {
    use request_fields::Error as E;
    let zh = match error {
        E::TooMany(given) => format!("共有 {given} 个请求头，上限为 {MOST} 个"),
        E::Name(place) => {
            format!("第 {place} 个请求头的名称必须是 1 到 {LONGEST_NAME} 字节的合法记号")
        }
        E::Value(name) => {
            format!("`{name}` 的值不得超过 {LONGEST_VALUE} 字节，且不得含有控制字符")
        }
        E::Host(name) => format!("`{name}` 必须是主机名，格式为 `HOST` 或 `HOST:PORT`"),
        E::Forbidden(name) => format!("任务不允许设置请求头 `{name}`"),
    };
    Message::new(error.to_string(), zh)
}

/// The `Authorization` field.
pub(crate) fn authorization(error: &authorization::Error) -> Message {
    use authorization::Error as E;
    let zh = match error {
        E::Algorithm => "算法必须是 `TC3-HMAC-SHA256`",
        E::Credential => "`Credential` 必须是 `<SecretId>/<date>/<service>/tc3_request`",
        E::SignedHeaders => "`SignedHeaders` 必须包含 `content-type` 和 `host`，且各出现一次",
        E::Signature => "缺少 `Signature`",
    };
    Message::new(
        format!("The request `Authorization` header is not valid: {error}."),
        format!("请求头 `Authorization` 不合法：{zh}。"),
    )
}

/// The token of temporary credentials.
pub(crate) fn token(error: token::Error) -> Message {
    use token::Error as E;
    let zh = match error {
        E::Missing => "临时密钥需要与 Token 一起使用",
        E::Unasked => "长期密钥不使用 Token",
        E::Wrong => "Token 与密钥不匹配",
        E::Expired => "临时密钥已过期",
    };
    Message::new(format!("The token is not valid: {error}."), format!("Token 无效：{zh}。"))
}

/// An account that is not active.
pub(crate) fn not_active(error: NotActive) -> Message {
    let zh = match error {
        NotActive::Suspended => "当前账号的服务已被停用",
        NotActive::AwaitingApproval => "当前账号尚待审核",
    };
    Message::new(error.to_string(), zh)
}

/// A parameter that cannot be read.
pub(crate) fn params(error: &params::Error) -> Message {
    use params::Error as E;
    match error {
        E::Json => Message::new("The request body is not a JSON object.", "请求体不是 JSON 对象。"),
        E::Multipart(why) => Message::new(
            format!("The request body is not valid multipart/form-data: {why}."),
            "请求体不是合法的 multipart/form-data。",
        ),
        E::TooMany => Message::new("The request has too many parameters.", "请求参数过多。"),
        E::Unknown(name) => Message::new(
            format!("The parameter `{name}` is not recognized."),
            format!("无法识别参数 `{name}`。"),
        ),
        E::Type(name) => type_error(name),
        E::Missing(name) => missing(name),
    }
}

/// An account that calls too often, in the vendor's sentence.
pub(crate) fn too_often(error: &rate::Exceeded) -> Message {
    let rate::Exceeded { calls, limit, period } = error;
    let (word, zh) = match period {
        rate::Period::Second => ("second", "秒"),
        rate::Period::Minute => ("minute", "分钟"),
    };
    Message::new(
        format!(
            "Your current request times equals to `{calls}` in a {word}, which exceeds the \
             frequency limit `{limit}` for a {word}. Please reduce the frequency of calls."
        ),
        format!("您当前每{zh}请求 `{calls}` 次，超过了每{zh}频率上限 `{limit}`，请稍后重试。"),
    )
}

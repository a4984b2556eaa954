//! What is said of how the origin is asked: redirections, ranges, times and request fields.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use stoker_domain::domain::{HeaderMode, HeaderRule, Pull};

use super::{
    Error,
    rules::{is_on, paths},
};
use crate::tencent::message::Message;

/// Rules for request fields, at most.
const MOST_RULES: usize = 100;
/// Longest name and value, in characters.
const LONGEST_NAME: usize = 100;
const LONGEST_VALUE: usize = 1000;

/// How the origin is to be asked.
pub(super) fn read(said: &Map<String, Value>) -> Result<Pull, Error> {
    let said = |field: &str| said.get(field).unwrap_or(&Value::Null);
    let time_out = said("OriginPullTimeout");
    // bounded, but a connection takes as long as the node lets it
    seconds(time_out, "ConnectTimeout", 5, 60)?;
    Ok(Pull {
        follows_redirects: is_on(&said("FollowRedirect")["Switch"]),
        without_ranges: said("RangeOriginPull")["Switch"] == "off",
        receive_timeout_seconds: seconds(time_out, "ReceiveTimeout", 10, 300)?,
        headers: headers(said("RequestHeader"))?,
    })
}

fn seconds(of: &Value, name: &str, least: u64, most: u64) -> Result<Option<u64>, Error> {
    if of[name].is_null() {
        return Ok(None);
    }
    match of[name].as_u64().filter(|seconds| (least..=most).contains(seconds)) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(wrong(
            format!("`{name}` must be from {least} to {most} seconds"),
            format!("`{name}` 的取值范围为 {least} 到 {most} 秒"),
        )),
    }
}

fn headers(of: &Value) -> Result<Vec<HeaderRule>, Error> {
    let rules = of["HeaderRules"].as_array().filter(|_| is_on(&of["Switch"]));
    let rules = rules.map_or(&[][..], Vec::as_slice);
    if rules.len() > MOST_RULES {
        return Err(wrong(
            format!("`HeaderRules` has {} rules; at most {MOST_RULES}", rules.len()),
            format!("`HeaderRules` 有 {} 条规则，上限为 {MOST_RULES} 条", rules.len()),
        ));
    }
    rules.iter().map(header).collect()
}

fn header(rule: &Value) -> Result<HeaderRule, Error> {
    let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
    let mode = match text("HeaderMode").as_str() {
        "set" => HeaderMode::Set,
        "add" => HeaderMode::Add,
        "del" => HeaderMode::Del,
        other => {
            return Err(wrong(
                format!("`HeaderMode` is `{other}`; not `set`, `add`, `del`"),
                format!("`HeaderMode` 为 `{other}`，可选值为 `set`、`add`、`del`"),
            ));
        }
    };
    let (name, value) = (text("HeaderName"), text("HeaderValue"));
    if name.len() > LONGEST_NAME || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(wrong(
            format!(
                "`HeaderName` is `{name}`, which names no header of at most {LONGEST_NAME} bytes"
            ),
            format!("`HeaderName` 为 `{name}`，不是 {LONGEST_NAME} 字节以内的合法头部名称"),
        ));
    }
    if value.chars().count() > LONGEST_VALUE || HeaderValue::from_str(&value).is_err() {
        return Err(wrong(
            format!(
                "`HeaderValue` of `{name}` must have at most {LONGEST_VALUE} characters, none of \
                 them a control character"
            ),
            format!(
                "`{name}` 的 `HeaderValue` 不能超过 {LONGEST_VALUE} 个字符，且不能包含控制字符"
            ),
        ));
    }
    let paths = paths("RuleType", &rule["RuleType"], &rule["RulePaths"])?;
    Ok(HeaderRule { mode, name, value, paths })
}

fn wrong(en: impl Into<String>, zh: impl Into<String>) -> Error {
    Error::Param(Message::new(en.into(), zh.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_of(said: &Value) -> Option<Pull> {
        read(said.as_object().unwrap()).ok()
    }

    #[test]
    fn what_is_said_of_asking_is_read() {
        let said = json!({
            "FollowRedirect": { "Switch": "on" },
            "RangeOriginPull": { "Switch": "off" },
            "OriginPullTimeout": { "ConnectTimeout": 60, "ReceiveTimeout": 300 },
            "RequestHeader": { "Switch": "on", "HeaderRules": [
                { "HeaderMode": "add", "HeaderName": "X-A", "HeaderValue": "1", "RuleType": "file",
                  "RulePaths": ["jpg"] },
                { "HeaderMode": "del", "HeaderName": "Referer", "RuleType": "all",
                  "RulePaths": ["*"] } ] },
        });
        let pull = read_of(&said).unwrap();
        assert!(pull.follows_redirects && pull.without_ranges);
        assert_eq!(pull.receive_timeout_seconds, Some(300));
        assert_eq!(pull.headers_for("/a.jpg?x").count(), 2);
        assert_eq!(pull.headers_for("/a.png").map(|rule| rule.mode).next(), Some(HeaderMode::Del));
        for nothing in [
            json!({}),
            json!({ "FollowRedirect": { "Switch": "off" }, "RangeOriginPull": { "Switch": "on" },
                "RequestHeader": { "Switch": "off", "HeaderRules": [{ "HeaderMode": "x" }] } }),
        ] {
            assert_eq!(read_of(&nothing), Some(Pull::default()), "{nothing}");
        }
    }

    #[test]
    fn what_cannot_be_asked_so_is_refused() {
        let header = |mode: &str, name: &str, value: &str, kind: &str| {
            json!({ "RequestHeader": { "Switch": "on", "HeaderRules": [
                { "HeaderMode": mode, "HeaderName": name, "HeaderValue": value, "RuleType": kind,
                  "RulePaths": ["*"] } ] } })
        };
        assert!(read_of(&header("set", "A", "1", "all")).is_some());
        for said in [
            header("put", "A", "1", "all"),
            header("set", "A B", "1", "all"),
            header("set", "", "1", "all"),
            header("set", &"A".repeat(101), "1", "all"),
            header("set", "A", &"1".repeat(1001), "all"),
            header("set", "A", "1\r\nB: 2", "all"),
            header("set", "A", "1", "some"),
            json!({ "OriginPullTimeout": { "ConnectTimeout": 4 } }),
            json!({ "OriginPullTimeout": { "ReceiveTimeout": 301 } }),
        ] {
            assert!(read_of(&said).is_none(), "{said}");
        }
    }
}

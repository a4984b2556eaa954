//! The settings that tell how the origin is asked: redirections, ranges, times and request fields.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use stoker_domain::domain::{HeaderMode, HeaderRule, Pull};

use super::{
    rule::Rule,
    rules::{is_on, paths},
};

/// Rules for request fields, at most.
pub(super) const MOST_RULES: usize = 100;
/// Longest name and value, in characters.
pub(super) const LONGEST_NAME: usize = 100;
pub(super) const LONGEST_VALUE: usize = 1000;

/// How the origin is to be asked.
pub(super) fn read(settings: &Map<String, Value>) -> Result<Pull, Rule> {
    let setting = |field: &str| settings.get(field).unwrap_or(&Value::Null);
    let time_out = setting("OriginPullTimeout");
    // bounded, but a connection takes as long as the node lets it
    seconds(time_out, "ConnectTimeout", 5, 60)?;
    Ok(Pull {
        follows_redirects: is_on(&setting("FollowRedirect")["Switch"]),
        without_ranges: setting("RangeOriginPull")["Switch"] == "off",
        receive_timeout_seconds: seconds(time_out, "ReceiveTimeout", 10, 300)?,
        headers: headers(setting("RequestHeader"))?,
    })
}

fn seconds(of: &Value, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, Rule> {
    if of[name].is_null() {
        return Ok(None);
    }
    match of[name].as_u64().filter(|seconds| (least..=most).contains(seconds)) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(Rule::Seconds { name, least, most }),
    }
}

fn headers(of: &Value) -> Result<Vec<HeaderRule>, Rule> {
    let rules = of["HeaderRules"].as_array().filter(|_| is_on(&of["Switch"]));
    let rules = rules.map_or(&[][..], Vec::as_slice);
    if rules.len() > MOST_RULES {
        return Err(Rule::TooManyHeaders(rules.len()));
    }
    rules.iter().map(header).collect()
}

fn header(rule: &Value) -> Result<HeaderRule, Rule> {
    let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
    let mode = match text("HeaderMode").as_str() {
        "set" => HeaderMode::Set,
        "add" => HeaderMode::Add,
        "del" => HeaderMode::Del,
        other => {
            let expected = &["set", "add", "del"];
            return Err(Rule::Word { name: "HeaderMode", given: other.into(), expected });
        }
    };
    let (name, value) = (text("HeaderName"), text("HeaderValue"));
    if name.len() > LONGEST_NAME || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Rule::HeaderName(name));
    }
    if value.chars().count() > LONGEST_VALUE || HeaderValue::from_str(&value).is_err() {
        return Err(Rule::HeaderValue(name));
    }
    let paths = paths("RuleType", &rule["RuleType"], &rule["RulePaths"])?;
    Ok(HeaderRule { mode, name, value, paths })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_of(settings: &Value) -> Option<Pull> {
        read(settings.as_object().unwrap()).ok()
    }

    #[test]
    fn settings_of_asking_are_read() {
        let settings = json!({
            "FollowRedirect": { "Switch": "on" },
            "RangeOriginPull": { "Switch": "off" },
            "OriginPullTimeout": { "ConnectTimeout": 60, "ReceiveTimeout": 300 },
            "RequestHeader": { "Switch": "on", "HeaderRules": [
                { "HeaderMode": "add", "HeaderName": "X-A", "HeaderValue": "1", "RuleType": "file",
                  "RulePaths": ["jpg"] },
                { "HeaderMode": "del", "HeaderName": "Referer", "RuleType": "all",
                  "RulePaths": ["*"] } ] },
        });
        let pull = read_of(&settings).unwrap();
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
        for settings in [
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
            assert!(read_of(&settings).is_none(), "{settings}");
        }
    }
}

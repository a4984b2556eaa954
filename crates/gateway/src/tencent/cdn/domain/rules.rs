//! The setting `Cache`, as rules of the cache; and rules of the cache as that setting.
//!
//! The published rules: the later of two that match has priority; a rule's time counts whatever
//! the origin says, unless the rule follows or compares; `no-store` and `no-cache` count unless they
//! are to be ignored.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use stoker_domain::domain::{CachePolicy, CacheRule, CacheRules, Cookies, Paths, RuleLifetime};

use super::rule::Rule;

/// Longest `CacheTime`.
const YEAR: u64 = 365 * 86_400;
/// What no path carries as it stands; percent signs of the caller are left alone.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// The rules that the settings stand for.
pub(super) fn read(settings: &Map<String, Value>) -> Result<CacheRules, Rule> {
    let mut rules = CacheRules::default();
    let cache = settings.get("Cache").unwrap_or(&Value::Null);
    let simple = &cache["SimpleCache"];
    if is_on(&simple["FollowOrigin"]) && is_on(&simple["CompareMaxAge"]) {
        return Err(Rule::FollowAndCompare);
    }
    let cookies = if is_on(&simple["IgnoreSetCookie"]) { Cookies::Drop } else { Cookies::Ask };
    if cookies != Cookies::Ask {
        let policy = CachePolicy { cookies, ..CachePolicy::default() };
        rules.rules.push(CacheRule { paths: Paths::All, policy });
    }
    for rule in entries(&simple["CacheRules"]) {
        let paths = paths("CacheType", &rule["CacheType"], &rule["CacheContents"])?;
        if let Some(seconds) = time(&rule["CacheTime"])? {
            let mut policy = timed(seconds, simple);
            policy.cookies = cookies;
            rules.rules.push(CacheRule { paths, policy });
        }
    }
    for rule in entries(&cache["RuleCache"]) {
        let paths = paths("RuleType", &rule["RuleType"], &rule["RulePaths"])?;
        let Some(policy) = policy(&rule["CacheConfig"])? else { continue };
        let default = default_of(&paths, policy).filter(|_| rules.rules.is_empty());
        match default {
            Some(seconds) => rules.default_lifetime_seconds = seconds,
            None => rules.rules.push(CacheRule { paths, policy }),
        }
    }
    Ok(rules)
}

/// The lifetime of a rule that sets nothing but the default: then it is no rule of its own.
fn default_of(paths: &Paths, policy: CachePolicy) -> Option<u64> {
    let RuleLifetime::Origin { otherwise_seconds } = policy.lifetime else { return None };
    let is_default = CachePolicy { lifetime: RuleLifetime::default(), ..policy };
    otherwise_seconds.filter(|_| *paths == Paths::All && is_default == CachePolicy::default())
}

/// The policy of one entry of `RuleCache`; none when it is switched off.
fn policy(config: &Value) -> Result<Option<CachePolicy>, Rule> {
    let (cache, follow) = (&config["Cache"], &config["FollowOrigin"]);
    let heuristic = &follow["HeuristicCache"];
    let own = &heuristic["CacheConfig"];
    let (seconds, otherwise) = (time(&cache["CacheTime"])?, time(&own["HeuristicCacheTime"])?);
    let lifetime = |lifetime| CachePolicy { lifetime, ..CachePolicy::default() };
    if is_on(&config["NoCache"]["Switch"]) {
        return Ok(Some(lifetime(RuleLifetime::Never)));
    }
    if is_on(&follow["Switch"]) {
        let is_own = is_on(&heuristic["Switch"]) && is_on(&own["HeuristicCacheTimeSwitch"]);
        let otherwise_seconds = otherwise.filter(|_| is_own);
        return Ok(Some(lifetime(RuleLifetime::Origin { otherwise_seconds })));
    }
    let Some(seconds) = seconds.filter(|_| cache["Switch"] != "off") else { return Ok(None) };
    let mut policy = timed(seconds, cache);
    if is_on(&cache["IgnoreSetCookie"]) {
        // here it means that such a response is not kept at all
        policy.cookies = Cookies::Refuse;
    }
    Ok(Some(policy))
}

/// A time, with the switches beside it in `of`.
fn timed(seconds: u64, of: &Value) -> CachePolicy {
    let lifetime = match is_on(&of["CompareMaxAge"]) {
        true => RuleLifetime::AtMost(seconds),
        false => RuleLifetime::Exactly(seconds),
    };
    let ignores_cache_control = is_on(&of["IgnoreCacheControl"]);
    CachePolicy { lifetime, ignores_cache_control, cookies: Cookies::Ask }
}

/// The paths of a rule of type `kind`. `name` is the parameter that has the type.
pub(super) fn paths(name: &'static str, kind: &Value, contents: &Value) -> Result<Paths, Rule> {
    let texts = || -> Vec<String> {
        let texts = entries(contents).filter_map(Value::as_str);
        texts.map(|text| utf8_percent_encode(text, UNSAFE).to_string()).collect()
    };
    Ok(match kind.as_str().unwrap_or_default() {
        "all" => Paths::All,
        "file" => {
            let bare = |text: String| text.trim_start_matches(['*', '.']).to_owned();
            Paths::Suffixes(texts().into_iter().map(bare).filter(|text| !text.is_empty()).collect())
        }
        "directory" => Paths::Directories(texts()),
        "path" => Paths::Exact(texts()),
        "index" => Paths::Index,
        other => {
            let expected = &["all", "file", "directory", "path", "index"];
            return Err(Rule::Word { name, given: other.into(), expected });
        }
    })
}

/// `rules` as the setting `Cache`.
pub(super) fn write(rules: &CacheRules) -> Value {
    let follow = |seconds: Option<u64>| {
        let time = seconds.map(|seconds| seconds.min(YEAR));
        let switch = if time.is_some() { "on" } else { "off" };
        let own = json!({ "HeuristicCacheTimeSwitch": switch, "HeuristicCacheTime": time });
        let heuristic = json!({ "Switch": switch, "CacheConfig": own });
        json!({ "FollowOrigin": { "Switch": "on", "HeuristicCache": heuristic } })
    };
    let switch = |is_on: bool| if is_on { "on" } else { "off" };
    let cache = |seconds: u64, compares: bool, policy: CachePolicy| {
        json!({ "Cache": {
            "Switch": "on",
            "CacheTime": seconds,
            "CompareMaxAge": switch(compares),
            "IgnoreCacheControl": switch(policy.ignores_cache_control),
            "IgnoreSetCookie": switch(policy.cookies == Cookies::Refuse),
        } })
    };
    let rule = |paths: &Paths, config: Value| {
        let (kind, texts) = match paths {
            Paths::All => ("all", vec!["*".into()]),
            Paths::Suffixes(texts) => ("file", texts.clone()),
            Paths::Directories(texts) => ("directory", texts.clone()),
            Paths::Exact(texts) => ("path", texts.clone()),
            Paths::Index => ("index", vec!["/".into()]),
        };
        json!({ "RuleType": kind, "RulePaths": texts, "CacheConfig": config })
    };
    let mut entries = vec![rule(&Paths::All, follow(Some(rules.default_lifetime_seconds)))];
    entries.extend(rules.rules.iter().map(|CacheRule { paths, policy }| {
        let config = match policy.lifetime {
            RuleLifetime::Never => json!({ "NoCache": { "Switch": "on" } }),
            RuleLifetime::Origin { otherwise_seconds } => follow(otherwise_seconds),
            RuleLifetime::Exactly(seconds) => cache(seconds, false, *policy),
            RuleLifetime::AtMost(seconds) => cache(seconds, true, *policy),
        };
        rule(paths, config)
    }));
    json!({ "RuleCache": entries })
}

fn time(value: &Value) -> Result<Option<u64>, Rule> {
    if value.is_null() {
        return Ok(None);
    }
    match value.as_u64().filter(|seconds| *seconds <= YEAR) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(Rule::CacheTime),
    }
}

/// Whether a switch is on.
pub(super) fn is_on(value: &Value) -> bool {
    value.as_str() == Some("on")
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(cache: Value) -> Result<CacheRules, String> {
        let settings = json!({ "Cache": cache });
        read(settings.as_object().unwrap()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn the_last_rule_of_the_simple_form_counts_with_its_switches() {
        let rules = read_of(json!({ "SimpleCache": {
            "CacheRules": [
                { "CacheType": "all", "CacheContents": ["*"], "CacheTime": 60 },
                { "CacheType": "file", "CacheContents": [".jpg", "png"], "CacheTime": 600 },
                { "CacheType": "directory", "CacheContents": ["/a b/ü"], "CacheTime": 0 },
            ],
            "CompareMaxAge": "on", "IgnoreCacheControl": "on", "IgnoreSetCookie": "on",
        } }));
        let rules = rules.unwrap();
        let policy = |lifetime| CachePolicy {
            lifetime,
            ignores_cache_control: true,
            cookies: Cookies::Drop,
        };
        for (path, seconds) in
            [("/x.jpg", 600), ("/x.gif", 60), ("/a%20b/%C3%BC/x.jpg", 0), ("/a%20b/x", 60)]
        {
            assert_eq!(rules.policy_for(path), policy(RuleLifetime::AtMost(seconds)), "{path}");
        }
        assert_eq!(rules.default_lifetime_seconds, CacheRules::default().default_lifetime_seconds);
    }

    #[test]
    fn every_mode_of_the_form_by_path_is_read() {
        let rules = read_of(json!({ "RuleCache": [
            { "RuleType": "all", "RulePaths": ["*"], "CacheConfig": {
                "FollowOrigin": { "Switch": "on", "HeuristicCache": { "Switch": "on",
                    "CacheConfig": { "HeuristicCacheTimeSwitch": "on", "HeuristicCacheTime": 5 } } }
            } },
            { "RuleType": "file", "RulePaths": ["php", "jsp"], "CacheConfig": {
                "NoCache": { "Switch": "on" } } },
            { "RuleType": "path", "RulePaths": ["/f/*"], "CacheConfig": {
                "FollowOrigin": { "Switch": "on" }, "Cache": { "Switch": "off", "CacheTime": 3 } } },
            { "RuleType": "index", "RulePaths": ["/"], "CacheConfig": {
                "Cache": { "Switch": "on", "CacheTime": 7, "IgnoreSetCookie": "on" } } },
            { "RuleType": "directory", "RulePaths": ["/off"], "CacheConfig": {
                "Cache": { "Switch": "off", "CacheTime": 3 }, "NoCache": { "Switch": "off" } } },
        ] }));
        let rules = rules.unwrap();
        let followed = RuleLifetime::Origin { otherwise_seconds: Some(5) };
        for (path, lifetime) in [
            ("/a", followed),
            ("/a.php", RuleLifetime::Never),
            ("/f/a.php", followed),
            ("/", RuleLifetime::Exactly(7)),
            ("/off/a", followed),
        ] {
            assert_eq!(rules.policy_for(path).lifetime, lifetime, "{path}");
        }
        assert_eq!(rules.policy_for("/").cookies, Cookies::Refuse);
        assert_eq!((rules.default_lifetime_seconds, rules.rules.len()), (5, 3));
    }

    #[test]
    fn rules_mean_the_same_when_they_are_written_and_read() {
        let written = json!({ "RuleCache": [
            { "RuleType": "file", "RulePaths": ["jpg"], "CacheConfig": {
                "Cache": { "CacheTime": 9, "CompareMaxAge": "on", "IgnoreCacheControl": "on" } } },
            { "RuleType": "directory", "RulePaths": ["/a"], "CacheConfig": {
                "FollowOrigin": { "Switch": "on" } } },
            { "RuleType": "path", "RulePaths": ["/a/b"], "CacheConfig": {
                "Cache": { "CacheTime": 0, "IgnoreSetCookie": "on" } } },
            { "RuleType": "index", "RulePaths": ["/"], "CacheConfig": {
                "NoCache": { "Switch": "on" } } },
        ] });
        let mut rules = read_of(written).unwrap();
        assert_eq!(read_of(write(&rules)), Ok(rules.clone()));
        rules.default_lifetime_seconds = 60;
        assert_eq!(read_of(write(&rules)), Ok(rules));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let simple = |rule: Value| json!({ "SimpleCache": { "CacheRules": [rule] } });
        for cache in [
            simple(json!({ "CacheType": "any", "CacheTime": 1 })),
            simple(json!({ "CacheType": "all", "CacheTime": 31_536_001 })),
            simple(json!({ "CacheType": "all", "CacheTime": "1" })),
            json!({ "RuleCache": [{ "RuleType": "all", "CacheConfig": {
                "Cache": { "CacheTime": -1 } } }] }),
            json!({ "SimpleCache": { "FollowOrigin": "on", "CompareMaxAge": "on" } }),
        ] {
            assert!(read_of(cache.clone()).is_err(), "{cache}");
        }
    }
}

//! Rules of a domain by path: what its cache keeps and for how long.
//!
//! Says what is meant; whether a response may be kept is decided in [`crate::http`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DEFAULT_LIFETIME;
use crate::uri::{normal_encoding, normal_path_and_query};

/// Cache behaviour of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRules {
    /// Freshness lifetime, in seconds, of a 200 response without explicit freshness for which no
    /// rule says another.
    pub default_lifetime_seconds: u64,
    /// Rules for paths; of those that match, the last counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<CacheRule>,
}

impl Default for CacheRules {
    fn default() -> Self {
        Self { default_lifetime_seconds: DEFAULT_LIFETIME.as_secs(), rules: Vec::new() }
    }
}

impl CacheRules {
    /// What holds for `path_and_query`.
    pub fn policy_for(&self, path_and_query: &str) -> CachePolicy {
        let path = path_of(path_and_query);
        let rule = self.rules.iter().rev().find(|rule| rule.paths.matches(path));
        let mut policy = rule.map(|rule| rule.policy).unwrap_or_default();
        if let RuleLifetime::Origin { otherwise_seconds } = &mut policy.lifetime {
            otherwise_seconds.get_or_insert(self.default_lifetime_seconds);
        }
        policy
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRule {
    /// For what.
    pub paths: Paths,
    /// What holds there.
    pub policy: CachePolicy,
}

impl fmt::Display for CacheRule {
    /// As an operator reads it: `*.jpg: 600 s, without cookies`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, texts, after) = match &self.paths {
            Paths::All => ("*", &[][..], ""),
            Paths::Index => ("/", &[][..], ""),
            Paths::Suffixes(texts) => ("*.", &texts[..], ""),
            Paths::Directories(texts) => ("", &texts[..], "/*"),
            Paths::Exact(texts) => ("", &texts[..], ""),
        };
        if texts.is_empty() {
            f.write_str(before)?;
        }
        for (number, text) in texts.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{before}{}{after}", text.trim_end_matches('/'))?;
        }
        match self.policy.lifetime {
            RuleLifetime::Never => f.write_str(": not kept")?,
            RuleLifetime::Origin { otherwise_seconds: None } => {
                f.write_str(": as the origin says")?;
            }
            RuleLifetime::Origin { otherwise_seconds: Some(seconds) } => {
                write!(f, ": as the origin says, else {seconds} s")?;
            }
            RuleLifetime::Exactly(seconds) => write!(f, ": {seconds} s")?,
            RuleLifetime::AtMost(seconds) => {
                write!(f, ": as the origin says, at most {seconds} s")?;
            }
        }
        if self.policy.ignores_cache_control {
            f.write_str(", no-store or not")?;
        }
        f.write_str(match self.policy.cookies {
            Cookies::Ask => "",
            Cookies::Drop => ", without cookies",
            Cookies::Refuse => ", not with cookies",
        })
    }
}

/// What holds for the responses of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CachePolicy {
    /// How long they are fresh.
    pub lifetime: RuleLifetime,
    /// `no-store` and `no-cache` of the origin do not count; `private` does.
    pub ignores_cache_control: bool,
    /// What `Set-Cookie` means.
    pub cookies: Cookies,
}

/// How long responses are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleLifetime {
    /// They are not kept at all.
    Never,
    /// As long as the origin says.
    Origin {
        /// Where it says nothing; absent = the domain's default.
        otherwise_seconds: Option<u64>,
    },
    /// This many seconds, whatever the origin says.
    Exactly(u64),
    /// As long as the origin says and at most this many seconds.
    AtMost(u64),
}

impl Default for RuleLifetime {
    fn default() -> Self {
        Self::Origin { otherwise_seconds: None }
    }
}

/// What `Set-Cookie` means for a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cookies {
    /// It is kept if the origin permits to share it.
    #[default]
    Ask,
    /// It is kept without the cookies.
    Drop,
    /// It is not kept.
    Refuse,
}

/// Which paths a rule is for, in any spelling of [`crate::uri`]. Letters count as they stand, in
/// suffixes in either case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paths {
    /// All.
    All,
    /// Those whose last segment ends with a period and one of these.
    Suffixes(Vec<String>),
    /// Those below one of these.
    Directories(Vec<String>),
    /// These; `*` stands for any text.
    Exact(Vec<String>),
    /// `/`.
    Index,
}

impl Paths {
    /// Whether the rule is for `path`, which is in normal form and has no query.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Suffixes(suffixes) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                suffixes.iter().any(|suffix| has_suffix(name, &normal_encoding(suffix)))
            }
            Self::Directories(directories) => directories.iter().any(|directory| {
                let directory = normal_path_and_query(directory);
                let rest = path.strip_prefix(directory.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.starts_with('/'))
            }),
            Self::Exact(paths) => {
                paths.iter().any(|pattern| is_like(path, &normal_path_and_query(pattern)))
            }
            Self::Index => path == "/",
        }
    }
}

/// The path alone.
pub(super) fn path_of(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or_default()
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
    let Some(start) = name.len().checked_sub(suffix.len()) else { return false };
    name[start..].eq_ignore_ascii_case(suffix) && start > 0 && name[start - 1] == b'.'
}

fn is_like(path: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return path == pattern };
    let Some(mut path) = path.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // the earliest place is as good as any, as everything between may be skipped
    for part in middle.split('*') {
        let Some(at) = path.find(part) else { return false };
        path = &path[at + part.len()..];
    }
    path.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).into()).collect()
    }

    #[test]
    fn a_rule_is_for_what_it_names() {
        let suffixes = Paths::Suffixes(texts(&["jpg", "tar.gz"]));
        let directories = Paths::Directories(texts(&["/a/b", "/c/"]));
        let exact = Paths::Exact(texts(&["/a.html", "/x/*.m3u8", "/y/*/z/*"]));
        for (paths, path, expected) in [
            (&Paths::All, "/", true),
            (&Paths::All, "/a/b.c", true),
            (&suffixes, "/a.jpg", true),
            (&suffixes, "/a.b.JPG", true),
            (&suffixes, "/a.tar.gz", true),
            (&suffixes, "/.jpg", true),
            (&suffixes, "/jpg", false),
            (&suffixes, "/ajpg", false),
            (&suffixes, "/a.jpg/b", false),
            (&suffixes, "/a.gz", false),
            (&directories, "/a/b/c", true),
            (&directories, "/a/b/", true),
            (&directories, "/c/d", true),
            (&directories, "/a/b", false),
            (&directories, "/a/bc", false),
            (&directories, "/A/b/c", false),
            (&exact, "/a.html", true),
            (&exact, "/a.htm", false),
            (&exact, "/x/1/2.m3u8", true),
            (&exact, "/x/.m3u8", true),
            (&exact, "/x/m3u8", false),
            (&exact, "/y/1/z/2", true),
            (&exact, "/y/z/2", false),
            (&Paths::Index, "/", true),
            (&Paths::Index, "/index.html", false),
        ] {
            assert_eq!(paths.matches(path), expected, "{paths:?} {path}");
        }
        assert!(Paths::Directories(texts(&["/"])).matches("/a"));
    }

    #[test]
    fn a_rule_may_spell_its_paths_in_any_way() {
        for paths in [
            Paths::Directories(texts(&["/caf%c3%a9", "/x"])),
            Paths::Directories(texts(&["/caf\u{e9}/"])),
            Paths::Exact(texts(&["/caf%C3%a9/%61.jpg"])),
            Paths::Suffixes(texts(&["j%70g"])),
        ] {
            assert!(paths.matches("/caf%C3%A9/a.jpg"), "{paths:?}");
        }
    }

    #[test]
    fn a_star_does_not_use_a_byte_twice() {
        let paths = Paths::Exact(texts(&["/aa*aa"]));
        assert!(!paths.matches("/aaa") && paths.matches("/aaaa") && paths.matches("/aabaa"));
        let paths = Paths::Exact(texts(&["/a*bb*b"]));
        assert!(!paths.matches("/abb") && paths.matches("/abbb") && paths.matches("/axbbxb"));
    }

    #[test]
    fn the_last_rule_that_matches_counts() {
        let rule = |paths, seconds| CacheRule {
            paths,
            policy: CachePolicy {
                lifetime: RuleLifetime::Exactly(seconds),
                ..CachePolicy::default()
            },
        };
        let mut rules = CacheRules {
            default_lifetime_seconds: 7,
            rules: vec![
                rule(Paths::Suffixes(texts(&["jpg"])), 1),
                rule(Paths::Directories(texts(&["/a"])), 2),
            ],
        };
        let lifetime = |rules: &CacheRules, path| rules.policy_for(path).lifetime;
        let default = RuleLifetime::Origin { otherwise_seconds: Some(7) };
        for (path, expected) in [
            ("/b.jpg?x.png", RuleLifetime::Exactly(1)),
            ("/a/b.jpg", RuleLifetime::Exactly(2)),
            ("/b.png?x.jpg", default),
        ] {
            assert_eq!(lifetime(&rules, path), expected, "{path}");
        }
        rules.rules.push(CacheRule { paths: Paths::All, policy: CachePolicy::default() });
        assert_eq!(lifetime(&rules, "/a/b.jpg"), default);
    }

    #[test]
    fn a_rule_is_a_sentence() {
        let policy = |lifetime| CachePolicy { lifetime, ..CachePolicy::default() };
        let strict = CachePolicy {
            ignores_cache_control: true,
            cookies: Cookies::Drop,
            ..policy(RuleLifetime::Exactly(600))
        };
        for (paths, policy, text) in [
            (Paths::All, CachePolicy::default(), "*: as the origin says"),
            (Paths::Index, policy(RuleLifetime::Never), "/: not kept"),
            (
                Paths::Suffixes(texts(&["jpg", "png"])),
                strict,
                "*.jpg, *.png: 600 s, no-store or not, without cookies",
            ),
            (
                Paths::Directories(texts(&["/a/"])),
                policy(RuleLifetime::AtMost(5)),
                "/a/*: as the origin says, at most 5 s",
            ),
            (
                Paths::Exact(texts(&["/a"])),
                policy(RuleLifetime::Origin { otherwise_seconds: Some(5) }),
                "/a: as the origin says, else 5 s",
            ),
        ] {
            assert_eq!(CacheRule { paths, policy }.to_string(), text);
        }
    }

    #[test]
    fn what_was_stored_before_there_were_rules_is_read() {
        let old = serde_json::from_str::<CacheRules>("{\"default_lifetime_seconds\":60}").unwrap();
        assert_eq!(old, CacheRules { default_lifetime_seconds: 60, rules: Vec::new() });
        assert_eq!(serde_json::to_string(&old).unwrap(), "{\"default_lifetime_seconds\":60}");
    }
}

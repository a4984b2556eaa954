//! What a call touches, spelling by spelling; whole calls are in `tests/api`.

use proptest::prelude::*;
use stoker_domain::{host::bare_host, target::Target};

use super::*;

/// A refusal, for the tables of codes.
pub(crate) fn refusal(kind: Kind, service: &str, codes: [&'static str; 2]) -> Refused {
    Refused {
        kind,
        action: format!("{service}:Action"),
        resource: format!("qcs::{service}::uin/100000000001:domain/www.test.com"),
        codes,
        denied_by: (kind == Kind::Resource).then(|| "statement 1 of policy `p`".into()),
    }
}

fn params(json: &serde_json::Value) -> Params {
    Params::from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn the_hosts_of_a_list_are_those_that_can_be_read_each_once() {
    let urls = serde_json::json!({ "Urls": [
        "http://WWW.Test.com:8080/a", "https://www.test.com./b", "http://u:p@cn.test.com/", 7,
        "cn.test.com/x", "http://sea.test.com/中 文", "", "http://*.test.com/", "http://[::1]:80/",
    ]});
    let found: Vec<String> = peek::hosts(&params(&urls), "Urls").into_iter().collect();
    assert_eq!(found, ["[::1]", "sea.test.com", "www.test.com"]);
    assert!(peek::hosts(&params(&urls), "Paths").is_empty());
}

#[test]
fn a_domain_is_read_as_the_engine_reads_it() {
    for (given, host) in [
        ("WWW.test.com", "www.test.com"),
        ("www.test.com:80", "www.test.com"),
        ("www.test.com.", "www.test.com"),
        // no URL, and no way round the check either
        ("cn.test.com://x", "cn.test.com://x"),
        ("", ""),
    ] {
        let found = peek::domain(&params(&serde_json::json!({ "Domain": given })), "Domain");
        assert_eq!(found.as_deref(), Some(host));
    }
    assert_eq!(peek::domain(&params(&serde_json::json!({ "Domain": 1 })), "Domain"), None);
}

#[test]
fn a_filter_may_name_hosts_and_urls() {
    let named = |value: serde_json::Value| {
        peek::named_hosts(&params(&serde_json::json!({ "Keyword": value })), "Keyword")
    };
    assert_eq!(named("WWW.test.com".into()), ["www.test.com"]);
    assert_eq!(named("http://A.test.com/x".into()), ["a.test.com"]);
    assert_eq!(named(serde_json::json!(["a", "B"])), ["a", "b"]);
    assert!(named("".into()).is_empty() && named("ftp://x/".into()).is_empty());
}

/// Texts that are nearly URLs of a few hosts.
fn urls() -> impl Strategy<Value = String> {
    let scheme = prop_oneof!["http://", "HTTPS://", "https:/", "ftp://", ""];
    let user = prop_oneof![4 => Just(""), 1 => Just("u:p@"), 1 => Just("a@b@")];
    let host = prop_oneof![
        "www[.]test[.]com[.]{0,2}",
        "WWW[.]Test[.]com",
        "[a-c%*_.-]{1,8}",
        "\\[::1\\]",
        "\\PC{0,4}"
    ];
    let port = prop_oneof![3 => Just(""), 1 => Just(":80"), 1 => Just(":"), 1 => Just(":99999")];
    let tail = prop_oneof!["", "/\\PC{0,12}", "[?#][a-z@:/]{0,8}", "[\\\\][a-z.]{1,8}/"];
    (" {0,1}", scheme, user, host, port, tail).prop_map(
        |(blank, scheme, user, host, port, tail)| {
            format!("{blank}{scheme}{user}{host}{port}{tail}")
        },
    )
}

proptest! {
    #[test]
    fn every_url_that_the_engine_takes_has_its_host_looked_at(url in urls(), encode: bool) {
        if let Ok(target) = Target::parse(&url, encode) {
            let found = peek::hosts(&params(&serde_json::json!({ "Urls": [url] })), "Urls");
            prop_assert!(found.contains(&target.host));
        }
    }

    #[test]
    fn every_spelling_of_a_domain_is_one_domain(host in "[A-Za-z0-9.:@/\\[\\]-]{0,16}") {
        let found = peek::domain(&params(&serde_json::json!({ "Domain": host })), "Domain");
        // as the directory of domains looks it up
        prop_assert_eq!(found, Some(bare_host(&host).to_ascii_lowercase()));
    }
}

//! Which forms of an action match which operation.

use stoker_domain::policy::Action;

use crate::table::{WWW, decide, policies, sub_user};

/// Pattern, operation, whether they match.
#[rustfmt::skip]
pub(crate) const MATCHING: &[(&str, &str, bool)] = &[
    ("*", "cdn:PushUrlsCache", true),
    ("*", "teo:CreatePrefetchTask", true),
    ("*:*", "cdn:PushUrlsCache", true),
    ("name/*", "cdn:PushUrlsCache", true),
    ("name/*:*", "cdn:PushUrlsCache", true),
    ("cdn:*", "cdn:PushUrlsCache", true),
    ("cdn:*", "teo:CreatePrefetchTask", false),
    ("cdn:*", "cdnx:PushUrlsCache", false),
    ("name/cdn:*", "cdn:PushUrlsCache", true),
    ("name/cdn:*", "teo:CreatePrefetchTask", false),
    ("cdn:PushUrlsCache", "cdn:PushUrlsCache", true),
    ("cdn:PushUrlsCache", "cdn:PushUrlsCaches", false),
    ("cdn:PushUrlsCache", "cdn:PushUrlsCach", false),
    ("cdn:PushUrlsCache", "teo:PushUrlsCache", false),
    ("name/cdn:PushUrlsCache", "cdn:PushUrlsCache", true),
    ("cdn:pushurlscache", "cdn:PushUrlsCache", true),
    ("CDN:PUSHURLSCACHE", "cdn:PushUrlsCache", true),
    ("cdn:PushUrlsCache", "cdn:pushURLScache", true),
    ("cdn:PushUrlsCache", "CDN:PushUrlsCache", true),
    ("cdn:Describe*", "cdn:DescribePushTasks", true),
    ("cdn:describe*", "cdn:DescribePushTasks", true),
    ("cdn:Describe*", "cdn:Describe", true),
    ("cdn:Describe*", "cdn:PushUrlsCache", false),
    ("cdn:Describe*", "cdn:XDescribe", false),
    ("name/cdn:Describe*", "cdn:DescribePushQuota", true),
    ("cdn:*Push*", "cdn:DescribePushTasks", true),
    ("cdn:*Push*", "cdn:PushUrlsCache", true),
    ("cdn:*Push*", "cdn:CdnPusherV2", true),
    ("cdn:*Push*", "cdn:DescribePurgeTasks", false),
    ("cdn:*Cache", "cdn:PurgePathCache", true),
    ("cdn:*Cache", "cdn:PurgePathCaches", false),
    ("cdn:P*U*Cache", "cdn:PushUrlsCache", true),
    ("cdn:P*U*Cache", "cdn:PurgePathCache", true),
    ("cdn:P*X*Cache", "cdn:PushUrlsCache", false),
    ("c*n:PushUrlsCache", "cdn:PushUrlsCache", true),
    ("*:PushUrlsCache", "cdn:PushUrlsCache", true),
    ("*:Create*", "teo:CreatePrefetchTask", true),
    ("*:Create*", "cdn:PushUrlsCache", false),
    ("permid/280649", "cdn:PushUrlsCache", false),
];

#[test]
fn an_action_matches_by_wildcards_and_without_regard_to_case() {
    for (pattern, operation, expected) in MATCHING {
        let short = format!("allow {pattern} on *");
        let found = decide(&policies(&[&[&short]]), &sub_user(), operation, &[WWW], &[]);
        assert_eq!(found == "allowed 1.1", *expected, "`{pattern}` `{operation}`: {found}");
    }
}

#[test]
fn any_of_several_actions_is_enough() {
    let policies = policies(&[&["allow cdn:Purge*,permid/1,name/cdn:Push* on *"]]);
    let decide = |operation| decide(&policies, &sub_user(), operation, &[WWW], &[]);
    assert_eq!(decide("cdn:PushUrlsCache"), "allowed 1.1");
    assert_eq!(decide("cdn:PurgePathCache"), "allowed 1.1");
    assert_eq!(decide("cdn:DescribePushTasks"), "no match domain/www.test.com");
}

#[test]
fn a_call_names_exactly_one_operation() {
    assert_eq!(
        "name/cdn:PushUrlsCache".parse::<Action>().unwrap().to_string(),
        "cdn:PushUrlsCache"
    );
    for text in ["", "cdn", "cdn:", ":Push", "cdn:*", "*", "cdn:a:b", "permid/1", "cdn:Pu sh"] {
        assert!(text.parse::<Action>().unwrap_err().to_string().contains(text), "{text}");
    }
}

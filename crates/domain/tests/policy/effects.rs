//! Who decides: root, default, allow, deny, several policies, several resources.

use stoker_domain::policy::{Caller, allows_somewhere, denies_somewhere};

use crate::table::{PUSH, WWW, decide, policies, root, sub_user};

const IMG: &str = "qcs::cdn::uin/100000000001:domain/img.test.com";
const FOREIGN: &str = "qcs::cdn::uin/100000000009:domain/www.test.com";

const ALL: &str = "allow * on *";
const ALL_BUT: &str = "deny * on *";
const PUSH_WWW: &str = "allow cdn:Push* on qcs::cdn:::domain/www.test.com";
const PUSH_IMG: &str = "allow cdn:Push* on qcs::cdn:::domain/img.test.com";
const DENY_WWW: &str = "deny cdn:Push* on qcs::cdn:::domain/www.test.com";
const DENY_PURGE: &str = "deny cdn:Purge* on *";
const QUOTA: &str = "cdn:DescribePushQuota";

pub(crate) struct Case {
    name: &'static str,
    policies: &'static [&'static [&'static str]],
    caller: fn() -> Caller,
    action: &'static str,
    resources: &'static [&'static str],
    expected: &'static str,
}

const fn case(
    name: &'static str,
    policies: &'static [&'static [&'static str]],
    resources: &'static [&'static str],
    expected: &'static str,
) -> Case {
    Case { name, policies, caller: sub_user, action: PUSH, resources, expected }
}

const fn by_root(case: Case) -> Case {
    Case { caller: root, ..case }
}

const fn asking(action: &'static str, case: Case) -> Case {
    Case { action, ..case }
}

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    by_root(case("root without policies", &[], &[WWW], "root")),
    by_root(case("root is not denied", &[&[ALL_BUT]], &[WWW], "root")),
    by_root(case("root at operation level", &[&[ALL_BUT]], &[], "root")),
    by_root(case("root with a foreign resource", &[], &[FOREIGN], "root")),

    case("no policy", &[], &[WWW], "no match domain/www.test.com"),
    case("no policy, no resource", &[], &[], "no match"),
    case("allow", &[&[ALL]], &[WWW], "allowed 1.1"),
    case("deny alone", &[&[ALL_BUT]], &[WWW], "denied 1.1 domain/www.test.com"),
    case("other domain allowed", &[&[PUSH_IMG]], &[WWW], "no match domain/www.test.com"),
    case("other action denied", &[&[ALL, DENY_PURGE]], &[WWW], "allowed 1.1"),
    case("other domain denied", &[&[ALL, DENY_WWW]], &[IMG], "allowed 1.1"),
    asking("teo:CreatePrefetchTask",
        case("other service allowed", &[&["allow cdn:* on *"]], &[WWW], "no match domain/www.test.com")),

    case("deny after allow", &[&[ALL, DENY_WWW]], &[WWW], "denied 1.2 domain/www.test.com"),
    case("deny before allow", &[&[DENY_WWW, ALL]], &[WWW], "denied 1.1 domain/www.test.com"),
    case("deny in a later policy", &[&[ALL], &[DENY_WWW]], &[WWW], "denied 2.1 domain/www.test.com"),
    case("deny in an earlier policy", &[&[DENY_WWW], &[ALL]], &[WWW], "denied 1.1 domain/www.test.com"),
    case("deny between allows", &[&[ALL, ALL_BUT, ALL]], &[WWW], "denied 1.2 domain/www.test.com"),
    case("a narrow allow does not beat a wide deny", &[&[ALL_BUT, PUSH_WWW]], &[WWW], "denied 1.1 domain/www.test.com"),
    case("a bundle denies nothing", &[&[ALL, "deny permid/12 on *"]], &[WWW], "allowed 1.1"),
    case("deny whose condition fails", &[&[ALL, r#"deny * on * if {"bool_equal":{"k":true}}"#]], &[WWW], "allowed 1.1"),
    case("allow whose condition fails", &[&[r#"allow * on * if {"bool_equal":{"k":true}}"#]], &[WWW], "no match domain/www.test.com"),

    case("the first of two allows is named", &[&[PUSH_IMG, PUSH_WWW, ALL]], &[WWW], "allowed 1.2"),
    case("the second policy is named", &[&[PUSH_IMG], &[PUSH_WWW]], &[WWW], "allowed 2.1"),
    case("the first of two denies is named", &[&[ALL, DENY_WWW], &[ALL_BUT]], &[WWW], "denied 1.2 domain/www.test.com"),

    case("both resources by one statement", &[&[ALL]], &[WWW, IMG], "allowed 1.1"),
    case("each resource by its own statement", &[&[PUSH_WWW, PUSH_IMG]], &[WWW, IMG], "allowed 1.1"),
    case("each resource by its own policy", &[&[PUSH_WWW], &[PUSH_IMG]], &[IMG, WWW], "allowed 2.1"),
    case("only the first resource", &[&[PUSH_WWW]], &[WWW, IMG], "no match domain/img.test.com"),
    case("only the last resource", &[&[PUSH_IMG]], &[WWW, IMG], "no match domain/www.test.com"),
    case("one resource denied", &[&[ALL, DENY_WWW]], &[IMG, WWW], "denied 1.2 domain/www.test.com"),
    case("a denied one is named before an unmatched one", &[&[DENY_WWW]], &[IMG, WWW], "denied 1.1 domain/www.test.com"),
    case("the first of two denied ones is named", &[&[ALL_BUT]], &[IMG, WWW], "denied 1.1 domain/img.test.com"),
    case("the first unmatched one is named", &[&[PUSH_WWW]], &[WWW, IMG, FOREIGN], "no match domain/img.test.com"),
    case("the same resource twice", &[&[PUSH_WWW]], &[WWW, WWW], "allowed 1.1"),
    case("one of two is foreign", &[&[PUSH_WWW]], &[WWW, FOREIGN], "no match domain/www.test.com"),

    asking(QUOTA, case("operation level, everything", &[&[ALL]], &[], "allowed 1.1")),
    asking(QUOTA, case("operation level, the service on everything", &[&["allow cdn:* on *"]], &[], "allowed 1.1")),
    asking(QUOTA, case("operation level, one domain", &[&["allow cdn:* on qcs::cdn:::domain/www.test.com"]], &[], "no match")),
    asking(QUOTA, case("operation level, denied", &[&[ALL, "deny cdn:Describe* on *"]], &[], "denied 1.2")),
    asking(QUOTA, case("operation level, denied on one domain", &[&[ALL, "deny cdn:* on qcs::cdn:::domain/www.test.com"]], &[], "allowed 1.1")),
];

#[test]
fn every_case_is_decided_by_the_statement_it_names() {
    for Case { name, policies: short, caller, action, resources, expected } in CASES {
        let found = decide(&policies(short), &caller(), action, resources, &[]);
        assert_eq!(&found, expected, "{name}");
    }
}

#[test]
fn an_operation_allowed_elsewhere_differs_from_one_allowed_nowhere() {
    let push = PUSH.parse().unwrap();
    let somewhere = |short| allows_somewhere(&policies(&[short]), &sub_user(), &push);
    assert!(somewhere(&[PUSH_IMG]));
    assert!(somewhere(&[r#"allow * on * if {"bool_equal":{"k":true}}"#]));
    assert!(!somewhere(&[ALL_BUT]));
    assert!(!somewhere(&["allow cdn:Describe* on *"]));
    assert!(allows_somewhere(&policies(&[]), &root(), &push));
}

#[test]
fn a_deny_that_names_the_operation_is_found_wherever_it_applies() {
    let push = PUSH.parse().unwrap();
    let somewhere = |short| denies_somewhere(&policies(&[short]), &sub_user(), &push);
    assert!(somewhere(&[ALL, r#"deny cdn:Push* on qcs::cdn:::domain/gone.test.com"#]));
    assert!(somewhere(&[r#"deny * on * if {"bool_equal":{"k":true}}"#]));
    assert!(!somewhere(&[ALL, "deny cdn:Describe* on *"]));
}

//! Which conditions hold: every operator, prefix and suffix, and their combination.

use std::net::IpAddr;

use serde_json::json;
use stoker_domain::{
    policy::{Call, Context, Resource, evaluate},
    time::Timestamp,
};

use crate::table::{Keys, PUSH, WWW, allows, policies, sub_user};

/// Operator, the policy's values, the call's values, whether it holds.
pub(crate) type Row =
    (&'static str, &'static [&'static str], Option<&'static [&'static str]>, bool);

const ABSENT: Option<&[&str]> = None;
const EMPTY: Option<&[&str]> = Some(&[]);

#[rustfmt::skip]
pub(crate) const OPERATORS: &[Row] = &[
    ("string_equal", &["a"], Some(&["a"]), true),
    ("string_equal", &["a"], Some(&["A"]), false),
    ("string_equal", &["a"], Some(&["aa"]), false),
    ("string_equal", &["a", "b"], Some(&["b"]), true),
    ("string_equal", &["a*"], Some(&["ab"]), false),
    ("string_equal", &["a*"], Some(&["a*"]), true),
    ("string_equal", &[""], Some(&[""]), true),
    ("string_equal", &["部门&研发部"], Some(&["部门&研发部"]), true),
    ("string_equal", &["a"], Some(&["b", "a"]), true),
    ("string_equal", &["a"], ABSENT, false),
    ("string_equal", &["a"], EMPTY, false),
    ("string_equal", &["${uin}"], Some(&["200000000002"]), true),
    ("string_equal", &["${uin}"], Some(&["${uin}"]), false),
    ("string_equal", &["u-${owner_uin}/${app_id}"], Some(&["u-100000000001/1251000001"]), true),
    ("string_equal_if_exist", &["a"], ABSENT, true),
    ("string_equal_if_exist", &["a"], EMPTY, true),
    ("string_equal_if_exist", &["a"], Some(&["a"]), true),
    ("string_equal_if_exist", &["a"], Some(&["b"]), false),
    ("string_not_equal", &["a"], Some(&["b"]), true),
    ("string_not_equal", &["a"], Some(&["a"]), false),
    ("string_not_equal", &["a", "b"], Some(&["b"]), false),
    ("string_not_equal", &["a", "b"], Some(&["c"]), true),
    ("string_not_equal", &["a"], Some(&["b", "a"]), false),
    ("string_not_equal", &["a"], Some(&["b", "c"]), true),
    ("string_not_equal", &["a"], ABSENT, false),
    ("string_not_equal_if_exist", &["a"], ABSENT, true),
    ("string_not_equal_if_exist", &["a"], Some(&["a"]), false),
    ("string_equal_ignore_case", &["aB"], Some(&["Ab"]), true),
    ("string_equal_ignore_case", &["É"], Some(&["é"]), true),
    ("string_equal_ignore_case", &["a"], Some(&["b"]), false),
    ("string_equal_ignore_case", &["a"], ABSENT, false),
    ("string_equal_ignore_case_if_exist", &["a"], ABSENT, true),
    ("string_not_equal_ignore_case", &["a"], Some(&["A"]), false),
    ("string_not_equal_ignore_case", &["a"], Some(&["b"]), true),
    ("string_not_equal_ignore_case", &["a"], ABSENT, false),
    ("string_not_equal_ignore_case_if_exist", &["a"], ABSENT, true),
    ("string_like", &["a*"], Some(&["abc"]), true),
    ("string_like", &["*b*"], Some(&["abc"]), true),
    ("string_like", &["a*"], Some(&["ba"]), false),
    ("string_like", &["A*"], Some(&["abc"]), false),
    ("string_like", &["a?c"], Some(&["abc"]), false),
    ("string_like", &["x", "*"], Some(&["anything"]), true),
    ("string_like", &["${uin}-*"], Some(&["200000000002-x"]), true),
    ("string_like", &["*"], ABSENT, false),
    ("string_like_if_exist", &["x"], ABSENT, true),
    ("string_not_like", &["a*"], Some(&["ba"]), true),
    ("string_not_like", &["a*"], Some(&["ab"]), false),
    ("string_not_like", &["a*", "b*"], Some(&["ba"]), false),
    ("string_not_like", &["a*"], ABSENT, false),
    ("string_not_like_if_exist", &["a*"], ABSENT, true),

    ("numeric_equal", &["10"], Some(&["10"]), true),
    ("numeric_equal", &["10"], Some(&["10.0"]), true),
    ("numeric_equal", &["10"], Some(&["010"]), true),
    ("numeric_equal", &["10"], Some(&["11"]), false),
    ("numeric_equal", &["9007199254740993"], Some(&["9007199254740992"]), false),
    ("numeric_equal", &["10"], Some(&["ten"]), false),
    ("numeric_equal", &["10"], Some(&["inf"]), false),
    ("numeric_equal", &["${app_id}"], Some(&["1251000001"]), true),
    ("numeric_equal", &["10"], ABSENT, false),
    ("numeric_equal_if_exist", &["10"], ABSENT, true),
    ("numeric_not_equal", &["10"], Some(&["11"]), true),
    ("numeric_not_equal", &["10"], Some(&["1e1"]), true),
    ("numeric_not_equal", &["10"], Some(&["10"]), false),
    ("numeric_not_equal", &["10", "11"], Some(&["11"]), false),
    ("numeric_not_equal", &["10"], ABSENT, false),
    ("numeric_not_equal_if_exist", &["10"], ABSENT, true),
    ("numeric_less_than", &["10"], Some(&["9"]), true),
    ("numeric_less_than", &["10"], Some(&["9.99"]), true),
    ("numeric_less_than", &["10"], Some(&["10"]), false),
    ("numeric_less_than", &["10"], Some(&["-11"]), true),
    ("numeric_less_than", &["10"], Some(&["x"]), false),
    ("numeric_less_than", &["5", "10"], Some(&["7"]), true),
    ("numeric_less_than", &["10"], ABSENT, false),
    ("numeric_less_than_if_exist", &["10"], ABSENT, true),
    ("numeric_less_than_equal", &["10"], Some(&["10"]), true),
    ("numeric_less_than_equal", &["10"], Some(&["10.5"]), false),
    ("numeric_less_than_equal", &["10"], ABSENT, false),
    ("numeric_less_than_equal_if_exist", &["10"], ABSENT, true),
    ("numeric_greater_than", &["10"], Some(&["11"]), true),
    ("numeric_greater_than", &["10"], Some(&["9"]), false),
    ("numeric_greater_than", &["10"], Some(&["10"]), false),
    ("numeric_greater_than", &["10"], ABSENT, false),
    ("numeric_greater_than_if_exist", &["10"], ABSENT, true),
    ("numeric_greater_than_equal", &["10"], Some(&["10"]), true),
    ("numeric_greater_than_equal", &["10"], Some(&["9"]), false),
    ("numeric_greater_than_equal", &["10"], ABSENT, false),
    ("numeric_greater_than_equal_if_exist", &["10"], ABSENT, true),

    ("date_equal", &["2022-05-31T00:00:00Z"], Some(&["2022-05-31T00:00:00Z"]), true),
    ("date_equal", &["2022-05-31T08:00:00+08:00"], Some(&["2022-05-31T00:00:00Z"]), true),
    ("date_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:00Z"]), true),
    ("date_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:01Z"]), false),
    ("date_equal", &["2022-05-31"], Some(&["today"]), false),
    ("date_equal", &["2022-05-31"], ABSENT, false),
    ("date_equal_if_exist", &["2022-05-31"], ABSENT, true),
    ("date_not_equal", &["2022-05-31"], Some(&["2022-06-01"]), true),
    ("date_not_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:00Z"]), false),
    ("date_not_equal", &["2022-05-31"], ABSENT, false),
    ("date_not_equal_if_exist", &["2022-05-31"], ABSENT, true),
    ("date_less_than", &["2022-05-31 00:00:00"], Some(&["2022-05-30T23:59:59Z"]), true),
    ("date_less_than", &["2022-05-31 00:00:00"], Some(&["2022-05-31T00:00:00Z"]), false),
    ("date_less_than", &["2022-05-31"], ABSENT, false),
    ("date_less_than_if_exist", &["2022-05-31"], ABSENT, true),
    ("date_less_than_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:00Z"]), true),
    ("date_less_than_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:00.001Z"]), false),
    ("date_less_than_equal", &["2022-05-31"], ABSENT, false),
    ("date_less_than_equal_if_exist", &["2022-05-31"], ABSENT, true),
    ("date_greater_than", &["2022-05-31"], Some(&["2022-05-31T00:00:01Z"]), true),
    ("date_greater_than", &["2022-05-31"], Some(&["2022-05-31T00:00:00Z"]), false),
    ("date_greater_than", &["2022-05-31"], ABSENT, false),
    ("date_greater_than_if_exist", &["2022-05-31"], ABSENT, true),
    ("date_greater_than_equal", &["2022-05-31"], Some(&["2022-05-31T00:00:00Z"]), true),
    ("date_greater_than_equal", &["2022-05-31"], Some(&["2022-05-30T23:59:59Z"]), false),
    ("date_greater_than_equal", &["2022-05-31"], ABSENT, false),
    ("date_greater_than_equal_if_exist", &["2022-05-31"], ABSENT, true),

    ("bool_equal", &["true"], Some(&["true"]), true),
    ("bool_equal", &["true"], Some(&["True"]), true),
    ("bool_equal", &["true"], Some(&["false"]), false),
    ("bool_equal", &["false"], Some(&["false"]), true),
    ("bool_equal", &["true"], Some(&["1"]), false),
    ("bool_equal", &["true"], ABSENT, false),
    ("bool_equal_if_exist", &["true"], ABSENT, true),
    ("binary_equal", &["aGk="], Some(&["aGk="]), true),
    ("binary_equal", &["aGk="], Some(&["aGk"]), true),
    ("binary_equal", &["aGkh"], Some(&["aGkh"]), true),
    ("binary_equal", &["aGkhaGk="], Some(&["aGkhaGk"]), true),
    ("binary_equal", &["aGk="], Some(&["agk="]), false),
    ("binary_equal", &["aGk="], Some(&["h i"]), false),
    ("binary_equal", &["aGk="], ABSENT, false),
    ("binary_equal_if_exist", &["aGk="], ABSENT, true),

    ("ip_equal", &["10.0.0.0/8"], Some(&["10.1.2.3"]), true),
    ("ip_equal", &["10.0.0.0/8"], Some(&["11.1.2.3"]), false),
    ("ip_equal", &["10.0.0.1"], Some(&["10.0.0.1"]), true),
    ("ip_equal", &["10.217.182.3/24", "111.21.33.72/24"], Some(&["111.21.33.1"]), true),
    ("ip_equal", &["10.0.0.0/8"], Some(&["::ffff:10.0.0.1"]), true),
    ("ip_equal", &["2001:db8::/32"], Some(&["2001:db8::5"]), true),
    ("ip_equal", &["2001:db8::/32"], Some(&["10.0.0.1"]), false),
    ("ip_equal", &["0.0.0.0/0"], Some(&["not an address"]), false),
    ("ip_equal", &["0.0.0.0/0"], ABSENT, false),
    ("ip_equal_if_exist", &["10.0.0.0/8"], ABSENT, true),
    ("ip_not_equal", &["10.0.0.0/8"], Some(&["11.1.2.3"]), true),
    ("ip_not_equal", &["10.0.0.0/8"], Some(&["10.1.2.3"]), false),
    ("ip_not_equal", &["10.0.0.0/8", "11.0.0.0/8"], Some(&["11.1.2.3"]), false),
    ("ip_not_equal", &["10.0.0.0/8", "11.0.0.0/8"], Some(&["12.1.2.3"]), true),
    ("ip_not_equal", &["10.0.0.0/8"], ABSENT, false),
    ("ip_not_equal_if_exist", &["10.0.0.0/8"], ABSENT, true),

    ("null_equal", &["true"], ABSENT, true),
    ("null_equal", &["true"], EMPTY, true),
    ("null_equal", &["true"], Some(&[""]), false),
    ("null_equal", &["false"], ABSENT, false),
    ("null_equal", &["false"], Some(&["x"]), true),
    ("null_equal", &["true", "false"], Some(&["x"]), true),

    ("for_any_value:string_equal", &["a", "b"], Some(&["x", "b"]), true),
    ("for_any_value:string_equal", &["a", "b"], Some(&["a", "b", "c"]), true),
    ("for_any_value:string_equal", &["a", "b"], Some(&["x", "y"]), false),
    ("for_any_value:string_equal", &["a"], EMPTY, false),
    ("for_any_value:string_equal", &["a"], ABSENT, false),
    ("for_any_value:string_equal_if_exist", &["a"], EMPTY, true),
    ("for_any_value:string_equal_if_exist", &["a"], ABSENT, true),
    ("for_any_value:string_equal_if_exist", &["a"], Some(&["b"]), false),
    ("for_any_value:string_not_equal", &["a"], Some(&["a", "b"]), true),
    ("for_any_value:string_not_equal", &["a"], Some(&["a", "a"]), false),
    ("for_any_value:string_not_equal", &["a"], EMPTY, false),
    ("for_any_value:string_like", &["a*"], Some(&["b", "ax"]), true),
    ("for_any_value:numeric_greater_than", &["5"], Some(&["1", "6"]), true),
    ("for_any_value:ip_equal", &["10.0.0.0/8"], Some(&["1.1.1.1", "10.0.0.1"]), true),
    ("for_all_value:string_equal", &["a", "b"], Some(&["a", "b"]), true),
    ("for_all_value:string_equal", &["a", "b"], Some(&["b"]), true),
    ("for_all_value:string_equal", &["a", "b"], Some(&["a", "c"]), false),
    ("for_all_value:string_equal", &["a"], EMPTY, false),
    ("for_all_value:string_equal", &["a"], ABSENT, false),
    ("for_all_value:string_equal_if_exist", &["a"], EMPTY, true),
    ("for_all_value:string_equal_if_exist", &["a"], ABSENT, true),
    ("for_all_value:string_equal_if_exist", &["a"], Some(&["a", "b"]), false),
    ("for_all_value:string_not_equal", &["a"], Some(&["b", "c"]), true),
    ("for_all_value:string_not_equal", &["a"], Some(&["b", "a"]), false),
    ("for_all_value:string_like", &["a*", "b*"], Some(&["ax", "bx"]), true),
    ("for_all_value:numeric_less_than", &["5"], Some(&["1", "6"]), false),
    ("for_all_value:ip_not_equal", &["10.0.0.0/8"], Some(&["1.1.1.1", "10.0.0.1"]), false),
    ("for_all_value:date_less_than", &["2030-01-01"], Some(&["2022-01-01", "2029-12-31"]), true),
];

/// Condition, context, whether it holds.
#[rustfmt::skip]
pub(crate) const COMBINED: &[(&str, Keys<'static>, bool)] = &[
    ("{}", &[], true),
    (r#"{"string_equal":{"k":"a","l":"b"}}"#, &[("k", &["a"]), ("l", &["b"])], true),
    (r#"{"string_equal":{"k":"a","l":"b"}}"#, &[("k", &["a"]), ("l", &["c"])], false),
    (r#"{"string_equal":{"k":"a","l":"b"}}"#, &[("k", &["a"])], false),
    (r#"{"string_equal":{"k":"a"},"ip_equal":{"qcs:ip":"10.0.0.0/8"}}"#, &[("k", &["a"]), ("qcs:ip", &["10.0.0.1"])], true),
    (r#"{"string_equal":{"k":"a"},"ip_equal":{"qcs:ip":"10.0.0.0/8"}}"#, &[("k", &["a"]), ("qcs:ip", &["1.0.0.1"])], false),
    (r#"{"string_equal":{"k":"a"},"ip_equal":{"qcs:ip":"10.0.0.0/8"}}"#, &[("k", &["b"]), ("qcs:ip", &["10.0.0.1"])], false),
    (r#"{"string_equal":{"k":["a","b"]},"string_not_equal":{"k":"b"}}"#, &[("k", &["a"])], true),
    (r#"{"string_equal":{"k":["a","b"]},"string_not_equal":{"k":"b"}}"#, &[("k", &["b"])], false),
    (r#"{"string_equal":{"K":"a"}}"#, &[("k", &["a"])], false),
    (r#"{"bool_equal":{"k":true}}"#, &[("k", &["true"])], true),
    (r#"{"null_equal":{"k":true}}"#, &[], true),
    (r#"{"numeric_less_than":{"k":10}}"#, &[("k", &["9"])], true),
    (r#"{"numeric_equal":{"k":[-1,1.5]}}"#, &[("k", &["1.5"])], true),
    (r#"{"string_equal":{"k":7}}"#, &[("k", &["7"])], true),
    (r#"{"ip_equal":{"qcs:ip":"192.168.1.1"},"date_less_than":{"qcs:current_time":"2022-05-31 00:00:00"}}"#,
        &[("qcs:ip", &["192.168.1.1"]), ("qcs:current_time", &["2022-05-30T12:00:00Z"])], true),
    (r#"{"ip_equal":{"qcs:ip":"192.168.1.1"},"date_less_than":{"qcs:current_time":"2022-05-31 00:00:00"}}"#,
        &[("qcs:ip", &["192.168.1.1"]), ("qcs:current_time", &["2022-05-31T12:00:00Z"])], false),
    (r#"{"date_greater_than":{"qcs:current_time":"2022-01-01"},"date_less_than":{"qcs:current_time":"2023-01-01"}}"#,
        &[("qcs:current_time", &["2022-05-31T12:00:00Z"])], true),
    (r#"{"string_equal":{"qcs:uin":"${uin}"}}"#, &[("qcs:uin", &["200000000002"])], true),
    (r#"{"string_not_equal":{"qcs:uin":"${owner_uin}"}}"#, &[("qcs:uin", &["200000000002"])], true),
    (r#"{"for_any_value:string_equal":{"qcs:request_tag":["a&b","c&d"]}}"#, &[("qcs:request_tag", &["a&b", "e&f"])], true),
    (r#"{"for_all_value:string_equal":{"qcs:request_tag":["a&b","c&d"]}}"#, &[("qcs:request_tag", &["a&b", "e&f"])], false),
    (r#"{"for_any_value:string_equal":{"qcs:resource_tag":["game&web"]}}"#, &[("qcs:resource_tag", &["game&web"])], true),
];

/// A condition holds as an allow and as a deny alike.
fn check(condition: &str, keys: Keys<'_>, expected: bool) {
    let told = format!("{condition} {keys:?}");
    assert_eq!(allows(&[&format!("allow * on * if {condition}")], keys), expected, "{told}");
    let deny = format!("deny * on * if {condition}");
    assert_eq!(allows(&["allow * on *", &deny], keys), !expected, "{told}");
}

#[test]
fn every_operator_holds_exactly_when_the_table_says() {
    for (operator, operands, values, expected) in OPERATORS {
        let condition = json!({*operator: {"k": operands}}).to_string();
        match values {
            Some(values) => check(&condition, &[("k", values)], *expected),
            None => check(&condition, &[("other", &["x"])], *expected),
        }
    }
}

#[test]
fn operators_and_keys_are_joined_by_and() {
    for (condition, keys, expected) in COMBINED {
        check(condition, keys, *expected);
    }
}

#[test]
fn every_operator_has_a_positive_a_negative_and_an_absent_row() {
    for (operator, ..) in OPERATORS {
        let bare = operator.rsplit(':').next().unwrap().trim_end_matches("_if_exist");
        let has = |is_absent: bool, holds: bool| {
            let is_such = |row: &&Row| row.2.is_none() == is_absent && row.3 == holds;
            OPERATORS.iter().filter(|row| row.0 == bare).any(|row| is_such(&row))
        };
        assert!(has(false, true) && has(false, false) && has(true, false), "{bare}");
    }
}

#[test]
fn the_context_of_a_call_knows_user_time_and_address() {
    let condition = r#"{
        "string_equal":{"qcs:uin":"${uin}","qcs:owner_uin":"${owner_uin}"},
        "ip_equal":{"qcs:ip":"10.0.0.0/8"},
        "date_equal":{"qcs:current_time":"2022-05-31T00:00:00Z"}}"#;
    let policies = policies(&[&[&format!("allow * on * if {condition}")]]);
    let decide = |now, address: Option<&str>| {
        let address = address.map(|address| address.parse::<IpAddr>().unwrap());
        let context = Context::of_call(&sub_user(), Timestamp::from_seconds(now), address);
        let (action, resource) = (PUSH.parse().unwrap(), WWW.parse().unwrap());
        let call = Call { action: &action, resources: &[resource], context: &context };
        evaluate(&policies, &sub_user(), &call).is_allowed()
    };
    assert!(decide(1_653_955_200, Some("10.1.2.3")));
    assert!(decide(1_653_955_200, Some("::ffff:10.1.2.3")));
    assert!(!decide(1_653_955_201, Some("10.1.2.3")));
    assert!(!decide(1_653_955_200, Some("11.1.2.3")));
    assert!(!decide(1_653_955_200, None));
}

#[test]
fn a_tag_of_one_resource_does_not_speak_for_another() {
    let tagged = r#"allow * on * if {"for_any_value:string_equal":{"qcs:resource_tag":"a&b"}}"#;
    let policies = policies(&[&[tagged]]);
    let resource = |tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_string()).collect();
        WWW.parse::<Resource>().unwrap().with_tags(tags)
    };
    let decide = |resources: &[Resource]| {
        let (action, context) = (PUSH.parse().unwrap(), Context::default());
        let call = Call { action: &action, resources, context: &context };
        evaluate(&policies, &sub_user(), &call).is_allowed()
    };
    assert!(decide(&[resource(&["a&b", "c&d"])]));
    assert!(decide(&[resource(&["a&b"]), resource(&["x&y", "a&b"])]));
    assert!(!decide(&[resource(&["a&b"]), resource(&["c&d"])]));
    assert!(!decide(&[resource(&["a&b"]), resource(&[])]));
}

#[test]
fn tags_that_a_call_gives_count_beside_those_that_the_resource_has() {
    let holds = |key: &str, value: &str, resource: &[&str], request: &[&str]| {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_string()).collect();
        let condition = format!(r#"{{"for_any_value:string_equal":{{"{key}":"{value}"}}}}"#);
        let policies = policies(&[&[&format!("allow * on * if {condition}")]]);
        let resource = WWW.parse::<Resource>().unwrap().with_tags(tags(resource));
        let context = Context::default().with_request_tags(tags(request));
        let action = PUSH.parse().unwrap();
        let call = Call { action: &action, resources: &[resource], context: &context };
        evaluate(&policies, &sub_user(), &call).is_allowed()
    };
    let (has, gives) = (&["a&b"][..], &["c&d"][..]);
    assert!(holds("qcs:resource_tag", "a&b", has, gives));
    assert!(!holds("qcs:resource_tag", "c&d", has, gives));
    assert!(holds("qcs:request_tag", "c&d", has, gives));
    assert!(!holds("qcs:request_tag", "a&b", has, gives));
    assert!(holds("qcs:tag", "a&b", has, gives) && holds("qcs:tag", "c&d", has, gives));
    assert!(holds("qcs:tag", "c&d", &[], gives));
}

//! What holds for any policy and any call.

use std::ops::Range;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use stoker_domain::policy::{
    Action, Call, Caller, Context, Decision, Document, Policy, Resource, evaluate,
};

use crate::table::{policy, root, sub_user};

const ACTIONS: &[&str] =
    &["*", "cdn:*", "name/cdn:Push*", "cdn:pushurlscache", "teo:*", "cdn:Describe*", "permid/7"];
const RESOURCES: &[&str] = &[
    "*",
    "qcs::cdn:::domain/*",
    "qcs::cdn:::domain/a.com",
    "qcs::cdn::uin/${owner_uin}:domain/b.com",
    "qcs::cdn::uin/9:domain/*",
    "qcs::*:::*${uin}*",
];
const CONDITIONS: &[&str] = &[
    "{}",
    r#"{"ip_equal":{"qcs:ip":"10.0.0.0/8"}}"#,
    r#"{"ip_not_equal_if_exist":{"qcs:ip":"10.0.0.0/8"}}"#,
    r#"{"string_equal":{"k":["a","b"]}}"#,
    r#"{"for_all_value:string_not_equal":{"k":"a"}}"#,
    r#"{"null_equal":{"k":true}}"#,
];

fn statements(effects: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let lists = (vec(select(ACTIONS), 1..3), vec(select(RESOURCES), 1..3));
    (select(effects), lists, select(CONDITIONS)).prop_map(
        |(effect, (actions, resources), condition)| {
            let condition: Value = serde_json::from_str(condition).expect("JSON");
            json!({"effect": effect, "action": actions, "resource": resources, "condition": condition})
        },
    )
}

fn any_statements() -> impl Strategy<Value = Vec<Value>> {
    vec(statements(&["allow", "allow", "allow", "deny"]), 1..6)
}

#[derive(Clone, Debug)]
struct Asked {
    caller: Caller,
    action: Action,
    resources: Vec<Resource>,
    context: Context,
}

fn calls() -> impl Strategy<Value = Asked> {
    calls_for(0..4)
}

fn calls_for(resources: Range<usize>) -> impl Strategy<Value = Asked> {
    let names = select(&["a.com", "b.com", "200000000002.com"][..]);
    let owner = select(&["100000000001", "9"][..]);
    let resources = vec(
        (owner, names).prop_map(|(o, n)| Resource::new("cdn", o, &format!("domain/{n}"))),
        resources,
    );
    let action =
        select(&["cdn:PushUrlsCache", "cdn:DescribePushTasks", "teo:CreatePrefetchTask"][..]);
    let keys = (vec(select(&["a", "b", "c"][..]), 0..3), select(&["10.1.1.1", "9.9.9.9", ""][..]));
    (0..12_u8, action, resources, keys).prop_map(|(root_in_twelve, action, resources, keys)| {
        let mut context = Context::default();
        context.set("k", keys.0.into_iter().map(String::from));
        context.set("qcs:ip", Some(keys.1.to_string()).filter(|address| !address.is_empty()));
        let caller = if root_in_twelve == 0 { root() } else { sub_user() };
        Asked { caller, action: action.parse().expect("an action"), resources, context }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Allowed,
    Denied,
    NoMatch,
}

fn decide(policies: &[Policy], asked: &Asked) -> Kind {
    let call = Call { action: &asked.action, resources: &asked.resources, context: &asked.context };
    match evaluate(policies, &asked.caller, &call) {
        Decision::Root | Decision::Allowed { .. } => Kind::Allowed,
        Decision::Denied { .. } => Kind::Denied,
        Decision::NoMatch { .. } => Kind::NoMatch,
    }
}

fn one(statements: &[Value]) -> Vec<Policy> {
    vec![policy("p", statements)]
}

/// Any JSON, with the words of policies in likely and unlikely places.
fn json_values() -> impl Strategy<Value = Value> {
    let words = select(
        &[
            "version",
            "2.0",
            "statement",
            "effect",
            "allow",
            "deny",
            "action",
            "resource",
            "condition",
            "*",
            "cdn:*",
            "qcs::cdn:::a",
            "${uin}",
            "${",
            "string_like",
            "ip_equal",
            "for_all_value:date_less_than_if_exist",
            "10.0.0.0/8",
            "2022-05-31",
            "permid/1",
            "",
        ][..],
    );
    let text = prop_oneof![words.prop_map(String::from), "\\PC{0,12}"];
    let leaf = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let entries = vec((text.clone(), inner.clone()), 0..6);
        let object =
            entries.prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>()));
        prop_oneof![vec(inner, 0..6).prop_map(Value::from), object]
    })
}

/// Reads a document and, if it is one, decides with it.
fn exercise(text: &str) {
    if let Ok(document) = Document::parse(text, serde_json::from_str) {
        let policies = [Policy { name: "p".into(), document }];
        let mut context = Context::default();
        context.set("k", ["a".to_string(), "中\0".to_string()]);
        let resources = vec![Resource::new("cdn", "100000000001", "domain/中.com")];
        let action = "cdn:PushUrlsCache".parse().expect("an action");
        decide(&policies, &Asked { caller: sub_user(), action, resources, context });
    }
}

proptest! {
    #[test]
    fn the_order_of_statements_is_irrelevant(
        (before, after) in any_statements().prop_flat_map(|all| {
            (Just(all.clone()), Just(all).prop_shuffle())
        }),
        asked in calls(),
    ) {
        prop_assert_eq!(decide(&one(&before), &asked), decide(&one(&after), &asked));
    }

    #[test]
    fn the_division_into_policies_and_their_order_are_irrelevant(
        (before, after) in any_statements().prop_flat_map(|all| {
            (Just(all.clone()), Just(all).prop_shuffle())
        }),
        asked in calls(),
    ) {
        let apart: Vec<_> =
            after.into_iter().map(|statement| policy("p", &[statement])).collect();
        prop_assert_eq!(decide(&one(&before), &asked), decide(&apart, &asked));
    }

    #[test]
    fn one_more_allow_takes_nothing_away(
        mut statements in any_statements(), more in statements(&["allow"]), asked in calls(),
    ) {
        let before = decide(&one(&statements), &asked);
        statements.push(more);
        let after = decide(&one(&statements), &asked);
        prop_assert!(before == after || (before, after) == (Kind::NoMatch, Kind::Allowed));
    }

    #[test]
    fn one_more_deny_grants_nothing(
        mut statements in any_statements(), more in statements(&["deny"]), asked in calls(),
    ) {
        let before = decide(&one(&statements), &asked);
        statements.push(more);
        let after = decide(&one(&statements), &asked);
        prop_assert!(before == after || after == Kind::Denied);
    }

    #[test]
    fn a_call_is_allowed_exactly_when_it_is_for_each_resource(
        statements in any_statements(), asked in calls_for(1..4),
    ) {
        let policies = one(&statements);
        let each = asked.resources.iter().all(|resource| {
            let alone = Asked { resources: vec![resource.clone()], ..asked.clone() };
            decide(&policies, &alone) == Kind::Allowed
        });
        prop_assert_eq!(decide(&policies, &asked) == Kind::Allowed, each);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_json_makes_the_parser_panic(value in json_values()) {
        exercise(&value.to_string());
    }

    #[test]
    fn no_statement_or_condition_makes_the_evaluator_panic(
        action in "[*:a-z/]{0,8}|cdn:\\PC{0,6}", resource in "\\*|qcs:(:|[a-z*/{}$]){3,9}",
        operator in "(for_(all|any)_value:)?(string_like|string_equal|numeric_equal|date_equal|ip_equal|binary_equal)(_if_exist)?",
        operand in "[0-9TZ:./*=+${}a-e-]{0,12}", whole in json_values(),
    ) {
        let statement = json!({"effect": "allow", "action": action, "resource": resource});
        exercise(&json!({"version": "2.0", "statement": statement}).to_string());
        let mut statement = json!({"effect": "allow", "action": "*", "resource": "*"});
        statement["condition"] = json!({operator: {"k": operand}});
        exercise(&json!({"version": "2.0", "statement": statement}).to_string());
        statement["condition"] = whole;
        exercise(&json!({"version": "2.0", "statement": statement}).to_string());
    }
}

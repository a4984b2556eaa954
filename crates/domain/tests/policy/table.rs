//! A short language for policies and decisions, in which the tables are written.

use serde_json::{Value, json};
use stoker_domain::policy::{
    Action, Call, Caller, Context, Decision, Document, Policy, Resource, evaluate,
};

/// The push of URLs, as every table's call unless it says otherwise.
pub(crate) const PUSH: &str = "cdn:PushUrlsCache";

/// The domain that every table's call touches unless it says otherwise.
pub(crate) const WWW: &str = "qcs::cdn::uin/100000000001:domain/www.test.com";

/// Keys of the context with their values.
pub(crate) type Keys<'a> = &'a [(&'a str, &'a [&'a str])];

pub(crate) fn root() -> Caller {
    Caller { uin: "100000000001".into(), ..sub_user() }
}

pub(crate) fn sub_user() -> Caller {
    Caller { uin: "200000000002".into(), owner_uin: "100000000001".into(), app_id: 1_251_000_001 }
}

/// Turns `EFFECT ACTION,... on RESOURCE,... [if CONDITION]` into a statement.
pub(crate) fn statement(short: &str) -> Value {
    let (effect, rest) = short.split_once(' ').expect("an effect");
    let (actions, rest) = rest.split_once(" on ").expect("a resource");
    let (resources, condition) = match rest.split_once(" if ") {
        Some((resources, condition)) => (resources, Some(condition)),
        None => (rest, None),
    };
    let list = |text: &str| text.split(',').map(Value::from).collect::<Vec<_>>();
    let mut statement =
        json!({"effect": effect, "action": list(actions), "resource": list(resources)});
    if let Some(condition) = condition {
        statement["condition"] = serde_json::from_str(condition).expect("a condition in JSON");
    }
    statement
}

/// A policy of these statements.
pub(crate) fn policy(name: &str, statements: &[Value]) -> Policy {
    let text = json!({"version": "2.0", "statement": statements}).to_string();
    let document = Document::parse(&text, serde_json::from_str)
        .map_err(|error| format!("{error}: {text}"))
        .expect("a policy");
    Policy { name: name.into(), document }
}

/// Policies named `1`, `2`... of statements in the short language.
pub(crate) fn policies(short: &[&[&str]]) -> Vec<Policy> {
    let numbered = short.iter().zip(1..);
    numbered
        .map(|(statements, number)| {
            let statements: Vec<_> = statements.iter().map(|short| statement(short)).collect();
            policy(&number.to_string(), &statements)
        })
        .collect()
}

pub(crate) fn context(keys: Keys<'_>) -> Context {
    let mut context = Context::default();
    for (key, values) in keys {
        context.set(key, values.iter().map(|value| (*value).to_string()));
    }
    context
}

/// The decision, as `root`, `allowed POLICY.STATEMENT`, `denied POLICY.STATEMENT [RESOURCE]` or
/// `no match [RESOURCE]`. A resource is given by its last segment.
pub(crate) fn decide(
    policies: &[Policy],
    caller: &Caller,
    action: &str,
    resources: &[&str],
    keys: Keys<'_>,
) -> String {
    let action: Action = action.parse().expect("an action");
    let resources: Vec<Resource> =
        resources.iter().map(|resource| resource.parse().expect("a resource")).collect();
    let context = context(keys);
    let call = Call { action: &action, resources: &resources, context: &context };
    let named = |resource: Option<&Resource>| {
        resource.map_or_else(String::new, |resource| {
            let text = resource.to_string();
            format!(" {}", text.rsplit_once(':').expect("segments").1)
        })
    };
    match evaluate(policies, caller, &call) {
        Decision::Root => "root".into(),
        Decision::Allowed { policy, statement } => format!("allowed {policy}.{statement}"),
        Decision::Denied { policy, statement, resource } => {
            format!("denied {policy}.{statement}{}", named(resource))
        }
        Decision::NoMatch { resource } => format!("no match{}", named(resource)),
    }
}

/// Whether these statements, as one policy, allow the sub-user's push to [`WWW`].
pub(crate) fn allows(statements: &[&str], keys: Keys<'_>) -> bool {
    decide(&policies(&[statements]), &sub_user(), PUSH, &[WWW], keys).starts_with("allowed")
}

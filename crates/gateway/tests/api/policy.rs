//! Policy documents in one line.

use serde_json::{Value, json};

/// The resource of a domain of the owner.
pub(crate) fn domain(host: &str) -> String {
    format!("qcs::cdn::uin/100000000001:domain/{host}")
}

/// The resource of a zone of the owner.
pub(crate) fn zone(id: &str) -> String {
    format!("qcs::teo::uin/100000000001:zone/{id}")
}

pub(crate) fn allow(action: &str, resource: &str) -> String {
    document("allow", action, resource, &json!({}))
}

pub(crate) fn deny(action: &str, resource: &str) -> String {
    document("deny", action, resource, &json!({}))
}

/// A document of one statement.
pub(crate) fn document(effect: &str, action: &str, resource: &str, condition: &Value) -> String {
    let mut statement = json!({ "effect": effect, "action": action, "resource": resource });
    if condition.as_object().is_some_and(|condition| !condition.is_empty()) {
        statement["condition"] = condition.clone();
    }
    json!({ "version": "2.0", "statement": [statement] }).to_string()
}

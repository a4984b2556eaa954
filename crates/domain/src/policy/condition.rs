//! Conditions: what a statement asks of the call besides action and resource, and the context in
//! which a call answers.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    caller::Caller,
    date,
    draft::Node,
    error::Problem,
    operator::{Comparison, Operator, Qualifier},
    pattern::{Pattern, Template},
    resource::Resource,
};
use crate::time::Timestamp;

/// What is known of a call, by condition key. Keys regard case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// The keys that every call has: `qcs:uin`, `qcs:owner_uin`, `qcs:current_time` and, where the
    /// client's address is known, `qcs:ip`.
    pub fn of_call(caller: &Caller, now: Timestamp, address: Option<IpAddr>) -> Self {
        let mut context = Self::default();
        context.set("qcs:uin", [caller.uin.clone()]);
        context.set("qcs:owner_uin", [caller.owner_uin.clone()]);
        context.set("qcs:current_time", [date::format(now)]);
        context.set("qcs:ip", address.map(|address| address.to_canonical().to_string()));
        context
    }

    /// Sets `qcs:request_tag` to the tags, as `key&value`, that the call gives to something. They
    /// count for `qcs:tag` too, beside those that the resource has already.
    pub fn with_request_tags(mut self, tags: Vec<String>) -> Self {
        self.set("qcs:tag", tags.clone());
        self.set("qcs:request_tag", tags);
        self
    }

    /// Sets a key to its values, in place of those it had. Without values the key is absent.
    pub fn set(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        self.0.insert(key.into(), values.into_iter().collect());
    }

    fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// All clauses of a statement's condition; every one must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition(Vec<Clause>);

/// One operator on one key.
#[derive(Clone, Debug)]
struct Clause {
    operator: Operator,
    key: String,
    operands: Vec<Operand>,
}

#[derive(Clone, Debug)]
enum Operand {
    Value(Template),
    Pattern(Pattern),
}

impl Condition {
    pub(super) fn read(node: &Node) -> Result<Self, Problem> {
        let Node::Object(operators) = node else { return Err(Problem::ConditionType) };
        let mut clauses = Vec::new();
        for (index, (name, keys)) in operators.iter().enumerate() {
            let operator = Operator::parse(name).ok_or_else(|| Problem::Operator(name.clone()))?;
            let Node::Object(keys) = keys else { return Err(Problem::OperatorType(name.clone())) };
            if keys.is_empty() {
                return Err(Problem::OperatorType(name.clone()));
            }
            if operators[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::RepeatedKey(name.clone()));
            }
            for (index, (key, values)) in keys.iter().enumerate() {
                if keys[..index].iter().any(|(earlier, _)| earlier == key) {
                    return Err(Problem::RepeatedKey(key.clone()));
                }
                let operands = read_operands(name, operator, key, values)?;
                clauses.push(Clause { operator, key: key.clone(), operands });
            }
        }
        Ok(Self(clauses))
    }

    pub(super) fn holds(
        &self,
        caller: &Caller,
        resource: Option<&Resource>,
        context: &Context,
    ) -> bool {
        let tags = resource.map(Resource::tags).unwrap_or_default();
        self.0.iter().all(|clause| {
            let given = context.values(&clause.key);
            match clause.key.as_str() {
                "qcs:resource_tag" if !tags.is_empty() => clause.holds(tags, caller),
                "qcs:tag" => clause.holds(&[tags, given].concat(), caller),
                _ => clause.holds(given, caller),
            }
        })
    }
}

fn read_operands(
    name: &str,
    operator: Operator,
    key: &str,
    values: &Node,
) -> Result<Vec<Operand>, Problem> {
    let values = match values {
        Node::List(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let problem = || Problem::ConditionValues { operator: name.into(), key: key.into() };
    if values.is_empty() || key.is_empty() {
        return Err(problem());
    }
    let operands = values.iter().map(|value| match value {
        Node::Text(text) | Node::Scalar(text) => read_operand(name, operator.comparison, text),
        _ => Err(problem()),
    });
    operands.collect()
}

fn read_operand(name: &str, comparison: Comparison, text: &str) -> Result<Operand, Problem> {
    if comparison == Comparison::Like {
        return Ok(Operand::Pattern(Pattern::parse(text)?));
    }
    let value = Template::parse(text)?;
    match value.literal().and_then(|literal| comparison.objection(literal)) {
        Some(expected) => {
            Err(Problem::ConditionValue { operator: name.into(), value: text.into(), expected })
        }
        None => Ok(Operand::Value(value)),
    }
}

impl Clause {
    fn holds(&self, values: &[String], caller: &Caller) -> bool {
        let Operator { comparison, is_negated, qualifier, is_if_exist } = self.operator;
        let is_among =
            |value: &str| self.operands.iter().any(|it| it.matches(comparison, value, caller));
        if comparison == Comparison::Null {
            return is_among(if values.is_empty() { "true" } else { "false" });
        }
        if values.is_empty() {
            return is_if_exist;
        }
        let mut values = values.iter();
        match qualifier {
            Some(Qualifier::All) => values.all(|value| is_among(value) != is_negated),
            Some(Qualifier::Any) => values.any(|value| is_among(value) != is_negated),
            None => values.any(|value| is_among(value)) != is_negated,
        }
    }
}

impl Operand {
    fn matches(&self, comparison: Comparison, value: &str, caller: &Caller) -> bool {
        match self {
            Self::Value(operand) => comparison.holds(value, &operand.resolve(caller)),
            Self::Pattern(pattern) => pattern.matches(value, caller),
        }
    }
}

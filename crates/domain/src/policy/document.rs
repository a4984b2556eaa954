//! A policy document: its statements, read and checked as a whole.
//!
//! What is accepted here is known to be evaluable: every pattern, operator and value was read.

use std::error;

use super::{
    action::ActionPattern,
    condition::Condition,
    draft::{Draft, Node},
    error::{Error, MAX_LENGTH, Problem},
    resource::ResourcePattern,
};

/// What a statement that applies does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Grants it, unless another statement denies it.
    Allow,
    /// Refuses it, whatever other statements say.
    Deny,
}

/// A policy document, checked.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) actions: Vec<ActionPattern>,
    pub(super) resources: Vec<ResourcePattern>,
    pub(super) condition: Condition,
}

impl Document {
    /// Reads a document with the caller's parser: `Document::parse(text, serde_json::from_str)`.
    ///
    /// # Errors
    /// The first rule that is broken, with its place.
    pub fn parse<'a, E>(
        text: &'a str,
        read: impl FnOnce(&'a str) -> Result<Draft, E>,
    ) -> Result<Self, Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let length = text.chars().filter(|character| !character.is_whitespace()).count();
        if length > MAX_LENGTH {
            return Err(Error::TooLong(length));
        }
        let Draft(node) = read(text).map_err(|error| Error::Syntax(error.into()))?;
        let Node::Object(entries) = node else { return Err(Error::NotAnObject) };
        let [mut version, mut statement] = [None, None];
        for (key, value) in &entries {
            let place = match key.as_str() {
                "version" => &mut version,
                "statement" => &mut statement,
                _ => return Err(Error::UnknownKey(key.clone())),
            };
            if place.replace(value).is_some() {
                return Err(Error::RepeatedKey(key.clone()));
            }
        }
        match version.ok_or(Error::Missing("version"))? {
            Node::Text(version) if version == "2.0" => {}
            _ => return Err(Error::Version),
        }
        let statements = match statement.ok_or(Error::Missing("statement"))? {
            Node::List(list) if list.is_empty() => return Err(Error::NoStatement),
            Node::List(list) => list.as_slice(),
            single @ Node::Object(_) => std::slice::from_ref(single),
            _ => return Err(Error::StatementType),
        };
        let statements = statements.iter().enumerate().map(|(index, node)| {
            Statement::read(node).map_err(|problem| Error::Statement { number: index + 1, problem })
        });
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }
}

impl Statement {
    fn read(node: &Node) -> Result<Self, Problem> {
        let Node::Object(entries) = node else { return Err(Problem::NotAnObject) };
        let [mut effect, mut action, mut resource, mut condition] = [None; 4];
        for (key, value) in entries {
            let place = match key.as_str() {
                "effect" => &mut effect,
                "action" => &mut action,
                "resource" => &mut resource,
                "condition" => &mut condition,
                "principal" => return Err(Problem::Principal),
                _ => return Err(Problem::UnknownKey(key.clone())),
            };
            if place.replace(value).is_some() {
                return Err(Problem::RepeatedKey(key.clone()));
            }
        }
        Ok(Self {
            effect: read_effect(effect.ok_or(Problem::Missing("effect"))?)?,
            actions: read_list("action", action, ActionPattern::parse)?,
            resources: read_list("resource", resource, ResourcePattern::parse)?,
            condition: condition.map(Condition::read).transpose()?.unwrap_or_default(),
        })
    }
}

fn read_effect(node: &Node) -> Result<Effect, Problem> {
    let Node::Text(word) = node else { return Err(Problem::EffectType) };
    match word.as_str() {
        "allow" => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        _ => Err(Problem::Effect(word.clone())),
    }
}

fn read_list<T>(
    key: &'static str,
    node: Option<&Node>,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let nodes = match node.ok_or(Problem::Missing(key))? {
        Node::List(list) if list.is_empty() => return Err(Problem::Empty(key)),
        Node::List(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    let items = nodes.iter().map(|node| match node {
        Node::Text(text) => read(text),
        _ => Err(Problem::NotStrings(key)),
    });
    items.collect()
}

//! Actions: the operation that a call asks for, and the forms in which a statement names some.

use std::{fmt, str::FromStr};

use super::{caller::Caller, error::Problem, pattern::Pattern};

/// The operation that a call asks for, such as `cdn:PushUrlsCache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The service, such as `cdn`.
    pub service: String,
    /// The operation's name.
    pub name: String,
}

/// A text that does not name one operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("action `{0}` is not of the form `service:name`")]
pub struct NotAnAction(pub String);

impl FromStr for Action {
    type Err = NotAnAction;

    fn from_str(text: &str) -> Result<Self, NotAnAction> {
        let bare = text.strip_prefix("name/").unwrap_or(text);
        match bare.split_once(':') {
            Some((service, name)) if is_name(service) && is_name(name) => {
                Ok(Self { service: service.into(), name: name.into() })
            }
            _ => Err(NotAnAction(text.into())),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}

/// The operations that a statement names.
#[derive(Clone, Debug)]
pub(super) enum ActionPattern {
    /// Those whose service and name match.
    Named { service: Pattern, name: Pattern },
    /// A predefined bundle. Stoker has none: nothing is in it.
    Bundle,
}

impl ActionPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let problem = || Problem::Action(text.into());
        if let Some(number) = text.strip_prefix("permid/") {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            return if is_number { Ok(Self::Bundle) } else { Err(problem()) };
        }
        let (service, name) = match text.strip_prefix("name/").unwrap_or(text) {
            "*" => ("*", "*"),
            bare => bare.split_once(':').ok_or_else(problem)?,
        };
        let is_pattern = |text: &str| is_name(&text.replace('*', "x"));
        if !is_pattern(service) || !is_pattern(name) {
            return Err(problem());
        }
        Ok(Self::Named {
            service: Pattern::parse_lower_case(service)?,
            name: Pattern::parse_lower_case(name)?,
        })
    }

    /// Whether the operation is among them; `lower` must be in lower case.
    pub(super) fn matches(&self, lower: &Action, caller: &Caller) -> bool {
        match self {
            Self::Named { service, name } => {
                service.matches(&lower.service, caller) && name.matches(&lower.name, caller)
            }
            Self::Bundle => false,
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && text.bytes().all(is_letter)
}

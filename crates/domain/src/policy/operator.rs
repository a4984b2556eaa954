//! Condition operators: their names, and what one value has to be beside another.

use std::{cmp::Ordering, net::IpAddr};

use super::{date, network::Network};

/// What an operator compares, before negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Text,
    TextIgnoringCase,
    Like,
    Number(Relation),
    Date(Relation),
    Bool,
    Binary,
    Ip,
    /// Whether the key is absent at all.
    Null,
}

/// How the call's value stands to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Which of a key's values must satisfy the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    All,
    Any,
}

/// A condition operator with its prefix and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) comparison: Comparison,
    pub(super) is_negated: bool,
    pub(super) qualifier: Option<Qualifier>,
    /// Whether it holds when the key is absent.
    pub(super) is_if_exist: bool,
}

impl Operator {
    /// Reads an operator's name. `null_equal` takes neither prefix nor suffix.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (qualifier, name) = if let Some(name) = name.strip_prefix("for_all_value:") {
            (Some(Qualifier::All), name)
        } else if let Some(name) = name.strip_prefix("for_any_value:") {
            (Some(Qualifier::Any), name)
        } else {
            (None, name)
        };
        let (name, is_if_exist) = match name.strip_suffix("_if_exist") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (comparison, is_negated) = comparison(name)?;
        let is_bare = qualifier.is_none() && !is_if_exist;
        (comparison != Comparison::Null || is_bare).then_some(Self {
            comparison,
            is_negated,
            qualifier,
            is_if_exist,
        })
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    let ordered = |suffix, comparison: fn(Relation) -> Comparison| {
        relation(suffix).map(|(relation, is_negated)| (comparison(relation), is_negated))
    };
    Some(match name {
        "string_equal" => (Comparison::Text, false),
        "string_not_equal" => (Comparison::Text, true),
        "string_equal_ignore_case" => (Comparison::TextIgnoringCase, false),
        "string_not_equal_ignore_case" => (Comparison::TextIgnoringCase, true),
        "string_like" => (Comparison::Like, false),
        "string_not_like" => (Comparison::Like, true),
        "bool_equal" => (Comparison::Bool, false),
        "binary_equal" => (Comparison::Binary, false),
        "ip_equal" => (Comparison::Ip, false),
        "ip_not_equal" => (Comparison::Ip, true),
        "null_equal" => (Comparison::Null, false),
        _ => match name.split_once('_')? {
            ("numeric", suffix) => ordered(suffix, Comparison::Number)?,
            ("date", suffix) => ordered(suffix, Comparison::Date)?,
            _ => return None,
        },
    })
}

fn relation(suffix: &str) -> Option<(Relation, bool)> {
    Some(match suffix {
        "equal" => (Relation::Equal, false),
        "not_equal" => (Relation::Equal, true),
        "less_than" => (Relation::Less, false),
        "less_than_equal" => (Relation::LessOrEqual, false),
        "greater_than" => (Relation::Greater, false),
        "greater_than_equal" => (Relation::GreaterOrEqual, false),
        _ => return None,
    })
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Comparison {
    /// What a policy's value must be, as shown to a person; `None` when `operand` is that.
    pub(super) fn objection(self, operand: &str) -> Option<&'static str> {
        let (is_readable, expected) = match self {
            Self::Text | Self::TextIgnoringCase | Self::Like => return None,
            Self::Number(_) => (Number::parse(operand).is_some(), "a decimal number"),
            Self::Date(_) => {
                (date::parse(operand).is_some(), "a moment such as `2030-01-31T00:00:00Z`")
            }
            Self::Bool | Self::Null => (truth(operand).is_some(), "`true` or `false`"),
            Self::Binary => (base64(operand).is_some(), "Base64"),
            Self::Ip => {
                (Network::parse(operand).is_some(), "an IP address or a block such as `10.0.0.0/8`")
            }
        };
        (!is_readable).then_some(expected)
    }

    /// Whether the call's `value` stands to the policy's `operand` as the operator asks. A value
    /// that cannot be read does not. Patterns are matched elsewhere.
    pub(super) fn holds(self, value: &str, operand: &str) -> bool {
        match self {
            Self::Text | Self::Like => value == operand,
            Self::TextIgnoringCase => value.to_lowercase() == operand.to_lowercase(),
            Self::Number(relation) => both(value, operand, Number::parse)
                .and_then(|(value, operand)| value.compare(operand))
                .is_some_and(|ordering| relation.holds(ordering)),
            Self::Date(relation) => both(value, operand, date::parse)
                .is_some_and(|(value, operand)| relation.holds(value.cmp(&operand))),
            Self::Bool | Self::Null => are_equal(both(value, operand, truth)),
            Self::Binary => both(value, operand, base64).is_some_and(|(a, b)| a == b),
            Self::Ip => Network::parse(operand).is_some_and(|network| {
                value.parse::<IpAddr>().is_ok_and(|address| network.contains(address))
            }),
        }
    }
}

fn both<'a, T>(
    value: &'a str,
    operand: &'a str,
    read: impl Fn(&'a str) -> Option<T>,
) -> Option<(T, T)> {
    read(value).zip(read(operand))
}

fn are_equal<T: PartialEq>(pair: Option<(T, T)>) -> bool {
    pair.is_some_and(|(first, second)| first == second)
}

/// A decimal number. Whole ones keep every digit: user numbers must not be rounded.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        // Words such as `inf` would be taken too.
        let is_decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.'));
        let real = text.parse::<f64>().ok()?;
        (is_decimal && real.is_finite()).then_some(Self::Real(real))
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(own), Self::Whole(other)) => Some(own.cmp(&other)),
            _ => self.real().partial_cmp(&other.real()),
        }
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The digits of a Base64 text, without padding: equal digits are equal bytes.
fn base64(text: &str) -> Option<&str> {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let is_whole = text.len() - digits.len() <= 2 && digits.len() % 4 != 1;
    (is_whole && digits.bytes().all(is_digit)).then_some(digits)
}

//! A parameter's value, whichever form it came in, and the types that actions ask of it.
//!
//! JSON values keep their type and must have the one asked for; text of a flattened or multipart
//! call has none and is read as whatever is asked for (wire.md 2.5).

pub(crate) mod shape;

use std::collections::BTreeMap;

/// A value, not yet read as a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// JSON string.
    Text(String),
    /// JSON boolean.
    Bool(bool),
    /// JSON number that is an integer of 64 bits.
    Integer(i64),
    /// JSON null, or a number that no parameter takes.
    Other,
    /// JSON array.
    List(Vec<Value>),
    /// JSON object.
    Map(BTreeMap<String, Value>),
    /// Text of a flattened or multipart parameter.
    Raw(String),
    /// Flattened parameters below a common name: a list when all keys are indices, else a map.
    Tree(BTreeMap<String, Value>),
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Other,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => number.as_i64().map_or(Self::Other, Self::Integer),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(values) => {
                Self::List(values.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(fields) => Self::Map(object(fields)),
        }
    }
}

/// The members of a JSON object; null means absent.
pub(crate) fn object(
    fields: serde_json::Map<String, serde_json::Value>,
) -> BTreeMap<String, Value> {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, value.into()))
        .collect()
}

impl Value {
    /// As text.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// As a boolean. Clients write `true` and `True`; `1` and `0` are taken too.
    pub(crate) fn boolean(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            Self::Raw(text) => match text.as_str() {
                "true" | "True" | "1" => Some(true),
                "false" | "False" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// As an integer.
    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(value),
            Self::Raw(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// As a list. Indices order a flattened one; gaps and a start other than 0 are tolerated.
    pub(crate) fn list(self) -> Option<Vec<Self>> {
        match self {
            Self::List(values) => Some(values),
            Self::Tree(fields) => {
                let mut entries = fields
                    .into_iter()
                    .map(|(index, value)| Some((index.parse::<u32>().ok()?, value)))
                    .collect::<Option<Vec<_>>>()?;
                entries.sort_by_key(|(index, _)| *index);
                Some(entries.into_iter().map(|(_, value)| value).collect())
            }
            _ => None,
        }
    }

    /// As JSON, as it was given; text of a flattened call stays text.
    pub(crate) fn json(self) -> serde_json::Value {
        let is_list = |fields: &BTreeMap<String, Self>| {
            !fields.is_empty() && fields.keys().all(|key| key.parse::<u32>().is_ok())
        };
        match self {
            Self::Text(text) | Self::Raw(text) => text.into(),
            Self::Bool(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Other => serde_json::Value::Null,
            Self::List(values) => values.into_iter().map(Self::json).collect(),
            Self::Tree(fields) if is_list(&fields) => {
                let values = Self::Tree(fields).list().unwrap_or_default();
                values.into_iter().map(Self::json).collect()
            }
            Self::Map(fields) | Self::Tree(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, value.json()));
                serde_json::Value::Object(fields.collect())
            }
        }
    }

    /// As a structure.
    pub(crate) fn map(self) -> Option<BTreeMap<String, Self>> {
        match self {
            Self::Map(fields) | Self::Tree(fields) => Some(fields),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str::<serde_json::Value>(text).unwrap().into()
    }

    #[test]
    fn json_keeps_its_types_and_text_has_none() {
        assert_eq!(json("\"1\"").integer(), None);
        assert_eq!(json("1").text(), None);
        assert_eq!(json("1").boolean(), None);
        assert_eq!(json("1.5").integer(), None);
        assert_eq!(json("18446744073709551615").integer(), None);
        assert_eq!(json("{\"0\":\"a\"}").list(), None);
        assert_eq!(Value::Raw("1".into()).integer(), Some(1));
        assert_eq!(Value::Raw("1".into()).boolean(), Some(true));
        assert_eq!(Value::Raw("False".into()).boolean(), Some(false));
        assert_eq!(Value::Raw("FALSE".into()).boolean(), None);
    }

    #[test]
    fn json_is_given_back_as_it_came() {
        let text = r#"{"A":[1,true,"x",{"B":[]}],"C":{}}"#;
        assert_eq!(json(text).json(), serde_json::from_str::<serde_json::Value>(text).unwrap());
        let list = Value::Tree([("1".into(), Value::Raw("b".into()))].into());
        let tree = Value::Tree([("A".into(), list)].into());
        assert_eq!(tree.json(), serde_json::json!({ "A": ["b"] }));
    }

    #[test]
    fn a_flattened_list_is_ordered_by_number() {
        let entries = ["10", "2", "1"].map(|index| (index.into(), Value::Raw(index.into())));
        let list = Value::Tree(BTreeMap::from(entries)).list().unwrap();
        let texts: Vec<_> = list.into_iter().filter_map(Value::text).collect();
        assert_eq!(texts, ["1", "2", "10"]);
    }
}

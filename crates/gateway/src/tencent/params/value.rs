//! A parameter's value, whichever form it came in, and the types that actions ask of it.
//!
//! JSON values keep their type and must have the one asked for; text of a flattened or multipart
//! call has none and is read as whatever is asked for.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// A value, not yet read as a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// JSON string.
    Text(String),
    /// JSON boolean.
    Bool(bool),
    /// JSON number that is an integer of 64 bits.
    Integer(i64),
    /// JSON null in a list, a number that no parameter takes, or a name given twice.
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

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(FromJson)
    }
}

struct FromJson;

impl<'de> Visitor<'de> for FromJson {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    /// Null means absent. A name that is given twice stands for nothing that a parameter takes.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields: BTreeMap<String, Option<Value>> = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Option<Value>>()? {
            match fields.entry(name) {
                Entry::Vacant(entry) => _ = entry.insert(value),
                Entry::Occupied(mut entry) => _ = entry.insert(Some(Value::Other)),
            }
        }
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(Value::Map(fields.collect()))
    }
}

impl Value {
    /// As text.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// The text that it is, left where it is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// The values of the list that it is, left where they are; none where it is no list.
    pub(crate) fn as_list(&self) -> Vec<&Self> {
        match self {
            Self::List(values) => values.iter().collect(),
            Self::Tree(fields) => ordered(fields.iter()).unwrap_or_default(),
            _ => Vec::new(),
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
            Self::Tree(fields) => elements(fields).ok(),
            _ => None,
        }
    }

    /// As JSON, as it was given; text of a flattened call stays text.
    pub(crate) fn json(self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Raw(text) => text.into(),
            Self::Bool(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Other => serde_json::Value::Null,
            Self::List(values) => values.into_iter().map(Self::json).collect(),
            Self::Map(fields) => members(fields),
            Self::Tree(fields) => match elements(fields) {
                Ok(values) => values.into_iter().map(Self::json).collect(),
                Err(fields) => members(fields),
            },
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

/// The values in the order of their indices; `fields` again unless each is an index, and another.
fn elements(fields: BTreeMap<String, Value>) -> Result<Vec<Value>, BTreeMap<String, Value>> {
    if ordered(fields.iter()).is_none() {
        return Err(fields);
    }
    Ok(ordered(fields.into_iter()).unwrap_or_default())
}

/// The values in the order of their indices, if each name is an index, and another: `0` and `00` are
/// one.
fn ordered<T>(fields: impl Iterator<Item = (impl AsRef<str>, T)>) -> Option<Vec<T>> {
    let mut count = 0;
    let mut by_index = BTreeMap::new();
    for (name, value) in fields {
        count += 1;
        by_index.insert(name.as_ref().parse::<u32>().ok()?, value);
    }
    (by_index.len() == count).then(|| by_index.into_values().collect())
}

fn members(fields: BTreeMap<String, Value>) -> serde_json::Value {
    let fields = fields.into_iter().map(|(name, value)| (name, value.json()));
    serde_json::Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
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
    fn what_is_given_twice_is_nothing_and_null_is_absent() {
        let twice = json(r#"{"A":"x","B":"y","A":"z","C":null,"D":null,"D":1}"#).map().unwrap();
        let names: Vec<_> = twice.keys().map(String::as_str).collect();
        assert_eq!(names, ["A", "B", "D"]);
        assert_eq!((&twice["A"], &twice["D"]), (&Value::Other, &Value::Other));
        let same =
            [("0", "a"), ("00", "b")].map(|(key, text)| (key.into(), Value::Raw(text.into())));
        assert_eq!(Value::Tree(same.into()).list(), None);
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

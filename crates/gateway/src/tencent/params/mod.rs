//! The parameters of one call: read from JSON, a query or multipart, then asked for by name.
//!
//! Called after the signature is verified. Knows forms and types; which parameters an action has
//! is the action's own business.

mod error;
pub(crate) mod shape;
pub(crate) mod value;

use std::{collections::BTreeMap, ops::RangeInclusive};

use percent_encoding::percent_decode;

pub(crate) use self::error::{Error, OutOfBounds};
use self::value::Value;
use crate::{
    auth::v1::{self, pairs::Pair},
    multipart::{self, Malformed},
};

/// Most values of one call in JSON, names included. One may take some hundred times its two bytes.
const MOST_VALUES: usize = 250_000;

/// Deepest flattened name: `A.0.B.1.C` is five deep, and nothing in the API is deeper.
const DEEPEST: usize = 8;

/// Named values of one structure; what is taken is removed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Params {
    /// Put before names in errors: empty at the top, `Headers.0.` further down.
    prefix: String,
    fields: BTreeMap<String, Value>,
}

impl Params {
    /// From the content of a JSON call. No content counts as `{}`; null means absent.
    pub(crate) fn from_json(content: &[u8]) -> Result<Self, Error> {
        if content.trim_ascii().is_empty() {
            return Ok(Self::top(BTreeMap::new()));
        }
        if values(content) > MOST_VALUES {
            return Err(Error::TooMany);
        }
        match serde_json::from_slice(content) {
            Ok(Value::Map(fields)) => Ok(Self::top(fields)),
            _ => Err(Error::Json),
        }
    }

    /// From the raw query of a GET call.
    pub(crate) fn from_query(query: &str) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| Error::Unknown(name.into()))?;
            let value = decode(value).ok_or_else(|| Error::Type(name.clone()))?;
            pairs.push((name, value));
        }
        Self::from_pairs(pairs)
    }

    /// From what a signature v1 covers, without the protocol's own. Clients write `_` for `.`, and sign
    /// either.
    pub(crate) fn from_signed(pairs: Vec<Pair>) -> Result<Self, Error> {
        let own = pairs.into_iter().filter(|pair| !v1::COMMON.contains(&pair.name.as_str()));
        Self::from_pairs(own.map(|pair| (pair.name.replace('_', "."), pair.value)))
    }

    /// From flattened names with their values, both decoded.
    pub(crate) fn from_pairs(
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs {
            let path: Vec<&str> = name.split('.').collect();
            if path.len() > DEEPEST || !insert(&mut fields, &path, value) {
                return Err(Error::Type(name));
            }
        }
        Ok(Self::top(fields))
    }

    /// From the content of a multipart call; a JSON null means absent.
    pub(crate) fn from_multipart(content: &[u8], content_type: &str) -> Result<Self, Error> {
        let boundary =
            multipart::boundary(content_type).ok_or(Error::Multipart(Malformed::NoBoundary))?;
        let mut fields = BTreeMap::new();
        for part in multipart::parts(content, boundary).map_err(Error::Multipart)? {
            let error = || Error::Type(part.name.into());
            let value = if part.is_json {
                if values(part.content) > MOST_VALUES {
                    return Err(Error::TooMany);
                }
                serde_json::from_slice(part.content).map_err(|_| error())?
            } else {
                Some(Value::Raw(str::from_utf8(part.content).map_err(|_| error())?.into()))
            };
            if fields.insert(part.name.into(), value).is_some() {
                return Err(error());
            }
        }
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(Self::top(fields.collect()))
    }

    fn top(fields: BTreeMap<String, Value>) -> Self {
        Self { prefix: String::new(), fields }
    }

    /// Takes a number that is not negative and lies within `bounds`; `default` where none is given.
    pub(crate) fn bounded(
        &mut self,
        name: &'static str,
        default: i64,
        bounds: RangeInclusive<i64>,
    ) -> Result<Result<u64, OutOfBounds>, Error> {
        let given = self.integer(name)?.unwrap_or(default);
        let (least, most) = (*bounds.start(), *bounds.end());
        let within = u64::try_from(given).ok().filter(|_| bounds.contains(&given));
        Ok(within.ok_or(OutOfBounds { name, given, least, most }))
    }

    /// Whether the parameter `name` is given, whatever it is.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The parameter `name`, left where it is.
    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Refuses every name that is not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Error::Unknown(self.path(name))),
            None => Ok(()),
        }
    }

    /// Takes an optional text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.take(name, Value::text)
    }

    /// Takes an optional text; an empty one counts as absent.
    pub(crate) fn given(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Takes a text that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Takes an optional boolean.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Error> {
        self.take(name, Value::boolean)
    }

    /// Takes an optional integer.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Error> {
        self.take(name, Value::integer)
    }

    /// Takes an optional list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(values) = self.take(name, Value::list)? else { return Ok(None) };
        let element = |(index, value): (usize, Value)| {
            value.text().ok_or_else(|| Error::Type(format!("{}.{index}", self.path(name))))
        };
        values.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// Takes an optional list of structures.
    pub(crate) fn structures(&mut self, name: &str) -> Result<Vec<Self>, Error> {
        let values = self.take(name, Value::list)?.unwrap_or_default();
        let element = |(index, value): (usize, Value)| {
            let path = format!("{}.{index}", self.path(name));
            match value.map() {
                Some(fields) => Ok(Self { prefix: format!("{path}."), fields }),
                None => Err(Error::Type(path)),
            }
        };
        values.into_iter().enumerate().map(element).collect()
    }

    /// Takes an optional structure.
    pub(crate) fn structure(&mut self, name: &str) -> Result<Option<Self>, Error> {
        let fields = self.take(name, Value::map)?;
        let prefix = format!("{}.", self.path(name));
        Ok(fields.map(|fields| Self { prefix, fields }))
    }

    /// Takes a value as it was given, whatever it is.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// That `name` is required and absent.
    pub(crate) fn missing(&self, name: &str) -> Error {
        Error::Missing(self.path(name))
    }

    fn take<T>(&mut self, name: &str, read: fn(Value) -> Option<T>) -> Result<Option<T>, Error> {
        match self.fields.remove(name).map(read) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(Error::Type(self.path(name))),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// How many values a JSON text may have at most: one more than it has commas, colons and beginnings of
/// lists and objects outside its strings.
pub(in crate::tencent) fn values(json: &[u8]) -> usize {
    let (mut values, mut is_string, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b',' | b':' | b'[' | b'{' if !is_string => values += 1,
            _ => {}
        }
    }
    values
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(Into::into)
}

/// Puts `value` at `path`; false when something else stands there or on the way.
fn insert(fields: &mut BTreeMap<String, Value>, path: &[&str], value: String) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return fields.insert((*first).into(), Value::Raw(value)).is_none();
    }
    match fields.entry((*first).into()).or_insert_with(|| Value::Tree(BTreeMap::new())) {
        Value::Tree(below) => insert(below, rest, value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_of_one_call_read_alike() {
        let json = Params::from_json(
            br#"{"Urls":["a b","c"],"Area":"global","ParseM3U8":true,"Limit":7,"Layer":null,
                 "Headers":[{"Name":"X_A","Value":"v_1"}]}"#,
        );
        let query = Params::from_query(
            "Urls.1=c&Urls.0=a+b&Area=global&ParseM3U8=True&Limit=7\
             &Headers.0.Name=X_A&Headers.0.Value=v%5F1",
        );
        let multipart = Params::from_multipart(
            b"--b\r\nContent-Disposition: form-data; name=\"Urls\"\r\n\
              Content-Type: application/json\r\n\r\n[\"a b\",\"c\"]\r\n\
              --b\r\nContent-Disposition: form-data; name=\"Area\"\r\n\r\nglobal\r\n\
              --b\r\nContent-Disposition: form-data; name=\"ParseM3U8\"\r\n\r\ntrue\r\n\
              --b\r\nContent-Disposition: form-data; name=\"Limit\"\r\n\r\n7\r\n\
              --b\r\nContent-Disposition: form-data; name=\"Headers\"\r\n\
              Content-Type: application/json\r\n\r\n[{\"Name\":\"X_A\",\"Value\":\"v_1\"}]\r\n\
              --b\r\nContent-Disposition: form-data; name=\"Layer\"\r\n\
              Content-Type: application/json\r\n\r\nnull\r\n\
              --b--\r\n",
            "multipart/form-data; boundary=b",
        );
        for params in [json, query, multipart] {
            let mut params = params.unwrap();
            params.only(&["Urls", "Area", "ParseM3U8", "Limit", "Headers"]).unwrap();
            assert_eq!(params.texts("Urls"), Ok(Some(vec!["a b".into(), "c".into()])));
            assert_eq!(params.text("Area"), Ok(Some("global".into())));
            assert_eq!(params.boolean("ParseM3U8"), Ok(Some(true)));
            assert_eq!(params.integer("Limit"), Ok(Some(7)));
            assert_eq!(params.text("Layer"), Ok(None));
            let mut header = params.structures("Headers").unwrap().remove(0);
            assert_eq!(header.required_text("Name"), Ok("X_A".into()));
            assert_eq!(header.required_text("Value"), Ok("v_1".into()));
        }
    }

    #[test]
    fn errors_name_the_whole_path() {
        let mut params =
            Params::from_json(br#"{"Urls":["a",1],"Headers":[{"Name":"x"},{"No":1}],"Area":1}"#)
                .unwrap();
        assert_eq!(params.texts("Urls"), Err(Error::Type("Urls.1".into())));
        assert_eq!(params.text("Area"), Err(Error::Type("Area".into())));
        let mut headers = params.structures("Headers").unwrap();
        assert_eq!(
            headers[0].required_text("Value"),
            Err(Error::Missing("Headers.0.Value".into()))
        );
        assert_eq!(headers[1].only(&["Name"]), Err(Error::Unknown("Headers.1.No".into())));
    }

    #[test]
    fn a_look_takes_nothing_and_refuses_nothing() {
        let json = Params::from_json(br#"{"Urls":["a",1,"b"],"Domain":"x","Limit":1}"#).unwrap();
        let query = Params::from_query("Urls.5=b&Urls.0=a&Domain=x&Limit.0=1").unwrap();
        for params in [json, query] {
            let before = params.clone();
            let text = |name| params.peek(name).and_then(Value::as_text);
            let texts = |name| {
                let values = params.peek(name).map(Value::as_list).unwrap_or_default();
                values.into_iter().filter_map(Value::as_text).collect::<Vec<_>>()
            };
            assert_eq!(texts("Urls"), ["a", "b"]);
            assert_eq!(text("Domain"), Some("x"));
            assert!(texts("Domain").is_empty());
            assert_eq!(text("Limit"), None);
            assert_eq!(text("Urls"), None);
            assert!(params.has("Limit") && !params.has("Area"));
            assert_eq!(params, before);
        }
    }

    #[test]
    fn a_name_that_json_gives_twice_is_a_type_error() {
        let twice = br#"{"Urls":["a"],"Headers":[{"Name":"a","Name":"b"}],"Urls":["b"]}"#;
        let mut params = Params::from_json(twice).unwrap();
        assert_eq!(params.texts("Urls"), Err(Error::Type("Urls".into())));
        let mut header = params.structures("Headers").unwrap().remove(0);
        assert_eq!(header.text("Name"), Err(Error::Type("Headers.0.Name".into())));
    }

    #[test]
    fn contradictions_in_a_query_are_refused() {
        for query in ["Urls=a&Urls.0=b", "Urls.0=a&Urls=b", "Area=a&Area=b", "A.0=%ff"] {
            assert!(matches!(Params::from_query(query), Err(Error::Type(_))), "{query}");
        }
        let deep = format!("{}=x", vec!["a"; 16_000].join("."));
        assert!(matches!(Params::from_query(&deep), Err(Error::Type(_))));
    }

    #[test]
    fn only_an_object_is_taken_and_nothing_is_an_empty_one() {
        assert_eq!(Params::from_json(b""), Params::from_json(b" {} "));
        for content in ["[]", "1", "{", "{}x", "\u{feff}{}", "null"] {
            assert_eq!(Params::from_json(content.as_bytes()), Err(Error::Json), "{content}");
        }
    }

    #[test]
    fn values_are_counted_outside_of_strings_and_bounded() {
        for (json, count) in [
            ("1", 1),
            (r#""a,b:[{""#, 1),
            (r#"["a\",[","b"]"#, 3),
            (r#"{"a":[1,{"b":null}]}"#, 7),
            (r#"\",""#, 1),
        ] {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
        let list = |count: usize| format!(r#"{{"Urls":["{}"]}}"#, vec!["x"; count].join(r#"",""#));
        let read = |count| Params::from_json(list(count).as_bytes());
        assert!(read(MOST_VALUES - 3).is_ok());
        assert_eq!(read(MOST_VALUES - 2), Err(Error::TooMany));
    }

    proptest! {
        #[test]
        fn no_input_makes_the_readers_panic(text in "\\PC*", query in "[A-Za-z0-9.&=+%]{0,80}",
                                            bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Params::from_query(&text);
            let _ = Params::from_json(text.as_bytes());
            let _ = Params::from_json(&bytes);
            let _ = Params::from_multipart(&bytes, &text);
            if let Ok(mut params) = Params::from_query(&query) {
                let _ = params.clone().texts("A");
                let _ = params.structures("A");
            }
        }
    }
}

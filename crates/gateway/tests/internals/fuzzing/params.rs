//! Parameters: queries and forms agree with the reader of URLs, JSON with `serde_json`, and
//! multipart with the parts that it was made of.

use std::collections::{BTreeMap, HashSet};

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use super::Input;
use crate::{
    admin::api::lists,
    auth::v1::pairs::{self, Pair},
    multipart::{self, Part},
    tencent::params::{self, Params},
};

const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
const BOUNDARY: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=?";

/// A query is read as a reader of URLs reads it, flattened names become the tree that they spell,
/// and nothing else is refused than contradictions, depth and what is not UTF-8.
pub fn query(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let reference: Vec<(String, String)> = form_urlencoded::parse(data).into_owned().collect();
    let entries = reference
        .iter()
        .map(|(name, value)| (name.split('.').collect(), value.as_str()))
        .collect::<Vec<_>>();
    let is_shallow = entries.iter().all(|(path, _): &(Vec<&str>, _)| path.len() <= 8);
    let expected = tree(&entries).filter(|_| is_shallow);
    match (Params::from_query(text), expected) {
        (Ok(params), Some(expected)) => assert_holds(params, &expected),
        (Err(error), Some(_)) => assert!(is_lossy(&reference), "{error} for a sound query"),
        (read, None) => assert!(read.is_err(), "a contradiction was taken"),
    }
}

/// A form is read as a reader of URLs reads it, is the same after it was written anew, and only a
/// name that is given twice and what is not UTF-8 are refused.
pub fn form(data: &[u8]) {
    let reference: Vec<(String, String)> = form_urlencoded::parse(data).into_owned().collect();
    match pairs::from_form(data) {
        Ok(pairs) => {
            let read = pairs.iter().map(|pair| (&pair.name, &pair.value));
            assert!(read.eq(reference.iter().map(|(name, value)| (name, value))));
            let written =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(&reference).finish();
            assert_eq!(pairs::from_form(written.as_bytes()).as_ref(), Ok(&pairs));
            for pair in &pairs {
                assert_eq!(pairs::value(&pairs, &pair.name), Some(pair.value.as_str()));
            }
            let _ = Params::from_signed(pairs);
        }
        Err(pairs::Error::TooMany) => assert!(reference.len() > 10_000),
        Err(error) => {
            let mut seen = HashSet::new();
            let is_twice = reference.iter().any(|(name, _)| !seen.insert(name.replace('_', ".")));
            assert!(is_twice || is_lossy(&reference), "{error} for a sound form");
        }
    }
}

/// JSON is taken exactly when `serde_json` reads an object, and its values are given back unless
/// some name is given twice.
pub fn json(data: &[u8]) {
    let reference = serde_json::from_slice::<Map<String, Value>>(data).ok();
    if let Some(fields) = &reference {
        assert!(count(&Value::Object(fields.clone())) <= params::values(data));
    }
    let is_empty = data.iter().all(u8::is_ascii_whitespace);
    match (Params::from_json(data), reference) {
        (Ok(_), Some(fields))
            if members(data) != members(Value::Object(fields.clone()).to_string().as_bytes()) => {}
        (Ok(params), Some(fields)) => {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            let expected = present.map(|(name, value)| (name, normal(value))).collect();
            assert_holds(params, &expected);
        }
        (Ok(params), None) => assert!(is_empty && params.only(&[]).is_ok(), "no object was taken"),
        (Err(_), reference) => assert!(reference.is_none(), "an object was refused"),
    }
}

/// A list is read as `serde_json` reads it, but for what is beyond its bound; that must be JSON too.
pub fn list(data: &[u8]) {
    let mut json = serde_json::Deserializer::from_slice(data);
    let read = lists::at_most::<5, String, _>(&mut json);
    let read = read.and_then(|read| json.end().map(|()| read));
    let reference = serde_json::from_slice::<Vec<String>>(data);
    match (read, reference) {
        (Ok(read), Ok(reference)) => {
            assert_eq!(read, reference[..reference.len().min(6)]);
        }
        (Ok(read), Err(_)) => assert_eq!(read.len(), 6, "only what is beyond may be anything"),
        (Err(error), reference) => assert!(reference.is_err(), "{error} for a list of texts"),
    }
}

/// How many values there are, names included.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(|value| 1 + count(value)).sum::<usize>(),
        _ => 1,
    }
}

/// How many members the objects of a JSON text have: its colons outside of strings.
fn members(json: &[u8]) -> usize {
    let (mut members, mut is_string, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_string = !is_string,
            b':' if !is_string => members += 1,
            _ => {}
        }
    }
    members
}

/// Parts are given back as they were written; of other bytes, what is taken reads the same when it
/// is written anew.
pub fn multipart(data: &[u8]) {
    if let Ok(parts) = multipart::parts(data, "b") {
        assert!(parts.len() <= 1100);
        assert!(parts.iter().map(|part| part.content.len()).sum::<usize>() <= data.len());
        let written = write(&parts, "b");
        assert_eq!(multipart::parts(&written, "b").as_ref(), Ok(&parts));
    }
    let _ = Params::from_multipart(data, "multipart/form-data; boundary=b");
    made_up(&mut Input(data));
}

fn made_up(input: &mut Input<'_>) {
    let boundary = match input.text(BOUNDARY, 70) {
        empty if empty.is_empty() => "b".into(),
        boundary => boundary,
    };
    let mut parts = Vec::new();
    while !input.0.is_empty() && parts.len() < 100 {
        let name = format!("n{}", input.text(WORD, 12));
        parts.push((name, input.byte() & 1 == 1, input.bytes(300)));
    }
    let delimiter = format!("\r\n--{boundary}");
    let is_within = |content: &[u8]| {
        // a content that begins like a delimiter would end the part before it
        let text = [b"\r\n", content].concat();
        text.windows(delimiter.len()).any(|window| window == delimiter.as_bytes())
    };
    if parts.iter().any(|(_, _, content)| is_within(content)) {
        return;
    }
    let parts: Vec<Part<'_>> = parts
        .iter()
        .map(|(name, is_json, content)| Part { name, is_json: *is_json, content })
        .collect();
    let written = write(&parts, &boundary);
    let field = format!("multipart/form-data; boundary=\"{boundary}\"");
    assert_eq!(multipart::boundary(&field), Some(boundary.as_str()));
    assert_eq!(multipart::parts(&written, &boundary).as_ref(), Ok(&parts));
    let fields = HeaderMap::from_iter([(
        CONTENT_TYPE,
        HeaderValue::try_from(field).expect("a boundary is visible ASCII"),
    )]);
    if let Ok(read) = pairs::from_content(&fields, &written) {
        let same = |(pair, part): (&Pair, &Part<'_>)| {
            pair.name == part.name && pair.value.as_bytes() == part.content
        };
        assert!(read.len() == parts.len() && read.iter().zip(&parts).all(same));
    }
}

fn write(parts: &[Part<'_>], boundary: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for Part { name, is_json, content } in parts {
        let kind = if *is_json { "Content-Type: application/json\r\n" } else { "" };
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{kind}\r\n"
        );
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(content);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    text
}

/// That `params` are these and no others.
fn assert_holds(mut params: Params, expected: &Map<String, Value>) {
    let names: Vec<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(params.only(&names), Ok(()));
    for (name, value) in expected {
        exercise(params.clone(), name);
        assert_eq!(params.value(name).map(|value| value.json()).as_ref(), Some(value), "{name}");
    }
}

/// Asks for a parameter as everything that an action may ask for.
fn exercise(mut params: Params, name: &str) {
    let _ = params.clone().text(name);
    let _ = params.clone().boolean(name);
    let _ = params.clone().integer(name);
    let _ = params.clone().texts(name);
    let _ = params.clone().structures(name);
    let _ = params.structure(name);
}

/// A value as a parameter keeps it: no null in a structure, no number but integers of 64 bits.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none() => Value::Null,
        Value::Array(values) => values.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(present.map(|(name, value)| (name, normal(value))).collect())
        }
        value => value,
    }
}

/// The structure that flattened names spell; `None` when they contradict each other.
fn tree(entries: &[(Vec<&str>, &str)]) -> Option<Map<String, Value>> {
    let mut groups: BTreeMap<&str, Vec<(Vec<&str>, &str)>> = BTreeMap::new();
    for (path, value) in entries {
        let (first, rest) = path.split_first()?;
        groups.entry(first).or_default().push((rest.to_vec(), value));
    }
    let node = |(name, below): (&str, Vec<(Vec<&str>, &str)>)| {
        let value = match &below[..] {
            [(path, value)] if path.is_empty() => Value::from(*value),
            below => list_or_object(tree(below)?),
        };
        Some((name.to_owned(), value))
    };
    groups.into_iter().map(node).collect()
}

fn list_or_object(fields: Map<String, Value>) -> Value {
    let number = |name: &str| name.parse::<u32>().ok();
    let numbered: BTreeMap<u32, &Value> =
        fields.iter().filter_map(|(name, value)| Some((number(name)?, value))).collect();
    if numbered.len() < fields.len() {
        return Value::Object(fields);
    }
    numbered.into_values().cloned().collect()
}

fn is_lossy(pairs: &[(String, String)]) -> bool {
    let is_replaced = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    pairs.iter().any(|(name, value)| is_replaced(name) || is_replaced(value))
}

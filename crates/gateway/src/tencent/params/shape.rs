//! The shapes that stored settings must have, and the words that some of them are limited to.
//!
//! Settings that do not act are answered back as they were given, and clients read them into models
//! of fixed types: one value of another type would cost them the whole list. The shapes themselves
//! stand in `shapes.txt`. Members that no shape names are kept as they are.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Map, Value as Json};
use stoker_domain::area::UnknownWord;

use super::{Params, value::Value};

static SHAPES: LazyLock<HashMap<&str, Fields>> = LazyLock::new(|| read(include_str!("shapes.txt")));

/// The sets of words, as refusals show them. An empty text counts as none of them.
const WORDS: &[(&str, &str)] = &[
    ("switch", "`on`, `off`"),
    ("ipv6", "`follow`, `on`, `off`"),
    ("mode", "`set`, `del`, `add`"),
    ("paths", "`all`, `file`, `directory`, `path`, `index`"),
    ("action", "`includeAll`, `excludeAll`, `includeCustom`, `excludeCustom`"),
    (
        "origin",
        "`domain`, `domainv6`, `cos`, `third_party`, `igtm`, `ip`, `ipv6`, `ip_ipv6`, `ip_domain`, \
         `ip_domainv6`, `ipv6_domain`, `ipv6_domainv6`, `domain_domainv6`, `ip_ipv6_domain`, \
         `ip_ipv6_domainv6`, `ip_domain_domainv6`, `ipv6_domain_domainv6`, \
         `ip_ipv6_domain_domainv6`",
    ),
];

/// The kind of each field of a structure.
type Fields = Vec<(&'static str, &'static str)>;

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// Of another type, at this place.
    Type(String),
    /// Not one of the words.
    Word {
        /// Where it stands.
        path: String,
        /// The last name of that.
        name: &'static str,
        /// What was given and what is taken.
        error: UnknownWord,
    },
}

/// Takes the setting `field` of the API `product`.
pub(crate) fn take(params: &mut Params, product: &str, field: &str) -> Result<Option<Json>, Error> {
    let Some(value) = params.value(field) else { return Ok(None) };
    let fields = SHAPES.get(product).into_iter().flatten();
    let found = fields.copied().find(|(name, _)| *name == field);
    let (name, kind) = found.ok_or_else(|| Error::Type(field.into()))?;
    shaped(value, name, kind, name.into()).map(Some)
}

/// `value` at `path` as the JSON of its kind.
fn shaped(value: Value, name: &'static str, kind: &str, path: String) -> Result<Json, Error> {
    if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        let values = value.list().ok_or_else(|| Error::Type(path.clone()))?;
        let values = values.into_iter().enumerate();
        return values.map(|(i, value)| shaped(value, name, kind, format!("{path}.{i}"))).collect();
    }
    if let Some(fields) = SHAPES.get(kind) {
        return structure(value, fields, path);
    }
    let json = match kind {
        "int" => value.integer().map(Json::from),
        "bool" => value.boolean().map(Json::from),
        _ => value.text().map(Json::from),
    };
    let json = json.ok_or_else(|| Error::Type(path.clone()))?;
    let words = WORDS.iter().find(|(set, _)| *set == kind);
    if let Some((_, expected)) = words
        && let Some(given) = json.as_str().filter(|given| !given.is_empty())
        && !expected.split(", ").any(|word| word.trim_matches('`') == given)
    {
        let error = UnknownWord { given: given.into(), expected };
        return Err(Error::Word { path, name, error });
    }
    Ok(json)
}

fn structure(value: Value, fields: &Fields, path: String) -> Result<Json, Error> {
    let members = value.map().ok_or_else(|| Error::Type(path.clone()))?;
    let member = |(member, value): (String, Value)| {
        let json = match fields.iter().find(|(name, _)| *name == member) {
            Some((name, kind)) => shaped(value, name, kind, format!("{path}.{member}"))?,
            None => value.json(),
        };
        Ok((member, json))
    };
    members.into_iter().map(member).collect::<Result<Map<_, _>, _>>().map(Json::Object)
}

/// Reads the table: names of structures stand at the margin, their fields below.
fn read(table: &'static str) -> HashMap<&'static str, Fields> {
    let mut shapes: HashMap<&str, Fields> = HashMap::new();
    let mut name = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            let fields = line.split_whitespace().filter_map(|field| field.split_once(':'));
            shapes.entry(name).or_default().extend(fields);
        } else {
            name = line;
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(product: &str, field: &str, value: &Json) -> Result<Option<Json>, Error> {
        let call = json!({ field: value }).to_string();
        take(&mut Params::from_json(call.as_bytes()).unwrap(), product, field)
    }

    /// A value of the kind.
    fn right(kind: &str) -> Json {
        if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            return json!([right(kind)]);
        }
        if let Some(fields) = SHAPES.get(kind) {
            return fields.iter().map(|(name, kind)| ((*name).to_owned(), right(kind))).collect();
        }
        match kind {
            "int" => json!(1),
            "bool" => json!(true),
            "text" => json!("x"),
            set => {
                let (_, words) = WORDS.iter().find(|(name, _)| *name == set).expect(set);
                words.split('`').nth(1).unwrap().into()
            }
        }
    }

    /// Values of the kind with one thing wrong in each, and where.
    fn wrong(kind: &str) -> Vec<(String, Json)> {
        let mut all = vec![(String::new(), if kind == "text" { json!(5) } else { json!(1.5) })];
        if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            let element = |(path, value)| (format!(".0{path}"), json!([value]));
            all.extend(wrong(kind).into_iter().map(element));
            return all;
        }
        let right = right(kind);
        for (name, kind) in SHAPES.get(kind).into_iter().flatten() {
            for (path, value) in wrong(kind) {
                let mut whole = right.clone();
                whole[*name] = value;
                all.push((format!(".{name}{path}"), whole));
            }
        }
        all
    }

    #[test]
    fn every_setting_is_taken_in_its_shape_and_refused_in_any_other() {
        let mut count = 0;
        for product in ["cdn", "teo"] {
            for (field, kind) in &SHAPES[product] {
                let value = right(kind);
                assert_eq!(taken(product, field, &value), Ok(Some(value)), "{field}");
                for (path, value) in wrong(kind) {
                    let expected = Err(Error::Type(format!("{field}{path}")));
                    assert_eq!(taken(product, field, &value), expected, "{value}");
                    count += 1;
                }
            }
        }
        assert!(count > 1000, "{count}");
    }

    #[test]
    fn words_are_checked_and_what_no_shape_names_is_kept() {
        for (field, value, path) in [
            ("FollowRedirect", json!({ "Switch": "x" }), "FollowRedirect.Switch"),
            ("RangeOriginPull", json!({ "Switch": "On" }), "RangeOriginPull.Switch"),
            ("Origin", json!({ "OriginType": "zzz" }), "Origin.OriginType"),
            (
                "CacheKey",
                json!({ "KeyRules": [{}, { "IgnoreCase": "x" }] }),
                "CacheKey.KeyRules.1.IgnoreCase",
            ),
        ] {
            let error = taken("cdn", field, &value).unwrap_err();
            assert!(matches!(&error, Error::Word { path: at, .. } if at == path), "{error:?}");
        }
        let kept = json!({ "Switch": "", "More": [1, true] });
        assert_eq!(taken("cdn", "FollowRedirect", &kept), Ok(Some(kept)));
        assert_eq!(taken("teo", "IPv6Status", &json!("follow")), Ok(Some(json!("follow"))));
        assert_eq!(taken("teo", "IPv6Status", &json!(null)), Ok(None));
    }

    #[test]
    fn flattened_text_becomes_what_the_shape_asks_for() {
        let query = "Cache.SimpleCache.CacheRules.0.CacheTime=60&\
                     Cache.SimpleCache.CacheRules.0.CacheContents.0=7";
        let mut params = Params::from_query(query).unwrap();
        let rules = json!([{ "CacheTime": 60, "CacheContents": ["7"] }]);
        let expected = json!({ "SimpleCache": { "CacheRules": rules } });
        assert_eq!(take(&mut params, "cdn", "Cache"), Ok(Some(expected)));
        assert_eq!(params.only(&[]), Ok(()));
    }

    #[test]
    fn every_kind_in_the_table_is_one() {
        for (name, kind) in SHAPES.values().flatten() {
            let kind = kind.trim_matches(['[', ']']);
            let is_plain = ["text", "int", "bool"].contains(&kind);
            let is_set = WORDS.iter().any(|(set, _)| *set == kind);
            assert!(is_plain || is_set || SHAPES.contains_key(kind), "{name}:{kind}");
        }
    }
}

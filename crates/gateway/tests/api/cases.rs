//! Golden cases: calls in files, and the replies that they must get.
//!
//! `tests/<folder>/<Action>.json` lists all cases of one action: what is answered stands under
//! `accepted` with its reply, what is refused under `refused` with its code and message. `defaults`
//! are parts of every case that does not name them itself. In calls, `<5000×x>` stands for so many
//! `x`; an element of a list with `<0..=999>` in it stands for a thousand elements with these
//! numbers, one that begins with `<501 times>` for so many equal ones.
//!
//! `UPDATE_GOLDEN=1` writes the replies anew and fails, so that nobody updates them unseen. Cases
//! that are added need no reply before that.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{app::App, identities::SUB};

/// Longest line that holds more than one value.
const WIDTH: usize = 140;
/// Where the parts of a case stand; what is not listed comes between `before` and `reply`.
const FIRST: [&str; 3] = ["name", "policies", "before"];
const LAST: [&str; 2] = ["reply", "error"];

/// The reply to a call, or what it was refused with; without what differs from run to run.
pub(crate) type Outcome = Result<Value, Value>;

type Row = Map<String, Value>;

/// One case, as it is run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case<Step, Sent> {
    /// Policies of a sub-user, who makes the call.
    #[serde(default)]
    policies: Vec<Value>,
    /// What happened before.
    #[serde(default = "Vec::new")]
    pub(crate) before: Vec<Step>,
    #[serde(flatten)]
    pub(crate) call: Sent,
}

impl<Step, Sent> Case<Step, Sent> {
    /// Adds the sub-user who makes the call, if one does. `<zone-id>` in policies is this `zone`.
    pub(crate) async fn adds_sub_user(&self, app: &App, zone: &str) -> bool {
        let texts =
            self.policies.iter().map(|policy| policy.to_string().replace("<zone-id>", zone));
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            app.sub_user(SUB, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        !texts.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    #[serde(default)]
    defaults: Row,
    accepted: Vec<Row>,
    refused: Vec<Row>,
}

/// One test per action of a folder, each with the number of its cases.
macro_rules! golden_tests {
    ($folder:literal, $run:path, { $($test:ident: $action:literal, $accepted:literal + $refused:literal;)* }) => {
        $(
            #[tokio::test]
            async fn $test() {
                crate::cases::check($folder, $action, ($accepted, $refused), $run).await;
            }
        )*

        #[test]
        fn every_file_has_a_test() {
            assert_eq!(crate::cases::actions($folder), [$($action),*]);
        }
    };
}
pub(crate) use golden_tests;

/// Runs every case of an action and compares what becomes of it with what is recorded.
pub(crate) async fn check<C: DeserializeOwned>(
    folder: &str,
    action: &str,
    expected: (usize, usize),
    run: impl AsyncFn(&str, &C) -> Outcome,
) {
    let path = folder_path(folder).join(format!("{action}.json"));
    let text = fs::read_to_string(&path).unwrap();
    let sheet: Sheet = serde_json::from_str(&text).unwrap();
    let mut new = Sheet { defaults: sheet.defaults, accepted: Vec::new(), refused: Vec::new() };
    let mut wrong = String::new();
    for recorded in sheet.accepted.into_iter().chain(sheet.refused) {
        let outcome = run(action, &case(&new.defaults, &recorded)).await;
        let mut row = recorded.clone();
        row.retain(|name, _| !LAST.contains(&name.as_str()));
        match outcome {
            Ok(reply) => row.insert("reply".into(), reply),
            Err(error) => row.insert("error".into(), error),
        };
        if row != recorded {
            writeln!(wrong, "{action} {}: {:#}", row["name"], Value::Object(row.clone())).unwrap();
        }
        if row.contains_key("reply") { &mut new.accepted } else { &mut new.refused }.push(row);
    }
    let written = new.to_text();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, written).unwrap();
        panic!("{action} was written anew: read the difference, then run without UPDATE_GOLDEN");
    }
    assert!(wrong.is_empty(), "{wrong}");
    let names = new.accepted.iter().chain(&new.refused).map(|row| row["name"].to_string());
    assert_eq!(names.collect::<BTreeSet<_>>().len(), expected.0 + expected.1, "names of {action}");
    let found = (new.accepted.len(), new.refused.len());
    assert_eq!(found, expected, "cases of {action} that are accepted and refused");
    assert!(text == written, "{action}.json is laid out otherwise than UPDATE_GOLDEN=1 does");
}

/// The actions of a folder, sorted.
pub(crate) fn actions(folder: &str) -> Vec<String> {
    let files = fs::read_dir(folder_path(folder)).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn folder_path(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)
}

fn case<C: DeserializeOwned>(defaults: &Row, row: &Row) -> C {
    let mut case = defaults.clone();
    case.extend(row.clone());
    let name = case.remove("name").unwrap();
    for outcome in LAST {
        case.remove(outcome);
    }
    let mut case = Value::Object(case);
    expand(&mut case);
    serde_json::from_value(case).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes out what stands for many.
fn expand(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(expand),
        Value::Array(elements) => {
            let elements = std::mem::take(elements).into_iter().flat_map(several);
            *value = elements
                .map(|mut element| {
                    expand(&mut element);
                    element
                })
                .collect();
        }
        Value::String(text) => *text = repeated(text),
        _ => {}
    }
}

fn several(element: Value) -> Vec<Value> {
    let Some(text) = element.as_str() else { return vec![element] };
    if let Some((count, text)) = text.strip_prefix('<').and_then(|it| it.split_once(" times>")) {
        return vec![text.into(); count.parse().unwrap()];
    }
    let range = |text: &str| -> Option<Vec<Value>> {
        let (head, rest) = text.split_once('<')?;
        let (range, tail) = rest.split_once('>')?;
        let (first, last) = range.split_once("..=")?;
        let numbers = first.parse::<usize>().ok()?..=last.parse().ok()?;
        Some(numbers.map(|number| format!("{head}{number}{tail}").into()).collect())
    };
    range(text).unwrap_or_else(|| vec![text.into()])
}

fn repeated(text: &str) -> String {
    let parts = || {
        let (head, rest) = text.split_once('<')?;
        let (count, rest) = rest.split_once('×')?;
        let (unit, tail) = rest.split_once('>')?;
        Some(format!("{head}{}{tail}", unit.repeat(count.parse().ok()?)))
    };
    parts().unwrap_or_else(|| text.into())
}

impl Sheet {
    /// One line for what fits in one.
    fn to_text(&self) -> String {
        let mut text = String::from("{\n");
        if !self.defaults.is_empty() {
            text.push_str("  \"defaults\": ");
            print_object(&sorted(&self.defaults), 2, &mut text);
            text.push_str(",\n");
        }
        let [accepted, refused] = [&self.accepted, &self.refused].map(|rows| {
            let row = |row| {
                let mut text = String::from("    ");
                print_object(&sorted(row), 4, &mut text);
                text
            };
            let rows: Vec<String> = rows.iter().map(row).collect();
            if rows.is_empty() { "[]".into() } else { format!("[\n{}\n  ]", rows.join(",\n")) }
        });
        writeln!(text, "  \"accepted\": {accepted},\n  \"refused\": {refused}\n}}").unwrap();
        text
    }
}

fn sorted(row: &Row) -> Vec<(&str, &Value)> {
    let mut fields: Vec<_> = row.iter().map(|(name, value)| (name.as_str(), value)).collect();
    fields.sort_by_key(|(name, _)| {
        let first = FIRST.iter().position(|first| first == name);
        (first.unwrap_or(FIRST.len()), LAST.contains(name), *name)
    });
    fields
}

fn print_object(fields: &[(&str, &Value)], indent: usize, text: &mut String) {
    let line = fields.iter().map(|(name, value)| format!("\"{name}\": {}", on_one_line(value)));
    let line = line.collect::<Vec<_>>().join(", ");
    if indent + line.len() <= WIDTH {
        write!(text, "{{{line}}}").unwrap();
        return;
    }
    text.push('{');
    for (place, (name, value)) in fields.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, "{comma}\n{:indent$}  {}: ", "", Value::from(*name)).unwrap();
        print(value, name.len() + 4, indent + 2, text);
    }
    write!(text, "\n{:indent$}}}", "").unwrap();
}

/// `before` is what stands before the value in its line.
fn print(value: &Value, before: usize, indent: usize, text: &mut String) {
    let line = on_one_line(value);
    match value {
        _ if indent + before + line.len() <= WIDTH => text.push_str(&line),
        Value::Object(fields) => print_object(&sorted(fields), indent, text),
        Value::Array(elements) if !elements.is_empty() => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(text, "{comma}\n{:indent$}  ", "").unwrap();
                print(element, 0, indent + 2, text);
            }
            write!(text, "\n{:indent$}]", "").unwrap();
        }
        _ => text.push_str(&line),
    }
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(name, value): (&str, &Value)| {
                format!("{}: {}", Value::from(name), on_one_line(value))
            };
            let fields = sorted(fields).into_iter().map(field).collect::<Vec<_>>();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(elements) => {
            let elements = elements.iter().map(on_one_line).collect::<Vec<_>>();
            format!("[{}]", elements.join(", "))
        }
        value => value.to_string(),
    }
}

#[test]
fn short_notation_is_written_out() {
    let mut case = serde_json::json!({ "a": ["x<8..=10>/", "<2 times>y", "z"], "b": "<3×ab>c" });
    expand(&mut case);
    let expected =
        serde_json::json!({ "a": ["x8/", "x9/", "x10/", "y", "y", "z"], "b": "abababc" });
    assert_eq!(case, expected);
}

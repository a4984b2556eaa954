//! Cases in files: a request and the reply that it must get. Set `UPDATE_GOLDEN` to write the replies
//! anew.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Runs every `<folder>/<Action>/<case>.request.json` below `tests` and compares what `run` makes of
/// it with `<case>.response.json`. `least` is a number of cases below which some must be lost.
pub(crate) async fn check<Case: DeserializeOwned>(
    folder: &str,
    least: usize,
    run: impl AsyncFn(&Case) -> Value,
) {
    let cases = found(folder);
    assert!(cases.len() > least, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for path in cases {
        let case: Case = serde_json::from_slice(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let reply = run(&case).await;
        let expected = PathBuf::from(path.to_string_lossy().replace(".request.", ".response."));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, format!("{reply:#}\n")).unwrap();
        }
        let recorded: Value = serde_json::from_slice(&fs::read(&expected).unwrap()).unwrap();
        if recorded != reply {
            wrong.push(format!("{}\n{reply:#}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn found(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut found = Vec::new();
    for action in fs::read_dir(root).unwrap() {
        let files = fs::read_dir(action.unwrap().path()).unwrap().map(|file| file.unwrap().path());
        found.extend(files.filter(|path| path.to_string_lossy().ends_with(".request.json")));
    }
    found.sort();
    found
}

//! Help: every command and every flag.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use stoker_domain::outcome::Outcome;

use crate::stoker;

const COMMANDS: [&[&str]; 75] = [
    &[],
    &["up"],
    &["domain"],
    &["domain", "add"],
    &["domain", "list"],
    &["domain", "show"],
    &["domain", "set"],
    &["domain", "start"],
    &["domain", "stop"],
    &["domain", "lock"],
    &["domain", "unlock"],
    &["domain", "verify"],
    &["domain", "remove"],
    &["zone"],
    &["zone", "list"],
    &["zone", "show"],
    &["zone", "add"],
    &["zone", "remove"],
    &["account"],
    &["account", "add"],
    &["account", "list"],
    &["account", "show"],
    &["account", "enable"],
    &["account", "disable"],
    &["account", "suspend"],
    &["account", "resume"],
    &["account", "feature"],
    &["account", "verification"],
    &["user"],
    &["user", "add"],
    &["user", "list"],
    &["user", "show"],
    &["user", "enable"],
    &["user", "disable"],
    &["user", "remove"],
    &["group"],
    &["group", "add"],
    &["group", "list"],
    &["group", "remove"],
    &["group", "join"],
    &["group", "leave"],
    &["key"],
    &["key", "add"],
    &["key", "list"],
    &["key", "enable"],
    &["key", "disable"],
    &["key", "remove"],
    &["key", "rotate"],
    &["key", "temporary"],
    &["policy"],
    &["policy", "put"],
    &["policy", "list"],
    &["policy", "show"],
    &["policy", "remove"],
    &["policy", "attach"],
    &["policy", "detach"],
    &["policy", "test"],
    &["prefetch"],
    &["purge"],
    &["purge", "list"],
    &["purge", "show"],
    &["quota"],
    &["quota", "show"],
    &["quota", "set"],
    &["task"],
    &["task", "list"],
    &["task", "show"],
    &["task", "watch"],
    &["task", "cancel"],
    &["task", "pause"],
    &["task", "resume"],
    &["task", "retry"],
    &["check"],
    &["doctor"],
    &["completions"],
];

const GUIDE: &str = include_str!("../../../../docs/guide.md");
const REFERENCE: &str = include_str!("../../../../docs/reference/cli.md");

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let name = format!("help {}", command.join(" "));
        assert_snapshot!(name.trim().replace(' ', "-"), help(command));
    }
}

#[test]
fn the_reference_names_every_command_and_every_flag_and_no_others() {
    let mut exist = BTreeSet::new();
    for command in COMMANDS {
        exist.extend(flags(&help(command)));
        let name = command.join(" ");
        assert!(REFERENCE.contains(&format!("`{name}")), "`{name}` is not in cli.md");
    }
    assert_eq!(flags(REFERENCE), exist);
}

/// The outcomes in the first column of the guide's table, where a prefix counts for what follows.
fn explained() -> BTreeSet<String> {
    let mut explained = BTreeSet::new();
    for line in GUIDE.lines().filter(|line| line.starts_with("| `")) {
        let cell = line.split('|').nth(1).unwrap();
        let mut prefix = None;
        for word in cell.split('`').skip(1).step_by(2) {
            match (word.split_once(':'), prefix) {
                (Some((kind, _)), _) => prefix = Some(kind),
                (None, Some(kind)) => {
                    explained.insert(format!("{kind}:{word}"));
                }
                (None, None) => {}
            }
            explained.insert(word.into());
        }
    }
    explained
}

#[test]
fn the_guide_explains_every_outcome() {
    let explained = explained();
    let missing: Vec<_> = Outcome::all()
        .iter()
        .map(ToString::to_string)
        .filter(|outcome| !explained.contains(outcome))
        .collect();
    assert!(missing.is_empty(), "not in guide.md: {missing:?}");
}

fn help(command: &[&str]) -> String {
    let ran = stoker(&[command, &["--help"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command:?}");
    ran.stdout
}

/// The words of `text` that begin with `--`.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .filter(|word| word.starts_with("--") && word.len() > 3 && !word.starts_with("---"))
        .map(String::from)
        .collect()
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = stoker(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("prefetch") && ran.stdout.contains("doctor"), "{shell}");
    }
}

#[test]
fn the_version_is_the_one_of_the_package() {
    let version = format!("stoker {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stoker(&["--version"]).stdout, version);
}

#[test]
fn the_former_name_of_the_tier_flag_still_works() {
    for command in ["prefetch", "check"] {
        for flag in ["--tier", "--layer"] {
            let ran = stoker(&[command, "http://www.example.com/", flag, "top"]);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("invalid value 'top' for '--tier <TIER>'"), "{ran:?}");
        }
    }
}

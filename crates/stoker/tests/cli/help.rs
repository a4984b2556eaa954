//! Help: every command and every flag.

use insta::assert_snapshot;

use crate::stoker;

#[test]
fn every_command_explains_itself() {
    let commands: [&[&str]; 15] = [
        &[],
        &["up"],
        &["domain"],
        &["domain", "add"],
        &["domain", "list"],
        &["domain", "show"],
        &["domain", "remove"],
        &["prefetch"],
        &["task"],
        &["task", "list"],
        &["task", "show"],
        &["task", "watch"],
        &["check"],
        &["doctor"],
        &["completions"],
    ];
    for command in commands {
        let ran = stoker(&[command, &["--help"]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command:?}");
        let name = format!("help {}", command.join(" "));
        assert_snapshot!(name.trim().replace(' ', "-"), ran.stdout);
    }
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

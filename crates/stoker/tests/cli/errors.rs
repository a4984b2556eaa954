//! Errors that need no server: wrong usage, and a server that is not there.

use insta::assert_snapshot;

use crate::{stoker, stoker_with, transcript};

#[test]
fn wrong_usage_is_told_with_the_right_one() {
    let wrong: [&[&str]; 28] = [
        &[],
        &["warm"],
        &["up", "--listen", "7700"],
        &["up", "--cache-size", "10"],
        &["up", "--base-port", "65530"],
        &["up", "--log", "info,=="],
        &["domain", "add", "a.example"],
        &["domain", "add", "a.example", "--origin", "http://b", "--area", "mars"],
        &["prefetch"],
        &["prefetch", "http://a.example/", "--tier", "top"],
        &["prefetch", "http://a.example/", "--header", "Authorization"],
        &["prefetch", "--list", "missing.txt"],
        &["up", "--quota-reset", "24:00"],
        &["quota", "set", "cdn"],
        &["quota", "set", "dns", "--daily", "1"],
        &["quota", "show", "--account", "me"],
        &["account", "show", "me"],
        &["user", "add", "a b"],
        &["user", "list", "--account", "me"],
        &["group", "join", "ops"],
        &["key", "disable", "../users"],
        &["key", "temporary", "--duration", "60"],
        &["policy", "put", "site", "--file", "missing.json"],
        &["policy", "attach", "site"],
        &["policy", "test", "--action", "cdn:PushUrlsCache"],
        &["task", "show"],
        &["check"],
        &["completions", "tcsh"],
    ];
    let mut transcripts = String::new();
    for args in wrong {
        let ran = stoker(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        transcripts.push_str(&transcript(args, &ran));
        transcripts.push('\n');
    }
    assert_snapshot!(transcripts);
}

#[test]
fn a_server_that_cannot_be_found_is_told_with_the_ways_to_name_it() {
    let endpoint = ("STOKER_ENDPOINT", "http://127.0.0.1:1");
    let keys = [("STOKER_SECRET_ID", "id"), ("STOKER_SECRET_KEY", "key")];
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 6] = [
        (&["task", "list"], &[]),
        (&["task", "list", "--data", "nowhere"], &[endpoint]),
        (&["task", "list"], &[endpoint]),
        (&["task", "list"], &[endpoint, keys[0], keys[1]]),
        (&["task", "list"], &[("STOKER_ENDPOINT", "127.0.0.1"), keys[0], keys[1]]),
        (&["doctor"], &[]),
    ];
    let mut transcripts = String::new();
    for (args, variables) in cases {
        let ran = stoker_with(args, variables);
        assert_ne!(ran.code, Some(0), "{args:?}: {ran:?}");
        for (name, value) in variables {
            transcripts.push_str(&format!("{name}={value} "));
        }
        transcripts.push_str(&transcript(args, &ran));
        transcripts.push('\n');
    }
    assert_snapshot!(transcripts);
}

//! What bad input gets: a clear refusal that costs nothing, or an outcome that names the reason.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::{
    harness::{Content, Nginx, Sdk},
    running::{Http, Ports, Stoker, eventually},
};

const HOST: &str = "www.example.com";
/// Six attempts with waits that double from one second, and the time of the attempts.
const RETRIES: Duration = Duration::from_secs(120);

#[test]
fn a_call_that_cannot_be_carried_out_is_refused_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, "http://127.0.0.1:1", &["--area", "overseas"]);
    let good = format!("http://{HOST}/x");
    let push = |url: &str| json!({"Urls": [good, url], "Area": "overseas"});
    let with = |name: &str, value: Value| {
        let mut parameters = json!({"Urls": [good], "Area": "overseas"});
        parameters[name] = value;
        parameters
    };
    let many: Vec<_> = (0..501).map(|number| format!("{good}{number}")).collect();
    let long = format!("{good}{}", "x".repeat(4096));
    let table = [
        (push("http://other.example.com/x"), "ResourceNotFound.CdnHostNotExists"),
        (push("www.example.com/x"), "InvalidParameter.CdnParamError"),
        (push("ftp://www.example.com/x"), "InvalidParameter.CdnParamError"),
        (push("http://*.example.com/x"), "InvalidParameter.CdnPushWildcardNotAllowed"),
        (push("http:///x"), "InvalidParameter.CdnHostInvalidParam"),
        (push(&long), "InvalidParameter.CdnParamError"),
        (push("http://www.example.com/中文"), "InvalidParameter.CdnParamError"),
        (json!({"Urls": []}), "InvalidParameter.CdnParamError"),
        (json!({"Area": "overseas"}), "MissingParameter"),
        (with("Urls", json!(many)), "LimitExceeded.CdnPushExceedBatchLimit"),
        (with("Urls", json!("http://www.example.com/x")), "InvalidParameter"),
        (with("Area", json!("mars")), "InvalidParameter.CdnParamError"),
        (with("Area", json!("global")), "ResourceUnavailable.CdnHostIsNotOnline"),
        (with("Layer", json!("top")), "InvalidParameter.CdnParamError"),
        (with("ParseM3U8", json!("perhaps")), "InvalidParameter"),
        (
            with("Headers", json!([{"Name": "Host", "Value": "x"}])),
            "InvalidParameter.CdnParamError",
        ),
        (with("Colour", json!("red")), "UnknownParameter"),
    ];
    let sdk = Sdk::of(&stoker);
    let calls: Vec<_> = table.iter().map(|(call, _)| ("PushUrlsCache", call.clone())).collect();
    for (reply, (call, code)) in sdk.calls(&calls).iter().zip(&table) {
        let call: String = call.to_string().chars().take(200).collect();
        assert_eq!(reply["Error"]["Code"], *code, "{call}: {reply}");
    }
    assert_eq!(sdk.charged(), (0, 0));
    assert_eq!(stoker.json(&["task", "list"]), json!([]));
}

#[test]
fn the_command_line_names_the_thing_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, "http://127.0.0.1:1", &["--area", "overseas"]);
    let long = format!("http://{HOST}/{}", "x".repeat(4096));
    let table: [(&[&str], &str); 7] = [
        (&["prefetch", "http://other.example.com/x"], "other.example.com"),
        (&["prefetch", "www.example.com/x"], "www.example.com/x"),
        (&["prefetch", "http://*.example.com/x"], "wildcard"),
        (&["prefetch", &long], "4096"),
        (&["prefetch", "http://www.example.com/x", "--area", "mainland"], "mainland"),
        (&["domain", "add", HOST, "--origin", "http://1.1.1.1"], "exists already"),
        (&["domain", "add", "a b", "--origin", "http://1.1.1.1"], "a b"),
    ];
    for (args, named) in table {
        let ran = stoker.cli(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{args:?}: {ran:?}");
        let lines: Vec<_> = ran.stderr.lines().collect();
        assert!(lines[0].starts_with("error: ") && lines[0].contains(named), "{ran:?}");
        assert!(lines[1].starts_with("hint: "), "{ran:?}");
    }
}

#[test]
fn an_url_given_twice_is_one_target_and_costs_one_unit() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/x", 10, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker);
    let urls = [format!("http://{HOST}/x"), "HTTP://WWW.Example.com/x#part".into()];
    let task = sdk.push(json!({"Urls": urls, "Area": "overseas"}));
    let records = sdk.wait(&task, RETRIES);
    assert_eq!(records, [(urls[0].clone(), "done".into())]);
    assert_eq!(sdk.charged(), (0, 1));
}

#[test]
fn what_an_origin_does_wrong_is_the_reason_that_the_target_shows() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/good", 100, 1);
    Content::write(&nginx.www(), "/no-ranges/large", 20_000_000, 2);
    Content::write(&nginx.www(), "/no-store/x", 100, 3);
    Content::write(&nginx.www(), "/private/x", 100, 4);
    let runtime = Runtime::new().unwrap();
    let odd = runtime.block_on(Origin::start());
    let (first, second) = (content(40_000_000, 1), content(40_000_000, 2));
    odd.on("/changes", Script::new(first).etag("\"1\"").changes(1, second.clone(), "\"2\""));
    odd.on("/endless", Script::endless(content(1 << 16, 3)));
    let short = || Script::new(content(100_000, 4)).wrong_length(10);
    odd.on("/wrong-length", short());
    odd.on("/short", short().without_ranges());
    odd.on("/cut-once", Script::new(content(9_000_000, 5)).etag("\"5\"").cut(1, 5_000_000));

    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    let further = ["--cache-size", "512MiB"];
    let stoker = Stoker::start_with(&folder.path().join("data"), ports, &further);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    stoker.add_domain("odd.example.com", &odd.url(), &[]);
    stoker.add_domain("dead.example.com", "http://127.0.0.1:1", &[]);
    // a literal would be refused
    let named = nginx.url().replace("127.0.0.1", "localhost");
    let private = ["domain", "add", "private.example.com", "--origin", &named];
    assert_eq!(stoker.cli(&private).code, Some(0));
    // the default is ten minutes
    for host in [HOST, "odd.example.com", "dead.example.com"] {
        let set = stoker.cli(&["domain", "set", host, "--patience", "10s"]);
        assert_eq!(set.code, Some(0), "{set:?}");
    }

    let table = [
        ("http://www.example.com/good", "done", "filled"),
        ("http://www.example.com/missing", "invalid", "origin_status:404"),
        ("http://www.example.com/error/403", "invalid", "origin_status:403"),
        ("http://www.example.com/error/500", "invalid", "origin_status:500"),
        ("http://www.example.com/moved", "invalid", "origin_status:302"),
        ("http://www.example.com/no-ranges/large", "done", "filled"),
        ("http://www.example.com/no-store/x", "fail", "uncacheable:no-store"),
        ("http://www.example.com/private/x", "fail", "uncacheable:private"),
        ("http://odd.example.com/changes", "done", "filled"),
        ("http://odd.example.com/endless", "fail", "too_large"),
        // the whole, asked for instead of the odd range, breaks off too
        ("http://odd.example.com/wrong-length", "fail", "origin_error:truncated"),
        ("http://odd.example.com/short", "fail", "origin_error:truncated"),
        ("http://odd.example.com/cut-once", "done", "filled"),
        ("http://dead.example.com/x", "fail", "origin_error:connect"),
        ("http://private.example.com/good", "fail", "blocked:private-address"),
    ];
    let urls: Vec<_> = table.iter().map(|(url, ..)| *url).collect();
    let sdk = Sdk::of(&stoker);
    let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "Layer": "edge"}));
    let records = sdk.wait(&task, RETRIES);
    let shown = stoker.json(&["task", "show", &task]);
    let mut wrong = Vec::new();
    for ((url, status, outcome), target) in table.iter().zip(shown["targets"].as_array().unwrap()) {
        assert_eq!(target["url"], *url);
        let record = records.iter().find(|(recorded, _)| recorded == url).unwrap();
        if record.1 != *status || target["outcome"] != *outcome {
            wrong.push(format!("{url}: {} {target}", record.1));
        }
        let told = &target["outcomes"][0];
        assert!(
            status == &"done" || told["detail"].is_string(),
            "a failure has a sentence: {told}"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // never a mixture of two representations
    let reply =
        Http::new().get(ports.node("edge-overseas"), "odd.example.com", "/changes").unwrap();
    assert!(reply.is_hit() && reply.body == second);

    // the command line tells the same, and that not everything is there
    let watched = stoker.cli(&["task", "watch", &task]);
    assert_eq!(watched.code, Some(1));
    assert!(watched.stdout.contains("failed http://www.example.com/missing"), "{watched:?}");
    assert!(watched.stdout.contains("edge-overseas: origin_status:404"), "{watched:?}");
}

#[test]
fn an_origin_that_does_not_answer_holds_up_nothing_else() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/good", 100, 1);
    let runtime = Runtime::new().unwrap();
    let odd = runtime.block_on(Origin::start());
    odd.on("/silent", Script::silent());
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    stoker.add_domain("odd.example.com", &odd.url(), &[]);
    let sdk = Sdk::of(&stoker);
    let urls = ["http://odd.example.com/silent", "http://www.example.com/good"];
    let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "Layer": "edge"}));
    let expected = [(urls[0].into(), "process".into()), (urls[1].into(), "done".into())];
    eventually(Duration::from_secs(120), "the other target is done", || {
        (sdk.records(&task) == expected).then_some(())
    });
    // the wait for the silent one does not keep the server from ending, nor is the target lost
    let (ports, data) = (stoker.ports(), stoker.data().to_owned());
    assert_eq!(stoker.terminate().0.code(), Some(0));
    odd.on("/silent", Script::new("at last").etag("\"1\""));
    let again = Stoker::start_with(&data, ports, &[]);
    assert!(Sdk::of(&again).wait(&task, RETRIES).iter().all(|(_, status)| status == "done"));
}

#[test]
fn playlists_that_loop_or_name_ten_thousand_children_come_to_an_end() {
    let nginx = Nginx::start();
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n";
    let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\n";
    let write = |name: &str, text: String| fs::write(nginx.www().join(name), text).unwrap();
    write("a.m3u8", format!("#EXTM3U\n{variant}b.m3u8\n"));
    write("b.m3u8", format!("#EXTM3U\n{variant}a.m3u8\n{variant}many.m3u8\n"));
    let children: String = (0..10_000).map(|n| format!("#EXTINF:1,\n0.ts?{n}\n")).collect();
    write("many.m3u8", format!("{head}{children}#EXT-X-ENDLIST\n"));
    write("0.ts", "segment".into());
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);

    let prefetch = ["prefetch", "http://www.example.com/a.m3u8", "--area", "overseas"];
    let further = ["--tier", "edge", "--media", "segments", "--wait", "--json"];
    let ran = stoker.cli(&[&prefetch[..], &further[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed[0]["task"]["targets"], 10_003, "three playlists and their children");
    assert_eq!(printed[0]["task"]["done"], 10_003);
    assert_eq!(Sdk::of(&stoker).charged(), (0, 10_003));
}

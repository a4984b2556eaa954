//! API v2 through the vendor's older SDKs: that for Python over TLS, that for Node over plain HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Content, Nginx, V2Client, sha256},
    running::{Http, Stoker, Tls, eventually},
};

const HOST: &str = "www.example.com";
const PATIENCE: Duration = Duration::from_secs(120);
/// Where the URLs of a push are kept: mainland's by the middle tier, those overseas by the edge.
const NODES: [&str; 2] = ["middle-mainland", "edge-overseas"];
const WAYS: [(&str, &str); 4] =
    [("GET", "HmacSHA1"), ("GET", "HmacSHA256"), ("POST", "HmacSHA1"), ("POST", "HmacSHA256")];

/// A server that speaks TLS too, and both callers.
fn fixture() -> (Stoker, [V2Client; 2], tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (stoker, tls) = Tls::start(folder.path());
    let callers = [V2Client::python(&stoker, &tls.authority_file()), V2Client::node(&stoker)];
    (stoker, callers, folder)
}

/// Asks for the records of a task until none is under way; the last reply.
fn wait(older: &V2Client, task: &Value) -> Value {
    let task = match task {
        Value::String(task) => task.clone(),
        number => number.to_string(),
    };
    eventually(PATIENCE, "the task is over", || {
        let range = json!({"taskId": task, "startDate": "2020-01-01 00:00:00",
            "endDate": "2099-12-31 23:59:59"});
        let logs = older.accepted("GetPushLogs", range);
        let rows = logs["logs"].as_array().unwrap();
        assert_eq!(logs["total"], rows.len(), "{older:?}");
        let is_over = |log: &Value| log["status"] == "done" || log["status"] == "fail";
        (!rows.is_empty() && rows.iter().all(is_over)).then(|| logs.clone())
    })
}

#[test]
fn urls_pushed_in_every_way_of_signing_are_there() {
    let nginx = Nginx::start();
    let (stoker, callers, _folder) = fixture();
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for (who, caller) in callers.into_iter().enumerate() {
        for (how, (method, signature)) in WAYS.into_iter().enumerate() {
            let older = caller.clone().with(method, signature);
            let names: Vec<_> = (0..12).map(|n| format!("/{who}/{how}/{n}")).collect();
            let files: Vec<_> =
                names.iter().map(|name| Content::write(&nginx.www(), name, 1000, 1)).collect();
            let urls: Vec<_> = names.iter().map(|name| format!("http://{HOST}{name}")).collect();
            let data = older.accepted("CdnPusherV2", json!({"urls": urls}));
            let task = &data["task_ids"][0]["task_id"];
            let logs = wait(&older, task);
            assert_eq!(logs["total"], 12, "{older:?}");
            for log in logs["logs"].as_array().unwrap() {
                let told = [&log["status"], &log["progress"]];
                assert_eq!(told, [&json!("done"), &json!(100)], "{older:?}: {log}");
            }
            let http = Http::new();
            for file in &files {
                let port = stoker.ports().node(NODES[0]);
                let reply = http.get_cached(port, HOST, &file.path).unwrap();
                assert!(reply.is_hit(), "{older:?} {}", file.path);
                assert_eq!(sha256(&reply.body), file.sha256);
            }
        }
    }
}

#[test]
fn a_push_everywhere_a_quota_and_a_purge_are_told_in_the_shapes_of_v2() {
    let nginx = Nginx::start();
    let file = Content::write(&nginx.www(), "/x/1", 1000, 1);
    let (stoker, callers, _folder) = fixture();
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let url = format!("http://{HOST}{}", file.path);
    let is_held = |node: &str| {
        let port = stoker.ports().node(node);
        Http::new().get_cached(port, HOST, &file.path).unwrap().is_hit()
    };
    for older in callers {
        let left = |name: &str| {
            let quota = older.accepted("GetFlushQuota", json!({}));
            quota[name]["available"].as_i64().unwrap_or_else(|| panic!("{name}: {quota}"))
        };
        let names = ["ov_url_push", "ov_url_flush", "ov_dir_flush"];
        let before = names.map(left);
        let push = |area: &str| match area {
            "mainland" => {
                let data = older.accepted("CdnUrlPusher", json!({"urls": [url]}));
                assert_eq!(data["count"], 1, "{older:?}: {data}");
                wait(&older, &data["task_id"]);
            }
            _ => {
                let data = older.accepted("CdnOverseaPushser", json!({"urls": [url]}));
                let (task, day) = (&data[0]["task_id"], data[0]["date"].as_str().unwrap());
                let filter = json!({"date": &day[..10], "type": "task", "keyword": task});
                eventually(PATIENCE, "the overseas task is over", || {
                    let logs = older.accepted("GetCdnOverseaPushLogs", filter.clone());
                    (logs[0]["status"] == "done").then_some(())
                });
            }
        };
        let push_both = || {
            push("mainland");
            push("overseas");
            assert_eq!(NODES.map(is_held), [true, true], "{older:?}");
        };
        let gone = |what: &str, held: [bool; 2]| {
            eventually(PATIENCE, what, || (NODES.map(is_held) == held).then_some(()));
        };
        push_both();
        let data = older.accepted("RefreshCdnUrl", json!({"urls": [url]}));
        assert_eq!(data["count"], 1, "{older:?}: {data}");
        let logged = eventually(PATIENCE, "the purge is told done", || {
            let logs = older.accepted("GetCdnRefreshLog", json!({"taskId": data["task_id"]}));
            (logs["logs"][0]["status"] == 1).then_some(logs)
        });
        assert_eq!(logged["logs"][0]["url_list"], json!([url]), "{older:?}");
        gone("the mainland's is gone", [false, true]);
        let data = older.accepted("RefreshCdnOverSeaUrl", json!({"urls": [url]}));
        assert_eq!(data["count"], 1, "{older:?}: {data}");
        gone("that overseas is gone too", [false, false]);
        push_both();
        let dirs = json!({"dirs": [format!("http://{HOST}/x/")], "type": 2});
        older.accepted("RefreshCdnDir", dirs.clone());
        gone("the mainland's directory is gone", [false, true]);
        older.accepted("RefreshCdnOverSeaDir", dirs);
        gone("that overseas is gone too", [false, false]);
        let spent: Vec<_> = before.iter().zip(names.map(left)).map(|(b, a)| b - a).collect();
        assert_eq!(spent, [2, 1, 1], "{older:?}");
    }
}

#[test]
fn one_action_of_v2_pushes_and_flushes_everywhere() {
    let nginx = Nginx::start();
    let file = Content::write(&nginx.www(), "/x/1", 1000, 1);
    let (stoker, callers, _folder) = fixture();
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let become_held = |held: bool| {
        eventually(PATIENCE, "all nodes agree", || {
            let is_held = |node: &str| {
                let port = stoker.ports().node(node);
                Http::new().get_cached(port, HOST, &file.path).unwrap().is_hit()
            };
            (NODES.map(is_held) == [held; 2]).then_some(())
        });
    };
    for older in callers {
        for (kind, target) in [("url", file.path.as_str()), ("dir", "/x/")] {
            let call = |command: &str, kind: &str, path: &str| {
                let filter = json!({"command": command, "type": kind, "mainland": 1, "oversea": 1,
                    "urls": [format!("http://{HOST}{path}")]});
                let data = older.accepted("FlushOrPushOverall", filter);
                assert_eq!(data, Value::Null, "{older:?}");
            };
            call("push", "url", &file.path);
            become_held(true);
            call("flush", kind, target);
            become_held(false);
        }
    }
}

#[test]
fn callers_of_v2_are_told_that_they_call_too_often() {
    let (_stoker, callers, _folder) = fixture();
    for older in callers {
        let reply = eventually(PATIENCE, "a call is one too many", || {
            let reply = older.call_once("GetFlushQuota", json!({}));
            (reply["code"] != 0).then_some(reply)
        });
        let told = [&reply["code"], &reply["codeDesc"]];
        assert_eq!(told, [&json!(4400), &json!("RequestLimitExceeded")], "{older:?}: {reply}");
    }
}

#[test]
fn callers_of_v2_are_told_why_they_are_refused() {
    let (stoker, callers, _folder) = fixture();
    stoker.add_domain(HOST, "http://127.0.0.1:1", &[]);
    let now = || {
        let reply = Http::new().get(stoker.ports().api(), "localhost", "/readyz").unwrap();
        let date = httpdate::parse_http_date(reply.fields["date"].to_str().unwrap()).unwrap();
        date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
    };
    let refusal = |code: i64, words: &str| (code, words.to_owned());
    for caller in callers {
        for (method, signature) in WAYS {
            let older = caller.clone().with(method, signature);
            let quota =
                |older: &V2Client, parameters: Value| older.refused("GetFlushQuota", parameters);
            let wrong = older.clone().with_key("wrong");
            assert_eq!(quota(&wrong, json!({})), refusal(4100, "AuthFailure"), "{older:?}");
            let nobody = older.clone().with_keys("AKIDnobody", "wrong");
            assert_eq!(quota(&nobody, json!({})), refusal(4104, "SecretidNotExit"), "{older:?}");
            for shift in [-7300, 7300] {
                let late = json!({"Timestamp": now() + shift});
                assert_eq!(quota(&older, late), refusal(4200, "RequestExpired"), "{older:?}");
            }
            let pair = json!({"Timestamp": now(), "Nonce": 4711});
            let once = older.clone().call("GetFlushQuota", pair.clone());
            // the first of the four ways is the only one that finds the pair unused
            assert!(once["code"] == 0 || once["code"] == 4500, "{older:?}: {once}");
            assert_eq!(quota(&older, pair), refusal(4500, "ReplayAttack"), "{older:?}");
            let unknown = older.refused("CdnPusherV9", json!({}));
            assert_eq!(unknown, refusal(4000, "InvalidAction"), "{older:?}");
            let push = |urls: Value| older.refused("CdnPusherV2", json!({"urls": urls}));
            assert_eq!(
                push(json!(["http://nobody.example/x"])),
                refusal(4000, "9110"),
                "{older:?}"
            );
            let many: Vec<_> = (0..21).map(|n| format!("http://{HOST}/{n}")).collect();
            assert_eq!(push(json!(many)), refusal(4000, "23100"), "{older:?}");
        }
        let set = stoker.cli(&["quota", "set", "cdn", "--daily", "1"]);
        assert_eq!(set.code, Some(0), "{set:?}");
        let urls = json!({"urls": [format!("http://{HOST}/1"), format!("http://{HOST}/2")]});
        for action in ["CdnPusherV2", "CdnUrlPusher", "CdnOverseaPushser"] {
            let code = caller.refused(action, urls.clone());
            assert_eq!(code, refusal(4000, "23101"), "{caller:?} {action}");
        }
        let reply = caller.call("CdnPusherV2", json!({"urls": ["http://nobody.example/x"]}));
        assert!(reply["message"].as_str().unwrap().starts_with("(9110)"), "{reply}");
        assert!(reply.get("data").is_none(), "{reply}");
    }
}

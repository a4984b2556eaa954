//! Lists of the admin API: each has pages, and what an account may have has a bound.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stoker_domain::account::AccountId;
use stoker_engine::{Config, MAX_GROUPS, MAX_POLICIES, MAX_TEMPORARY, MAX_USERS};
use stoker_gateway::admin::calls;

use crate::app::{Answer, App, Call};

async fn post(app: &App, target: &str, content: Value) -> Answer {
    app.call(&Call::admin(Method::POST, target, &content.to_string())).await
}

async fn get(app: &App, target: &str) -> Value {
    let answer = app.call(&Call::admin(Method::GET, target, "")).await;
    assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.json());
    answer.json()
}

/// The lists: what is read and names no single resource, but for what is no list.
fn lists() -> Vec<&'static str> {
    let paths = calls().filter(|(method, path)| *method == "GET" && !path.contains('{'));
    let paths = paths.filter_map(|(_, path)| path.strip_prefix("/admin/v1/"));
    paths.filter(|path| !["ledger", "quota", "policies/test"].contains(path)).collect()
}

/// Three or more of everything that is listed.
async fn furnished() -> App {
    let app = App::new().await;
    for number in 0..4 {
        for (target, content) in [
            ("accounts", json!({ "name": format!("a{number}") })),
            ("zones", json!({ "name": format!("zone-{number}") })),
            ("users", json!({ "name": format!("user-{number}") })),
            ("groups", json!({ "name": format!("group-{number}@x") })),
            ("keys", json!({ "user": format!("user-{number}") })),
            ("keys/temporary", json!({ "duration_seconds": 900 - number })),
            (
                "policies",
                json!({ "name": format!("policy-{number}"), "document": r#"{"version":"2.0",
                    "statement":[{"effect":"allow","action":"*","resource":"*"}]}"# }),
            ),
            ("tasks", json!({ "urls": [format!("http://www.test.com/{number}")] })),
            (
                "purges",
                json!({ "scope": "url", "targets": [format!("http://www.test.com/{number}")] }),
            ),
        ] {
            let answer = post(&app, target, content).await;
            assert!(answer.status.is_success(), "{target}: {}", answer.json());
        }
    }
    let wild = json!({ "host": "*.wild.test", "origin": "http://1.1.1.1" });
    assert_eq!(post(&app, "domains", wild).await.status, StatusCode::CREATED);
    app
}

fn rows(page: &Value) -> Vec<Value> {
    let mut fields = page.as_object().unwrap().values().filter_map(Value::as_array);
    let rows = fields.next().unwrap().clone();
    assert!(fields.next().is_none(), "{page} has one list");
    rows
}

#[tokio::test]
async fn the_pages_of_every_list_have_all_its_rows_in_their_order() {
    let app = furnished().await;
    assert_eq!(lists().len(), 11, "{:?}", lists());
    for list in lists() {
        let whole = get(&app, list).await;
        assert_eq!(whole.get("next"), None, "{list} is short");
        let whole = rows(&whole);
        assert!(whole.len() >= 4, "{list}: {whole:?}");
        for limit in [1, 3] {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let page = get(&app, &format!("{list}?limit={limit}{after}")).await;
                assert!(rows(&page).len() <= limit);
                found.extend(rows(&page));
                assert!(found.len() <= whole.len(), "{list} does not end");
                let Some(next) = page["next"].as_str() else { break };
                let next = next.replace('*', "%2A").replace('@', "%40");
                after = format!("&after={next}");
            }
            assert_eq!(found, whole, "{list} by {limit}");
        }
    }
}

#[tokio::test]
async fn no_page_is_larger_than_its_bound_and_none_is_too_far() {
    let app = furnished().await;
    for list in lists() {
        for limit in ["0", "1001", "-1", "18446744073709551616"] {
            let call = Call::admin(Method::GET, &format!("{list}?limit={limit}"), "");
            let answer = app.call(&call).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (400, "bad-query".into()),
                "{list}"
            );
        }
        assert_eq!(get(&app, &format!("{list}?limit=1000")).await.get("next"), None);
    }
    let task = rows(&get(&app, "tasks").await)[0]["id"].as_str().unwrap().to_owned();
    for list in ["tasks".into(), "purges".into(), format!("tasks/{task}/targets")] {
        assert!(rows(&get(&app, &format!("{list}?offset=1000000")).await).is_empty());
        let call = Call::admin(Method::GET, &format!("{list}?offset=1000001"), "");
        assert_eq!(app.call(&call).await.problem(), "bad-query", "{list}");
    }
    assert!(rows(&get(&app, "tasks?after=1").await).is_empty());
    assert!(rows(&get(&app, "purges?after=1").await).is_empty());
}

#[tokio::test]
async fn an_account_has_so_many_domains_and_zones_and_an_installation_so_many_accounts() {
    let mut app = App::new().await;
    let count = |account| app.engine.domains(AccountId(account)).len();
    let (domains, zones) = (count(1), app.engine.zones(AccountId(1)).len());
    let accounts = app.engine.accounts().await.unwrap().len();
    let bounds = Config {
        max_domains: domains + 1,
        max_zones: zones + 1,
        max_accounts: accounts + 1,
        ..Config::default()
    };
    app.bound(bounds).await;
    let domain = |host: &str| json!({ "host": host, "origin": "http://1.1.1.1", "no_zone": true });
    for (target, content, limit) in [
        ("domains", domain("a.test.com"), format!("{} domains", domains + 1)),
        ("zones", json!({ "name": "zone" }), format!("{} zones", zones + 1)),
        ("accounts", json!({}), format!("{} accounts", accounts + 1)),
    ] {
        let answer = post(&app, target, content.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{target}: {}", answer.json());
        let content = match target {
            "domains" => domain("b.test.com"),
            "zones" => json!({ "name": "zone-2" }),
            _ => content,
        };
        let answer = post(&app, target, content).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (409, "too-many".into()));
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains(&limit), "{problem}");
        assert!(problem["hint"].is_string(), "{problem}");
    }
    // a domain whose zone there is no room for is not added either
    let other = json!({ "host": "c.other.test", "origin": "http://1.1.1.1" });
    assert_eq!(post(&app, "domains", other).await.problem(), "too-many");
    let action = json!({ "Domain": "d.test.com", "ServiceType": "web",
        "Origin": { "OriginType": "ip", "Origins": ["192.0.2.1"] } });
    let code = app.call(&Call::action("AddCdnDomain", action.to_string())).await.code();
    assert_eq!(code, "LimitExceeded.CdnUserTooManyHosts");
    assert_eq!(app.engine.domains(AccountId(1)).len(), domains + 1);
    // another account has its own
    let theirs = post(&app, "domains?account=100000000002", domain("e.small.test")).await;
    assert_eq!(theirs.status, StatusCode::CREATED, "{}", theirs.json());
}

/// Rows of the owner's, numbered, as many as `count`.
fn fill(app: &App, into: &str, values: &str, count: usize) {
    app.sql(&format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
         INSERT INTO {into} SELECT {values} FROM n"
    ));
}

#[tokio::test]
async fn an_account_has_so_many_users_groups_policies_and_temporary_keys() {
    let app = App::new().await;
    let policy =
        r#"{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}"#;
    for (target, into, values, most) in [
        (
            "users",
            "user (account, uin, name, created_at, is_enabled)",
            "1, 'u' || n, 'old-' || n, n, 1",
            MAX_USERS,
        ),
        ("groups", "user_group (account, name, created_at)", "1, 'old-' || n, n", MAX_GROUPS),
        (
            "policies",
            "policy (account, name, created_at, document, updated_at)",
            "1, 'old-' || n, n, '{}', n",
            MAX_POLICIES,
        ),
        (
            "keys/temporary",
            "access_key (secret_id, created_at, token_hash, expires_at, secret_key, account, is_enabled)",
            "'old' || n, n, zeroblob(32), 4102444800000, 's', 1, 1",
            MAX_TEMPORARY,
        ),
    ] {
        fill(&app, into, values, most - 1);
        let new = |name: &str| match target {
            "policies" => json!({ "name": name, "document": policy }),
            "keys/temporary" => json!({}),
            _ => json!({ "name": name }),
        };
        let last = post(&app, target, new("a")).await;
        assert!(last.status.is_success(), "{target}: {}", last.json());
        let answer = post(&app, target, new("b")).await;
        assert_eq!(answer.problem(), "too-many", "{target}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains(&most.to_string()), "{problem}");
        let (mut pages, mut found, mut after) = (0, 0, String::new());
        loop {
            let page = get(&app, &format!("{target}?limit=1000{after}")).await;
            (pages, found) = (pages + 1, found + rows(&page).len());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!((pages, found), (most.div_ceil(1000), most), "{target}");
    }
}

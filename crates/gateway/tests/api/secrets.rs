//! No call of any API puts a secret into the log, or into an answer other than the one that shows it.
//!
//! All of them are made: as they may be made, with content that they do not take, with a wrong
//! signature. What is marked: keys, tokens, signatures, fields of requests, values of a task's fields,
//! queries of URLs.

use axum::body::Body;
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use stoker_domain::time::Clock;

use crate::{
    app::{Answer, App, Call, SECRET, nonce},
    idor::{ROOT_SESSION, TOKEN, TwoAccounts, VICTIM, admin, fill, vendor},
    logs::log,
    v1_call::V1Call,
};

/// What the log may not contain: parts of URLs, and parameters that are not taken, which an answer may
/// repeat to who sent them.
const MARK: &str = "concealed-mark";
/// What no answer may contain either: fields, also those of a task, tokens and signatures.
const FIELD: &str = "concealed-field";

/// What must never be read anywhere.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// Sends a request, marked in the fields that nobody reads, and looks at the answer.
    async fn send(&mut self, app: &App, what: &str, mut request: Request<Body>) -> Answer {
        for name in ["cookie", "x-api-key", "proxy-authorization", "referer"] {
            request.headers_mut().insert(name, HeaderValue::from_static(FIELD));
        }
        let authorization = request.headers().get("authorization");
        let signature =
            authorization.and_then(|field| field.to_str().ok()?.split("Signature=").nth(1));
        self.0.extend(signature.map(String::from));
        let answer = app.send(request).await;
        let mut json: Value = serde_json::from_slice(&answer.content).unwrap_or_default();
        // what is shown this once
        for name in ["secret_key", "token"] {
            let shown = json.as_object_mut().and_then(|fields| fields.remove(name));
            self.0.extend(shown.and_then(|shown| Some(shown.as_str()?.into())));
        }
        let text = json.to_string();
        for secret in self.0.iter().map(String::as_str).chain([SECRET, TOKEN, FIELD]) {
            assert!(!text.contains(secret), "{what} answers with a secret: {text}");
        }
        answer
    }

    /// Looks at the log.
    fn check(&self) {
        let text = log().text();
        for secret in self.0.iter().map(String::as_str).chain([SECRET, TOKEN, MARK, FIELD]) {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the log contains `{secret}`");
        }
        assert!(text.contains("admin call") && text.contains("call refused"), "all is logged");
    }
}

/// The same, signed by nobody.
fn forged(mut request: Request<Body>) -> Request<Body> {
    let field = request.headers()["authorization"].to_str().unwrap();
    let begin = field.find("Signature=").unwrap();
    let field = format!("{}Signature={FIELD}", &field[..begin]);
    request.headers_mut().insert("authorization", field.parse().unwrap());
    request
}

#[tokio::test]
async fn no_call_of_the_admin_api_shows_a_secret() {
    log();
    let mut secrets = Secrets::default();
    let marked = format!(r#"{{"{MARK}":"{MARK}","urls":["http://hidden.example/?{MARK}"]}}"#);
    let accounts = TwoAccounts::new().await;
    let app = &accounts.app;
    for (method, path, target, content, _) in admin::attempts() {
        let what = format!("{method} {path}");
        let method: Method = method.parse().unwrap();
        let call = |target: &str, content: &str| {
            Call::admin(
                method.clone(),
                &fill(target, &accounts.there),
                &fill(content, &accounts.there),
            )
            .key(VICTIM)
        };
        let now = app.clock.now();
        let target = target.split('?').next().unwrap();
        // what is not taken first: what is taken may leave nothing to be refused
        for (target, content) in [
            (format!("{target}?{MARK}={MARK}"), ""),
            (target.into(), marked.as_str()),
            (target.into(), MARK),
            (target.into(), &format!("{{\"user\":[\"{MARK}\"]}}")),
        ] {
            secrets.send(app, &what, call(&target, content).sign(now)).await;
        }
        secrets.send(app, &what, forged(call(target, &content).sign(now))).await;
        let token = call(target, &content).with("x-tc-token", FIELD).sign(now);
        secrets.send(app, &what, token).await;
    }
    let mut accounts = accounts;
    for (method, path, target, content, _) in admin::attempts() {
        let what = format!("{method} {path}");
        // what was tried before may have taken something away
        if method != "GET" {
            accounts = TwoAccounts::new().await;
        }
        let app = &accounts.app;
        let target = fill(target, &accounts.there).replace("/own", "/hidden");
        let content = fill(&content, &accounts.there).replace("\"own", "\"hidden");
        let content = content.replace("hidden.example/a", &format!("hidden.example/a?{MARK}"));
        let call = Call::admin(method.parse().unwrap(), &target, &content).key(VICTIM);
        secrets.send(app, &what, call.sign(app.clock.now())).await;
    }
    let task = format!(
        r#"{{"urls":["http://hidden.example/x?{MARK}"],"headers":[["X-Key","{FIELD}"]],"user_agent":"{FIELD}"}}"#
    );
    let accounts = TwoAccounts::new().await;
    let app = &accounts.app;
    for content in [task.clone(), task.replace("X-Key", "X Key"), task.replace("[\"X-Key\"", "[7")]
    {
        let call = Call::admin(Method::POST, "tasks", &content).key(VICTIM);
        secrets.send(app, "a task with fields", call.sign(app.clock.now())).await;
    }
    secrets.check();
}

#[tokio::test]
async fn no_action_of_the_vendor_shows_a_secret() {
    log();
    let mut secrets = Secrets::default();
    let accounts = TwoAccounts::new().await;
    let app = &accounts.app;
    let fields =
        format!(r#""Headers":[{{"Name":"X-Key","Value":"{FIELD}"}}],"UserAgent":"{FIELD}""#);
    for (version, action, params, _) in vendor::attempts() {
        let what = format!("{version} {action}");
        let params = fill(&params, &accounts.there);
        let params = params.replace("hidden.example/a", &format!("hidden.example/a?{MARK}"));
        let now = app.clock.now();
        if version == vendor::V2 {
            for key in [VICTIM, ROOT_SESSION] {
                for more in ["", "&nothing=concealed-mark"] {
                    let all = format!("{params}{more}");
                    let pairs: Vec<_> =
                        all.split('&').filter_map(|it| it.split_once('=')).collect();
                    let nonce = u128::from_be_bytes(nonce()).to_string();
                    let call = V1Call::v2(&pairs).with("Action", action).with("SecretId", key);
                    let call = call.with("Nonce", &nonce);
                    let call = if key == VICTIM { call } else { call.with("Token", TOKEN) };
                    secrets.send(app, &what, call.request(now)).await;
                }
            }
            continue;
        }
        let with = |more: &str| match params.strip_suffix('}') {
            Some("{") => format!("{{{more}}}"),
            Some(rest) => format!("{rest},{more}}}"),
            None => params.clone(),
        };
        for content in
            [params.clone(), with(&fields), with(&format!("\"{MARK}\":\"{MARK}\"")), MARK.into()]
        {
            let call = Call::action(action, content).with("x-tc-version", version);
            let by_session = call.clone().key(ROOT_SESSION).with("x-tc-token", TOKEN);
            let wrong_token = call.clone().key(ROOT_SESSION).with("x-tc-token", FIELD);
            let call = call.key(VICTIM);
            for request in [
                call.sign(now),
                by_session.sign(now),
                wrong_token.sign(now),
                forged(call.sign(now)),
            ] {
                secrets.send(app, &what, request).await;
            }
        }
    }
    secrets.check();
}

//! What the log contains, and what it must never contain.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};

use http::Method;
use serde_json::json;
use stoker_domain::time::Clock;
use tracing_subscriber::fmt::MakeWriter;

use crate::app::{App, Call};

/// What all tests log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// The log of this process, from the first call on.
pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(log.clone())
            .finish();
        // for all threads, so that no other test decides what is of interest; their lines do not harm
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn every_answer_is_logged_and_no_secret_is() {
    let log = log();
    let app = App::new().await;
    let now = app.clock.now();
    let push = |url: &str| Call::action("PushUrlsCache", json!({ "Urls": [url] }).to_string());
    let query = "Urls.0=http%3A%2F%2Fwww.test.com%2F%3Fconcealed3&concealed4=1";
    let admin = json!({ "urls": ["http://b.example/?concealed5"] }).to_string();
    for call in [
        push("http://www.test.com/a?concealed1"),
        push("http://other.example/a?concealed2"),
        push("http://*.test.com/a?concealed2"),
        push("not a url?concealed2"),
        Call::get("PushUrlsCache", query),
        Call::action("PushUrlsCache", r#"{"concealed6":1}"#),
        Call::action("DescribePushTasks", r#"{"TaskId":"1","Keyword":"concealed7 ?"}"#),
        Call::action("DescribePushQuota", "{}").with("x-tc-token", "concealed8"),
        Call::admin(Method::POST, "tasks", &admin),
        Call::admin(Method::POST, "tasks", r#"{"concealed9":1}"#),
        Call::admin(Method::GET, "tasks?concealed0=1", ""),
    ] {
        let request = call.sign(now);
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let signature = authorization.split("Signature=").nth(1).unwrap().to_owned();
        let answer = app.send(request).await;
        let json = answer.json();
        let id = json["Response"]["RequestId"].as_str().or(json["request_id"].as_str()).unwrap();
        let text = log.text();
        assert!(text.contains(id), "{id} of {call:?} is not in the log\n{text}");
        assert!(!text.contains(&signature), "{text}");
    }
    assert!(!log.text().contains("concealed"), "{}", log.text());
    for target in ["accounts", "keys", "keys/temporary"] {
        let made = app.call(&Call::admin(Method::POST, target, "{}")).await.json();
        let field = |name: &str| made[name].as_str().map(String::from);
        assert!(log.text().contains(&field("uin").unwrap()), "{target} is in the log");
        for secret in [field("secret_key"), field("token")].into_iter().flatten() {
            // a caller who mistakes the halves of a key does not put them into the log either
            let swapped = Call::admin(Method::GET, &format!("keys/{secret}"), "");
            assert_eq!(app.call(&swapped).await.problem(), "no-such-key");
            assert!(!log.text().contains(&secret), "{target}: {}", log.text());
        }
    }
}

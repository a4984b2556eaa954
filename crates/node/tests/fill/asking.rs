//! How a domain wants its origin to be asked: redirections, request fields, times, ranges.

use std::sync::Arc;

use stoker_domain::{
    domain::{HeaderMode, HeaderRule, Paths, Pull},
    outcome::{Block, OriginFault, Outcome},
};
use stoker_testkit::{Origin, Script, content};

use crate::fixture::{Fixture, HOST, SLICE};

async fn fixture(pull: Pull) -> Fixture {
    let mut fixture = Fixture::new().await;
    Arc::make_mut(&mut fixture.domain).origin.pull = pull;
    fixture.restart_fills();
    fixture
}

async fn following() -> Fixture {
    fixture(Pull { follows_redirects: true, ..Pull::default() }).await
}

fn to(status: u16, location: &str) -> Script {
    Script::status(status).field("location", location)
}

#[tokio::test]
async fn redirections_are_followed_and_the_end_is_stored_under_the_beginning() {
    let fixture = following().await;
    let bytes = content(6 * SLICE, 1);
    let absolute = format!("{}/d/e?f=g", fixture.origin.url());
    fixture.origin.on("/a", to(301, "b/c"));
    fixture.origin.on("/b/c", to(307, &format!("http://{HOST}/d")));
    fixture.origin.on("/d", to(302, &absolute));
    fixture.origin.on("/d/e?f=g", Script::new(bytes.clone()).etag("\"a\""));
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(
        fixture.content_of("/a").await == bytes,
        "slices are asked for through the redirections"
    );
    for path in ["/b/c", "/d", "/d/e?f=g"] {
        assert!(fixture.stored(path).await.is_none(), "{path}");
    }
    let (head, _) = fixture.get("/a").await.unwrap();
    assert_eq!(head.response.status, 200);
}

#[tokio::test]
async fn an_origin_may_call_itself_by_its_names() {
    let mut fixture = following().await;
    let origin = &mut Arc::make_mut(&mut fixture.domain).origin;
    origin.host_header = Some("Origin.Example".into());
    fixture.restart_fills();
    fixture.origin.on("/a", to(302, "http://origin.example/b"));
    fixture.origin.on("/b", to(302, &format!("//{HOST}/c")));
    fixture.origin.on("/c", Script::new("content"));
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    for seen in fixture.origin.requests() {
        assert_eq!(seen.field("host"), "Origin.Example", "{}", seen.path);
    }
}

#[tokio::test]
async fn a_redirection_is_handed_on_where_it_is_not_to_be_followed() {
    let plain = fixture(Pull::default()).await;
    plain.origin.on("/a", to(302, "/b"));
    plain.origin.on("/b", Script::new("content"));
    assert_eq!(plain.prefetch("/a").await.outcome, Outcome::OriginStatus(302));

    let fixture = following().await;
    fixture.origin.on("/loop", to(302, "/loop"));
    assert_eq!(fixture.prefetch("/loop").await.outcome, Outcome::OriginStatus(302));
    assert_eq!(fixture.origin.requests_for("/loop").len() % 4, 0, "three are followed");
    for (path, location) in [
        ("/file", "file:///etc/passwd"),
        ("/ftp", "ftp://127.0.0.1/"),
        ("/user", "http://a:b@127.0.0.1/"),
        ("/ourselves", &format!("https://{HOST}/ourselves")),
        ("/none", "http://"),
    ] {
        fixture.origin.on(path, to(302, location));
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::OriginStatus(302), "{location}");
    }
}

#[tokio::test]
async fn leave_for_a_private_origin_is_no_leave_for_where_it_redirects() {
    let fixture = following().await;
    let inner = Origin::start().await;
    inner.on("/secret", Script::new("secret"));
    fixture.origin.on("/a", to(302, &format!("{}/secret", inner.url())));
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Blocked(Block::PrivateAddress), "{:?}", filled.detail);
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn request_fields_are_set_added_and_deleted_by_path() {
    let rule = |mode, name: &str, value: &str, paths| HeaderRule {
        mode,
        name: name.into(),
        value: value.into(),
        paths,
    };
    let jpg = || Paths::Suffixes(vec!["jpg".into()]);
    let fixture = fixture(Pull {
        headers: vec![
            rule(HeaderMode::Set, "User-Agent", "rule", Paths::All),
            rule(HeaderMode::Set, "X-A", "1", jpg()),
            rule(HeaderMode::Add, "X-A", "2", jpg()),
            rule(HeaderMode::Set, "X-B", "1", Paths::All),
            rule(HeaderMode::Del, "X-B", "", jpg()),
            rule(HeaderMode::Set, "Authorization", "Basic eDp5", jpg()),
            // made anew or not for this way, whatever a rule says
            rule(HeaderMode::Set, "Range", "bytes=5-", Paths::All),
            rule(HeaderMode::Set, "Host", "elsewhere", Paths::All),
            rule(HeaderMode::Set, "Connection", "close", Paths::All),
            rule(HeaderMode::Del, "Via", "", Paths::All),
        ],
        ..Pull::default()
    })
    .await;
    for path in ["/a.jpg", "/a"] {
        fixture.origin.on(path, Script::new(content(9_000, 2)).etag("\"a\""));
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path} {:?}", filled.detail);
        let seen = &fixture.origin.requests_for(path)[0];
        let all: Vec<_> = seen.fields.get_all("x-a").iter().collect();
        let is_jpg = path == "/a.jpg";
        assert_eq!(all, if is_jpg { vec!["1", "2"] } else { vec![] });
        assert_eq!(seen.field("x-b"), if is_jpg { "" } else { "1" });
        assert_eq!(seen.field("authorization"), if is_jpg { "Basic eDp5" } else { "" });
        assert_eq!((seen.field("user-agent"), seen.field("host")), ("rule", HOST));
        assert!(seen.field("via").starts_with("1.1 stoker-"), "a rule cannot hide a loop");
        assert_eq!(seen.field("connection"), "");
        assert_eq!(seen.range.unwrap().0, 0);
    }
}

#[tokio::test]
async fn a_domain_has_its_own_time_out() {
    let fixture = fixture(Pull { receive_timeout_seconds: Some(1), ..Pull::default() }).await;
    fixture.origin.on("/a", Script::silent());
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    assert!(filled.detail.unwrap().contains("within 1s"));
}

#[tokio::test]
async fn a_domain_may_forbid_ranges() {
    let fixture = fixture(Pull { without_ranges: true, ..Pull::default() }).await;
    let bytes = content(6 * SLICE, 3);
    fixture.origin.on("/a", Script::new(bytes.clone()).etag("\"a\""));
    assert_eq!(fixture.prefetch("/a").await.outcome, Outcome::Filled);
    fixture.origin.on("/b", Script::new(bytes.clone()).etag("\"b\""));
    assert_eq!(fixture.get_range("/b", 5, 9).await, bytes.slice(5..10));
    fixture.idle().await;
    for seen in fixture.origin.requests() {
        assert_eq!(seen.field("range"), "", "{}", seen.path);
    }
    assert!(fixture.content_of("/a").await == bytes);
}

//! How a domain wants its origin to be asked: redirections, request fields, times, ranges.

use std::sync::Arc;

use stoker_domain::{
    domain::{HeaderMode, HeaderRule, Paths, Pull},
    outcome::{Block, OriginFault, Outcome},
};
use stoker_testkit::{Origin, Script, content};

use crate::house::{HOST, House, SLICE};

async fn house(pull: Pull) -> House {
    let mut house = House::new().await;
    Arc::make_mut(&mut house.domain).origin.pull = pull;
    house.restart_fills();
    house
}

async fn following() -> House {
    house(Pull { follows_redirects: true, ..Pull::default() }).await
}

fn to(status: u16, location: &str) -> Script {
    Script::status(status).field("location", location)
}

#[tokio::test]
async fn redirections_are_followed_and_the_end_is_stored_under_the_beginning() {
    let house = following().await;
    let bytes = content(6 * SLICE, 1);
    let absolute = format!("{}/d/e?f=g", house.origin.url());
    house.origin.on("/a", to(301, "b/c"));
    house.origin.on("/b/c", to(307, &format!("http://{HOST}/d")));
    house.origin.on("/d", to(302, &absolute));
    house.origin.on("/d/e?f=g", Script::new(bytes.clone()).etag("\"a\""));
    let filled = house.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(house.content_of("/a").await == bytes, "slices are asked for through the redirections");
    for path in ["/b/c", "/d", "/d/e?f=g"] {
        assert!(house.stored(path).await.is_none(), "{path}");
    }
    let (head, _) = house.get("/a").await.unwrap();
    assert_eq!(head.response.status, 200);
}

#[tokio::test]
async fn an_origin_may_call_itself_by_its_names() {
    let mut house = following().await;
    let origin = &mut Arc::make_mut(&mut house.domain).origin;
    origin.host_header = Some("Origin.Example".into());
    house.restart_fills();
    house.origin.on("/a", to(302, "http://origin.example/b"));
    house.origin.on("/b", to(302, &format!("//{HOST}/c")));
    house.origin.on("/c", Script::new("content"));
    let filled = house.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    for seen in house.origin.requests() {
        assert_eq!(seen.field("host"), "Origin.Example", "{}", seen.path);
    }
}

#[tokio::test]
async fn a_redirection_is_handed_on_where_it_is_not_to_be_followed() {
    let plain = house(Pull::default()).await;
    plain.origin.on("/a", to(302, "/b"));
    plain.origin.on("/b", Script::new("content"));
    assert_eq!(plain.prefetch("/a").await.outcome, Outcome::OriginStatus(302));

    let house = following().await;
    house.origin.on("/loop", to(302, "/loop"));
    assert_eq!(house.prefetch("/loop").await.outcome, Outcome::OriginStatus(302));
    assert_eq!(house.origin.requests_for("/loop").len() % 4, 0, "three are followed");
    for (path, location) in [
        ("/file", "file:///etc/passwd"),
        ("/ftp", "ftp://127.0.0.1/"),
        ("/user", "http://a:b@127.0.0.1/"),
        ("/ourselves", &format!("https://{HOST}/ourselves")),
        ("/none", "http://"),
    ] {
        house.origin.on(path, to(302, location));
        let filled = house.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::OriginStatus(302), "{location}");
    }
}

#[tokio::test]
async fn leave_for_a_private_origin_is_no_leave_for_where_it_redirects() {
    let house = following().await;
    let inner = Origin::start().await;
    inner.on("/secret", Script::new("secret"));
    house.origin.on("/a", to(302, &format!("{}/secret", inner.url())));
    let filled = house.prefetch("/a").await;
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
    let house = house(Pull {
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
        house.origin.on(path, Script::new(content(9_000, 2)).etag("\"a\""));
        let filled = house.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path} {:?}", filled.detail);
        let seen = &house.origin.requests_for(path)[0];
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
    let house = house(Pull { receive_timeout_seconds: Some(1), ..Pull::default() }).await;
    house.origin.on("/a", Script::silent());
    let filled = house.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    assert!(filled.detail.unwrap().contains("within 1s"));
}

#[tokio::test]
async fn a_domain_may_forbid_ranges() {
    let house = house(Pull { without_ranges: true, ..Pull::default() }).await;
    let bytes = content(6 * SLICE, 3);
    house.origin.on("/a", Script::new(bytes.clone()).etag("\"a\""));
    assert_eq!(house.prefetch("/a").await.outcome, Outcome::Filled);
    house.origin.on("/b", Script::new(bytes.clone()).etag("\"b\""));
    assert_eq!(house.get_range("/b", 5, 9).await, bytes.slice(5..10));
    house.idle().await;
    for seen in house.origin.requests() {
        assert_eq!(seen.field("range"), "", "{}", seen.path);
    }
    assert!(house.content_of("/a").await == bytes);
}

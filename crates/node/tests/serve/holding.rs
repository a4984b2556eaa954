//! What a node says of targets that it does not hold, and why: one case for each reason.

use std::time::Duration;

use stoker_domain::{
    area::{Area, Tier},
    holding::{Holding, Lack},
    outcome::{OriginFault, Outcome, Uncacheable},
    purge::{Method, Scope},
    setting::Status,
    target::Target,
    time::Clock,
};
use stoker_testkit::{Script, content, eventually};

use crate::support::{HOST, Net, SOON};

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

async fn holding(net: &Net, path: &str) -> Holding {
    let target = Target::parse(&url(path), false).expect("a target");
    net.running("edge").inspector().holding(&target).await
}

async fn prefetch(net: &Net, id: i64, path: &str) -> Outcome {
    net.sources["edge"].run(id, &url(path), 0).await.outcome
}

fn lasting(script: Script) -> Script {
    script.field("cache-control", "max-age=60")
}

#[tokio::test]
async fn what_is_there_and_fresh_is_held() {
    let net = Net::single().await;
    net.origin.on("/a", lasting(Script::new(content(3 << 20, 1)).etag("\"v1\"")));
    assert_eq!(holding(&net, "/a").await.lack, Some(Lack::NeverAsked));
    assert_eq!(prefetch(&net, 1, "/a").await, Outcome::Filled);
    let held = holding(&net, "/a").await;
    assert_eq!((held.lack, held.status, held.size_bytes), (None, Some(200), Some(3 << 20)));
    assert_eq!(held.fresh_until, Some(net.clock.now() + Duration::from_secs(60)));
    assert_eq!(net.origin.requests_for("/a").len(), 1, "nothing is fetched for the answer");
}

#[tokio::test]
async fn what_was_refused_names_the_field_or_the_rule_also_after_a_restart() {
    let mut net = Net::single().await;
    let refused = |reason| Outcome::Uncacheable(reason);
    let page = || Script::new("content");
    let cases = [
        ("/no-store", page().field("cache-control", "no-store"), refused(Uncacheable::NoStore)),
        ("/private", page().field("cache-control", "private"), refused(Uncacheable::Private)),
        ("/cookie", page().field("set-cookie", "a=b"), refused(Uncacheable::SetCookie)),
        ("/vary", page().field("vary", "*"), refused(Uncacheable::VaryStar)),
        ("/no-lifetime", page().field("expires", "0"), refused(Uncacheable::NoLifetime)),
        ("/large", Script::new(content(40 << 20, 1)), Outcome::TooLarge),
        ("/404", Script::status(404), Outcome::OriginStatus(404)),
        ("/500", Script::status(500), Outcome::OriginStatus(500)),
    ];
    for (id, (path, script, outcome)) in (1..).zip(&cases) {
        net.origin.on(path, script.clone());
        assert_eq!(prefetch(&net, id, path).await, *outcome, "{path}");
    }
    for is_again in [false, true] {
        for (path, _, outcome) in &cases {
            let found = holding(&net, path).await;
            let failure = found.last_failure.unwrap_or_else(|| panic!("{path} {is_again}"));
            assert_eq!(failure.outcome, *outcome, "{path} {is_again}");
            assert_eq!(found.lack, Some(Lack::of_failure(&failure)));
            assert_eq!(failure.at, net.clock.now());
            let is_refusal = matches!(outcome, Outcome::Uncacheable(_) | Outcome::TooLarge);
            let lack = if is_refusal { Lack::Refused } else { Lack::Failed };
            assert_eq!(found.lack, Some(lack), "{path}");
        }
        net.restart("edge").await;
    }
    // what succeeds at last has no failure any more
    net.origin.on("/404", lasting(Script::new("content")));
    net.clock.advance(Duration::from_secs(1));
    net.sources["edge"].accept_at(net.clock.now());
    assert_eq!(prefetch(&net, 99, "/404").await, Outcome::Filled);
    let held = holding(&net, "/404").await;
    assert_eq!((held.lack, held.last_failure), (None, None));
}

#[tokio::test]
async fn an_error_that_is_kept_is_not_the_content() {
    let net = Net::single().await;
    net.origin.on("/gone", lasting(Script::status(404)));
    net.origin.on("/moved", Script::status(301).field("location", "/elsewhere"));
    for (path, status) in [("/gone", 404), ("/moved", 301)] {
        assert_eq!(net.get("edge", path, &[]).await.status, status);
        net.until_hit("edge", path, &[]).await;
        let found = holding(&net, path).await;
        assert_eq!((found.lack, found.status), (Some(Lack::KeptError), Some(status)));
    }
}

#[tokio::test]
async fn what_is_stale_or_always_validated_or_varies_says_so() {
    let net = Net::single().await;
    net.origin.on("/stale", lasting(Script::new("content").etag("\"v1\"")));
    let always = Script::new("content").etag("\"v1\"").field("cache-control", "no-cache");
    net.origin.on("/always", always);
    net.origin.on("/vary", lasting(Script::new("content").field("vary", "accept-language")));
    assert_eq!(prefetch(&net, 1, "/stale").await, Outcome::Filled);
    prefetch(&net, 2, "/always").await;
    net.until_hit("edge", "/stale", &[]).await;
    let german = [("accept-language", "de")];
    net.get("edge", "/vary", &german).await;
    net.until_hit("edge", "/vary", &german).await;
    assert_eq!(holding(&net, "/always").await.lack, Some(Lack::AlwaysValidated));
    let names = vec!["accept-language".to_owned()];
    assert_eq!(holding(&net, "/vary").await.lack, Some(Lack::Varies(names)));
    let since = net.clock.now() + Duration::from_secs(60);
    net.clock.advance(Duration::from_secs(100));
    assert_eq!(holding(&net, "/stale").await.lack, Some(Lack::Stale(since)));
    // and why it is not fresh again
    net.put_domain(|domain| domain.origin.port = 1);
    net.sources["edge"].accept_at(net.clock.now());
    let fault = Outcome::OriginError(OriginFault::Connect);
    assert_eq!(prefetch(&net, 3, "/stale").await, fault);
    let found = holding(&net, "/stale").await;
    assert_eq!(found.last_failure.map(|failure| failure.outcome), Some(fault));
    assert_eq!(found.lack, Some(Lack::Stale(since)));
}

#[tokio::test]
async fn what_was_purged_says_when_whatever_the_purge_named_also_after_a_restart() {
    let mut net = Net::single().await;
    let source = net.sources["edge"].clone();
    let tagged = Script::new("content").field("cache-tag", "news");
    net.origin.on("/one", lasting(Script::new("content")));
    net.origin.on("/below/a", lasting(Script::new("content")));
    net.origin.on("/tagged", lasting(tagged));
    net.origin.on("/invalid", lasting(Script::new("content").etag("\"v1\"")));
    for (id, path) in (1..).zip(["/one", "/below/a", "/tagged", "/invalid"]) {
        assert_eq!(prefetch(&net, id, path).await, Outcome::Filled, "{path}");
    }
    net.clock.advance(Duration::from_secs(7));
    let at = net.clock.now();
    source.purge(1, Scope::Url, Method::Delete, &url("/one")).await;
    source.purge(2, Scope::Path, Method::Delete, &url("/below/")).await;
    source.purge(3, Scope::Tag, Method::Delete, &format!("{HOST} news")).await;
    source.purge(4, Scope::Path, Method::Invalidate, &url("/invalid")).await;
    net.clock.advance(Duration::from_secs(7));
    for _ in 0..2 {
        for path in ["/one", "/below/a", "/tagged"] {
            assert_eq!(holding(&net, path).await.lack, Some(Lack::Purged(at)), "{path}");
        }
        assert_eq!(holding(&net, "/invalid").await.lack, Some(Lack::Invalidated));
        net.restart("edge").await;
    }
    assert_eq!(holding(&net, "/below/never").await.lack, Some(Lack::NeverAsked));
}

#[tokio::test]
async fn what_is_there_in_part_counts_its_slices() {
    let net = Net::single().await;
    net.origin.on("/a", lasting(Script::new(content(20 << 20, 1)).etag("\"v1\"")));
    net.get("edge", "/a", &[("range", "bytes=0-1")]).await;
    let found = eventually(SOON, "some of it", || async {
        let found = holding(&net, "/a").await;
        matches!(found.lack, Some(Lack::Partial { held: 1.., .. })).then_some(found)
    })
    .await;
    let Some(Lack::Partial { held, slices }) = found.lack else { unreachable!() };
    assert_eq!((slices, held < 20), (Some(20), true), "{held}");
    assert_eq!((found.status, found.size_bytes), (Some(200), Some(20 << 20)));
}

#[tokio::test]
async fn what_made_room_for_others_was_evicted() {
    let net = Net::single().await;
    let paths: Vec<String> = (0..12).map(|n| format!("/{n}")).collect();
    for (id, path) in (1..).zip(&paths) {
        let bytes = content(12 << 20, id as u64);
        let script = Script::new(bytes).etag("\"v1\"").field("cache-control", "max-age=9000");
        net.origin.on(path, script);
        // what came just now is carried along
        net.clock.advance(Duration::from_secs(100));
        assert_eq!(prefetch(&net, id, path).await, Outcome::Filled, "{path}");
    }
    let mut evicted = 0;
    for path in &paths {
        match holding(&net, path).await.lack {
            None | Some(Lack::Partial { .. }) => {}
            Some(Lack::Evicted(at)) => {
                assert!(at <= net.clock.now());
                evicted += 1;
            }
            lack => panic!("{path}: {lack:?}"),
        }
    }
    assert!(evicted > 0, "all of them fitted");
}

#[tokio::test]
async fn what_nobody_may_ask_for_names_the_domain() {
    let net = Net::of(&[("edge", Area::Mainland, Tier::Edge)]).await;
    let foreign = Target::parse("http://other.example/x", false).unwrap();
    let found = net.running("edge").inspector().holding(&foreign).await;
    assert_eq!(found.lack, Some(Lack::DomainUnknown));
    net.put_domain(|domain| domain.status = Status::Offline);
    assert_eq!(holding(&net, "/a").await.lack, Some(Lack::DomainStopped));
}

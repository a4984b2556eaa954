//! What the engine is told of jobs: outcomes that were read back, each once, whatever gets lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stoker_domain::{
    domain::NodeDomain,
    job::ItemReport,
    media::NotFollowed,
    outcome::{Block, OriginFault, Outcome, Uncacheable},
    setting::Status,
    task::FetchOptions,
    time::Clock,
};
use stoker_testkit::{Script, Seen, content, eventually};

use crate::support::{HOST, Net, SOON};

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

#[tokio::test]
async fn filled_is_said_of_what_was_read_back() {
    let net = Net::single().await;
    let bytes = content((5 << 20) + 1, 1);
    let script = Script::new(bytes.clone()).etag("\"v1\"").field("cache-control", "max-age=600");
    net.origin.on("/a?b=c", script);
    let report = net.sources["edge"].run(1, &url("/a?b=c"), 0).await;
    let expected = ItemReport {
        position: 0,
        outcome: Outcome::Filled,
        size_bytes: Some(bytes.len() as u64),
        pulled_bytes: bytes.len() as u64,
        validator: Some("\"v1\"".into()),
        verified_at: report.verified_at,
        fresh_until: report.fresh_until,
        detail: None,
        retry_after_seconds: None,
        children: Vec::new(),
        not_followed: NotFollowed::default(),
    };
    assert_eq!(report, expected);
    assert!(report.verified_at.is_some());
    let left = report.fresh_until.unwrap().since(report.verified_at.unwrap());
    assert!(left > Duration::from_secs(590) && left <= Duration::from_secs(600), "{left:?}");
    let hit = net.get("edge", "/a?b=c", &[("cache-control", "only-if-cached")]).await;
    assert!(hit.status_is_hit() && hit.body == bytes);
    assert_eq!(net.origin.sent_for("/a?b=c"), bytes.len() as u64);
}

#[tokio::test]
async fn what_is_there_is_already_fresh_and_what_is_stale_is_revalidated() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    let script = Script::new(content(5000, 1)).etag("\"v1\"").field("cache-control", "max-age=600");
    net.origin.on("/a", script);
    assert_eq!(source.run(1, &url("/a"), 0).await.outcome, Outcome::Filled);
    let again = source.run(2, &url("/a"), 0).await;
    assert_eq!((again.outcome, again.pulled_bytes), (Outcome::AlreadyFresh, 0));
    assert_eq!((again.size_bytes, again.validator.as_deref()), (Some(5000), Some("\"v1\"")));
    assert_eq!(net.origin.requests_for("/a").len(), 1);
    net.clock.advance(Duration::from_secs(601));
    let later = source.run(3, &url("/a"), 0).await;
    assert_eq!(later.outcome, Outcome::Revalidated);
    assert_eq!(net.origin.sent_for("/a"), 5000);
    assert!(later.fresh_until > again.fresh_until);
}

#[tokio::test]
async fn a_clock_that_is_set_during_a_fill_ends_no_lifetime() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for (id, path, is_ahead) in [(1, "/ahead", true), (2, "/behind", false)] {
        let net = Net::single().await;
        let source = &net.sources["edge"];
        let script = Script::new(content(300_000, 1)).etag("\"v1\"");
        let script = script.field("cache-control", "max-age=600").hold_after(100_000);
        net.origin.on(path, script);
        source.put(id, &[&url(path)], 0, FetchOptions::default());
        eventually(SOON, "the origin is asked", || async {
            (!net.origin.requests_for(path).is_empty()).then_some(())
        })
        .await;
        let now = net.clock.now();
        net.clock.jump(if is_ahead { now + DAY } else { now - DAY });
        net.origin.release();
        let report = source.ended(id).await.remove(0);
        assert_eq!(report.outcome, Outcome::Filled, "{path}: {:?}", report.detail);
        assert!(report.fresh_until.unwrap() > net.clock.now(), "{path}");
        assert_eq!(net.origin.sent_for(path), 300_000, "{path}");
    }
}

#[tokio::test]
async fn request_fields_of_a_task_reach_the_domains_that_its_caller_named_alone() {
    let net = Net::full().await;
    net.directory.send_modify(|directory| {
        let directory = Arc::make_mut(directory);
        let mut other = NodeDomain::clone(directory.named(HOST).unwrap());
        other.name = "other.example".into();
        directory.put_domain(other);
    });
    for path in ["/named", "/other"] {
        net.origin.on(path, Script::new("x").etag("\"v1\"").field("cache-control", "public"));
    }
    let options = FetchOptions {
        user_agent: Some("Agent/1".into()),
        headers: vec![("Authorization".into(), "Basic eDp5".into()), ("X-A".into(), "1".into())],
        header_domains: Some(vec![HOST.into()]),
        ..FetchOptions::default()
    };
    let urls = [&url("/named"), "http://other.example/other"];
    net.sources["edge-mainland"].put(1, &urls, 0, options);
    for report in net.sources["edge-mainland"].ended(1).await {
        assert_eq!(report.outcome, Outcome::Filled, "{report:?}");
    }
    // whether the second, and the agent, decide anything is asked without them
    let named = vec![["Basic eDp5", "1"], ["Basic eDp5", ""]];
    for (path, sent) in [("/named", named), ("/other", vec![["", ""]; 2])] {
        let seen = net.origin.requests_for(path);
        let got = |seen: &Seen| ["authorization", "x-a"].map(|name| seen.field(name).to_owned());
        assert_eq!(seen.iter().map(got).collect::<Vec<_>>(), sent, "{path}");
        assert_eq!(seen[0].field("user-agent"), "Agent/1");
        assert!(seen[1].field("user-agent").starts_with("Stoker/"));
    }
}

#[tokio::test]
async fn what_is_not_there_is_never_called_there() {
    let net = Net::single().await;
    net.origin.on("/no-store", Script::new("x").field("cache-control", "no-store"));
    net.origin.on("/zero", Script::new("x").etag("\"v1\"").field("cache-control", "max-age=0"));
    net.origin.on("/500", Script::status(500));
    net.origin.on("/301", Script::status(301).field("location", "/elsewhere"));
    for (path, outcome) in [
        ("/no-store", Outcome::Uncacheable(Uncacheable::NoStore)),
        ("/zero", Outcome::Uncacheable(Uncacheable::NoLifetime)),
        ("/absent", Outcome::OriginStatus(404)),
        ("/500", Outcome::OriginStatus(500)),
        ("/301", Outcome::OriginStatus(301)),
    ] {
        let id = path.len() as i64 * 100 + i64::from(path.as_bytes()[1]);
        let report = net.sources["edge"].run(id, &url(path), 0).await;
        assert_eq!(report.outcome, outcome, "{path}");
        assert_eq!(report.verified_at, None, "{path}");
        // an error page is no size of the target
        let is_sized = matches!(outcome, Outcome::Uncacheable(_));
        assert_eq!(report.size_bytes.is_some(), is_sized, "{path}");
        assert!(report.detail.is_some_and(|detail| !detail.is_empty()), "{path}");
    }
    net.put_domain(|domain| domain.origin.port = 1);
    let report = net.sources["edge"].run(1, &url("/dead"), 0).await;
    assert_eq!(report.outcome, Outcome::OriginError(OriginFault::Connect));
}

#[tokio::test]
async fn what_must_not_be_asked_for_is_blocked() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    let report = source.run(1, "http://other.example/a", 0).await;
    assert_eq!(report.outcome, Outcome::Blocked(Block::Ownership));
    net.put_domain(|domain| domain.origin.allow_private = false);
    let report = source.run(2, &url("/a"), 0).await;
    assert_eq!(report.outcome, Outcome::Blocked(Block::PrivateAddress));
    net.put_domain(|domain| domain.status = Status::Offline);
    let report = source.run(3, &url("/a"), 0).await;
    assert_eq!(report.outcome, Outcome::Blocked(Block::Offline));
    assert_eq!(net.origin.requests().len(), 0);
}

#[tokio::test]
async fn many_items_are_reported_in_few_calls() {
    let net = Net::single().await;
    let urls: Vec<String> = (0..500).map(|n| url(&format!("/{n}"))).collect();
    for n in 0..500 {
        net.origin.on(&format!("/{n}"), Script::new(content(2000, n)).etag("\"v1\""));
    }
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    net.sources["edge"].put(1, &urls, 0, FetchOptions::default());
    let items = net.sources["edge"].ended(1).await;
    assert_eq!(items.len(), 500);
    assert!(items.iter().enumerate().all(|(n, item)| usize::from(item.position) == n));
    assert!(items.iter().all(|item| item.outcome == Outcome::Filled));
    let calls = net.sources["edge"].report_calls();
    assert!(calls <= 100, "{calls} calls for 500 items");
    let reports = net.sources["edge"].reports();
    assert_eq!(reports.iter().filter(|report| report.is_last).count(), 1);
    assert!(reports.last().unwrap().is_last);
    assert_eq!(net.origin.requests().len(), 500);
}

#[tokio::test]
async fn a_report_is_repeated_until_it_is_answered() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new(content(100, 1)).etag("\"v1\""));
    net.sources["edge"].lose_answers(3);
    let report = net.sources["edge"].run(1, &url("/a"), 0).await;
    assert_eq!(report.outcome, Outcome::Filled);
    assert_eq!(net.sources["edge"].report_calls(), 4);
}

#[tokio::test]
async fn pauses_grow_while_leases_fail_though_registrations_succeed() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    let began = Instant::now();
    source.refuse_leases(true);
    // the first registration is that of the start
    eventually(SOON, "six further registrations", || async {
        (source.registered().len() > 6).then_some(())
    })
    .await;
    // at least half of 100, 200, 400, 800, 1600 and 3200 ms
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(3150), "{took:?}");
    source.refuse_leases(false);
    net.origin.on("/a", Script::new(content(100, 1)).etag("\"v1\""));
    assert_eq!(source.run(1, &url("/a"), 0).await.outcome, Outcome::Filled);
}

#[tokio::test]
async fn a_lost_lease_ends_the_work() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    net.origin.on("/slow", Script::new(content(5000, 1)).etag("\"v1\"").hold_after(10));
    source.lose(1);
    source.put(1, &[&url("/slow")], 0, FetchOptions::default());
    eventually(SOON, "the heartbeat that was refused", || async {
        source.beats().iter().any(|beat| beat.job.0 == 1).then_some(())
    })
    .await;
    net.origin.release();
    net.origin.on("/b", Script::new("x").etag("\"v1\""));
    assert_eq!(source.run(2, &url("/b"), 0).await.outcome, Outcome::Filled);
    assert!(source.reports().iter().all(|report| report.job.0 == 2));
}

#[tokio::test]
async fn heartbeats_tell_how_far_a_slow_item_is() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    net.origin.on("/slow", Script::new(content(3 << 20, 1)).etag("\"v1\"").hold_after(2 << 20));
    source.put(1, &[&url("/slow")], 0, FetchOptions::default());
    let progress = eventually(SOON, "progress", || async {
        source.beats().iter().flat_map(|beat| beat.items.clone()).next_back()
    })
    .await;
    assert!(progress.done_bytes > 0 && progress.done_bytes < 3 << 20, "{progress:?}");
    assert_eq!(progress.total_bytes, Some(3 << 20));
    net.origin.release();
    assert_eq!(source.ended(1).await[0].outcome, Outcome::Filled);
}

#[tokio::test]
async fn shutdown_gives_back_what_is_not_done() {
    let mut net = Net::single().await;
    net.origin.on("/done", Script::new("x").etag("\"v1\""));
    net.origin.on("/slow", Script::new(content(5000, 1)).etag("\"v1\"").hold_after(10));
    net.sources["edge"].put(1, &[&url("/done"), &url("/slow")], 0, FetchOptions::default());
    eventually(SOON, "the first item is reported", || async {
        (!net.sources["edge"].reports().is_empty()).then_some(())
    })
    .await;
    net.take("edge").shutdown(SOON).await;
    let items = net.sources["edge"].ended(1).await;
    assert_eq!(items.iter().map(|item| item.position).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn children_of_playlists_are_reported_while_levels_are_left() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    net.origin.on(
        "/v/master.m3u8",
        Script::new("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/index.m3u8\n").etag("\"v1\""),
    );
    net.origin.on(
        "/v/low/index.m3u8",
        Script::new(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n#EXTINF:4,\n/2.ts?x\n#EXT-X-ENDLIST\n",
        )
        .etag("\"v1\""),
    );
    let master = source.run(1, &url("/v/master.m3u8"), 3).await;
    let children: Vec<_> =
        master.children.iter().map(|child| (child.url.clone(), child.is_playlist)).collect();
    assert_eq!(children, [(url("/v/low/index.m3u8"), true)]);
    // already there, and looked into all the same
    let again = source.run(2, &url("/v/master.m3u8"), 3).await;
    assert_eq!((again.outcome, again.children.len()), (Outcome::AlreadyFresh, 1));
    let media = source.run(3, &url("/v/low/index.m3u8"), 2).await;
    let urls: Vec<_> = media.children.iter().map(|child| child.url.clone()).collect();
    assert_eq!(urls, [url("/v/low/1.ts"), url("/2.ts?x")]);
    let unread = source.run(4, &url("/v/low/index.m3u8"), 0).await;
    assert!(unread.children.is_empty());
}

#[tokio::test]
async fn jobs_are_leased_only_while_there_is_room() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    net.origin.on("/slow", Script::new(content(5000, 1)).etag("\"v1\"").hold_after(10));
    for id in 1..=6 {
        source.put(id, &[&url("/slow")], 0, FetchOptions::default());
    }
    eventually(SOON, "four jobs are leased", || async {
        (source.leased().len() == 4).then_some(())
    })
    .await;
    net.origin.release();
    for id in 1..=6 {
        let outcome = source.ended(id).await[0].outcome;
        assert!(outcome.is_success(), "{id}: {outcome}");
    }
    assert_eq!(net.origin.sent_for("/slow"), 5000);
}

#[tokio::test]
async fn what_was_evicted_before_it_was_read_back_says_so() {
    let net = Net::single().await;
    // together more than the store holds; each fits
    let sizes = 12;
    let urls: Vec<String> = (0..sizes).map(|n| url(&format!("/{n}"))).collect();
    for n in 0..sizes {
        let script = Script::new(content((20 << 20) + 5, n)).etag("\"v1\"");
        net.origin.on(&format!("/{n}"), script);
    }
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    net.sources["edge"].put(1, &urls, 0, FetchOptions::default());
    let items = net.sources["edge"].ended(1).await;
    let lost: Vec<_> = items.iter().filter(|item| !item.outcome.is_success()).collect();
    assert!(!lost.is_empty(), "all of them fitted");
    let evicted = lost.iter().filter(|item| {
        let detail = item.detail.as_deref().unwrap_or_default();
        item.outcome == Outcome::Uncacheable(Uncacheable::DiskFull)
            && detail.contains("the store of 64 MiB is too small")
    });
    assert!(evicted.count() > 0, "{lost:?}");
    let wrong = Outcome::Uncacheable(Uncacheable::NoLifetime);
    assert!(lost.iter().all(|item| item.outcome != wrong), "{lost:?}");
}

#[tokio::test]
async fn what_was_filled_and_not_reported_is_fresh_after_a_restart() {
    let mut net = Net::single().await;
    net.origin.on("/a", Script::new(content(5000, 1)).etag("\"v1\""));
    net.origin.on("/b", Script::new(content(3 << 20, 2)).etag("\"v1\""));
    net.sources["edge"].lose_answers(usize::MAX);
    net.sources["edge"].put(1, &[&url("/a"), &url("/b")], 0, FetchOptions::default());
    for path in ["/a", "/b"] {
        net.until_hit("edge", path, &[]).await;
    }
    net.restart("edge").await;
    for (id, path) in [(2, "/a"), (3, "/b")] {
        let report = net.sources["edge"].run(id, &url(path), 0).await;
        assert_eq!((report.outcome, report.pulled_bytes), (Outcome::AlreadyFresh, 0), "{path}");
        assert_eq!(net.origin.requests_for(path).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_stored_error_is_not_the_target() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    net.origin.on("/gone", Script::status(410).field("cache-control", "max-age=600"));
    // of one task, whose nodes share the answer; and of a task that came later
    for (id, requests) in [(1, 1), (2, 1), (3, 2)] {
        if id == 3 {
            net.clock.advance(Duration::from_millis(1));
            source.accept_at(net.clock.now());
        }
        let report = source.run(id, &url("/gone"), 0).await;
        assert_eq!(report.outcome, Outcome::OriginStatus(410), "{report:?}");
        assert_eq!((report.verified_at, report.size_bytes), (None, None));
        assert!(report.detail.unwrap().contains("410"));
        assert_eq!(net.origin.requests_for("/gone").len(), requests);
    }
}

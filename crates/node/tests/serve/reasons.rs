//! The reason that is told is the true one: of a reply that is stale as it comes, and of a node
//! that refuses.

use std::time::Duration;

use stoker_domain::{
    domain::{CachePolicy, CacheRule, Paths, RuleLifetime},
    http::http_date,
    outcome::{Outcome, Uncacheable},
    setting::Status,
    time::{Clock, Timestamp},
};
use stoker_testkit::Script;

use crate::support::{HOST, Net, SECRET};

fn date(moment: Timestamp) -> String {
    http_date(moment).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_stale_as_it_comes_is_told_with_its_cause_however_far_away() {
    for (edge, net) in [("edge", Net::single().await), ("edge-overseas", Net::full().await)] {
        let now = net.clock.now();
        let (here, behind) = (date(now), date(now - Duration::from_secs(3600)));
        let soon = date(now - Duration::from_secs(3000));
        for (n, (fields, words)) in [
            (&[("date", &*behind), ("cache-control", "max-age=600")][..], "clock is behind"),
            (&[("date", &behind), ("expires", &soon)], "clock is behind"),
            (&[("date", &here), ("cache-control", "max-age=600"), ("age", "700")], "700 s old"),
            (&[("date", &here), ("cache-control", "max-age=0")], "`max-age`"),
            (&[("date", &here), ("cache-control", "s-maxage=soon")], "`s-maxage`"),
            (&[("date", &here), ("cache-control", "no-cache")], "every use to be validated"),
            (&[("date", &here), ("expires", "0")], "`Expires` is no date"),
            (&[("date", &here), ("expires", &soon)], "`Expires` is not later"),
        ]
        .into_iter()
        .enumerate()
        {
            // with a validator it is kept and of no use, without one it is not even kept
            for (kind, script) in [("a", Script::new("x").etag("\"v1\"")), ("b", Script::new("x"))]
            {
                let path = format!("/{edge}/{kind}/{n}");
                let script =
                    fields.iter().fold(script, |script, (name, value)| script.field(name, value));
                net.origin.on(&path, script);
                let id = n as i64 * 2 + i64::from(kind == "a") + 1;
                let report = net.sources[edge].run(id, &format!("http://{HOST}{path}"), 0).await;
                let case = format!("{path} {fields:?}: {:?}", report.detail);
                let no_lifetime = Outcome::Uncacheable(Uncacheable::NoLifetime);
                assert_eq!(report.outcome, no_lifetime, "{case}");
                assert!(report.detail.is_some_and(|detail| detail.contains(words)), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_rule_without_a_lifetime_is_named() {
    let net = Net::single().await;
    let policy = CachePolicy { lifetime: RuleLifetime::Exactly(0), ..CachePolicy::default() };
    net.put_domain(|domain| domain.cache.rules = vec![CacheRule { paths: Paths::All, policy }]);
    net.origin.on("/a", Script::new("x").etag("\"v1\"").field("cache-control", "max-age=600"));
    let report = net.sources["edge"].run(1, &format!("http://{HOST}/a"), 0).await;
    assert_eq!(report.outcome, Outcome::Uncacheable(Uncacheable::NoLifetime));
    assert!(report.detail.unwrap().contains("rule of the domain"));
}

#[tokio::test]
async fn a_node_tells_another_why_it_refuses_and_a_viewer_nothing_of_it() {
    let net = Net::full().await;
    net.put_domain(|domain| domain.status = Status::Offline);
    let spoken = |reply: &crate::support::Reply| {
        ["stoker-answered", "stoker-fault"].map(|name| reply.field(name))
    };
    let peer = [("stoker-peer", SECRET), ("stoker-hops", "1")];
    let reply = net.get("middle-mainland", "/a", &peer).await;
    assert_eq!(reply.status, 403);
    assert_eq!(spoken(&reply), ["1", "blocked:offline"]);
    assert!(reply.field("stoker-fault-detail").contains("this domain is stopped"));
    let reply = net.get("middle-mainland", "/a", &[]).await;
    assert_eq!((reply.status, spoken(&reply)), (403, [String::new(), String::new()]));
    // what the origin answered is marked as an answer, and nothing is told beside it
    net.put_domain(|_| {});
    let reply = net.get("middle-mainland", "/absent", &peer).await;
    assert_eq!((reply.status, spoken(&reply)), (404, ["1".to_owned(), String::new()]));
}

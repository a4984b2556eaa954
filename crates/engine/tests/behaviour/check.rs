//! Checks: which nodes are asked of which URLs, and what is said of those that do not answer.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stoker_domain::{
    area::{AreaScope, Tier},
    holding::{Holding, Lack},
    placement::Node,
    target::Target,
};
use stoker_engine::{Check, CheckTiers, Inspect, SubmitError};

use crate::fixture::{Fixture, domain};

const EVERY: u32 = 1000;

/// Holds what ends in `/held`; one of the nodes does not answer.
#[derive(Debug, Default)]
struct Nodes {
    asked: Mutex<Vec<(String, usize)>>,
}

#[async_trait]
impl Inspect for Nodes {
    async fn holdings(&self, node: &Node, targets: &[Target]) -> Option<Vec<Holding>> {
        let mut asked = self.asked.lock().expect("no test panics under the lock");
        asked.push((node.name.clone(), targets.len()));
        if node.name == "edge-mainland" {
            return None;
        }
        let of = |target: &Target| {
            let lack = (!target.url.ends_with("/held")).then_some(Lack::NeverAsked);
            Holding { lack, ..Holding::default() }
        };
        Some(targets.iter().map(of).collect())
    }
}

fn check(urls: &[&str], tiers: CheckTiers) -> Check {
    let urls = urls.iter().map(|url| (*url).into()).collect();
    Check { urls, areas: None, tiers, encode: true, batch_limit: EVERY }
}

#[tokio::test]
async fn by_default_the_nodes_are_asked_that_a_prefetch_reaches_each_once() {
    let fixture = Fixture::new().await;
    let nodes = Arc::new(Nodes::default());
    fixture.engine.inspect_through(Arc::clone(&nodes) as _);
    let overseas = domain("o.example.com", AreaScope::Overseas);
    fixture.engine.add_domain(fixture.account.id, overseas).await.unwrap();
    let urls =
        ["http://www.example.com/held", "http://o.example.com/b c", "http://www.example.com/x"];
    for (tiers, expected) in [
        (
            CheckTiers::AsPrefetched,
            [
                "edge-overseas:- middle-mainland:-",
                "edge-overseas:never-asked",
                "edge-overseas:never-asked middle-mainland:never-asked",
            ],
        ),
        (
            CheckTiers::One(Tier::Edge),
            [
                "edge-mainland:no-answer edge-overseas:-",
                "edge-overseas:never-asked",
                "edge-mainland:no-answer edge-overseas:never-asked",
            ],
        ),
        (
            CheckTiers::All,
            [
                "edge-mainland:no-answer edge-overseas:- middle-mainland:- middle-overseas:-",
                "edge-overseas:never-asked middle-overseas:never-asked",
                "edge-mainland:no-answer edge-overseas:never-asked middle-mainland:never-asked \
                 middle-overseas:never-asked",
            ],
        ),
    ] {
        nodes.asked.lock().unwrap().clear();
        let checked = fixture.engine.check(fixture.account.id, &check(&urls, tiers)).await.unwrap();
        let told = checked.iter().map(|checked| {
            let of = |(node, holding): &(Arc<Node>, Holding)| {
                format!("{}:{}", node.name, holding.lack.as_ref().map_or("-", Lack::as_str))
            };
            checked.nodes.iter().map(of).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "{tiers:?}");
        assert_eq!(checked[1].url, "http://o.example.com/b%20c");
        let mut asked = nodes.asked.lock().unwrap().clone();
        let calls = asked.len();
        asked.dedup_by(|one, other| one.0 == other.0);
        assert_eq!(asked.len(), calls, "each node is asked once");
    }
}

#[tokio::test]
async fn nodes_that_nobody_can_ask_do_not_answer_and_wrong_urls_are_named() {
    let fixture = Fixture::new().await;
    let engine = &fixture.engine;
    let id = fixture.account.id;
    let url = "http://www.example.com/held";
    let checked = engine.check(id, &check(&[url], CheckTiers::default())).await.unwrap();
    let lacks: Vec<_> = checked[0].nodes.iter().map(|(_, holding)| &holding.lack).collect();
    assert_eq!(lacks, [&Some(Lack::NoAnswer), &Some(Lack::NoAnswer)]);
    let refused = async |urls: &[&str]| {
        engine.check(id, &check(urls, CheckTiers::default())).await.unwrap_err()
    };
    assert!(matches!(refused(&[]).await, SubmitError::NoUrls));
    assert!(matches!(refused(&[url; 1001]).await, SubmitError::TooManyUrls { limit: 1000, .. }));
    assert!(matches!(refused(&[url, "ftp://x"]).await, SubmitError::Url { index: 1, .. }));
    let foreign = refused(&["http://other.example/x"]).await;
    assert!(matches!(foreign, SubmitError::DomainUnknown { .. }), "{foreign}");
}

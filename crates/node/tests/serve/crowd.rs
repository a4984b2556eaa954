//! Crowds before an origin that does not answer: how many requests are on their way, who waits and
//! who is refused. The origin holds its replies until the test lets them go; no clock decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use stoker_domain::task::FetchOptions;
use stoker_node::origin::InFlight;
use stoker_testkit::{Script, content, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};

use crate::support::{HOST, LONG, Net, Reply};

const DAY: Duration = Duration::from_secs(86_400);

/// Holds every reply until it is let go; then answers all.
struct Holding {
    port: u16,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    gate: watch::Sender<bool>,
}

impl Holding {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = watch::Sender::new(false);
        let holding = Self { port, open: Arc::default(), most: Arc::default(), gate };
        let (open, most) = (Arc::clone(&holding.open), Arc::clone(&holding.most));
        let opened = holding.gate.subscribe();
        stoker_testkit::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (open, most, mut opened) =
                    (Arc::clone(&open), Arc::clone(&most), opened.clone());
                stoker_testkit::spawn(async move {
                    if stoker_testkit::read_head(&mut stream).await.is_none() {
                        return;
                    }
                    let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    let _ = opened.wait_for(|is_open| *is_open).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                    let reply = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\
                                 Content-Length: 2\r\nConnection: close\r\n\r\nok";
                    let _ = stream.write_all(reply.as_bytes()).await;
                });
            }
        });
        holding
    }

    fn release(&self) {
        self.gate.send_replace(true);
    }

    /// Requests that it holds now, and the most that it ever held.
    fn counts(&self) -> (usize, usize) {
        (self.open.load(Ordering::SeqCst), self.most.load(Ordering::SeqCst))
    }
}

async fn net() -> (Net, Holding) {
    let net = Net::configured(&Net::EDGE, |config| {
        config.origin_bounds.in_flight = 16;
        config.origin_bounds.waiting = 8;
        config.origin_bounds.patience = DAY;
        config.time_outs.head = DAY;
    })
    .await;
    let holding = Holding::start().await;
    net.put_domain(|domain| domain.origin.port = holding.port);
    (net, holding)
}

fn in_flight(net: &Net, node: &str) -> InFlight {
    net.running(node).stats().contacts.in_flight
}

async fn until(net: &Net, node: &str, what: &str, is_so: impl Fn(InFlight) -> bool) -> InFlight {
    eventually(LONG, what, || async {
        let counts = in_flight(net, node);
        is_so(counts).then_some(counts)
    })
    .await
}

/// Viewers at `paths`, all at once.
fn viewers(net: &Net, paths: impl Iterator<Item = String>) -> JoinSet<Reply> {
    let mut viewers = JoinSet::new();
    for path in paths {
        let address = net.address("edge");
        viewers.spawn(async move {
            let text = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
            patient_raw(address, text).await
        });
    }
    viewers
}

async fn patient_raw(address: std::net::SocketAddr, text: String) -> Reply {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    crate::support::parse(&answer).expect("a reply")
}

#[tokio::test]
async fn a_crowd_at_an_origin_that_hangs_is_bounded_queued_and_refused() {
    let (net, holding) = net().await;
    // the seventeenth of the crowd waits, the twenty-fifth is refused
    let crowd = viewers(&net, (0..120).map(|n| format!("/crowd?{n}")));
    let counts = until(&net, "edge", "the crowd has come", |counts| counts.refused == 96).await;
    assert_eq!((counts.requests, counts.viewers_waiting), (16, 8));
    eventually(LONG, "the origin has what is in flight", || async {
        (holding.counts() == (16, 16)).then_some(())
    })
    .await;
    // another domain is served as if there were no crowd
    net.origin.on("/a", Script::new("content"));
    net.put_named("other.example.com", |_| {});
    let other = net.get("edge", "/a", &[("host", "other.example.com")]).await;
    assert_eq!((other.status, other.text().as_str()), (200, "content"));
    // somebody at another path gets a place in the queue, before most of the crowd
    let mut other_path = viewers(&net, ["/other".to_owned()].into_iter());
    until(&net, "edge", "one of the crowd has left for it", |counts| counts.refused == 97).await;
    holding.release();
    assert_eq!(other_path.join_next().await.unwrap().unwrap().status, 200);
    let replies = crowd.join_all().await;
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert_eq!((refused.len(), replies.len()), (97, 120));
    for reply in refused {
        assert!(!reply.field("retry-after").is_empty(), "{reply:?}");
        assert!(reply.cache_status().contains("origin_error:busy"), "{reply:?}");
    }
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 503)));
    assert_eq!(holding.counts().1, 16, "never more at the origin");
    until(&net, "edge", "nothing is left", |counts| {
        counts == InFlight { refused: 97, ..InFlight::default() }
    })
    .await;
}

#[tokio::test]
async fn a_viewer_who_waits_for_too_long_is_refused() {
    let net = Net::configured(&Net::EDGE, |config| {
        config.origin_bounds.in_flight = 1;
        config.origin_bounds.patience = Duration::from_millis(1);
        config.time_outs.head = DAY;
    })
    .await;
    let holding = Holding::start().await;
    net.put_domain(|domain| domain.origin.port = holding.port);
    let mut first = viewers(&net, ["/first".to_owned()].into_iter());
    until(&net, "edge", "it is on its way", |counts| counts.requests == 1).await;
    let second = net.get("edge", "/second", &[]).await;
    assert_eq!((second.status, second.field("retry-after").as_str()), (503, "1"));
    holding.release();
    assert_eq!(first.join_next().await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn the_node_as_a_whole_is_bounded_and_its_domains_take_turns() {
    let net = Net::configured(&Net::EDGE, |config| {
        config.origin_connections = 4;
        config.origin_bounds.in_flight = 3;
        config.origin_bounds.patience = DAY;
        config.time_outs.head = DAY;
    })
    .await;
    let holding = Holding::start().await;
    net.put_domain(|domain| domain.origin.port = holding.port);
    let mut crowd = viewers(&net, (0..20).map(|n| format!("/{n}")));
    until(&net, "edge", "three of one domain", |counts| {
        (counts.requests, counts.viewers_waiting) == (3, 17)
    })
    .await;
    net.origin.on("/a", Script::new("content"));
    net.put_named("other.example.com", |_| {});
    let other = net.get("edge", "/a", &[("host", "other.example.com")]).await;
    assert_eq!(other.status, 200);
    holding.release();
    while let Some(reply) = crowd.join_next().await {
        assert_eq!(reply.unwrap().status, 200);
    }
}

#[tokio::test]
async fn prefetches_keep_below_the_bound_and_none_is_failed_because_it_waits() {
    let (net, holding) = net().await;
    let urls: Vec<_> = (0..40).map(|n| format!("http://{HOST}/p{n}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    net.sources["edge"].put(1, &urls, 0, FetchOptions::default());
    let counts = until(&net, "edge", "prefetches wait", |counts| {
        counts.prefetches + counts.prefetches_waiting == 40
    })
    .await;
    assert_eq!((counts.prefetches, counts.requests), (12, 12), "three quarters of 16");
    // viewers have the rest
    let mut crowd = viewers(&net, (0..4).map(|n| format!("/v{n}")));
    until(&net, "edge", "viewers are on their way", |counts| counts.requests == 16).await;
    // a viewer of something that a prefetch waits for takes it along
    let mut joined = viewers(&net, ["/p39".to_owned()].into_iter());
    until(&net, "edge", "it waits as a viewer's", |counts| {
        (counts.viewers_waiting, counts.prefetches_waiting) == (1, 27)
    })
    .await;
    holding.release();
    while let Some(reply) = crowd.join_next().await {
        assert_eq!(reply.unwrap().status, 200);
    }
    assert_eq!(joined.join_next().await.unwrap().unwrap().status, 200);
    let reports = ended(&net, "edge", 1, 40).await;
    assert!(reports.iter().all(|outcome| outcome == "filled"), "{reports:?}");
    assert!(holding.counts().1 <= 16);
    assert_eq!(in_flight(&net, "edge").refused, 0);
}

/// The outcomes of job `id`, however long it takes.
async fn ended(net: &Net, node: &str, id: i64, items: usize) -> Vec<String> {
    eventually(LONG, "all items are reported", || async {
        let reports = net.sources[node].reports();
        let outcomes: Vec<_> = reports
            .iter()
            .filter(|report| report.job.0 == id)
            .flat_map(|report| &report.items)
            .map(|item| item.outcome.to_string())
            .collect();
        (outcomes.len() == items).then_some(outcomes)
    })
    .await
}

/// A viewer who shares a prefetch's fill and is refused takes nothing from the prefetch.
#[tokio::test]
async fn a_prefetch_outlives_the_refusal_of_a_viewer_who_shares_its_fill() {
    let net = Net::configured(&Net::EDGE, |config| {
        config.origin_bounds.in_flight = 1;
        config.origin_bounds.patience = Duration::from_millis(1);
        config.time_outs.head = DAY;
    })
    .await;
    let holding = Holding::start().await;
    net.put_domain(|domain| domain.origin.port = holding.port);
    let mut first = viewers(&net, ["/first".to_owned()].into_iter());
    until(&net, "edge", "it is on its way", |counts| counts.requests == 1).await;
    net.sources["edge"].put(1, &[&format!("http://{HOST}/p")], 0, FetchOptions::default());
    until(&net, "edge", "the prefetch waits", |counts| counts.prefetches_waiting == 1).await;
    let shared = net.get("edge", "/p", &[]).await;
    assert_eq!(shared.status, 503);
    until(&net, "edge", "the prefetch waits again", |counts| counts.prefetches_waiting == 1).await;
    holding.release();
    assert_eq!(first.join_next().await.unwrap().unwrap().status, 200);
    assert_eq!(ended(&net, "edge", 1, 1).await, ["filled"]);
}

/// What waits at a parent is asked for again and again, and is no failure either.
#[tokio::test]
async fn prefetches_that_wait_behind_other_nodes_are_not_failed() {
    use stoker_domain::area::{Area, Tier};
    let nodes = [("edge", Area::Mainland, Tier::Edge), ("middle", Area::Mainland, Tier::Middle)];
    let net = Net::configured(&nodes, |config| {
        config.origin_bounds.in_flight = 2;
        config.time_outs.head = DAY;
        // the sign of life comes often
        config.peer_patience = Duration::from_millis(20);
    })
    .await;
    let holding = Holding::start().await;
    net.put_domain(|domain| domain.origin.port = holding.port);
    let urls: Vec<_> = (0..12).map(|n| format!("http://{HOST}/p{n}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    net.sources["edge"].put(1, &urls, 0, FetchOptions::default());
    until(&net, "middle", "prefetches wait there", |counts| {
        counts.prefetches + counts.prefetches_waiting == 12
    })
    .await;
    // each is told at least once that it is still waited for
    let asked = net.running("middle").stats().answered.requests;
    eventually(LONG, "the edge asks again", || async {
        (net.running("middle").stats().answered.requests > asked + 24).then_some(())
    })
    .await;
    holding.release();
    assert!(ended(&net, "edge", 1, 12).await.iter().all(|outcome| outcome == "filled"));
}

#[tokio::test]
async fn no_more_read_one_fill_than_there_are_connections() {
    const MOST: usize = 16;
    let net = Net::configured(&Net::EDGE, |config| config.connections = MOST).await;
    // so little that no reply waits for its viewer
    let bytes = content(20_000, 1);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").hold_after(1000));
    let readers = || net.running("edge").stats().readers;
    let paths = |count| (0..count).map(|_| "/a".to_owned());
    let mut first = viewers(&net, paths(MOST));
    eventually(LONG, "the first read it", || async { (readers() == MOST).then_some(()) }).await;
    // none of the first is closed for them: they wait until one is done
    let mut further = viewers(&net, paths(8));
    assert_eq!(readers(), MOST);
    net.origin.release();
    while let Some(reply) = first.join_next().await {
        assert!(reply.unwrap().body == bytes);
    }
    while let Some(reply) = further.join_next().await {
        assert!(reply.unwrap().body == bytes);
    }
    assert_eq!(net.origin.sent_for("/a"), 20_000);
    eventually(LONG, "nobody reads it", || async { (readers() == 0).then_some(()) }).await;
}

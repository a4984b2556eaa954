//! Origins that lead back to the nodes: each is refused with 508, at once, and named.

use stoker_testkit::{Script, VerbatimOrigin, verbatim};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::support::{HOST, Net, Reply};

const OTHER: &str = "other.example.com";

fn is_refused(reply: &Reply) -> bool {
    reply.status == 508 && reply.cache_status().contains("blocked:loop")
}

/// What a prefetch at `node` comes to.
async fn prefetch(net: &Net, node: &str, id: i64) -> (String, String) {
    let report = net.sources[node].run(id, &format!("http://{HOST}/p{id}"), 0).await;
    (report.outcome.to_string(), report.detail.unwrap_or_default())
}

#[tokio::test]
async fn a_node_that_is_its_own_origin_refuses() {
    let net = Net::single().await;
    let port = net.address("edge").port();
    net.put_domain(|domain| domain.origin.port = port);
    let reply = net.get("edge", "/a", &[]).await;
    assert!(is_refused(&reply), "{reply:?}");
    assert!(reply.text().contains("leads back to this cache"), "{}", reply.text());
    let (outcome, detail) = prefetch(&net, "edge", 1).await;
    assert_eq!(outcome, "blocked:loop");
    assert!(detail.contains("came back"), "{detail}");
    assert_eq!(net.running("edge").stats().answered.loops, 2, "one round each");
}

#[tokio::test]
async fn two_domains_that_are_each_others_origin_are_refused_after_one_round() {
    let net = Net::single().await;
    let port = net.address("edge").port();
    net.put_domain(|domain| {
        domain.origin.port = port;
        domain.origin.host_header = Some(OTHER.into());
    });
    net.put_named(OTHER, |domain| {
        domain.origin.port = port;
        domain.origin.host_header = Some(HOST.into());
    });
    let reply = net.get("edge", "/a", &[]).await;
    assert!(is_refused(&reply), "{reply:?}");
    assert_eq!(prefetch(&net, "edge", 1).await.0, "blocked:loop");
    assert_eq!(net.running("edge").stats().answered.loops, 2);
}

/// A domain may have another of the same installation as its origin.
#[tokio::test]
async fn a_domain_whose_origin_is_another_domain_is_served() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("content"));
    let port = net.address("edge").port();
    net.put_domain(|domain| {
        domain.origin.port = port;
        domain.origin.host_header = Some(OTHER.into());
    });
    net.put_named(OTHER, |_| {});
    let reply = net.get("edge", "/a", &[]).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "content"));
    let seen = &net.origin.requests_for("/a")[0];
    let passes: Vec<_> = seen.fields.get_all("cdn-loop").iter().collect();
    assert_eq!(passes.len(), 2, "{passes:?}");
    assert_ne!(passes[0], passes[1]);
}

#[tokio::test]
async fn four_nodes_before_a_loop_refuse_and_say_so_to_each_other() {
    let net = Net::full().await;
    let port = net.address("edge-overseas").port();
    net.put_domain(|domain| domain.origin.port = port);
    for node in ["edge-mainland", "edge-overseas", "middle-mainland"] {
        let reply = net.get(node, &format!("/{node}"), &[]).await;
        assert!(is_refused(&reply), "{node}: {reply:?}");
    }
    assert_eq!(prefetch(&net, "edge-mainland", 1).await.0, "blocked:loop");
}

/// A proxy that knows nothing of HTTP, and one that removes `CDN-Loop`.
#[tokio::test]
async fn a_loop_through_a_proxy_is_refused() {
    let net = Net::single().await;
    let node = net.address("edge");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    stoker_testkit::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            stoker_testkit::spawn(async move {
                let mut to = TcpStream::connect(node).await.unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    net.put_domain(|domain| domain.origin.port = proxy.port());
    let reply = net.get("edge", "/a", &[]).await;
    assert!(is_refused(&reply), "{reply:?}");

    let stripping = VerbatimOrigin::start(move |wanted| {
        let via = wanted.field("via").to_owned();
        assert!(via.starts_with("1.1 stoker-"), "{via}");
        let asked = format!("GET {} HTTP/1.1\r\nHost: {HOST}\r\nVia: {via}\r\n", wanted.path);
        ask(node, &format!("{asked}Connection: close\r\n\r\n"))
    });
    net.put_domain(|domain| domain.origin.port = stripping.address().port());
    let reply = net.get("edge", "/b", &[]).await;
    assert!(is_refused(&reply), "{reply:?}");
    assert_eq!(stripping.requests_for("/b").len(), 1);
}

fn ask(node: std::net::SocketAddr, text: &str) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(node).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[tokio::test]
async fn a_redirection_back_is_refused_or_passed_on_and_never_followed_round() {
    let net = Net::single().await;
    let node = net.address("edge");
    let origin = VerbatimOrigin::start(move |wanted| {
        let to = match wanted.path.as_str() {
            // by address, by the name of the domain, and by that of another
            "/address" => format!("http://127.0.0.1:{}/address", node.port()),
            "/name" => format!("http://{HOST}/name"),
            other => panic!("{other}"),
        };
        verbatim(&format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0"), b"")
    });
    net.put_domain(|domain| {
        domain.origin.port = origin.address().port();
        domain.origin.pull.follows_redirects = true;
    });
    // an address of the machine itself is private where a redirection names it
    let reply = net.get("edge", "/address", &[]).await;
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(reply.cache_status().contains("blocked:private-address"), "{reply:?}");
    // the host itself, at the port at which the origin listens not: handed on as it is
    let reply = net.get("edge", "/name", &[]).await;
    assert!(matches!(reply.status, 302 | 508 | 502), "{reply:?}");
    assert!(origin.requests_for("/name").len() <= 4);
}

#[tokio::test]
async fn what_others_say_in_cdn_loop_travels_on_and_refuses_nothing() {
    let net = Net::full().await;
    net.origin.on("/a", Script::new("content"));
    let others = "fastly; v=1, \"odd\", stoker, stoker-0123456789abcdef;h=01234567";
    let fields = [("cdn-loop", others), ("via", "1.1 stoker, 2 other")];
    // a viewer cannot have it removed either
    let fields = [&fields[..], &[("connection", "cdn-loop")]].concat();
    let reply = net.get("edge-mainland", "/a", &fields).await;
    assert_eq!(reply.status, 200);
    let seen = &net.origin.requests_for("/a")[0];
    let passes: Vec<_> = seen.fields.get_all("cdn-loop").iter().collect();
    assert_eq!(passes.len(), 2, "{passes:?}");
    assert_eq!(passes[0].to_str().unwrap(), others);
    assert!(passes[1].to_str().unwrap().starts_with("stoker-"), "{passes:?}");
    // and it is the same for a prefetch
    net.sources["edge-overseas"].run(1, &format!("http://{HOST}/b"), 0).await;
    let seen = &net.origin.requests_for("/b")[0];
    assert_eq!(seen.field("cdn-loop"), passes[1].to_str().unwrap());
    assert!(!seen.field("cdn-loop").contains(HOST));
}

//! Starting and stopping: errors that say what to do, and a drain that loses no reply.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, Tier},
    directory::Directory,
    outcome::{OriginFault, Outcome},
    placement::Node,
    task::FetchOptions,
};
use stoker_node::{Config, StartError, start};
use stoker_testkit::{FakeClock, Script, content, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::support::{HOST, Net, SOON, Source, parse};

async fn attempt(listen: SocketAddr, dir: &std::path::Path, name: &str) -> StartError {
    let node = Node {
        name: name.into(),
        area: Area::Mainland,
        tier: Tier::Edge,
        cluster: "c".into(),
        address: String::new(),
    };
    let config = Config::new(node, listen, dir.into(), 64 << 20);
    let directory = watch::Sender::new(Arc::new(Directory::default())).subscribe();
    let source = Arc::<Source>::default();
    let started = start(config, directory, source, Arc::new(FakeClock::default())).await;
    started.expect_err("a node that cannot start")
}

#[tokio::test]
async fn a_busy_port_is_named_with_the_way_out() {
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = busy.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = attempt(address, dir.path(), "edge").await;
    assert_eq!(error.to_string(), format!("node `edge` cannot listen on {address}"));
    assert!(error.hint().contains(&address.port().to_string()), "{}", error.hint());
}

#[tokio::test]
async fn a_directory_in_use_is_named_with_the_way_out() {
    let net = Net::single().await;
    let error = attempt("127.0.0.1:0".parse().unwrap(), net.dir.path(), "edge").await;
    assert!(matches!(error, StartError::Store { .. }), "{error:?}");
    assert!(error.to_string().contains(net.dir.path().to_str().unwrap()), "{error}");
    assert!(error.hint().contains("another process uses"), "{}", error.hint());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = attempt("127.0.0.1:0".parse().unwrap(), &file, "edge").await;
    assert!(error.to_string().contains("file"), "{error}");
    assert!(error.hint().contains("can be read and written"), "{}", error.hint());
    let error = attempt("127.0.0.1:0".parse().unwrap(), dir.path(), "../edge").await;
    assert!(matches!(error, StartError::Name(_)), "{error:?}");
}

#[tokio::test]
async fn a_node_makes_itself_known_with_its_real_port() {
    let net = Net::single().await;
    let source = &net.sources["edge"];
    let (node, _) = eventually(SOON, "registered", || async { source.registered().pop() }).await;
    assert_eq!(node.address, net.address("edge").to_string());
}

#[tokio::test]
async fn shutdown_lets_a_reply_that_has_begun_end() {
    let mut net = Net::single().await;
    let bytes = content(2 << 20, 1);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").hold_after(1000));
    let address = net.address("edge");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    answer.truncate(read);
    let running = net.take("edge");
    let stop = running.shutdown(SOON);
    let finish = async {
        // an idle connection is closed at once; then the reply is let go
        let mut nothing = [0; 1];
        let _ = idle.read(&mut nothing).await;
        net.origin.release();
        stream.read_to_end(&mut answer).await.unwrap();
    };
    tokio::join!(stop, finish);
    let reply = parse(&answer).unwrap();
    assert!(reply.is_whole && reply.body == bytes);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_only_a_prefetch_waits_for_holds_up_no_shutdown_and_is_tried_again() {
    let mut net = Net::full().await;
    net.origin.on("/slow", Script::new(content(2 << 20, 1)).etag("\"v1\"").hold_after(1000));
    net.origin.on("/silent", Script::silent());
    let urls = ["/slow", "/silent"].map(|path| format!("http://{HOST}{path}"));
    let urls = urls.each_ref().map(String::as_str);
    net.sources["edge-mainland"].put(1, &urls, 0, FetchOptions::default());
    eventually(SOON, "the origin is asked for both", || async {
        (net.origin.requests().len() >= 2).then_some(())
    })
    .await;
    // the edge goes on: it is the middle nodes that have requests of it
    for middle in ["middle-mainland", "middle-overseas"] {
        let stop = net.take(middle).shutdown(Duration::from_secs(3600));
        tokio::time::timeout(SOON, stop).await.expect("it waits for no prefetch");
    }
    let parent = Outcome::OriginError(OriginFault::Parent);
    let items = net.sources["edge-mainland"].ended(1).await;
    assert!(items.iter().all(|item| item.outcome == parent), "{items:?}");
}

#[tokio::test]
async fn shutdown_does_not_wait_longer_than_its_grace() {
    let mut net = Net::single().await;
    net.origin.on("/a", Script::new(content(2 << 20, 1)).etag("\"v1\"").hold_after(1000));
    let mut stream = TcpStream::connect(net.address("edge")).await.unwrap();
    let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
    let stop = net.take("edge").shutdown(Duration::from_millis(100));
    tokio::time::timeout(SOON, stop).await.expect("ends after its grace");
}

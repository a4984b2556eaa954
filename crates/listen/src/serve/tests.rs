//! Who is closed for whom, over real connections.

use std::net::Ipv4Addr;

use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;
use crate::Open;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_VERIFIED: &str = "GET /verified HTTP/1.1\r\nHost: a\r\n\r\n";
/// Without the content.
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const POST_VERIFIED: &str = "POST /verified HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(120);

/// A listener that reads the content of requests and gives it back.
struct Fixture {
    address: SocketAddr,
    listener: Listener,
    /// One for each request that has begun.
    begun: Arc<Semaphore>,
    _serving: JoinHandle<()>,
}

async fn fixture(bounds: Bounds) -> Fixture {
    let from = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = from.local_addr().unwrap();
    let listener = Listener::new(bounds);
    let begun = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&begun);
    let answer = move |request: Request<Content>, connection: &Connection| {
        let (connection, begun) = (connection.clone(), Arc::clone(&told));
        async move {
            if request.uri().path() == "/verified" {
                connection.verified();
            }
            begun.add_permits(1);
            let large = request.uri().path() == "/large";
            let content = request.into_body().collect().await.map(|content| content.to_bytes());
            let reply = if large { vec![0; 32 << 20].into() } else { content.unwrap_or_default() };
            Response::new(Full::new(reply))
        }
    };
    let (drain, abort) = (CancellationToken::new(), CancellationToken::new());
    let serving = stoker_testkit::spawn(listener.clone().serve(from, answer, drain, abort));
    Fixture { address, listener, begun, _serving: serving }
}

impl Fixture {
    async fn connect(&self, says: &str) -> TcpStream {
        self.come_from(1, says).await
    }

    /// From `127.0.0.LAST`.
    async fn come_from(&self, last: u8, says: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until one more request has begun.
    async fn begins(&self) {
        timeout(PATIENCE, self.begun.acquire()).await.unwrap().unwrap().forget();
    }

    /// Comes with a whole request, and has it answered.
    async fn connect_and_be_answered(&self, last: u8, says: &str) -> TcpStream {
        let mut stream = self.come_from(last, says).await;
        self.begins().await;
        assert!(is_answered(&mut stream).await);
        stream
    }
}

/// Whether a reply comes, and not the end.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let mut start = [0; 15];
    let read = timeout(PATIENCE, stream.read_exact(&mut start)).await.expect("neither came");
    if read.is_err() {
        return false;
    }
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    // the rest of the head; nothing but replies without content is read here
    let mut rest = Vec::new();
    while !rest.ends_with(b"\r\n\r\n") {
        rest.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    true
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    // an end or a reset
    matches!(timeout(PATIENCE, stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
}

/// Whether it is still open: a request on it is answered.
async fn is_open(stream: &mut TcpStream) -> bool {
    stream.write_all(GET.as_bytes()).await.is_ok() && is_answered(stream).await
}

fn bounds(connections: usize) -> Bounds {
    Bounds { connections, unverified_content: connections, ..Bounds::api() }
}

#[tokio::test]
async fn content_that_does_not_come_keeps_nobody_out() {
    let fixture = fixture(bounds(2)).await;
    let mut first = fixture.connect(POST).await;
    fixture.begins().await;
    let mut second = fixture.connect(POST).await;
    fixture.begins().await;
    let _third = fixture.connect_and_be_answered(1, GET).await;
    assert!(is_closed(&mut first).await, "it had waited for longest");
    assert_eq!(fixture.listener.stats().closed(Closed::Content), 1);
    second.write_all(b"hello").await.unwrap();
    assert!(is_answered(&mut second).await);
}

#[tokio::test]
async fn a_call_of_a_verified_caller_is_not_cut() {
    let fixture = fixture(bounds(2)).await;
    let mut verified = fixture.connect(POST_VERIFIED).await;
    fixture.begins().await;
    let mut other = fixture.connect(POST).await;
    fixture.begins().await;
    let _third = fixture.connect_and_be_answered(1, GET).await;
    assert!(is_closed(&mut other).await);
    verified.write_all(b"hello").await.unwrap();
    assert!(is_answered(&mut verified).await);
}

#[tokio::test]
async fn beyond_their_share_callers_without_content_are_closed_before_idle_ones() {
    let fixture = fixture(Bounds { unverified_content: 1, ..bounds(3) }).await;
    let mut idle = fixture.connect_and_be_answered(1, GET).await;
    let mut first = fixture.connect(POST).await;
    fixture.begins().await;
    let _second = fixture.connect(POST).await;
    fixture.begins().await;
    let _new = fixture.connect_and_be_answered(1, GET).await;
    assert!(is_closed(&mut first).await);
    assert!(is_open(&mut idle).await);
}

#[tokio::test]
async fn idle_connections_of_known_callers_are_closed_last() {
    let fixture = fixture(bounds(2)).await;
    let mut known = fixture.connect_and_be_answered(1, GET_VERIFIED).await;
    let mut unknown = fixture.connect_and_be_answered(1, GET).await;
    let _new = fixture.connect_and_be_answered(1, GET).await;
    assert!(is_closed(&mut unknown).await);
    assert!(is_open(&mut known).await);
}

#[tokio::test]
async fn an_address_with_more_than_half_of_the_places_is_closed_first() {
    let fixture = fixture(bounds(4)).await;
    let mut alone = fixture.connect_and_be_answered(2, GET).await;
    let mut crowd = Vec::new();
    for _ in 0..3 {
        crowd.push(fixture.connect_and_be_answered(1, GET).await);
    }
    let _new = fixture.connect_and_be_answered(3, GET).await;
    assert!(is_closed(&mut crowd[0]).await);
    assert!(is_open(&mut alone).await);
}

#[tokio::test]
async fn a_client_who_takes_nothing_keeps_nobody_out() {
    let fixture = fixture(Bounds { stall: Duration::ZERO, ..bounds(1) }).await;
    let _stuck = fixture.connect("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    fixture.begins().await;
    let _new = fixture.connect_and_be_answered(1, GET).await;
    assert_eq!(fixture.listener.stats().closed(Closed::Stuck), 1);
}

#[tokio::test(start_paused = true)]
async fn content_that_comes_too_slowly_is_not_waited_for() {
    let fixture = fixture(bounds(2)).await;
    let begin = Instant::now();
    let mut slow = fixture.connect(&format!("{POST}hell")).await;
    fixture.begins().await;
    // paused time moves on as soon as there is nothing else to do
    assert!(is_closed(&mut slow).await);
    assert!(begin.elapsed() >= Bounds::api().content_grace, "{:?}", begin.elapsed());
    assert_eq!(fixture.listener.stats().closed(Closed::SlowContent), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_are_counted_by_what_goes_on_there() {
    let fixture = fixture(bounds(8)).await;
    let _idle = fixture.connect_and_be_answered(1, GET).await;
    let _waiting = fixture.connect("GET").await;
    let _content = fixture.connect(POST).await;
    fixture.begins().await;
    let wanted = Open { waiting: 1, idle: 1, content: 1, working: 0, writing: 0 };
    let counted = async {
        while fixture.listener.stats().open != wanted {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(9), counted).await.expect("as of a second ago");
    assert_eq!(fixture.listener.stats().accepted, 3);
}

#[tokio::test]
async fn at_the_end_what_has_begun_is_answered_and_the_rest_closed() {
    let from = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = from.local_addr().unwrap();
    let (begun, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (told, may) = (Arc::clone(&begun), Arc::clone(&leave));
    let answer = move |_: Request<Content>, _: &Connection| {
        let (begun, leave) = (Arc::clone(&told), Arc::clone(&may));
        async move {
            begun.add_permits(1);
            leave.acquire().await.unwrap().forget();
            Response::new(Full::new(Bytes::new()))
        }
    };
    let (drain, abort) = (CancellationToken::new(), CancellationToken::new());
    let listener = Listener::new(bounds(8));
    let serving = stoker_testkit::spawn(listener.serve(from, answer, drain.clone(), abort.clone()));
    let connect = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        begun.acquire().await.unwrap().forget();
        stream
    };
    let (mut first, mut second) = (connect().await, connect().await);
    drain.cancel();
    leave.add_permits(1);
    // one of them; which, is not said
    let answered = tokio::select! {
        answered = is_answered(&mut first) => answered,
        answered = is_answered(&mut second) => answered,
    };
    assert!(answered);
    assert!(!serving.is_finished(), "the other is under way");
    abort.cancel();
    timeout(PATIENCE, serving).await.unwrap().unwrap();
}

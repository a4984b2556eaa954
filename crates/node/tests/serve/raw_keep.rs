//! An origin that keeps its connections open, sends for each request the bytes that a test makes of
//! it, and counts connections; for replies after which something follows.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{io::AsyncWriteExt, net::TcpListener, sync::Semaphore};

/// What is sent for one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// At once,
    pub(crate) reply: Vec<u8>,
    /// and when the test says so; empty for nothing.
    pub(crate) later: Vec<u8>,
    /// The connection is closed then.
    pub(crate) closes_later: bool,
}

/// Keeps connections open.
pub(crate) struct KeepingOrigin {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    leave: Arc<Semaphore>,
    sent_late: Arc<AtomicUsize>,
}

impl KeepingOrigin {
    /// `answer` makes of the path of a request what is sent.
    pub(crate) async fn start(answer: impl Fn(&str) -> Sent + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let origin = Self {
            address: listener.local_addr().expect("it is bound"),
            connections: Arc::default(),
            requests: Arc::default(),
            leave: Arc::new(Semaphore::new(0)),
            sent_late: Arc::default(),
        };
        let (connections, requests) =
            (Arc::clone(&origin.connections), Arc::clone(&origin.requests));
        let (leave, sent_late) = (Arc::clone(&origin.leave), Arc::clone(&origin.sent_late));
        let answer = Arc::new(answer);
        stoker_testkit::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                let (leave, sent_late) = (Arc::clone(&leave), Arc::clone(&sent_late));
                stoker_testkit::spawn(async move {
                    loop {
                        let Some(head) = stoker_testkit::read_head(&mut stream).await else {
                            return;
                        };
                        requests.fetch_add(1, Ordering::SeqCst);
                        let head = String::from_utf8_lossy(&head).into_owned();
                        let sent = answer(head.split(' ').nth(1).unwrap_or_default());
                        // who has enough may leave
                        let _ = stream.write_all(&sent.reply).await;
                        if !sent.later.is_empty() || sent.closes_later {
                            leave.acquire().await.expect("never closed").forget();
                            let _ = stream.write_all(&sent.later).await;
                            sent_late.fetch_add(1, Ordering::SeqCst);
                            if sent.closes_later {
                                return;
                            }
                        }
                    }
                });
            }
        });
        origin
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Lets what comes later go, once.
    pub(crate) fn send_later(&self) {
        self.leave.add_permits(1);
    }

    /// How often something has been sent later.
    pub(crate) fn sent_late(&self) -> usize {
        self.sent_late.load(Ordering::SeqCst)
    }
}

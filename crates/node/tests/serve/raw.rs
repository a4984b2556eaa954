//! An origin that answers with whatever bytes a test makes of a request.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{io::AsyncWriteExt, net::TcpListener, sync::watch};

use crate::support::Net;

type Answer = Box<dyn Fn(&[u8]) -> Vec<u8> + Send>;

/// Closes the connection after each reply.
pub(crate) struct RawOrigin {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    is_held: watch::Sender<bool>,
}

impl RawOrigin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| Vec::new())));
        let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let is_held = watch::Sender::new(false);
        let (answers, seen) = (Arc::clone(&answer), Arc::clone(&requests));
        let held = is_held.subscribe();
        stoker_testkit::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                let mut held = held.clone();
                stoker_testkit::spawn(async move {
                    let Some(head) = stoker_testkit::read_head(&mut stream).await else { return };
                    let bytes = answers.lock().expect("no test panics under the lock")(&head);
                    seen.lock().expect("no test panics under the lock").push(head);
                    let _ = held.wait_for(|is_held| !is_held).await;
                    // who has enough may leave
                    let _ = stream.write_all(&bytes).await;
                });
            }
        });
        Self { address, answer, requests, is_held }
    }

    /// From now on replies wait, or, with `false`, come again.
    pub(crate) fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    /// From now on the answer is what `answer` makes of the head of the request.
    pub(crate) fn answers_by(&self, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) {
        *self.answer.lock().expect("no test panics under the lock") = Box::new(answer);
    }

    /// From now on the answer is `status`, the lines of `head` and a short text.
    pub(crate) fn answers(&self, status: &str, head: &[u8]) {
        let bytes = reply(status, head, "hallo");
        self.answers_by(move |_| bytes.clone());
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().expect("no test panics under the lock").clone()
    }

    /// All nodes ask this origin from now on.
    pub(crate) fn serve(&self, net: &Net) {
        let port = self.address.port();
        net.put_domain(|domain| domain.origin.port = port);
    }
}

/// The bytes of a reply; `head` has no line end at its end.
pub(crate) fn reply(status: &str, head: &[u8], content: &str) -> Vec<u8> {
    let length = content.len();
    let start = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    [start.as_bytes(), head, b"\r\n\r\n", content.as_bytes()].concat()
}

/// Whether `line` is one of those of `request`.
pub(crate) fn has_line(request: &[u8], line: &[u8]) -> bool {
    request.split(|byte| *byte == b'\n').any(|found| found.trim_ascii() == line)
}

/// The value of a field of `request`; empty when it is absent.
pub(crate) fn field(request: &[u8], name: &str) -> String {
    let head = String::from_utf8_lossy(request);
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, v)| v.into()).unwrap_or_default()
}

//! The content of a scripted reply: counted, paced, held, cut or endless.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::watch,
    time::{Sleep, sleep},
};

use super::script::Script;

const CHUNK: usize = 64 << 10;
/// Time for what was given to leave before the connection is cut.
const FLUSH: Duration = Duration::from_millis(20);

/// What ties a reply to the log and the gate.
pub(super) struct Tap {
    pub(super) sent: Arc<AtomicU64>,
    pub(super) gate: watch::Receiver<bool>,
    pub(super) earlier: usize,
}

/// Content on its way.
pub(super) struct Scripted {
    left: Bytes,
    again: Option<Bytes>,
    length: Option<u64>,
    chunk: usize,
    pause: Option<Duration>,
    resting: Option<Pin<Box<Sleep>>>,
    hold_after: Option<u64>,
    held: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    cut_after: Option<u64>,
    cutting: Option<Pin<Box<Sleep>>>,
    given: u64,
    sent: Arc<AtomicU64>,
    gate: watch::Receiver<bool>,
}

impl Scripted {
    pub(super) fn new(script: &Script, content: Bytes, length: Option<u64>, tap: Tap) -> Self {
        let mut cut_after =
            script.cut.filter(|(replies, _)| tap.earlier < *replies).map(|(_, bytes)| bytes);
        if length.is_some_and(|length| length > content.len() as u64) && !script.is_endless {
            // an announced length that is never reached can only end in a broken connection
            cut_after = Some(cut_after.unwrap_or(content.len() as u64));
        }
        Self {
            again: script.is_endless.then(|| content.clone()),
            left: content,
            length,
            chunk: script.pace.map_or(CHUNK, |(bytes, _)| bytes.max(1)),
            pause: script.pace.map(|(_, pause)| pause),
            resting: None,
            hold_after: script.hold_after,
            held: None,
            cut_after,
            cutting: None,
            given: 0,
            sent: tap.sent,
            gate: tap.gate,
        }
    }

    fn most(&self) -> u64 {
        let until = |mark: Option<u64>| mark.map_or(u64::MAX, |mark| mark - self.given);
        (self.chunk as u64).min(until(self.hold_after)).min(until(self.cut_after))
    }

    fn poll_waits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hold_after == Some(self.given) {
            let mut gate = self.gate.clone();
            let held = self.held.get_or_insert_with(|| {
                Box::pin(async move {
                    if gate.wait_for(|open| *open).await.is_err() {
                        // the origin is gone, and its connections are about to be cut: what is
                        // held must not slip out before
                        std::future::pending::<()>().await;
                    }
                })
            });
            ready!(held.as_mut().poll(cx));
            self.hold_after = None;
        }
        if let Some(resting) = &mut self.resting {
            ready!(resting.as_mut().poll(cx));
            self.resting = None;
        }
        Poll::Ready(())
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        ready!(this.poll_waits(cx));
        if this.left.is_empty()
            && let Some(again) = &this.again
        {
            this.left = again.clone();
        }
        if this.cut_after == Some(this.given) {
            // what was given is only in the server's buffer; an error would take it back
            let cutting = this.cutting.get_or_insert_with(|| Box::pin(sleep(FLUSH)));
            ready!(cutting.as_mut().poll(cx));
            return Poll::Ready(Some(Err(io::Error::other("cut by the script"))));
        }
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let most = usize::try_from(this.most()).unwrap_or(usize::MAX).min(this.left.len());
        let chunk = this.left.split_to(most);
        this.given += most as u64;
        this.sent.fetch_add(most as u64, Ordering::SeqCst);
        this.resting = this.pause.map(|pause| Box::pin(sleep(pause)));
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.again.is_none() && self.cut_after.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |length| {
            SizeHint::with_exact(length.saturating_sub(self.given))
        })
    }
}

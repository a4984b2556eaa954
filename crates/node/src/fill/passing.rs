//! Content that is not kept: it is handed through to the first reader as it comes. When that is decided
//! is said in `pass`.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    memory::Hold,
    origin::{Content, Fault},
};

/// A response that is handed through.
#[derive(Debug)]
pub(super) struct PassThrough {
    /// What was looked at before,
    pub(super) ready: VecDeque<Result<Bytes, Fault>>,
    /// and what is to come.
    pub(super) content: Option<Content>,
    /// Offset of the next byte.
    pub(super) start: u64,
    /// The memory for what is on its way.
    _hold: Option<Hold>,
}

impl PassThrough {
    pub(super) fn new(content: Content, start: u64, hold: Option<Hold>) -> Self {
        Self { ready: VecDeque::new(), content: Some(content), start, _hold: hold }
    }

    /// One of which all is there.
    pub(super) fn over(ready: VecDeque<Result<Bytes, Fault>>) -> Self {
        Self { ready, content: None, start: 0, _hold: None }
    }

    /// The next bytes; `None` at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        self.content.as_mut()?.next().await
    }

    /// All of it, if it comes at once and has at most `most` bytes. It is not lost either way.
    pub(super) async fn peek(&mut self, most: usize, limit: Duration) -> Option<Bytes> {
        let mut content = self.content.take()?;
        let all = timeout(limit, async {
            let mut len = 0;
            while len <= most {
                let Some(chunk) = content.next().await else { return true };
                len += chunk.as_ref().map_or(0, Bytes::len);
                let is_broken = chunk.is_err();
                self.ready.push_back(chunk);
                if is_broken {
                    return false;
                }
            }
            false
        })
        .await;
        if all != Ok(true) {
            self.content = Some(content);
            return None;
        }
        let chunks: Option<Vec<Bytes>> =
            self.ready.iter().map(|chunk| chunk.as_ref().ok().cloned()).collect();
        Some(chunks?.concat().into())
    }
}

//! What a listener counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Refusal, connection::State};

/// Why a connection was closed before its client closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was idle for the longest, and another came.
    Idle,
    /// Its content was not there, its caller not verified, and another came.
    Content,
    /// It took nothing of a reply, and another came.
    Stuck,
    /// No head came in time.
    HeadTimeout,
    /// Content came too slowly.
    SlowContent,
    /// It took nothing of a reply for too long.
    WriteTimeout,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Content,
        Self::Stuck,
        Self::HeadTimeout,
        Self::SlowContent,
        Self::WriteTimeout,
    ];

    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Content => "content",
            Self::Stuck => "stuck",
            Self::HeadTimeout => "head-timeout",
            Self::SlowContent => "slow-content",
            Self::WriteTimeout => "write-timeout",
        }
    }
}

/// Open connections by what goes on there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Their first request is waited for.
    pub waiting: u64,
    /// Their next request is waited for.
    pub idle: u64,
    /// Content is waited for.
    pub content: u64,
    /// A reply is made.
    pub working: u64,
    /// A reply is sent.
    pub writing: u64,
}

/// What a listener has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those that are open, as of a second ago at most.
    pub open: Open,
    /// Closed by the listener, in the order of [`Closed::ALL`].
    pub closed: [u64; Closed::ALL.len()],
    /// Requests that were refused, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
}

impl Open {
    /// Labels and counts.
    pub fn by_state(&self) -> [(&'static str, u64); 5] {
        [
            ("waiting", self.waiting),
            ("idle", self.idle),
            ("content", self.content),
            ("working", self.working),
            ("writing", self.writing),
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.by_state().into_iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn count(&mut self, state: State) {
        *match state {
            State::Waiting => &mut self.waiting,
            State::Idle => &mut self.idle,
            State::Content => &mut self.content,
            State::Working => &mut self.working,
            State::Writing | State::Ended => &mut self.writing,
        } += 1;
    }
}

impl Stats {
    /// Connections closed for this reason.
    pub fn closed(&self, why: Closed) -> u64 {
        self.closed[why as usize]
    }

    /// Requests refused for this reason.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize]
    }
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    open: [AtomicU64; 5],
    closed: [AtomicU64; Closed::ALL.len()],
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    pub(crate) fn closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn are_open(&self, open: &Open) {
        for (counter, (_, count)) in self.open.iter().zip(open.by_state()) {
            counter.store(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [waiting, idle, content, working, writing] = self.open.each_ref().map(read);
        Stats {
            accepted: read(&self.accepted),
            open: Open { waiting, idle, content, working, writing },
            closed: self.closed.each_ref().map(read),
            refused: self.refused.each_ref().map(read),
        }
    }
}

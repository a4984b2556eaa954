//! The connections of one listener: how many there may be, and who makes room for a newcomer.
//!
//! Whoever has been without a call for the longest goes first. A caller whose call is under way is
//! never cut off: when all are busy, newcomers wait.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    task::{AbortHandle, Id, JoinSet},
    time::Instant,
};

/// Those that are open.
pub(super) struct Connections {
    most: usize,
    tasks: JoinSet<()>,
    open: HashMap<Id, (AbortHandle, Arc<Turn>)>,
    /// A call ended.
    rested: Arc<Notify>,
}

/// Whose turn it is on one connection.
pub(super) struct Turn {
    /// Since when no call is under way.
    idle_since: Mutex<Option<Instant>>,
    rested: Arc<Notify>,
}

/// A call under way; over when dropped.
pub(super) struct Call<'a>(&'a Turn);

impl Connections {
    /// `most` at once.
    pub(super) fn new(most: usize) -> Self {
        Self { most, tasks: JoinSet::new(), open: HashMap::new(), rested: Arc::default() }
    }

    fn is_full(&self) -> bool {
        self.open.len() >= self.most
    }

    /// Whether a newcomer can be taken in.
    pub(super) fn has_room(&self) -> bool {
        !self.is_full() || self.longest_idle().is_some()
    }

    /// Waits until one has ended or, when there was no room, until there may be some. May be
    /// dropped at any time.
    pub(super) async fn change(&mut self) {
        let is_full = self.is_full();
        tokio::select! {
            () = self.rested.notified(), if is_full => {}
            Some(ended) = self.tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                self.open.remove(&id);
            }
            else => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Serves a newcomer; makes room for him if there is none.
    pub(super) fn begin<F>(&mut self, serve: impl FnOnce(Arc<Turn>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.is_full()
            && let Some(id) = self.longest_idle()
            && let Some((task, _)) = self.open.remove(&id)
        {
            task.abort();
        }
        let idle_since = Mutex::new(Some(Instant::now()));
        let turn = Arc::new(Turn { idle_since, rested: Arc::clone(&self.rested) });
        let task = self.tasks.spawn(serve(Arc::clone(&turn)));
        self.open.insert(task.id(), (task, turn));
    }

    fn longest_idle(&self) -> Option<Id> {
        let since = |turn: &Turn| *turn.lock();
        let idle = self.open.iter().filter_map(|(id, (_, turn))| Some((since(turn)?, *id)));
        idle.min_by_key(|(since, _)| *since).map(|(_, id)| id)
    }
}

impl Turn {
    /// A call begins.
    pub(super) fn call(&self) -> Call<'_> {
        *self.lock() = None;
        Call(self)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        *self.0.lock() = Some(Instant::now());
        self.0.rested.notify_one();
    }
}

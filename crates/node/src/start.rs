//! Starting a node and stopping it: opens the store, binds the port, makes the node known and lets
//! the agent work. Errors name the port or the directory and the way out.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use http::{Request, Response, request::Parts};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_agent::{Agent, Config as AgentConfig, JobSource, Readiness};
use stoker_domain::{
    directory::Directory, holding::Holding, placement::Node, target::Target, time::Clock,
};
use stoker_listen::{Bounds, Connection, Content, Listener};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{
    cache::NodeCache,
    config::Config,
    fill::{self, Fills, Remembered},
    history::History,
    memory::{Division, MemoryStats},
    origin::{Bounds as OriginBounds, Client, Contacts},
    peer,
    serve::{Answered, Body, Service},
    store::{self, Files, OpenError, Store},
};

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name cannot be a directory.
    #[error("node name `{0}` cannot be used as the name of a directory")]
    Name(String),
    /// The port is taken or not allowed.
    #[error("node `{node}` cannot listen on {address}")]
    Listen {
        /// Which node.
        node: String,
        /// Where it was to listen.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("node `{node}` cannot use `{}`", .dir.display())]
    Store {
        /// Which node.
        node: String,
        /// Directory of its store.
        dir: PathBuf,
        /// What was wrong with it.
        source: OpenError,
    },
}

impl StartError {
    /// The way out, for a person.
    pub fn hint(&self) -> String {
        match self {
            Self::Name(_) => "use letters, digits, `-`, `_` and `.` in node names".into(),
            Self::Listen { address, source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "another program listens on port {}: stop it or choose another port",
                    address.port()
                ),
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need privileges: choose a higher port".into()
                }
                _ => "choose an address of this machine".into(),
            },
            Self::Store { dir, source: OpenError::Locked(_), .. } => format!(
                "another process uses `{}`: stop it or choose another directory",
                dir.display()
            ),
            Self::Store { source: OpenError::TooSmall { .. }, .. } => {
                "give the node more disk".into()
            }
            Self::Store { dir, .. } => format!(
                "make sure that `{}` can be read and written and has space left",
                dir.display()
            ),
        }
    }
}

/// A running node. Dropped without [`Self::shutdown`], it stops at once.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    store: Store,
    fills: Fills,
    service: Service,
    connections: Listener,
    inspector: Inspector,
    tasks: Tasks,
}

#[derive(Debug)]
struct Tasks {
    /// Of all that run until the end.
    tracker: TaskTracker,
    agent: JoinHandle<()>,
    listener: JoinHandle<()>,
    stop_agent: CancellationToken,
    stop_pace: CancellationToken,
    stop_notes: CancellationToken,
    drain: CancellationToken,
    abort: CancellationToken,
}

/// What a node holds and has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Its store.
    pub store: store::Stats,
    /// Its replies.
    pub answered: Answered,
    /// Fills that run now.
    pub fills: usize,
    /// Who reads them.
    pub readers: usize,
    /// What it remembers of those that ended.
    pub remembered: Remembered,
    /// Its requests and connections to origins and other nodes.
    pub contacts: Contacts,
    /// Memory for content on its way.
    pub memory: MemoryStats,
}

/// Tells what a node holds and has done. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Counters {
    store: Store,
    fills: Fills,
    service: Service,
}

impl Counters {
    /// See [`Running::stats`].
    pub fn stats(&self) -> Stats {
        Stats {
            store: self.store.stats(),
            answered: self.service.answered(),
            fills: self.fills.running(),
            readers: self.fills.readers(),
            remembered: self.fills.remembered(),
            contacts: self.fills.contacts(),
            memory: self.fills.memory_stats(),
        }
    }
}

/// Starts a node. When this returns it has carried out the purges that it missed and serves, or the
/// engine has not answered for [`Config::catch_up_patience`]. It leases jobs as soon as the engine does.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    config: Config,
    directory: watch::Receiver<Arc<Directory>>,
    source: Arc<dyn JobSource>,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    let name = config.node.name.clone();
    if !is_directory_name(&name) {
        return Err(StartError::Name(name));
    }
    // the port first: a second start then names the port, not the lock
    let listener = TcpListener::bind(config.listen).await.map_err(|source| StartError::Listen {
        node: name.clone(),
        address: config.listen,
        source,
    })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        node: name.clone(),
        address: config.listen,
        source,
    })?;
    let store = open_store(&config, Arc::clone(&clock)).await?;
    let node = Arc::new(known_as(&config, address));
    let client = client(&config);
    let fills = Fills::new(
        store.clone(),
        client,
        Arc::clone(&node),
        directory.clone(),
        Arc::clone(&clock),
        fill::Config {
            seed: config.seed,
            memory: Division::of(config.memory).shares,
            memory_patience: config.memory_patience,
            ..fill::Config::default()
        },
    );
    let history = open_history(&config, Arc::clone(&clock)).await;
    store.observe(Arc::clone(&history) as _);
    fills.set_history(Arc::clone(&history));
    let readiness = Readiness::default();
    let service = Service::new(
        &config,
        (store.clone(), fills.clone()),
        readiness.clone(),
        directory.clone(),
        Arc::clone(&clock),
    );
    let cache = NodeCache::new(
        service.clone(),
        (store.clone(), fills.clone()),
        Arc::clone(&history),
        directory,
        clock,
    );
    let pace_source = Arc::clone(&source);
    let agent = Agent::new(agent_config(&config, node), source, Arc::new(cache), readiness.clone());
    let connections = Listener::new(bounds(&config));
    let tasks = spawn(agent, listener, service.clone(), connections.clone());
    // a bound for a store that cannot carry out what it must: the node goes on trying
    let _ = timeout(config.catch_up_patience, readiness.ready()).await;
    info!(node.id = name, address = %address, is_ready = readiness.is_ready(), "node serves");
    tasks.tracker.spawn(fills.clone().keep_pace(pace_source, tasks.stop_pace.clone()));
    tasks.tracker.spawn(Arc::clone(&history).keep(tasks.stop_notes.clone()));
    let inspector = Inspector { service: service.clone(), history };
    Ok(Running { address, store, fills, service, connections, inspector, tasks })
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        connections: config.connections,
        head_timeout: config.head_timeout,
        write_timeout: config.write_timeout,
        head_bytes: config.head_bytes,
        ..Bounds::node()
    }
}

/// Answers a request whose content means nothing (RFC 9110 section 9.3.1). The connections of other
/// nodes are not the first to be closed for another.
async fn answer(service: Service, head: Parts, connection: Connection) -> Response<Body> {
    let reply = service.answer(head, connection.peer().ip()).await;
    if peer::is_from_node(reply.headers()) {
        connection.verified();
    }
    reply
}

fn spawn(agent: Agent, from: TcpListener, service: Service, listener: Listener) -> Tasks {
    let answer = move |request: Request<Content>, connection: &Connection| {
        answer(service.clone(), request.into_parts().0, connection.clone())
    };
    let (stop_agent, drain, abort) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let (stop_pace, stop_notes) = (CancellationToken::new(), CancellationToken::new());
    let tracker = TaskTracker::new();
    Tasks {
        agent: tracker.spawn(agent.run(stop_agent.clone())),
        listener: tracker.spawn(listener.serve(from, answer, drain.clone(), abort.clone())),
        tracker,
        stop_agent,
        stop_pace,
        stop_notes,
        drain,
        abort,
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its connections.
    pub fn connections(&self) -> Listener {
        self.connections.clone()
    }

    /// Looks up what it has of single targets, and why not more.
    pub fn inspector(&self) -> Inspector {
        self.inspector.clone()
    }

    /// What it holds and has done since it started.
    pub fn stats(&self) -> Stats {
        self.counters().stats()
    }

    /// Reads its figures at any time.
    pub fn counters(&self) -> Counters {
        Counters {
            store: self.store.clone(),
            fills: self.fills.clone(),
            service: self.service.clone(),
        }
    }

    /// Takes no more jobs and gives back those that it has: what is done about all nodes of a process
    /// before the first of them is stopped.
    pub fn give_back(&self) {
        self.tasks.stop_agent.cancel();
    }

    /// As [`Self::shutdown_before`], with `grace` for the requests that have begun.
    pub async fn shutdown(self, grace: Duration) {
        self.shutdown_before(sleep(grace)).await;
    }

    /// Stops: gives back its jobs, ends fills that no viewer waits for, accepts no more connections,
    /// lets requests that have begun end before `end` does, and makes all that was written durable.
    pub async fn shutdown_before(mut self, end: impl Future<Output = ()>) {
        self.give_back();
        self.tasks.drain.cancel();
        let (tasks, fills) = (&mut self.tasks, &self.fills);
        let drained = async {
            let _ = (&mut tasks.agent).await;
            fills.drain();
            let _ = (&mut tasks.listener).await;
        };
        let is_drained = tokio::select! {
            () = drained => true,
            () = end => false,
        };
        if !is_drained {
            info!("time is up: ending the requests that are left");
            self.tasks.abort.cancel();
            self.tasks.agent.abort();
            // ends with its connections, and they have just been told
            let _ = (&mut self.tasks.listener).await;
        }
        self.fills.shutdown().await;
        self.store.close().await;
        // only now is there nothing more to note
        self.tasks.stop_notes.cancel();
        self.tasks.stop_pace.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop_agent.cancel();
        self.stop_pace.cancel();
        self.stop_notes.cancel();
        self.drain.cancel();
        self.abort.cancel();
        self.agent.abort();
    }
}

/// Tells what a node has of targets. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Inspector {
    service: Service,
    history: Arc<History>,
}

impl Inspector {
    /// What the node has of `target`.
    pub async fn holding(&self, target: &Target) -> Holding {
        self.service.holding(target, &self.history).await
    }
}

async fn open_history(config: &Config, clock: Arc<dyn Clock>) -> Arc<History> {
    let dir = config.dir.join(&config.node.name);
    let opened = spawn_blocking(move || History::open(&dir, clock)).await;
    Arc::new(opened.expect("reading the history does not panic"))
}

async fn open_store(config: &Config, clock: Arc<dyn Clock>) -> Result<Store, StartError> {
    let dir = config.dir.join(&config.node.name);
    let memory = Division::of(config.memory);
    let settings = store::Config {
        reserve_bytes: config.disk_reserve,
        hot_bytes: usize::try_from(memory.hot).unwrap_or(usize::MAX),
        max_entries: memory.index_entries,
        ..store::Config::new(dir.clone(), config.disk_bytes)
    };
    let files = Arc::new(Files::with_handles(dir.clone(), config.open_files));
    let opened = spawn_blocking(move || Store::open(settings, files, clock)).await;
    let opened = opened.unwrap_or_else(|panic| {
        let action = "recover the store";
        Err(OpenError::Io { action, dir: dir.clone(), source: io::Error::other(panic) })
    });
    let node = config.node.name.clone();
    opened.map_err(|source| StartError::Store { node, dir, source })
}

fn agent_config(config: &Config, node: Arc<Node>) -> AgentConfig {
    AgentConfig {
        node,
        session: StdRng::seed_from_u64(config.seed).random(),
        seed: config.seed,
        items_in_flight: config.items_in_flight,
        jobs_in_flight: config.jobs_in_flight,
        catch_up_patience: config.catch_up_patience,
    }
}

fn client(config: &Config) -> Client {
    let client = Client::new(&config.peer_secret, config.time_outs);
    let client = match &config.resolver {
        Some(resolver) => client.resolving(Arc::clone(resolver)),
        None => client,
    };
    let connections = config.origin_connections;
    client.within(OriginBounds { connections, ..config.origin_bounds })
}

fn known_as(config: &Config, address: SocketAddr) -> Node {
    let mut node = config.node.clone();
    if config.listen.port() == 0 {
        node.address = address.to_string();
    }
    node
}

fn is_directory_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)
}

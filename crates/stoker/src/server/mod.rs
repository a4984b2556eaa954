//! `stoker up` at work: what is started, in which order, and how it ends.
//!
//! 1. File descriptors and memory are divided; the data directory is made, locked and closed to
//!    others.
//! 2. The ports of API and status are taken, so that a busy one is told before anything is changed.
//! 3. Where the disk is full, the caches give room back.
//! 4. The sealing key is read, the ledger opened, the sealing key made if need be, then the owner.
//! 5. The nodes start and register.
//! 6. The API is served: whoever finds it ready finds everything ready.
//!
//! At the end API and nodes drain together, for the grace period at most.

mod api;
pub(crate) mod clear_text;
pub(crate) mod data;
pub(crate) mod descriptors;
mod dns;
mod evidence;
pub(crate) mod limits;
mod logging;
pub(crate) mod memory;
mod nodes;
mod owner;
mod room;
mod seal;
mod signal;
pub(crate) mod tls;
mod transport;

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::{quota::Reset, time::Clock};
use stoker_engine::{Config, Engine};
use stoker_gateway::{
    CallLimits, Config as GatewayConfig, ContentBounds, Gateway, Language, router, status_router,
};
use stoker_ledger::{Error as LedgerError, Ledger, Metrics as LedgerMetrics, Sqlite};
use stoker_listen::Bounds;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    time::{self, MissedTickBehavior},
};

use crate::{
    clock::SystemClock,
    config::SealKeySource,
    credentials::{self, Credentials},
    entropy,
    failure::Failure,
    output, private,
};

use api::Api;
use clear_text::Listener;
use evidence::Search;
use limits::Limits;
use nodes::Nodes;
use room::Room;
use seal::Seals;
use signal::{Cut, Signals, Wish};

pub(crate) use logging::log_to_stderr;
pub(crate) use seal::path as seal_key;

/// How often is written down when keys were last used.
const KEY_USES: Duration = Duration::from_secs(60);
/// How often the sweep takes a turn.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a turn may take.
const SWEEP_BUDGET: Duration = Duration::from_secs(2);

/// What `stoker up` was told.
pub(crate) struct Options {
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    /// Address of the API.
    pub(crate) listen: SocketAddr,
    /// Address of health and metrics.
    pub(crate) status: SocketAddr,
    /// The same API for callers who speak TLS.
    pub(crate) tls: Option<tls::Options>,
    /// Whether a new ledger may begin beside the caches of a lost one.
    pub(crate) new_ledger: bool,
    /// Where the keys are that seal the secrets in the ledger.
    pub(crate) seal_key: SealKeySource,
    /// Port of the first edge node.
    pub(crate) base_port: u16,
    /// Proxies before the nodes that are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Disk space of each node's cache.
    pub(crate) cache_bytes: u64,
    /// Disk space that the caches leave free; `None`: as the file system is large.
    pub(crate) disk_reserve: Option<u64>,
    /// Memory for content; `None`: half of what there is.
    pub(crate) memory: Option<u64>,
    /// When quota days begin.
    pub(crate) quota_reset: Option<Reset>,
    /// How long tasks and purges are kept after they finished.
    pub(crate) retention: Duration,
    /// Whether no account is asked for proofs that hosts are its own.
    pub(crate) waives_verification: bool,
    /// Who is asked for such proofs; absent = the system's name servers.
    pub(crate) name_server: Option<SocketAddr>,
    /// How long calls and transfers that are under way may take to end.
    pub(crate) grace: Duration,
    /// How often each account may call each action.
    pub(crate) calls: CallLimits,
    /// Of what the vendor's APIs say to callers who name none.
    pub(crate) language: Language,
}

/// Serves until a signal comes.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let limits = Limits::take(options.memory)?;
    private::make_private();
    let _lock = data::prepare(&options.data)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("cannot start the runtime", &error))?;
    runtime.block_on(serve(&options, &limits))
}

async fn serve(options: &Options, limits: &Limits) -> Result<(), Failure> {
    limits.log();
    let mut signals = Signals::new(options.tls.is_some())?;
    let listener = listen(options.listen, "--listen").await?;
    let status = listen(options.status, "--status-listen").await?;
    let address = listener.local_addr().map_err(|error| Failure::because_of(&error))?;
    let endpoint = format!("http://{}", reachable(address));

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tls = match &options.tls {
        Some(options) => Some(tls::Port::open(options.clone(), &*clock).await?),
        None => None,
    };
    let mut random = StdRng::seed_from_u64(entropy::seed()?);
    let seals = Seals::find(&options.data, &options.seal_key)?;
    data::check_ledger(&options.data, options.new_ledger)?;
    let room = Room::find(options)?;
    let (ledger, ledger_metrics) = open_ledger(&options.data).await?;
    let seals = match seals {
        Some(seals) => seals,
        None => Seals::make(&options.data, &*ledger).await?,
    };
    let config = Config {
        quota_reset: options.quota_reset,
        waives_verification: options.waives_verification,
        retention: options.retention,
        seal: seals.keys.clone(),
        // they are parts of this process
        nodes_begin_anew: true,
        ..Config::default()
    };
    let engine = Engine::open(ledger, Arc::clone(&clock), random.next_u64(), config)
        .await
        .map_err(|error| seals.refused(&options.data, &error))?;
    let search = Search::new(options.name_server, random.next_u64());
    engine.set_evidence(Arc::new(search));
    let owner = owner::ensure(&options.data, &engine, endpoint).await?;
    let nodes = nodes::start(options, (&room, limits), &engine, &clock, &mut random).await?;

    let gateway = Gateway::new(
        Arc::clone(&engine),
        Arc::clone(&clock),
        random.next_u64(),
        GatewayConfig {
            calls: options.calls.clone(),
            language: options.language,
            content: ContentBounds {
                unverified_bytes: usize::try_from(limits.memory.api).unwrap_or(usize::MAX),
                ..ContentBounds::default()
            },
            ..GatewayConfig::default()
        },
    );
    gateway.expose(nodes.metrics());
    gateway.expose(ledger_metrics);
    let listeners = 1 + u64::from(tls.is_some());
    let bounds = api_bounds(limits.descriptors.api / listeners);
    let mut api = Api::new(router(gateway.clone()), bounds);
    let tls = tls.map(|port| port.serve(&mut api));
    let tls_endpoint = tls.as_ref().map(|(endpoint, _)| endpoint);
    tls::tell(&options.data, tls_endpoint)?;
    limits.tell(&options.data)?;
    clear_text::tell(
        &options.data,
        &in_clear_text(&[("the API", &listener), ("the status", &status)])?,
    )?;
    api.serve("api", listener);
    let health = serve_status(status, &gateway, &api, &nodes);
    greet(&options.data, &owner, tls_endpoint, &nodes.addresses());
    tracing::info!(endpoint = %owner.endpoint, "ready");
    let notes = tokio::spawn(note_key_uses(Arc::clone(&engine)));
    let sweeps = tokio::spawn(sweep(Arc::clone(&engine)));

    let signal = wish_to_end(&mut signals, tls.as_ref().map(|tls| &tls.1), &*clock).await;
    tracing::info!(signal, grace.seconds = options.grace.as_secs(), "draining");
    gateway.drain();
    let cut = Cut::after(options.grace, signals);
    tokio::join!(api.drain(cut.clone().comes()), nodes.shutdown(&cut));
    // told of the end to the end
    health.drain(cut.comes()).await;
    notes.abort();
    sweeps.abort();
    flush_key_uses(&engine).await;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the signal that ends it; reads the certificate again where that is wished.
async fn wish_to_end(
    signals: &mut Signals,
    certificate: Option<&tls::Certificate>,
    clock: &dyn Clock,
) -> &'static str {
    loop {
        match (signals.next().await, certificate) {
            (Wish::End(signal), _) => return signal,
            (Wish::ReadAgain, Some(certificate)) => certificate.read_again(clock),
            (Wish::ReadAgain, None) => {}
        }
    }
}

/// Serves health and metrics, which tell of all listeners.
fn serve_status(port: TcpListener, gateway: &Gateway, api: &Api, nodes: &Nodes) -> Api {
    let mut health = Api::new(status_router(gateway.clone()), Bounds::status());
    health.serve("status", port);
    let served = api.listeners().chain(health.listeners()).chain(nodes.listeners());
    served.for_each(|(name, listener)| gateway.expose_listener(name, listener));
    health
}

/// What listens without TLS, and where.
fn in_clear_text(ports: &[(&str, &TcpListener)]) -> Result<Vec<Listener>, Failure> {
    let port = |(name, port): &(&str, &TcpListener)| {
        let address = port.local_addr().map_err(|error| Failure::because_of(&error))?;
        Ok(Listener { name: (*name).into(), address })
    };
    ports.iter().map(port).collect()
}

/// With so many connections, half of which may wait for content of callers nobody knows.
fn api_bounds(connections: u64) -> Bounds {
    let connections = usize::try_from(connections).unwrap_or(usize::MAX);
    Bounds { connections, unverified_content: connections / 2, ..Bounds::api() }
}

/// Writes down now and then when keys were last used.
async fn note_key_uses(engine: Arc<Engine>) {
    let mut turns = time::interval(KEY_USES);
    loop {
        turns.tick().await;
        flush_key_uses(&engine).await;
    }
}

/// Ends what nobody will finish and removes what is old, now and then.
async fn sweep(engine: Arc<Engine>) {
    let mut turns = time::interval(SWEEP);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Err(error) = engine.sweep(SWEEP_BUDGET).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot sweep");
        }
    }
}

async fn flush_key_uses(engine: &Engine) {
    if let Err(error) = engine.flush_key_uses().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot note when keys were used");
    }
}

async fn open_ledger(data: &Path) -> Result<(Arc<dyn Ledger>, LedgerMetrics), Failure> {
    let path = data::ledger(data);
    let opened = tokio::task::spawn_blocking(move || Sqlite::open(path)).await;
    match opened.expect("opening the ledger does not panic") {
        Ok(ledger) => {
            let ledger = Arc::new(ledger);
            Ok((Arc::clone(&ledger) as _, LedgerMetrics::new(ledger)))
        }
        Err(error) => Err(Failure::because_of(&error).hint(error.hint())),
    }
}

fn unusable(data: &Path, error: &LedgerError) -> Failure {
    let path = data::ledger(data);
    let way_out = match error.kind.trouble() {
        Some((_, way_out)) => way_out,
        None => "try again; `stoker doctor` tells more",
    };
    Failure::because(format!("cannot use `{}`", path.display()), error).hint(way_out)
}

/// Takes a port, which `flag` names.
async fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        busy(address, &error).hint(match error.kind() {
            ErrorKind::AddrInUse => {
                format!("another `stoker up` or another program has it; choose another with {flag}")
            }
            _ => format!("choose another address with {flag}"),
        })
    })
}

fn busy(address: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!("port {address} is in use")),
        _ => Failure::because(format!("cannot listen on {address}"), error),
    }
}

/// The address at which others on this machine reach a listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn greet(
    data: &Path,
    owner: &Credentials,
    tls: Option<&tls::Endpoint>,
    nodes: &[(String, SocketAddr)],
) {
    let endpoint = &owner.endpoint;
    let shown = credentials::path(data);
    let mut lines = vec![format!("stoker is ready at {endpoint}")];
    lines.extend(tls.map(|tls| format!("  {:<16} {}", "over TLS", tls.endpoint)));
    for (name, address) in nodes {
        lines.push(format!("  {name:<16} {address}"));
    }
    let flag = match data.to_str() {
        Some(crate::config::DEFAULT_DATA) => String::new(),
        _ => format!(" --data {}", data.display()),
    };
    let edge = nodes.first().map(|(_, address)| address.to_string()).unwrap_or_default();
    lines.extend([
        format!("keys are in {} (secret_id {})", shown.display(), owner.secret_id),
        String::new(),
        "try it:".into(),
        format!("  stoker domain add{flag} www.example.com --origin https://origin.example.com"),
        format!("  stoker prefetch{flag} --wait --layer edge https://www.example.com/a.jpg"),
        format!("  curl -I -H 'Host: www.example.com' http://{edge}/a.jpg"),
        format!("SDKs and tools for the API: endpoint {endpoint}, with the keys above"),
    ]);
    output::line(lines.join("\n"));
}

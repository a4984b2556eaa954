//! The process of `stoker up`: what it starts, in which order, and how it shuts down.
//!
//! 1. It divides file descriptors and memory; creates, locks and closes the data directory to others.
//! 2. It binds the ports of API and status, so that a busy port is reported before anything changes.
//! 3. If the disk is full, the caches free space.
//! 4. It reads the sealing key, opens the ledger, creates the sealing key and the owner if needed.
//! 5. The nodes start and register.
//! 6. The API is served: when it answers, everything is ready.
//!
//! At shutdown API and nodes drain together, for the grace period at most. What connections may do is
//! decided in `stoker_listen`; commands that speak to the server are in `commands`.

mod api;
pub(crate) mod clear_text;
pub(crate) mod data;
pub(crate) mod descriptors;
mod disk;
mod dns;
mod evidence;
pub(crate) mod limits;
mod logging;
pub(crate) mod memory;
mod nodes;
mod owner;
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
use stoker_engine::{Config, Engine, Error as EngineError};
use stoker_gateway::{
    CallLimits, Config as GatewayConfig, ContentBounds, Gateway, Language, router, status_router,
};
use stoker_ledger::{Ledger, Metrics as LedgerMetrics, Sqlite};
use stoker_listen::Bounds;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    task::JoinSet,
    time::{self, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

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
use disk::DiskShare;
use evidence::Search;
use limits::Limits;
use nodes::Nodes;
use seal::Seals;
use signal::{Action, Signals, cut_after};

pub(crate) use logging::log_to_stderr;
pub(crate) use seal::path as seal_key;

/// How often the last uses of keys are recorded.
const KEY_USES: Duration = Duration::from_secs(60);
/// How often the sweep runs.
const SWEEP: Duration = Duration::from_secs(60);
/// How long one run of the sweep may take.
const SWEEP_BUDGET: Duration = Duration::from_secs(2);

/// The settings of `stoker up`.
pub(crate) struct Options {
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Address of the API.
    pub(crate) listen: SocketAddr,
    /// Address of health and metrics.
    pub(crate) status: SocketAddr,
    /// The API over TLS.
    pub(crate) tls: Option<tls::Options>,
    /// Whether a new ledger may be created beside the caches of a missing one.
    pub(crate) new_ledger: bool,
    /// Where the keys come from that encrypt the secrets in the ledger.
    pub(crate) seal_key: SealKeySource,
    /// Port of the first edge node.
    pub(crate) base_port: u16,
    /// Trusted proxies in front of the nodes.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Disk space of each node's cache.
    pub(crate) cache_bytes: u64,
    /// Disk space that the caches leave free; `None`: by the size of the file system.
    pub(crate) disk_reserve: Option<u64>,
    /// Memory for content; `None`: half of the machine's.
    pub(crate) memory: Option<u64>,
    /// When quota days begin.
    pub(crate) quota_reset: Option<Reset>,
    /// How long finished tasks and purges are kept.
    pub(crate) retention: Duration,
    /// Hosts that clients may sign although another one arrives.
    pub(crate) signed_hosts: Vec<String>,
    /// Whether all accounts may add hosts without proof of ownership.
    pub(crate) waives_verification: bool,
    /// Name server for proofs of ownership; absent = the system's name servers.
    pub(crate) name_server: Option<SocketAddr>,
    /// How long running calls and transfers may take to end.
    pub(crate) grace: Duration,
    /// Call limits of each account.
    pub(crate) calls: CallLimits,
    /// Language of the vendor's APIs for calls that name none.
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
    let disk = DiskShare::find(options)?;
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
        // the nodes are parts of this process
        nodes_begin_anew: true,
        ..Config::default()
    };
    let engine = Engine::open(ledger, Arc::clone(&clock), random.next_u64(), config)
        .await
        .map_err(|error| seals.refused(&options.data, &error))?;
    let search = Search::new(options.name_server, random.next_u64());
    engine.set_evidence(Arc::new(search));
    let owner = owner::ensure(&options.data, &engine, endpoint).await?;
    let nodes = nodes::start(options, (&disk, limits), &engine, &clock, &mut random).await?;

    let gateway = Gateway::new(
        Arc::clone(&engine),
        Arc::clone(&clock),
        random.next_u64(),
        gateway_config(options, limits),
    );
    gateway.expose(nodes.metrics());
    gateway.expose(ledger_metrics);
    let listeners = 1 + u64::from(tls.is_some());
    let bounds = api_bounds(limits.descriptors.api / listeners);
    let mut api = Api::new(router(gateway.clone()), bounds);
    let tls = tls.map(|port| port.serve(&mut api));
    let tls_endpoint = tls.as_ref().map(|(endpoint, _)| endpoint);
    tls::tell(&options.data, tls_endpoint)?;
    limits.write(&options.data)?;
    clear_text::report(
        &options.data,
        &in_clear_text(&[("the API", &listener), ("the status", &status)])?,
    )?;
    api.serve("api", listener);
    let health = serve_status(status, &gateway, &api, &nodes);
    print_start(&options.data, &owner, tls_endpoint, &nodes.addresses());
    tracing::info!(endpoint = %owner.endpoint, "ready");
    let mut background = JoinSet::new();
    background.spawn(record_key_uses(Arc::clone(&engine)));
    background.spawn(sweep(Arc::clone(&engine)));
    background.spawn(keep_turning(Arc::clone(&engine)));

    let signal = shutdown_signal(&mut signals, tls.as_ref().map(|tls| &tls.1), &*clock).await;
    tracing::info!(signal, grace.seconds = options.grace.as_secs(), "draining");
    gateway.drain();
    let cut = CancellationToken::new();
    let drained = async {
        tokio::join!(api.drain(cut.cancelled()), nodes.shutdown(&cut));
        // last, so that it reports the shutdown until its end
        health.drain(cut.cancelled()).await;
    };
    tokio::select! {
        () = drained => {}
        () = cut_after(options.grace, signals, &cut) => {}
    }
    background.shutdown().await;
    flush_key_uses(&engine).await;
    tracing::info!("stopped");
    Ok(())
}

fn gateway_config(options: &Options, limits: &Limits) -> GatewayConfig {
    GatewayConfig {
        calls: options.calls.clone(),
        language: options.language,
        host_aliases: options.signed_hosts.clone(),
        content: ContentBounds {
            unverified_bytes: usize::try_from(limits.memory.api).unwrap_or(usize::MAX),
            ..ContentBounds::default()
        },
        ..GatewayConfig::default()
    }
}

/// Waits for the signal to shut down; loads the certificate again when a signal asks for it.
async fn shutdown_signal(
    signals: &mut Signals,
    certificate: Option<&tls::Certificate>,
    clock: &dyn Clock,
) -> &'static str {
    loop {
        match (signals.next().await, certificate) {
            (Action::Shutdown(signal), _) => return signal,
            (Action::Reload, Some(certificate)) => certificate.read_again(clock),
            (Action::Reload, None) => {}
        }
    }
}

/// Serves health and metrics, with the metrics of all listeners.
fn serve_status(port: TcpListener, gateway: &Gateway, api: &Api, nodes: &Nodes) -> Api {
    let mut health = Api::new(status_router(gateway.clone()), Bounds::status());
    health.serve("status", port);
    let served = api.listeners().chain(health.listeners()).chain(nodes.listeners());
    served.for_each(|(name, listener)| gateway.expose_listener(name, listener));
    health
}

/// The listeners without TLS.
fn in_clear_text(ports: &[(&str, &TcpListener)]) -> Result<Vec<Listener>, Failure> {
    let port = |(name, port): &(&str, &TcpListener)| {
        let address = port.local_addr().map_err(|error| Failure::because_of(&error))?;
        Ok(Listener { name: (*name).into(), address })
    };
    ports.iter().map(port).collect()
}

/// The bounds of a listener with so many connections; half of them may wait for content of callers
/// who are not verified.
fn api_bounds(connections: u64) -> Bounds {
    let connections = usize::try_from(connections).unwrap_or(usize::MAX);
    Bounds { connections, unverified_content: connections / 2, ..Bounds::api() }
}

/// Records regularly when keys were last used.
async fn record_key_uses(engine: Arc<Engine>) {
    let mut turns = time::interval(KEY_USES);
    loop {
        turns.tick().await;
        flush_key_uses(&engine).await;
    }
}

/// Runs the sweep regularly: it ends jobs of lost nodes and removes old records.
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

/// Lets jobs follow tasks that were paused, resumed or canceled.
async fn keep_turning(engine: Arc<Engine>) {
    engine.keep_turning().await;
}

async fn flush_key_uses(engine: &Engine) {
    if let Err(error) = engine.flush_key_uses().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot record the last uses of keys"
        );
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

fn unusable(data: &Path, error: &EngineError) -> Failure {
    let path = data::ledger(data);
    let hint = match error.kind.trouble() {
        Some((_, hint)) => hint,
        None => "try again; `stoker doctor` shows more",
    };
    Failure::because(format!("cannot use `{}`", path.display()), error).hint(hint)
}

/// Binds the address of `flag`.
async fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        busy(address, &error).hint(match error.kind() {
            ErrorKind::AddrInUse => {
                format!(
                    "another `stoker up` or another program uses it; choose another with {flag}"
                )
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

/// The address at which this machine reaches a listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn print_start(
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
        format!("  stoker prefetch{flag} --wait --tier edge https://www.example.com/a.jpg"),
        format!("  curl -I -H 'Host: www.example.com' http://{edge}/a.jpg"),
        format!("SDKs and tools for the API: endpoint {endpoint}, with the keys above"),
    ]);
    output::line(lines.join("\n"));
}

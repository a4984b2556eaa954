//! The four nodes of `stoker up`: edge and middle in both areas.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rand::{Rng, rngs::StdRng};
use stoker_agent::JobSource;
use stoker_domain::{
    area::{Area, Tier},
    placement::Node,
    time::Clock,
};
use stoker_engine::Engine;
use stoker_listen::Listener;
use stoker_node::{Config, Division, Metrics, Running, StartError, start as start_node};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    entropy,
    failure::Failure,
    server::{
        Options, data,
        disk::DiskShare,
        limits::Limits,
        reachable,
        transport::{InProcess, Inspectors},
    },
};

/// Tier, area and distance from the base port.
const NODES: [(Tier, Area, u16); 4] = [
    (Tier::Edge, Area::Mainland, 0),
    (Tier::Edge, Area::Overseas, 1),
    (Tier::Middle, Area::Mainland, 10),
    (Tier::Middle, Area::Overseas, 11),
];

const PEER_SECRET_LENGTH: usize = 32;
/// How long the nodes may take to register.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running nodes.
pub(super) struct Nodes(Vec<(String, Running)>);

/// Starts the nodes and waits until the engine knows all of them.
pub(super) async fn start(
    options: &Options,
    (disk, limits): (&DiskShare, &Limits),
    engine: &Arc<Engine>,
    clock: &Arc<dyn Clock>,
    random: &mut StdRng,
) -> Result<Nodes, Failure> {
    // new at each start: only the nodes of this process send it to each other
    let peer_secret = entropy::secret(PEER_SECRET_LENGTH)?;
    let (all_serve, is_serving) = watch::channel(false);
    let source: Arc<dyn JobSource> =
        Arc::new(InProcess { engine: Arc::clone(engine), all_serve: is_serving });
    let mut running = Vec::new();
    // parents first, so that early viewers reach them too
    for (tier, area, distance) in NODES.into_iter().rev() {
        let listen = SocketAddr::new(options.listen.ip(), options.base_port + distance);
        let node = node(tier, area, listen);
        let name = node.name.clone();
        let config = Config {
            peer_secret: peer_secret.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            seed: random.next_u64(),
            disk_reserve: disk.reserve_bytes,
            connections: count(limits.descriptors.viewers)
                .min(Division::of(limits.memory.node).connections),
            open_files: count(limits.descriptors.files),
            items_in_flight: count(limits.descriptors.items()),
            memory: limits.memory.node,
            origin_connections: count(limits.descriptors.origins),
            ..Config::new(node, listen, data::nodes(&options.data), disk.cache_bytes)
        };
        let started =
            start_node(config, engine.directory(), Arc::clone(&source), Arc::clone(clock)).await;
        let started = started
            .map_err(|error| Failure::because_of(&error).hint(start_hint(options, &error)))?;
        running.push((name, started));
    }
    let mut directory = engine.directory();
    let all_known = directory.wait_for(|directory| directory.fleet().nodes().len() >= NODES.len());
    if timeout(PATIENCE, all_known).await.is_err() {
        return Err(Failure::new(format!(
            "the nodes did not register within {} s",
            PATIENCE.as_secs()
        ))
        .hint("the log above has the reason"));
    }
    all_serve.send_replace(true);
    let inspector = |(name, node): &(String, Running)| (name.clone(), node.inspector());
    let inspectors = Inspectors(running.iter().map(inspector).collect());
    engine.inspect_through(Arc::new(inspectors));
    running.reverse();
    Ok(Nodes(running))
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The hint for a node that does not start, with the flags of `stoker up`.
fn start_hint(options: &Options, error: &StartError) -> String {
    let StartError::Listen { source, .. } = error else { return error.hint() };
    match source.kind() {
        ErrorKind::AddrInUse => {
            let ports = NODES.map(|(_, _, distance)| (options.base_port + distance).to_string());
            format!(
                "another `stoker up` or another program uses it; the nodes use the ports {}: choose \
                 others with --base-port",
                ports.join(", ")
            )
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose a higher one with --base-port".into()
        }
        _ => "choose another address with --listen; the nodes listen on the same address".into(),
    }
}

/// The folders of all nodes.
pub(super) fn folders(data: &Path) -> Vec<PathBuf> {
    let nodes = data::nodes(data);
    NODES.into_iter().map(|(tier, area, _)| nodes.join(name(tier, area))).collect()
}

fn name(tier: Tier, area: Area) -> String {
    format!("{tier}-{area}")
}

fn node(tier: Tier, area: Area, listen: SocketAddr) -> Node {
    Node {
        name: name(tier, area),
        area,
        tier,
        // one node in each place: a cluster of its own
        cluster: name(tier, area),
        address: reachable(listen).to_string(),
    }
}

impl Nodes {
    /// Names and addresses, edges first.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.0.iter().map(|(name, node)| (name.clone(), node.address())).collect()
    }

    /// Names and connections.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (String, Listener)> + '_ {
        self.0.iter().map(|(name, node)| (name.clone(), node.connections()))
    }

    /// The metrics of all nodes.
    pub(super) fn metrics(&self) -> Metrics {
        Metrics::new(self.0.iter().map(|(name, node)| (name.clone(), node.counters())))
    }

    /// Shuts all of them down at once; running transfers have until `cut` to end.
    pub(super) async fn shutdown(self, cut: &CancellationToken) {
        self.0.iter().for_each(|(_, node)| node.give_back());
        let mut ends = JoinSet::new();
        for (_, node) in self.0 {
            ends.spawn(node.shutdown_before(cut.clone().cancelled_owned()));
        }
        while let Some(end) = ends.join_next().await {
            if let Err(error) = end {
                tracing::error!(%error, "node did not shut down cleanly");
            }
        }
    }
}

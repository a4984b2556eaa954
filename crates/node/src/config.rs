//! Settings of a node. Where they come from is decided by whoever starts it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use stoker_domain::placement::Node;

use crate::origin::{Bounds, Resolver, TimeOuts};

/// Settings of a node.
#[derive(Clone)]
pub struct Config {
    /// Who it is. Where `listen` has port 0, the port of its address is replaced by the real one.
    pub node: Node,
    /// Where it answers viewers and other nodes; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Directory of all nodes of this machine; the node keeps its store in `dir/<node name>`.
    pub dir: PathBuf,
    /// Bound of its store on disk, in bytes.
    pub disk_bytes: u64,
    /// Bytes that stay free on its disk for others, as far as its store can give them back.
    pub disk_reserve: u64,
    /// Proxies before the node that are believed what they say of a viewer's address.
    pub trusted_proxies: Vec<IpNet>,
    /// What nodes of one installation show each other. Requests without it are viewers'.
    pub peer_secret: String,
    /// Seed of everything random: session number, jitter of retries.
    pub seed: u64,
    /// Items of jobs in work at once.
    pub items_in_flight: usize,
    /// Jobs leased at once.
    pub jobs_in_flight: usize,
    /// How long a client may take to send the head of a request, or rest between two.
    pub head_timeout: Duration,
    /// How long a client may take no bytes of a reply before its connection is closed.
    pub write_timeout: Duration,
    /// Longest head of a request, in bytes. That of another node has the request fields of a task,
    /// up to 31 KiB encoded, beside a viewer's.
    pub head_bytes: usize,
    /// How long the parent and the origin are waited for.
    pub time_outs: TimeOuts,
    /// A node that starts answers nobody before it has carried out the purges that it missed. When
    /// the engine has not answered for this long it serves all the same.
    pub catch_up_patience: Duration,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Files of its store that are open at once.
    pub open_files: usize,
    /// Connections to origins and other nodes that carry a request, at once; more requests wait.
    pub origin_connections: usize,
    /// Further bounds on those; of [`Bounds::connections`] only `origin_connections` counts.
    pub origin_bounds: Bounds,
    /// How a node finds the addresses of an origin; absent = as the system does.
    pub resolver: Option<Resolver>,
    /// How long another node's prefetch waits for its head before it is told to ask again: a sign of
    /// life, which changes nothing for what it wants.
    pub peer_patience: Duration,
    /// Memory for content, in bytes: see [`Division`](crate::Division).
    pub memory: u64,
    /// How long a viewer waits for memory before the request is refused with 503.
    pub memory_patience: Duration,
}

impl Config {
    /// The defaults for a node in `dir`; the caller sets what differs.
    pub fn new(node: Node, listen: SocketAddr, dir: PathBuf, disk_bytes: u64) -> Self {
        Self {
            node,
            listen,
            dir,
            disk_bytes,
            disk_reserve: 0,
            trusted_proxies: Vec::new(),
            peer_secret: String::new(),
            seed: 0,
            items_in_flight: 64,
            jobs_in_flight: 4,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            head_bytes: 64 << 10,
            time_outs: TimeOuts::default(),
            catch_up_patience: Duration::from_secs(10),
            connections: 16_384,
            open_files: 512,
            origin_connections: Bounds::default().connections,
            origin_bounds: Bounds::default(),
            resolver: None,
            peer_patience: Duration::from_secs(15),
            memory: 512 << 20,
            memory_patience: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for Config {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("node", &self.node)
            .field("listen", &self.listen)
            .field("dir", &self.dir)
            .field("disk_bytes", &self.disk_bytes)
            .finish_non_exhaustive()
    }
}

//! Ports for processes that must come back on the same ones after a kill.
//!
//! `stoker up` wants four at fixed distances. They are sought below the range from which the system
//! takes ports for clients, so that no connection takes one between a kill and the restart.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;
/// Ports of one server: nodes at 0, 1, 10, 11, status at 18, API over TLS at 19, API at
/// 20.
const BLOCK: u16 = 21;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// The ports of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// `--base-port`.
    pub(crate) base: u16,
}

impl Ports {
    /// Ports that nobody had a moment ago and that no other test of this process gets.
    pub(crate) fn free() -> Self {
        let blocks = (LAST - FIRST) / BLOCK;
        let own = (process::id() % u32::from(blocks)) as u16;
        for _ in 0..blocks {
            let block = (own + NEXT.fetch_add(1, Ordering::Relaxed)) % blocks;
            let ports = Self { base: FIRST + block * BLOCK };
            if ports.all().into_iter().all(is_free) {
                return ports;
            }
        }
        panic!("no {BLOCK} free ports between {FIRST} and {LAST}");
    }

    pub(crate) fn api(self) -> u16 {
        self.base + 20
    }

    /// Where the API speaks TLS, when it is told to.
    pub(crate) fn tls(self) -> u16 {
        self.base + 19
    }

    /// Where health and metrics are.
    pub(crate) fn status(self) -> u16 {
        self.base + 18
    }

    /// The port of a node, by its name.
    pub(crate) fn node(self, name: &str) -> u16 {
        match name {
            "edge-mainland" => self.base,
            "edge-overseas" => self.base + 1,
            "middle-mainland" => self.base + 10,
            "middle-overseas" => self.base + 11,
            _ => panic!("`{name}` is not a node of `stoker up`"),
        }
    }

    fn all(self) -> [u16; 7] {
        let [edge, middle] = [self.base, self.base + 10];
        [edge, edge + 1, middle, middle + 1, self.status(), self.tls(), self.api()]
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

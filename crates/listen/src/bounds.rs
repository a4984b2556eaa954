//! How much of what a listener takes.

use std::time::Duration;

/// How much of what a listener takes, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. When so many are open, one is closed for each that comes (`table`); if
    /// none may be, new connections wait.
    pub connections: usize,
    /// Calls at once whose content is not there yet and whose caller is not verified. Beyond it they
    /// are closed before idle connections are.
    pub unverified_content: usize,
    /// How long a connection may be without a whole request head, at first or after a reply.
    pub head_timeout: Duration,
    /// How long a client may take nothing of a reply.
    pub write_timeout: Duration,
    /// How long a client must have taken nothing before its connection may be closed for another.
    pub stall: Duration,
    /// How long content is waited for before its rate counts.
    pub content_grace: Duration,
    /// Bytes of content in a second of waiting, on average; zero does not ask.
    pub content_rate: u64,
    /// Longest head of a request, in bytes.
    pub head_bytes: usize,
    /// Longest target of a request, in bytes.
    pub target_bytes: usize,
    /// What `Host` may say.
    pub hosts: Hosts,
    /// Whether a client that sends no more still gets its reply. Otherwise its call is given up.
    pub half_close: bool,
}

/// What `Host` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Anything without spaces: callers of the API sign what they were given, be it a URL.
    Any,
    /// A host with or without a port (RFC 9110 section 7.2).
    Strict,
}

impl Bounds {
    /// Of the API.
    pub fn api() -> Self {
        Self {
            connections: 1024,
            unverified_content: 512,
            // clients keep theirs for the next call for less
            head_timeout: Duration::from_secs(90),
            write_timeout: Duration::from_secs(30),
            stall: Duration::from_secs(5),
            content_grace: Duration::from_secs(10),
            content_rate: 1000,
            head_bytes: 64 << 10,
            target_bytes: 48 << 10,
            hosts: Hosts::Any,
            half_close: false,
        }
    }

    /// Of health and metrics.
    pub fn status() -> Self {
        Self {
            connections: 16,
            unverified_content: 4,
            head_timeout: Duration::from_secs(30),
            head_bytes: 16 << 10,
            target_bytes: 8 << 10,
            ..Self::api()
        }
    }

    /// Of a node.
    pub fn node() -> Self {
        Self {
            connections: 16_384,
            unverified_content: 16_384,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            stall: Duration::from_secs(5),
            content_grace: Duration::ZERO,
            // content of a GET is not waited for
            content_rate: 0,
            head_bytes: 64 << 10,
            target_bytes: 48 << 10,
            hosts: Hosts::Strict,
            half_close: true,
        }
    }
}

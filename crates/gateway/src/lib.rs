//! Everything that speaks HTTP to programs and people: the vendor's API, the admin API, health and
//! metrics.
//!
//! Turns verified requests into commands of the engine and its answers into replies. Never touches
//! the ledger or a node, and decides nothing about tasks.

pub mod admin;
pub mod auth;
mod content;
mod frame;
mod multipart;
mod ops;
mod request_fields;
mod tencent;

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, routing::any};
use prometheus_client::collector::Collector;
use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::time::Clock;
use stoker_engine::Engine;
use stoker_listen::Listener;
use uuid::Builder;

pub use auth::{CallLimits, Outgoing};
pub use content::ContentBounds;
use content::Contents;
use ops::metrics::{ContentMetrics, Metrics};
#[cfg(any(fuzzing, test))]
pub use tencent::fuzzing;
pub use tencent::{actions, message::Language};

/// What an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What content may take of memory.
    pub content: ContentBounds,
    /// Hosts that clients may have signed although they send another one, for example the public
    /// name of a proxy in front.
    pub host_aliases: Vec<String>,
    /// How often each account may call each action of the vendor's API.
    pub calls: CallLimits,
    /// Of messages of the vendor's API, where a call neither names one nor was made to an
    /// international host.
    pub language: Language,
    /// Calls of the admin API that an account may make in a second; 0 = as many as it likes.
    pub admin_calls_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            content: ContentBounds::default(),
            host_aliases: Vec::new(),
            calls: CallLimits::default(),
            language: Language::default(),
            admin_calls_per_second: 300,
        }
    }
}

/// The state behind all routes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Shared>);

/// What all routes share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) contents: Arc<Contents>,
    pub(crate) metrics: Metrics,
    listeners: stoker_listen::Metrics,
    pub(crate) calls: auth::rate::Windows,
    pub(crate) admin_calls: auth::replay::Recent,
    pub(crate) signing_keys: auth::signing_keys::SigningKeys,
    // a std mutex, held for sixteen bytes and never across an await
    random: Mutex<StdRng>,
    is_draining: AtomicBool,
}

impl Gateway {
    /// `clock` judges the age of signatures; `seed` makes the names of requests.
    pub fn new(engine: Arc<Engine>, clock: Arc<dyn Clock>, seed: u64, config: Config) -> Self {
        let contents = Arc::new(Contents::new(&config.content));
        let listeners = stoker_listen::Metrics::default();
        let metrics = Metrics::default();
        metrics.add(ContentMetrics(Arc::clone(&contents)));
        metrics.add(stoker_engine::Metrics::new(Arc::clone(&engine)));
        metrics.add(listeners.clone());
        Self(Arc::new(Shared {
            engine,
            clock,
            contents,
            config,
            metrics,
            listeners,
            calls: auth::rate::Windows::default(),
            admin_calls: auth::replay::Recent::default(),
            signing_keys: auth::signing_keys::SigningKeys::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            is_draining: AtomicBool::new(false),
        }))
    }

    /// Adds a listener to `/metrics`, under this name.
    pub fn expose_listener(&self, name: impl Into<String>, listener: Listener) {
        self.listeners.add(name, listener);
    }

    /// Adds metrics to `/metrics`.
    pub fn expose(&self, metrics: impl Collector) {
        self.metrics.add(metrics);
    }

    /// From now on `/readyz` answers 503; calls are still served.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// A new name for a request: a UUID of version 4.
    pub(crate) fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

impl Deref for Gateway {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// All routes. Any `Host` is accepted, whatever it looks like, because clients sign and send what
/// they were given.
pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/", any(tencent::answer))
        .route("/v2/index.php", any(tencent::answer_v2))
        .merge(ops::routes())
        .merge(admin::router())
        .fallback(admin::not_found)
        .with_state(gateway)
}

/// Health and metrics alone, for a listener that no crowd of callers reaches.
pub fn status_router(gateway: Gateway) -> Router {
    ops::routes().with_state(gateway)
}

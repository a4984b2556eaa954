//! Everything that speaks HTTP to programs and people: the vendor's API, the admin API, health and
//! metrics.
//!
//! Turns verified requests into commands of the engine and its answers into replies. Never touches
//! the ledger or a node, and decides nothing about tasks.

pub mod admin;
mod content;
mod health;
mod listeners;
mod metrics;
mod request_fields;
mod tencent;

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::header::CONTENT_TYPE,
    routing::{any, get},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::time::Clock;
use stoker_engine::Engine;
use stoker_listen::Listener;
use uuid::Builder;

pub use content::ContentBounds;
use content::Contents;
#[cfg(any(fuzzing, test))]
pub use tencent::fuzzing;
pub use tencent::{
    actions,
    message::Language,
    rate::CallLimits,
    tc3::{Outgoing, authorize},
};
pub(crate) use tencent::{ask, chain, service, signed};

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
    pub(crate) contents: Contents,
    pub(crate) metrics: metrics::Metrics,
    further: metrics::Further,
    pub(crate) calls: tencent::rate::Windows,
    pub(crate) admin_calls: admin::once::Recent,
    pub(crate) signing_keys: tencent::signing_keys::SigningKeys,
    // a std mutex, held for sixteen bytes and never across an await
    random: Mutex<StdRng>,
    is_draining: AtomicBool,
    // a std mutex, held for a copy of a short list and never across an await
    listeners: Mutex<Vec<listeners::Named>>,
}

impl Gateway {
    /// `clock` judges the age of signatures; `seed` makes the names of requests.
    pub fn new(engine: Arc<Engine>, clock: Arc<dyn Clock>, seed: u64, config: Config) -> Self {
        Self(Arc::new(Shared {
            engine,
            clock,
            contents: Contents::new(&config.content),
            config,
            metrics: metrics::Metrics::default(),
            further: metrics::Further::default(),
            calls: tencent::rate::Windows::default(),
            admin_calls: admin::once::Recent::default(),
            signing_keys: tencent::signing_keys::SigningKeys::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            is_draining: AtomicBool::new(false),
            listeners: Mutex::default(),
        }))
    }

    /// From now on metrics tell of `listener` too, under this name.
    pub fn tell_of(&self, name: impl Into<String>, listener: Listener) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push((name.into(), listener));
    }

    /// From now on `/metrics` has what `tell` says, too; the first call counts.
    pub fn tell_further(&self, tell: impl Fn() -> String + Send + Sync + 'static) {
        self.further.set(Box::new(tell));
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
        .route("/v2/index.php", any(tencent::v2::answer))
        .merge(status_routes())
        .merge(admin::router())
        .fallback(admin::not_found)
        .with_state(gateway)
}

/// Health and metrics alone, for a listener that no crowd of callers reaches.
pub fn status_router(gateway: Gateway) -> Router {
    status_routes().with_state(gateway)
}

fn status_routes() -> Router<Gateway> {
    Router::new()
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::readiness))
        .route("/metrics", get(exposition))
}

async fn exposition(
    State(gateway): State<Gateway>,
) -> ([(http::HeaderName, &'static str); 1], String) {
    let listeners = gateway.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = gateway.metrics.render()
        + &metrics::swept(gateway.engine.swept())
        + &metrics::contents(&gateway.contents)
        + &listeners::render(&listeners)
        + &gateway.further.render();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

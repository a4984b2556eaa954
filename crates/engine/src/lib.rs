//! The control plane's heart: accept, plan, lease, expand, complete.
//!
//! [`Engine`] turns a submission into a task of jobs, hands jobs to nodes under leases, judges what
//! the nodes report and shows how far everything is. The ledger is the only truth: what is kept
//! here in memory (who is alive, how far a running item is, how often a job failed) may be lost at
//! any moment. It speaks no vendor's words and no HTTP, and never reads a clock of its own.
//!
//! Every message from a node may be lost, repeated or late, and time may jump; neither loses a
//! target nor settles one twice. `tests/simulation` holds it to that.

mod attempts;
mod check;
mod config;
mod directory;
mod domains;
mod doorbell;
mod error;
mod expand;
mod identity;
mod ids;
mod lease;
mod nodes;
mod origins;
mod ownership;
mod pace;
mod partial;
mod progress;
mod purge;
mod quota;
mod replay;
mod report;
mod schedule;
mod split;
mod submit;
mod sweep;
mod views;
mod zones;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::{directory::Directory, time::Clock};
use stoker_ledger::Ledger;
use tokio::sync::watch;

pub use check::{Check, CheckTiers, Checked, Inspect};
pub use config::Config;
pub use domains::NewDomain;
pub use error::{DomainError, SubmitError, ZoneError};
pub use identity::{
    Caller, DEFAULT_LIFETIME, IdentityError, Issued, MAX_ATTACHED, MAX_GROUPS, MAX_KEYS,
    MAX_LIFETIME, MAX_POLICIES, MAX_POLICY_BYTES, MAX_TEMPORARY, MAX_USERS, MIN_LIFETIME,
    OpenError, SealKey, SealKeys, Thing, Unopened,
};
pub use nodes::NodeView;
pub use ownership::{Evidence, OwnershipError, Unfound, instructions};
pub use partial::{PartialReceipt, PartialSubmission};
pub use purge::{PartialPurge, PartialPurged, PurgeError, PurgeSubmission};
pub use replay::SignedCall;
pub use split::SplitReceipt;
pub use stoker_ledger::{Error, ErrorKind, ReplayWindow};
pub use submit::{Receipt, Submission};
pub use sweep::Swept;
pub use views::{TargetView, TaskView, Waiting};
pub use zones::{NewZone, ZoneChoice};

/// The engine. One per process; cheap to share behind its `Arc`.
#[derive(Debug)]
pub struct Engine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    config: Config,
    // a std mutex, held for one number and never across an await
    random: Mutex<StdRng>,
    ids: ids::Ids,
    schedule: schedule::Schedule,
    calendar: quota::Days,
    /// One change at a time of what an account may have.
    limit_writes: tokio::sync::Mutex<()>,
    board: directory::Board,
    zones: zones::Zones,
    domain_writes: tokio::sync::Mutex<()>,
    identities: identity::Identities,
    nodes: nodes::Nodes,
    pace: pace::Pace,
    doorbells: doorbell::Doorbells,
    purge_bells: doorbell::Doorbells,
    progress: progress::Leases,
    attempts: attempts::Attempts,
    origins: origins::Origins,
    sweep: sweep::Sweep,
    steadiness: replay::Steadiness,
    inspect: OnceLock<Arc<dyn Inspect>>,
    evidence: OnceLock<Arc<dyn Evidence>>,
    searches: ownership::Searches,
}

impl Engine {
    /// Takes up what the ledger holds. `seed` makes lease tokens, jitter and parts of task names.
    ///
    /// Nodes are not in the ledger: nothing is planned on one before it is in [`Config::nodes`] or
    /// has registered.
    ///
    /// # Errors
    /// What the ledger said, or that a secret in it does not open with the keys of
    /// [`Config::seal`].
    pub async fn open(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        seed: u64,
        config: Config,
    ) -> Result<Arc<Self>, OpenError> {
        let identities = identity::Identities::open(&*ledger, &config, seed).await?;
        let domains = ledger.domains().await?;
        let zones = ledger.zones().await?;
        let last = ledger.last_number().await?;
        let engine = Arc::new(Self {
            ids: ids::Ids::after(last.as_ref()),
            schedule: schedule::Schedule::new(&*clock),
            calendar: quota::Days::open(&*ledger, config.quota_reset, clock.now()).await?,
            board: directory::Board::new(domains, &config.nodes),
            zones: zones::Zones::new(zones),
            nodes: nodes::Nodes::new(&config.nodes, clock.now()),
            pace: pace::Pace::new(ledger.limited_tasks().await?, config.nodes_begin_anew),
            sweep: sweep::Sweep::new(clock.now()),
            steadiness: replay::Steadiness::new(clock.now()),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            ledger,
            clock,
            config,
            limit_writes: tokio::sync::Mutex::default(),
            domain_writes: tokio::sync::Mutex::default(),
            identities,
            doorbells: doorbell::Doorbells::default(),
            purge_bells: doorbell::Doorbells::default(),
            progress: progress::Leases::default(),
            attempts: attempts::Attempts::default(),
            origins: origins::Origins::default(),
            inspect: OnceLock::new(),
            evidence: OnceLock::new(),
            searches: ownership::Searches::default(),
        });
        engine.publish_limits();
        Ok(engine)
    }

    /// The domains and nodes to route with, now and after each change.
    pub fn directory(&self) -> watch::Receiver<Arc<Directory>> {
        self.board.subscribe()
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

//! The control plane's heart: accept, plan, lease, expand, complete.
//!
//! [`Engine`] turns a submission into a task of jobs, hands jobs to nodes under leases, judges what
//! the nodes report and shows how far everything is. The ledger is the only truth: what is kept
//! here in memory (who is alive, how far a running item is, how often a job failed) may be lost at
//! any moment. It speaks no vendor's words and no HTTP, and never reads a clock of its own.
//!
//! Every message from a node may be lost, repeated or late, and time may jump; neither loses a
//! target nor settles one twice. `tests/simulation` holds it to that.

mod accept;
mod catalog;
mod config;
mod control;
mod error;
mod fleet;
mod identity;
mod maintenance;
mod metrics;
mod names;
mod pace;
mod purge;
mod quota;
mod views;
mod wakeup;
mod work;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::{directory::Directory, time::Clock};
use stoker_ledger::Ledger;
use tokio::sync::{Notify, watch};

pub use accept::{
    BatchLimit, PartialPurged, PartialReceipt, PurgeError, PurgeSubmission, Receipt, SplitReceipt,
    Submission, SubmitError,
};
pub use catalog::{
    DomainError, Evidence, EvidenceError, NewDomain, NewZone, OwnershipError, ZoneChoice,
    ZoneError, instructions,
};
pub use config::Config;
pub use control::{ControlError, Retried, RetryError};
pub use error::{Error, ErrorKind, with_causes};
pub use fleet::NodeView;
pub use identity::{
    Caller, DEFAULT_LIFETIME, IdentityError, IdentityKind, Issued, MAX_ATTACHED, MAX_GROUPS,
    MAX_KEYS, MAX_LIFETIME, MAX_POLICIES, MAX_POLICY_BYTES, MAX_TEMPORARY, MAX_USERS, MIN_LIFETIME,
    OpenError, SealKey, SealKeys, Unopened,
};
pub use maintenance::{SignedCall, Swept};
pub use metrics::Metrics;
pub use views::{Check, CheckTiers, Checked, Inspect, TargetView, TaskView, Waiting};

/// The engine. One per process; cheap to share behind its `Arc`.
#[derive(Debug)]
pub struct Engine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    config: Config,
    // a std mutex, held for one number and never across an await
    random: Mutex<StdRng>,
    ids: accept::Ids,
    schedule: work::Schedule,
    calendar: quota::Days,
    /// One change at a time of what an account may have.
    limit_writes: tokio::sync::Mutex<()>,
    directory: catalog::DirectoryPublisher,
    zones: catalog::Zones,
    domain_writes: tokio::sync::Mutex<()>,
    identities: identity::Identities,
    nodes: fleet::Nodes,
    pace: pace::Pace,
    wakeups: wakeup::Wakeups,
    purge_wakeups: wakeup::Wakeups,
    lost: control::Lost,
    /// There may be jobs that do not follow their task.
    turns: Notify,
    leases: work::Leases,
    attempts: work::Attempts,
    origins: work::Origins,
    sweep: maintenance::Sweep,
    counters: metrics::Counters,
    steadiness: maintenance::Steadiness,
    inspect: OnceLock<Arc<dyn Inspect>>,
    evidence: OnceLock<Arc<dyn Evidence>>,
    searches: catalog::Searches,
}

impl Engine {
    /// Takes up what the ledger holds. `seed` makes lease tokens, jitter and parts of task names.
    ///
    /// Nodes are not in the ledger: nothing is planned on one before it is in [`Config::nodes`] or
    /// has registered.
    ///
    /// # Errors
    /// A failure of the ledger, or that a secret in it does not open with the keys of
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
            ids: accept::Ids::after(last.as_ref()),
            schedule: work::Schedule::new(&*clock),
            calendar: quota::Days::open(&*ledger, config.quota_reset, clock.now()).await?,
            directory: catalog::DirectoryPublisher::new(domains, &config.nodes),
            zones: catalog::Zones::new(zones),
            nodes: fleet::Nodes::new(&config.nodes, clock.now()),
            pace: pace::Pace::new(ledger.limited_tasks().await?, config.nodes_begin_anew),
            sweep: maintenance::Sweep::new(clock.now()),
            counters: metrics::Counters::default(),
            steadiness: maintenance::Steadiness::new(clock.now()),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            ledger,
            clock,
            config,
            limit_writes: tokio::sync::Mutex::default(),
            domain_writes: tokio::sync::Mutex::default(),
            identities,
            wakeups: wakeup::Wakeups::default(),
            purge_wakeups: wakeup::Wakeups::default(),
            lost: control::Lost::default(),
            turns: Notify::new(),
            leases: work::Leases::default(),
            attempts: work::Attempts::default(),
            origins: work::Origins::default(),
            inspect: OnceLock::new(),
            evidence: OnceLock::new(),
            searches: catalog::Searches::default(),
        });
        engine.publish_limits();
        // an engine before this one may have left some
        engine.turns.notify_one();
        Ok(engine)
    }

    /// The domains and nodes to route with, now and after each change.
    pub fn directory(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.subscribe()
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

//! Purges: who must forget what, in which order, and who has.
//!
//! Every node that may hold a target gets an order: the edges of the areas and all middle nodes that
//! their content may come through. Orders go out in phases, so that no node can fetch again from
//! another what it has just forgotten: first the middle nodes, which may still take old content from
//! the one that is the shield; then the middle nodes once more, all shields being clean; then the
//! edges. A purge is done when the last order is confirmed, and a prefetch accepted after it waits
//! on each node for that node's orders.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope, Tier},
    domain::{Domain, Shield, Status},
    placement::Directory,
    purge::{Method, PathError, PurgeOrder, Scope, directory},
    quota::{Counter, Product},
    target::Target,
    task::TaskId,
};
use stoker_ledger::{Charge, Error, NewPurge, Page, PurgeFilter, PurgeNode, PurgeRow, PurgeTarget};
use tokio::time::{Instant, timeout};

use crate::{
    Engine, Receipt, SubmitError, ids,
    submit::{check_count, refused, share_the_thread},
};

/// Orders that a node is handed at once; each may have a thousand targets.
const ORDERS: usize = 16;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeSubmission {
    /// URLs or directories as given; equal ones are merged.
    pub targets: Vec<String>,
    /// What they name.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas to be reached; absent = for each target those of its domain.
    pub areas: Option<AreaScope>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Targets that this call may have.
    pub batch_limit: u32,
}

/// Why a purge was refused. Nothing of it was written or charged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// As a prefetch would have been.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// A directory with a query.
    #[error("path {} `{path}` has a query; name a directory", .index + 1)]
    Query {
        /// Its place in the list, from 0.
        index: usize,
        /// The text as given.
        path: String,
    },
}

impl PurgeError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Query { .. } => Some("to purge one URL with its query, purge it as a URL".into()),
        }
    }
}

/// Which counters a purge charges.
const fn product(scope: Scope) -> Product {
    match scope {
        Scope::Url => Product::CdnPurgeUrl,
        Scope::Path => Product::CdnPurgePath,
    }
}

impl Engine {
    /// Accepts a purge, or nothing of it.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// The first rule that is broken: the count, the targets and who owns their domains, whether
    /// these are served where asked, whether there are nodes, the quota.
    pub async fn purge(
        &self,
        account: &Account,
        submission: PurgeSubmission,
    ) -> Result<Receipt, PurgeError> {
        let given = submission.targets.len();
        check_count(given, submission.batch_limit.into())?;
        let board = self.board.now();
        let found = read(&board, account.id, &submission).await?;
        let reach = Reach::of(&found, submission.areas);
        let phases = phases(&board, &reach);
        if phases.is_empty() {
            return Err(SubmitError::NoNode { area: reach.first(), tier: Tier::Edge }.into());
        }
        let now = self.clock.now();
        let product = product(submission.scope);
        let limits = self.ledger.limits(account.id, product).await.map_err(SubmitError::Ledger)?;
        let charges = reach.targets.iter().map(|(area, count)| {
            let counter = Counter { product, area: *area, day: self.calendar.day(now) };
            (Charge { counter, daily: limits.of(*area).daily }, *count)
        });
        let random = ids::short(self.random());
        let id = TaskId(format!("{}-{}", now.as_seconds(), &random[..8]));
        let nodes: BTreeSet<String> = phases[0].iter().cloned().collect();
        let targets: Vec<PurgeTarget> = found.into_iter().map(|(target, _)| target).collect();
        let count = targets.len();
        let purge = NewPurge {
            id: id.clone(),
            account: account.id,
            scope: submission.scope,
            method: submission.method,
            areas: reach.areas(),
            created_at: now,
            targets,
            charges: charges.collect(),
            phases,
        };
        self.ledger.submit_purge(purge).await.map_err(|error| refused(error, &limits))?;
        tracing::info!(task.id = %id, target.count = count, "purge accepted");
        self.purge_bells.ring(nodes.iter().map(String::as_str));
        Ok(Receipt { task: id, targets: count as u64, merged: (given - count) as u64 })
    }

    /// The purge orders that `node` has to carry out, waiting up to `wait` for the first of them.
    /// Dropped while it waits, nothing is lost.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn purge_orders(&self, node: &str, wait: Duration) -> Result<Vec<PurgeOrder>, Error> {
        let deadline = Instant::now() + wait;
        let bell = self.purge_bells.of(node);
        loop {
            let orders = self.ledger.purge_orders(node, ORDERS).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !orders.is_empty() || left.is_zero() {
                return Ok(orders);
            }
            // either way the ledger is asked again: the bell only says that it may be worth it
            let _ = timeout(left, bell.notified()).await;
        }
    }

    /// Takes note that `node` has carried out the order with this number.
    ///
    /// # Errors
    /// What the ledger said; the node has to say it again.
    pub async fn purged(&self, node: &str, number: u64) -> Result<(), Error> {
        let now = self.clock.now();
        self.nodes.touch(node, now);
        let purged = self.ledger.purged(node, number, now).await?;
        self.purge_bells.ring(purged.released.iter().map(String::as_str));
        // jobs that waited for the purge may go on
        self.doorbells.ring([node]);
        if let Some(task) = &purged.finished {
            tracing::info!(task.id = %task, "purge finished");
        }
        Ok(())
    }

    /// Targets of purges, newest purge first.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        self.ledger.purges(filter).await
    }

    /// How far each node is with a purge.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error> {
        self.ledger.purge_nodes(purge).await
    }
}

type Found = Vec<(PurgeTarget, Arc<Domain>)>;

/// The targets, checked, each once.
async fn read(
    board: &Directory,
    account: AccountId,
    submission: &PurgeSubmission,
) -> Result<Found, PurgeError> {
    let mut seen = HashSet::with_capacity(submission.targets.len());
    let mut found = Vec::with_capacity(submission.targets.len());
    for (index, text) in submission.targets.iter().enumerate() {
        share_the_thread(index).await;
        let url = |error| SubmitError::Url { index, url: text.clone(), error };
        let target = match submission.scope {
            Scope::Url => Target::parse(text, submission.encode).map_err(url)?,
            Scope::Path => directory(text, submission.encode).map_err(|error| match error {
                PathError::Target(error) => url(error).into(),
                PathError::Query => PurgeError::Query { index, path: text.clone() },
            })?,
        };
        let owned = |domain: &&Arc<Domain>| domain.account == account;
        let Some(domain) = board.domain(&target.host).filter(owned) else {
            return Err(SubmitError::DomainUnknown { host: target.host, url: target.url }.into());
        };
        if domain.status == Status::Offline {
            return Err(SubmitError::DomainOffline { host: target.host }.into());
        }
        let asked = submission.areas.map_or(&[][..], AreaScope::areas);
        if let Some(area) = asked.iter().find(|area| !domain.areas.contains(**area)) {
            return Err(SubmitError::AreaNotEnabled { host: target.host, area: *area }.into());
        }
        if seen.insert(target.url.clone()) {
            found.push((PurgeTarget { url: target.url, host: target.host }, Arc::clone(domain)));
        }
    }
    Ok(found)
}

/// Where a purge goes.
struct Reach {
    /// Targets by area.
    targets: BTreeMap<Area, u64>,
    /// Areas whose middle nodes may be on the way of some target.
    ways: BTreeSet<Area>,
}

impl Reach {
    fn of(found: &Found, asked: Option<AreaScope>) -> Self {
        let mut reach = Self { targets: BTreeMap::new(), ways: BTreeSet::new() };
        for (_, domain) in found {
            for area in asked.unwrap_or(domain.areas).areas() {
                *reach.targets.entry(*area).or_default() += 1;
                reach.ways.insert(*area);
            }
            if domain.shield == Shield::Global {
                reach.ways.extend(domain.areas.areas());
            }
        }
        reach
    }

    fn first(&self) -> Area {
        self.targets.keys().next().copied().unwrap_or(Area::Mainland)
    }

    fn areas(&self) -> AreaScope {
        match self.targets.len() {
            2 => AreaScope::Global,
            _ if self.first() == Area::Overseas => AreaScope::Overseas,
            _ => AreaScope::Mainland,
        }
    }
}

/// The nodes by phase; see the head of this file.
fn phases(board: &Directory, reach: &Reach) -> Vec<Vec<String>> {
    let named = |tier: Tier, is_meant: &dyn Fn(&Area) -> bool| -> Vec<String> {
        let nodes = board.nodes.iter().filter(|node| node.tier == tier && is_meant(&node.area));
        nodes.map(|node| node.name.clone()).collect()
    };
    let middles = named(Tier::Middle, &|area| reach.ways.contains(area));
    let edges = named(Tier::Edge, &|area| reach.targets.contains_key(area));
    let again = if middles.len() > 1 { middles.clone() } else { Vec::new() };
    [middles, again, edges].into_iter().filter(|phase| !phase.is_empty()).collect()
}

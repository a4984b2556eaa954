//! Purges: who must forget what, in which order, and who has.
//!
//! Every node that may hold a target gets an order: the edges of the areas and all middle nodes that
//! their content may come through. Orders go out in phases, so that no node can fetch again from
//! another what it has just forgotten: first the middle nodes, which may still take old content from
//! the one that is the shield; then the middle nodes once more, all shields being clean; then the
//! edges. Where a silent node is waited for, the edges get an order early, and one more in their
//! turn. A purge is done when the last order is confirmed, and a prefetch accepted after it waits
//! on each node for that node's orders.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope, Tier},
    domain::{Domain, Shield},
    purge::{Method, PathError, PurgeOrder, Scope, directory, is_tag, root, tagged},
    quota::{Counter, Product},
    setting::Status,
    target::Target,
    task::TaskId,
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow, PurgeTarget},
    zone::ZoneId,
};
use stoker_ledger::{Charge, Error, NewPurge};
use tokio::time::{Instant, timeout};

use crate::{
    Engine, Receipt, SubmitError,
    directory::Catalog,
    ids,
    submit::{Wanted, check_count, refused, share_the_thread},
};

/// Orders that a node is handed at once; each may have a thousand targets.
const ORDERS: usize = 16;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeSubmission {
    /// URLs or directories as given; equal ones are merged.
    pub targets: Vec<String>,
    /// What they name: URLs or directories.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas to be reached; absent = for each target those of its domain.
    pub areas: Option<AreaScope>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Whose quota is charged.
    pub product: Product,
    /// Targets that this call may have.
    pub batch_limit: u32,
}

/// What a caller asks for who wants one bad target not to cost him the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialPurge {
    /// URLs, directories or tags as given, or names of `hosts` for all that they hold; equal ones
    /// are merged.
    pub targets: Vec<String>,
    /// What they name.
    pub scope: Scope,
    /// For tags: the domains, or hosts, in which they are looked for. For directories: the domains,
    /// by name, that may be meant as a whole.
    pub hosts: Vec<String>,
    /// The zone in which the domains must be; absent = any domain of the account.
    pub zone: Option<ZoneId>,
    /// What becomes of it.
    pub method: Method,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Whose quota is charged.
    pub product: Product,
    /// What it costs; absent = one unit for each target.
    pub units: Option<u64>,
    /// Targets that this call may have.
    pub batch_limit: u32,
}

/// What became of a list.
#[derive(Debug)]
pub struct PartialPurged {
    /// The purge of what was accepted; absent when nothing was.
    pub receipt: Option<Receipt>,
    /// What was not: the place of each in the list, from 0, and the reason.
    pub refused: Vec<(usize, PurgeError)>,
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
    /// Not a tag.
    #[error("tag {} `{tag}` is not one word of 1 to 128 printable characters", .index + 1)]
    Tag {
        /// Its place in the list, from 0.
        index: usize,
        /// The text as given.
        tag: String,
    },
}

impl PurgeError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Query { .. } => Some("to purge one URL with its query, purge it as a URL".into()),
            Self::Tag { .. } => Some("give the tags as the origin names them, one by one".into()),
        }
    }
}

impl Engine {
    /// Accepts a purge of URLs or directories, or nothing of it.
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
        let random = ids::short(self.random());
        let accepted = Accepted {
            id: TaskId(format!("{}-{}", self.clock.now().as_seconds(), &random[..8])),
            account: account.id,
            product: submission.product,
            scope: submission.scope,
            method: submission.method,
            asked: submission.areas,
            merged: (given - found.len()) as u64,
            units: None,
            found,
        };
        Ok(self.accept_purge(&board, accepted).await?)
    }

    /// Accepts a purge of those targets that can be accepted. Its name has 12 characters.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// What concerns the whole list: its length, the quota, missing nodes, the ledger.
    pub async fn purge_what_can_be(
        &self,
        account: &Account,
        purge: PartialPurge,
    ) -> Result<PartialPurged, SubmitError> {
        check_count(purge.targets.len(), purge.batch_limit.into())?;
        let board = self.board.now();
        let (mut seen, mut found, mut refused) = (HashSet::new(), Vec::new(), Vec::new());
        let mut accepted = 0;
        for index in 0..purge.targets.len() {
            share_the_thread(index).await;
            match find(&board, account.id, &purge, index) {
                Ok(targets) => {
                    let known = found.len();
                    found.extend(targets.into_iter().filter(|(target, _)| {
                        seen.insert((target.url.clone(), target.host.clone()))
                    }));
                    accepted += u64::from(found.len() > known);
                }
                Err(error) => refused.push((index, error)),
            }
        }
        if found.is_empty() {
            return Ok(PartialPurged { receipt: None, refused });
        }
        let given = (purge.targets.len() - refused.len()) as u64;
        let new = Accepted {
            id: TaskId(ids::short(self.random())),
            account: account.id,
            product: purge.product,
            scope: purge.scope,
            method: purge.method,
            asked: None,
            merged: given.saturating_sub(accepted),
            units: Some(purge.units.unwrap_or(accepted)),
            found,
        };
        let receipt = self.accept_purge(&board, new).await?;
        Ok(PartialPurged { receipt: Some(receipt), refused })
    }

    async fn accept_purge(&self, board: &Catalog, new: Accepted) -> Result<Receipt, SubmitError> {
        let reach = Reach::of(&new.found, new.asked);
        let phases = phases(board, &reach);
        if phases.is_empty() {
            return Err(SubmitError::NoNode { area: reach.first(), tier: Tier::Edge });
        }
        let now = self.clock.now();
        let limits = self.ledger.limits(new.account, new.product).await;
        let limits = limits.map_err(SubmitError::Ledger)?;
        let day = self.calendar.day(now);
        let charge = |(area, count): (Area, u64)| {
            let counter = Counter { product: new.product, area, day };
            (Charge { counter, daily: limits.of(area).daily }, count)
        };
        let charges = reach.costs(new.product, new.units).into_iter().map(charge);
        let nodes: BTreeSet<String> = phases[0].iter().cloned().collect();
        let targets: Vec<PurgeTarget> = new.found.into_iter().map(|(target, _)| target).collect();
        let count = targets.len() as u64;
        let purge = NewPurge {
            id: new.id.clone(),
            account: new.account,
            product: new.product,
            scope: new.scope,
            method: new.method,
            areas: reach.areas(),
            created_at: now,
            targets,
            charges: charges.collect(),
            phases,
        };
        self.ledger.submit_purge(purge).await.map_err(|error| refused(error, &limits))?;
        tracing::info!(task.id = %new.id, target.count = count, "purge accepted");
        self.purge_bells.ring(nodes.iter().map(String::as_str));
        Ok(Receipt { task: new.id, targets: count, merged: new.merged })
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
        self.touch(node);
        let purged = self.ledger.purged(node, number, now).await?;
        self.purge_bells.ring(purged.released.iter().map(String::as_str));
        // jobs that waited for the purge may go on
        self.doorbells.ring([node]);
        if let Some(task) = &purged.finished {
            tracing::info!(task.id = %task, "purge finished");
        }
        Ok(())
    }

    /// Lets the edges carry out purges that wait for nodes that are silent for longer than a lease.
    pub(crate) async fn purge_past_silent(
        &self,
        now: Timestamp,
        watching_since: Timestamp,
    ) -> Result<(), Error> {
        let is_silent = |name: &str| {
            let seen = self.nodes.last_seen(name).filter(|seen| *seen <= now);
            now.since(seen.unwrap_or(watching_since).max(watching_since)) > self.config.lease
        };
        let board = self.board.now();
        let names = board.fleet().nodes().iter().map(|node| &node.name);
        let silent: Vec<String> = names.filter(|name| is_silent(name)).cloned().collect();
        if silent.is_empty() {
            return Ok(());
        }
        let released = self.ledger.release_phase_early(&silent, now).await?;
        if !released.is_empty() {
            let nodes = silent.join(", ");
            tracing::warn!(node.ids = nodes, "purges go on without nodes that are silent");
        }
        self.purge_bells.ring(released.iter().map(String::as_str));
        Ok(())
    }

    /// Targets of purges, newest purge first. Those that take longer than
    /// [`Config::purge_patience`](crate::Config::purge_patience) are overdue.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        let now = self.clock.now().as_millis();
        let patience = i64::try_from(self.config.purge_patience.as_millis()).unwrap_or(i64::MAX);
        let overdue = Some(Timestamp::from_millis(now.saturating_sub(patience)));
        self.ledger.purges(&PurgeFilter { overdue, ..filter.clone() }).await
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

/// A purge whose targets have been checked.
struct Accepted {
    id: TaskId,
    account: AccountId,
    product: Product,
    scope: Scope,
    method: Method,
    asked: Option<AreaScope>,
    merged: u64,
    /// What it costs of each counter; absent = one unit for each target that goes there.
    units: Option<u64>,
    found: Found,
}

/// The targets, checked, each once.
async fn read(
    board: &Catalog,
    account: AccountId,
    submission: &PurgeSubmission,
) -> Result<Found, PurgeError> {
    let mut seen = HashSet::with_capacity(submission.targets.len());
    let mut found = Vec::with_capacity(submission.targets.len());
    for (index, text) in submission.targets.iter().enumerate() {
        share_the_thread(index).await;
        let target = parse(submission.scope, text, submission.encode, index)?;
        let wanted = Wanted { account, zone: None, host: &target.host, url: &target.url, index };
        let domain = wanted.check(board.domain(&target.host))?;
        let asked = submission.areas.map_or(&[][..], AreaScope::areas);
        if let Some(area) = asked.iter().find(|area| !domain.areas.contains(**area)) {
            return Err(SubmitError::AreaNotEnabled { host: target.host, area: *area }.into());
        }
        if seen.insert(target.url.clone()) {
            let host = domain.name.clone();
            found.push((PurgeTarget { url: target.url, host }, Arc::clone(domain)));
        }
    }
    Ok(found)
}

fn parse(scope: Scope, text: &str, encode: bool, index: usize) -> Result<Target, PurgeError> {
    let url = |error| SubmitError::Url { index, url: text.into(), error };
    match scope {
        Scope::Path => directory(text, encode).map_err(|error| match error {
            PathError::Target(error) => url(error).into(),
            PathError::Query => PurgeError::Query { index, path: text.into() },
        }),
        Scope::Url | Scope::Tag => Ok(Target::parse(text, encode).map_err(url)?),
    }
}

/// What one text of the list names: a tag is looked for in several domains.
fn find(
    board: &Catalog,
    account: AccountId,
    purge: &PartialPurge,
    index: usize,
) -> Result<Found, PurgeError> {
    let text = &purge.targets[index];
    let is_meant = |domain: &&Arc<Domain>| {
        domain.account == account
            && purge.zone.as_ref().is_none_or(|zone| domain.zone.as_ref() == Some(zone))
    };
    if purge.scope == Scope::Tag {
        if !is_tag(text) {
            return Err(PurgeError::Tag { index, tag: text.clone() });
        }
        let named = purge.hosts.iter().filter_map(|host| {
            let domain = board.named_or_over(host).filter(is_meant)?;
            // one host of a wildcard is told by the tag itself
            let url = if domain.name == *host { text.clone() } else { tagged(host, text) };
            Some((PurgeTarget { url, host: domain.name.clone() }, Arc::clone(domain)))
        });
        return Ok(named.filter(|(_, domain)| domain.status != Status::Offline).collect());
    }
    let (domain, host, url) = if purge.hosts.contains(text) {
        (board.named(text), text.clone(), root(text))
    } else {
        let target = parse(purge.scope, text, purge.encode, index)?;
        (board.domain(&target.host), target.host, target.url)
    };
    let wanted = Wanted { account, zone: purge.zone.as_ref(), host: &host, url: &url, index };
    let domain = wanted.check(domain)?;
    Ok(vec![(PurgeTarget { url, host: domain.name.clone() }, Arc::clone(domain))])
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

    /// What is charged where.
    fn costs(&self, product: Product, units: Option<u64>) -> Vec<(Area, u64)> {
        let count = |area: &Area| self.targets.get(area).copied().unwrap_or_default();
        let counted = product.counted(self.areas()).iter();
        counted.map(|area| (*area, units.unwrap_or_else(|| count(area)))).collect()
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
fn phases(board: &Catalog, reach: &Reach) -> Vec<Vec<String>> {
    let named = |tier: Tier, is_meant: &dyn Fn(&Area) -> bool| -> Vec<String> {
        let nodes =
            board.fleet().nodes().iter().filter(|node| node.tier == tier && is_meant(&node.area));
        nodes.map(|node| node.name.clone()).collect()
    };
    let middles = named(Tier::Middle, &|area| reach.ways.contains(area));
    let edges = named(Tier::Edge, &|area| reach.targets.contains_key(area));
    let again = if middles.len() > 1 { middles.clone() } else { Vec::new() };
    [middles, again, edges].into_iter().filter(|phase| !phase.is_empty()).collect()
}

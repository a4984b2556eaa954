//! Accepting a task.
//!
//! Everything is checked before anything is written: the URLs, who owns their domains, whether
//! these are served where asked, whether there are nodes, the quota. What is answered with a
//! [`Receipt`] is in the ledger and will be done.

use std::{collections::BTreeSet, sync::Arc};

use stoker_domain::{
    account::{Account, AccountId, Feature},
    area::{AreaScope, Tier, tier_for},
    domain::Domain,
    host,
    placement::NodeSet,
    quota::{AreaLimits, Counter, Product},
    setting::Status,
    target::{self, Target},
    task::{FetchOptions, MediaPolicy, Task, TaskId},
    zone::ZoneId,
};
use stoker_ledger::{Charge, Error, ErrorKind, NewTask, PlannedTarget};
use tokio::task::yield_now;

use crate::{Engine, SubmitError, directory::Catalog};

/// Levels of playlists that are followed, the submitted one included.
pub(crate) const PLAYLIST_LEVELS: u8 = 3;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// URLs as given; equal ones are merged.
    pub urls: Vec<String>,
    /// Areas to be reached.
    pub areas: AreaScope,
    /// Tier to be reached; absent = the default of each area.
    pub tier: Option<Tier>,
    /// How the content is asked for.
    pub options: FetchOptions,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Whose quota is charged.
    pub product: Product,
    /// URLs that this call may have.
    pub batch_limit: u32,
}

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The name of the task.
    pub task: TaskId,
    /// Distinct targets.
    pub targets: u64,
    /// URLs that were given more than once and merged.
    pub merged: u64,
}

impl Engine {
    /// Accepts a task, or nothing of it.
    ///
    /// Not cancel safe for the caller: dropped half-way, the task may or may not have been
    /// accepted.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of the module's header.
    pub async fn submit(
        &self,
        account: &Account,
        mut submission: Submission,
    ) -> Result<Receipt, SubmitError> {
        let limit = self.config.max_targets_per_task.min(submission.batch_limit.into());
        check_count(submission.urls.len(), limit)?;
        check_features(account, submission.product, &submission.options)?;
        let targets = plan(&self.board.now(), account.id, &submission).await?;
        // may be as large as what was made of them
        submission.urls = Vec::new();
        let mut receipts = self.accept_tasks(account, &submission, vec![targets]).await?;
        Ok(receipts.pop().expect("one receipt for each list"))
    }

    /// Accepts a task for each of `lists`, or nothing: none is empty, and all are checked but for
    /// the quota.
    pub(crate) async fn accept_tasks(
        &self,
        account: &Account,
        submission: &Submission,
        lists: Vec<Vec<PlannedTarget>>,
    ) -> Result<Vec<Receipt>, SubmitError> {
        let now = self.clock.now();
        let limits = self.ledger.limits(account.id, submission.product).await;
        let limits = limits.map_err(SubmitError::Ledger)?;
        let nodes: BTreeSet<_> =
            lists.iter().flatten().flat_map(|target| target.nodes.names()).collect();
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        let new = |targets: Vec<PlannedTarget>| {
            let mut options = submission.options.clone();
            options.name_domains(targets.iter().map(|target| target.host.as_str()));
            let task = Task {
                id: self.ids.next(now, self.random()),
                account: account.id,
                product: submission.product,
                areas: submission.areas,
                tier: submission.tier,
                options,
                created_at: now,
            };
            let charges = charges(&task, self.calendar.day(now), &limits);
            NewTask { task, charges, targets }
        };
        let new: Vec<_> = lists.into_iter().map(new).collect();
        let ids: Vec<_> = new.iter().map(|new| new.task.id.clone()).collect();
        let submitted = self.submit_at_pace(new).await.map_err(|error| refused(error, &limits))?;
        let mut receipts = Vec::with_capacity(ids.len());
        for (task, submitted) in ids.into_iter().zip(submitted) {
            tracing::info!(
                task.id = %task,
                target.count = submitted.targets,
                job.count = submitted.jobs,
                "task accepted"
            );
            receipts.push(Receipt { task, targets: submitted.targets, merged: submitted.merged });
        }
        self.doorbells.ring(nodes.iter().map(String::as_str));
        Ok(receipts)
    }
}

/// What one target of `task` costs on `day`.
pub(crate) fn charges(task: &Task, day: i64, limits: &AreaLimits) -> Vec<Charge> {
    let charge = |area| Charge {
        counter: Counter { product: task.product, area, day },
        daily: limits.of(area).daily,
    };
    task.product.counted(task.areas).iter().copied().map(charge).collect()
}

pub(crate) fn check_count(given: usize, limit: u64) -> Result<(), SubmitError> {
    match given {
        0 => Err(SubmitError::NoUrls),
        _ if given as u64 > limit => Err(SubmitError::TooManyUrls { given, limit }),
        _ => Ok(()),
    }
}

/// Whether `account` may use what a task asks for.
pub(crate) fn check_features(
    account: &Account,
    product: Product,
    options: &FetchOptions,
) -> Result<(), SubmitError> {
    let is_teo = matches!(product, Product::ZonePrefetch | Product::ZoneEdgePrefetch);
    let used = [
        (Feature::EdgePrefetch, product == Product::ZoneEdgePrefetch),
        (Feature::MediaSegments, is_teo && options.media != MediaPolicy::Off),
        (Feature::DisableRange, options.disable_range),
    ];
    match used.into_iter().find(|(feature, is_used)| *is_used && account.closed.contains(feature)) {
        Some((feature, _)) => Err(SubmitError::FeatureClosed { feature }),
        None => Ok(()),
    }
}

/// Whether `domain`, which answers for `host`, may be prefetched.
pub(crate) fn check_lock(domain: &Domain, host: &str) -> Result<(), SubmitError> {
    match domain.lock {
        Some(lock) => Err(SubmitError::DomainLocked { host: host.into(), lock }),
        None => Ok(()),
    }
}

pub(crate) async fn plan(
    directory: &Catalog,
    account: AccountId,
    submission: &Submission,
) -> Result<Vec<PlannedTarget>, SubmitError> {
    let mut targets = Vec::with_capacity(submission.urls.len());
    for (index, url) in submission.urls.iter().enumerate() {
        let target = Target::parse(url, submission.encode).map_err(|error| SubmitError::Url {
            index,
            url: url.clone(),
            error,
        })?;
        let domain = check_domain(directory, account, submission.areas, (index, &target))?;
        targets.push((target, domain));
        share_the_thread(index).await;
    }
    check_nodes(directory, submission)?;
    let follows = submission.options.media == MediaPolicy::Segments;
    let mut planned = Vec::with_capacity(targets.len());
    for (index, (target, domain)) in targets.into_iter().enumerate() {
        planned.push(PlannedTarget {
            // what the path does not tell, the media type may
            levels: if follows { PLAYLIST_LEVELS } else { 0 },
            nodes: holders(directory, &target, submission.areas, submission.tier),
            url: target.url,
            host: domain.name.clone(),
            settled: None,
        });
        share_the_thread(index).await;
    }
    Ok(planned)
}

/// Lets others run now and then: a call may have a hundred thousand URLs.
pub(crate) async fn share_the_thread(index: usize) {
    const TURN: usize = 1000;
    if index % TURN == TURN - 1 {
        yield_now().await;
    }
}

/// The nodes that must hold `target`.
pub(crate) fn holders(
    directory: &Catalog,
    target: &Target,
    areas: AreaScope,
    tier: Option<Tier>,
) -> NodeSet {
    directory.fleet().holders(target.key(), areas, tier)
}

/// What is wanted of a domain: that it is the caller's, in the zone that he names, and online.
pub(crate) struct Wanted<'a> {
    /// Who asks.
    pub(crate) account: AccountId,
    /// The zone in which it must be; absent = any, or none.
    pub(crate) zone: Option<&'a ZoneId>,
    /// The host that was asked for.
    pub(crate) host: &'a str,
    /// With this URL.
    pub(crate) url: &'a str,
    /// Which has this place in the list, from 0.
    pub(crate) index: usize,
}

impl Wanted<'_> {
    /// The domain that answers for the host, if it is what is wanted.
    pub(crate) fn check<'d>(
        &self,
        found: Option<&'d Arc<Domain>>,
    ) -> Result<&'d Arc<Domain>, SubmitError> {
        let host = || self.host.to_owned();
        let Some(domain) = found.filter(|domain| domain.account == self.account) else {
            let url = self.url.to_owned();
            return Err(if host::is_host_name(self.host) {
                SubmitError::DomainUnknown { host: host(), url }
            } else {
                SubmitError::Url { index: self.index, url, error: target::Error::Host }
            });
        };
        if self.zone.is_some() && domain.zone.as_ref() != self.zone {
            return Err(SubmitError::OtherZone { host: host() });
        }
        match domain.status {
            Status::Online => Ok(domain),
            Status::Offline => Err(SubmitError::DomainOffline { host: host() }),
        }
    }
}

fn check_domain<'a>(
    directory: &'a Catalog,
    account: AccountId,
    areas: AreaScope,
    (index, target): (usize, &Target),
) -> Result<&'a Domain, SubmitError> {
    let host = || target.host.clone();
    let wanted = Wanted { account, zone: None, host: &target.host, url: &target.url, index };
    let domain = wanted.check(directory.domain(&target.host))?;
    check_lock(domain, &target.host)?;
    match areas.areas().iter().find(|area| !domain.areas.contains(**area)) {
        Some(area) => Err(SubmitError::AreaNotEnabled { host: host(), area: *area }),
        None => Ok(domain),
    }
}

fn check_nodes(directory: &Catalog, submission: &Submission) -> Result<(), SubmitError> {
    for area in submission.areas.areas().iter().copied() {
        let tier = tier_for(area, submission.tier);
        if !directory.fleet().has(area, tier) {
            return Err(SubmitError::NoNode { area, tier });
        }
    }
    Ok(())
}

pub(crate) fn refused(error: Error, limits: &AreaLimits) -> SubmitError {
    match error.kind {
        ErrorKind::OverQuota { counter, available, needed } => {
            let Counter { area, .. } = counter;
            SubmitError::OverQuota { area, available, needed, limit: limits.of(area).daily }
        }
        _ => SubmitError::Ledger(error),
    }
}

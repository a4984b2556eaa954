//! Accepting prefetches: URLs become the targets of a task, or of one task per domain.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::Arc,
};

use stoker_domain::{
    account::{Account, Feature},
    area::{Area, AreaScope, Tier},
    domain::Domain,
    quota::{AreaLimits, Counter, Product},
    target::Target,
    task::{FetchOptions, MediaPolicy, Task, TaskId},
    time::Timestamp,
    zone::ZoneId,
};
use stoker_ledger::{Charge, NewTask, PlannedTarget};

use super::{
    Acceptance, BatchLimit, SubmitError,
    limit::check_count,
    rules::{Named, Rules, check_lock, check_nodes, holders, parse},
    share_the_thread, sort,
};
use crate::{Engine, catalog::Catalog};

/// Levels of playlists that are followed, the submitted one included.
const PLAYLIST_LEVELS: u8 = 3;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// URLs as given; equal ones are merged.
    pub urls: Vec<String>,
    /// Areas to be reached; absent = for each URL those in which its domain is enabled.
    pub areas: Option<AreaScope>,
    /// The zone in which the domains must be; absent = any domain of the account.
    pub zone: Option<ZoneId>,
    /// Tier to be reached; absent = the default of each area.
    pub tier: Option<Tier>,
    /// How the content is asked for.
    pub options: FetchOptions,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Whose quota is charged.
    pub product: Product,
    /// URLs that this call may have.
    pub batch_limit: BatchLimit,
    /// The task whose failed targets it tries again.
    pub retry_of: Option<TaskId>,
}

impl Submission {
    /// A prefetch of `urls` that charges `product`, to where their domains are enabled, with the
    /// default options.
    pub fn new(product: Product, urls: Vec<String>) -> Self {
        Self {
            urls,
            areas: None,
            zone: None,
            tier: None,
            options: FetchOptions::default(),
            encode: false,
            product,
            batch_limit: BatchLimit::default(),
            retry_of: None,
        }
    }
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

/// What became of a list of which not everything had to be good.
#[derive(Debug)]
pub struct PartialReceipt {
    /// The task of what was accepted; absent when nothing was.
    pub receipt: Option<Receipt>,
    /// What was not, in the order given, each URL with its reason.
    pub refused: Vec<(String, SubmitError)>,
}

/// What was accepted as one task per domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitReceipt {
    /// When the call was accepted.
    pub accepted_at: Timestamp,
    /// One per domain, in the order in which the list names them first.
    pub receipts: Vec<Receipt>,
}

/// What became of a list.
struct Accepted {
    at: Timestamp,
    receipts: Vec<Receipt>,
    refused: Vec<(String, SubmitError)>,
}

/// One URL that passed the rules, its domain, and where it goes.
type Checked = (Target, Arc<Domain>, AreaScope);

impl Engine {
    /// Accepts a task, or nothing of it.
    ///
    /// Not cancel safe for the caller: dropped half-way, the task may or may not have been
    /// accepted.
    ///
    /// # Errors
    /// The first rule that is broken: the number of URLs, the features of the account, the URLs in
    /// their order, the nodes, the quota, the ledger.
    pub async fn submit(
        &self,
        account: &Account,
        submission: Submission,
    ) -> Result<Receipt, SubmitError> {
        let mut accepted = self.accept(account, submission, Acceptance::Whole).await?;
        accepted.receipts.pop().ok_or(SubmitError::NoUrls)
    }

    /// Accepts a task of those URLs that can be accepted. Its name has 12 characters.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// What concerns the whole list: its length, the features, missing nodes, the quota, the ledger.
    pub async fn submit_what_can_be(
        &self,
        account: &Account,
        submission: Submission,
    ) -> Result<PartialReceipt, SubmitError> {
        let mut accepted = self.accept(account, submission, Acceptance::WhatCanBe).await?;
        Ok(PartialReceipt { receipt: accepted.receipts.pop(), refused: accepted.refused })
    }

    /// Accepts one task per domain of the list, all of them or none.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// As [`Self::submit`] for the whole list.
    pub async fn submit_by_domain(
        &self,
        account: &Account,
        submission: Submission,
    ) -> Result<SplitReceipt, SubmitError> {
        let accepted = self.accept(account, submission, Acceptance::ByDomain).await?;
        Ok(SplitReceipt { accepted_at: accepted.at, receipts: accepted.receipts })
    }

    /// Accepts those of the targets of a former task that can be accepted.
    pub(crate) async fn submit_again(
        &self,
        account: &Account,
        submission: Submission,
    ) -> Result<PartialReceipt, SubmitError> {
        // the vendor names tasks of zones so
        let acceptance = match submission.product {
            Product::ZonePrefetch | Product::ZoneEdgePrefetch => Acceptance::WhatCanBe,
            _ => Acceptance::Again,
        };
        let mut accepted = self.accept(account, submission, acceptance).await?;
        Ok(PartialReceipt { receipt: accepted.receipts.pop(), refused: accepted.refused })
    }

    async fn accept(
        &self,
        account: &Account,
        mut submission: Submission,
        acceptance: Acceptance,
    ) -> Result<Accepted, SubmitError> {
        let Submission { product, areas, tier, batch_limit, encode, .. } = submission;
        let limits = self.ledger.limits(account.id, product).await.map_err(SubmitError::ledger)?;
        let limit = batch_limit.of(&limits, product, areas);
        let limit = self.config.max_targets_per_task.min(limit.into());
        // dropped before anything is written: they may be as large as what is made of them
        let mut urls = mem::take(&mut submission.urls);
        check_count(urls.len(), limit)?;
        check_features(account, product, &submission.options)?;
        let directory = self.directory.current();
        let zone = submission.zone.as_ref();
        let rules = Rules { directory: &directory, account: account.id, zone, areas };
        let judge = |index: usize| check(&rules, index, &urls[index], encode);
        let (checked, refused) = sort(urls.len(), acceptance, judge).await?;
        let refused: Vec<_> = refused
            .into_iter()
            .map(|(index, error)| (mem::take(&mut urls[index]), error))
            .collect();
        drop(urls);
        let at = self.clock.now();
        let reached = areas.or_else(|| checked.iter().map(|(_, _, areas)| *areas).reduce(union));
        let (Some(areas), false) = (reached, checked.is_empty()) else {
            return Ok(Accepted { at, receipts: Vec::new(), refused });
        };
        check_nodes(&directory, areas, tier)?;
        let targets = plan(&directory, checked, &submission).await;
        let lists = match acceptance {
            Acceptance::ByDomain => by_domain(targets),
            Acceptance::Whole | Acceptance::WhatCanBe | Acceptance::Again => vec![targets],
        };
        let mut options = submission.options;
        options.areas_of_domains = submission.areas.is_none();
        let new = |targets: Vec<PlannedTarget>| {
            let mut options = options.clone();
            options.name_domains(targets.iter().map(|target| target.host.as_str()));
            let id = self.ids.of_task(acceptance, at, self.random());
            let account = account.id;
            let task = Task { id, account, product, areas, tier, options, created_at: at };
            let charges = charges(&task, self.calendar.day(at), &limits);
            NewTask { task, charges, targets, retry_of: submission.retry_of.clone() }
        };
        let receipts = self.write_tasks(lists.into_iter().map(new).collect(), &limits).await?;
        Ok(Accepted { at, receipts, refused })
    }

    /// Writes all of `new` or nothing, and wakes the nodes that have something to do.
    async fn write_tasks(
        &self,
        new: Vec<NewTask>,
        limits: &AreaLimits,
    ) -> Result<Vec<Receipt>, SubmitError> {
        let planned = new.iter().flat_map(|new| &new.targets);
        let nodes: BTreeSet<_> = planned.flat_map(|target| target.nodes.names()).collect();
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        let tasks: Vec<_> = new.iter().map(|new| (new.task.id.clone(), new.task.product)).collect();
        let submitted = self.submit_at_pace(new).await;
        let submitted = submitted.map_err(|error| SubmitError::of_ledger(error, limits))?;
        let mut receipts = Vec::with_capacity(tasks.len());
        for ((task, product), submitted) in tasks.into_iter().zip(submitted) {
            self.counters.accepted(product, submitted.targets);
            tracing::info!(
                task.id = %task,
                target.count = submitted.targets,
                job.count = submitted.jobs,
                "task accepted"
            );
            receipts.push(Receipt { task, targets: submitted.targets, merged: submitted.merged });
        }
        self.wakeups.notify(nodes.iter().map(String::as_str));
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

/// Whether `account` may use what a task asks for.
fn check_features(
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
        Some((feature, _)) => Err(SubmitError::FeatureDisabled { feature }),
        None => Ok(()),
    }
}

/// The URL at `index` by the rules for prefetches.
fn check(rules: &Rules<'_>, index: usize, url: &str, encode: bool) -> Result<Checked, SubmitError> {
    let target = parse(index, url, encode)?;
    let domain = rules.usable(rules.directory.domain(&target.host), Named::of(index, &target))?;
    check_lock(domain, &target.host)?;
    let areas = rules.areas(domain, &target.host)?;
    Ok((target, Arc::clone(domain), areas))
}

async fn plan(
    directory: &Catalog,
    checked: Vec<Checked>,
    submission: &Submission,
) -> Vec<PlannedTarget> {
    let follows = submission.options.media == MediaPolicy::Segments;
    let mut planned = Vec::with_capacity(checked.len());
    for (index, (target, domain, areas)) in checked.into_iter().enumerate() {
        planned.push(PlannedTarget {
            // also where the path does not look like a playlist: the media type may tell
            levels: if follows { PLAYLIST_LEVELS } else { 0 },
            nodes: holders(directory, &target, areas, submission.tier),
            url: target.url,
            host: domain.name.clone(),
            settled: None,
        });
        share_the_thread(index).await;
    }
    planned
}

/// One list per domain, in the order in which the domains come first.
fn by_domain(targets: Vec<PlannedTarget>) -> Vec<Vec<PlannedTarget>> {
    let mut lists: Vec<Vec<PlannedTarget>> = Vec::new();
    let mut places = HashMap::new();
    for target in targets {
        let place = *places.entry(target.host.clone()).or_insert_with(|| {
            lists.push(Vec::new());
            lists.len() - 1
        });
        lists[place].push(target);
    }
    lists
}

fn union(a: AreaScope, b: AreaScope) -> AreaScope {
    let both = |area: Area| a.contains(area) || b.contains(area);
    match (both(Area::Mainland), both(Area::Overseas)) {
        (true, false) => AreaScope::Mainland,
        (false, true) => AreaScope::Overseas,
        _ => AreaScope::Global,
    }
}

//! Accepting what can be accepted of a list, and telling the rest.
//!
//! The counterpart of `submit` for callers who want one bad URL not to cost them the others. Each
//! URL goes to the areas in which its own domain is served. Quota and nodes are still all or
//! nothing: they are not the fault of a single URL.

use std::{collections::BTreeSet, sync::Arc};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope, Tier, tier_for},
    domain::Domain,
    quota::Product,
    target::Target,
    task::{FetchOptions, MediaPolicy, Task, TaskId},
    zone::ZoneId,
};
use stoker_ledger::{NewTask, PlannedTarget};

use crate::{
    Engine, Receipt, SubmitError,
    directory::Catalog,
    ids,
    submit::{
        PLAYLIST_LEVELS, Wanted, charges, check_count, check_features, check_lock, holders,
        refused, share_the_thread,
    },
};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialSubmission {
    /// URLs as given; equal ones are merged.
    pub urls: Vec<String>,
    /// The zone in which their domains must be; absent = any domain of the account.
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
    pub batch_limit: u32,
}

/// What became of a list.
#[derive(Debug)]
pub struct PartialReceipt {
    /// The task of what was accepted; absent when nothing was.
    pub receipt: Option<Receipt>,
    /// What was not, in the order given, each URL with its reason.
    pub refused: Vec<(String, SubmitError)>,
}

impl Engine {
    /// Accepts a task of those URLs that can be accepted. Its name has 12 characters.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// What concerns the whole list: its length, the quota, missing nodes, the ledger.
    pub async fn submit_what_can_be(
        &self,
        account: &Account,
        submission: PartialSubmission,
    ) -> Result<PartialReceipt, SubmitError> {
        let limit = self.config.max_targets_per_task.min(submission.batch_limit.into());
        check_count(submission.urls.len(), limit)?;
        check_features(account, submission.product, &submission.options)?;
        let directory = self.board.now();
        let (accepted, refused_urls) = sort(&directory, account.id, &submission).await;
        let Some(areas) = accepted.iter().map(|(_, domain)| domain.areas).reduce(union) else {
            return Ok(PartialReceipt { receipt: None, refused: refused_urls });
        };
        check_nodes(&directory, areas, submission.tier)?;
        let targets = plan(&directory, accepted, &submission).await;
        let limits = self.ledger.limits(account.id, submission.product).await;
        let limits = limits.map_err(SubmitError::Ledger)?;
        let now = self.clock.now();
        let mut options = submission.options;
        options.name_domains(targets.iter().map(|target| target.host.as_str()));
        let task = Task {
            id: TaskId(ids::short(self.random())),
            account: account.id,
            product: submission.product,
            areas,
            tier: submission.tier,
            options,
            created_at: now,
        };
        let id = task.id.clone();
        let charges = charges(&task, self.calendar.day(now), &limits);
        let nodes: BTreeSet<_> = targets.iter().flat_map(|target| target.nodes.names()).collect();
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        let new = NewTask { task, charges, targets };
        let submitted = self.submit_at_pace(vec![new]).await;
        let submitted = submitted.map_err(|error| refused(error, &limits))?;
        let submitted = submitted.into_iter().next().unwrap_or_default();
        tracing::info!(
            task.id = %id,
            target.count = submitted.targets,
            target.refused = refused_urls.len(),
            "task accepted in part"
        );
        self.doorbells.ring(nodes.iter().map(String::as_str));
        let receipt = Receipt { task: id, targets: submitted.targets, merged: submitted.merged };
        Ok(PartialReceipt { receipt: Some(receipt), refused: refused_urls })
    }
}

type Accepted = Vec<(Target, Arc<Domain>)>;
type Refused = Vec<(String, SubmitError)>;

async fn sort(
    directory: &Catalog,
    account: AccountId,
    submission: &PartialSubmission,
) -> (Accepted, Refused) {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (index, url) in submission.urls.iter().enumerate() {
        match check(directory, account, submission, index) {
            Ok(found) => accepted.push(found),
            Err(error) => refused.push((url.clone(), error)),
        }
        share_the_thread(index).await;
    }
    (accepted, refused)
}

fn check(
    directory: &Catalog,
    account: AccountId,
    submission: &PartialSubmission,
    index: usize,
) -> Result<(Target, Arc<Domain>), SubmitError> {
    let url = &submission.urls[index];
    let target = Target::parse(url, submission.encode).map_err(|error| SubmitError::Url {
        index,
        url: url.clone(),
        error,
    })?;
    let zone = submission.zone.as_ref();
    let wanted = Wanted { account, zone, host: &target.host, url: &target.url, index };
    let domain = Arc::clone(wanted.check(directory.domain(&target.host))?);
    check_lock(&domain, &target.host)?;
    Ok((target, domain))
}

fn check_nodes(
    directory: &Catalog,
    areas: AreaScope,
    wish: Option<Tier>,
) -> Result<(), SubmitError> {
    for area in areas.areas().iter().copied() {
        let tier = tier_for(area, wish);
        if !directory.fleet().has(area, tier) {
            return Err(SubmitError::NoNode { area, tier });
        }
    }
    Ok(())
}

async fn plan(
    directory: &Catalog,
    accepted: Accepted,
    submission: &PartialSubmission,
) -> Vec<PlannedTarget> {
    let follows = submission.options.media == MediaPolicy::Segments;
    let mut planned = Vec::with_capacity(accepted.len());
    for (index, (target, domain)) in accepted.into_iter().enumerate() {
        planned.push(PlannedTarget {
            // what the path does not tell, the media type may
            levels: if follows { PLAYLIST_LEVELS } else { 0 },
            nodes: holders(directory, &target, domain.areas, submission.tier),
            url: target.url,
            host: domain.name.clone(),
            settled: None,
        });
        share_the_thread(index).await;
    }
    planned
}

fn union(a: AreaScope, b: AreaScope) -> AreaScope {
    let both = |area: Area| a.contains(area) || b.contains(area);
    match (both(Area::Mainland), both(Area::Overseas)) {
        (true, false) => AreaScope::Mainland,
        (false, true) => AreaScope::Overseas,
        _ => AreaScope::Global,
    }
}

/// Where a further target of `task` on `domain` goes; nothing when the domain is not served there.
pub(crate) fn reach(task: &Task, domain: &Domain) -> Option<AreaScope> {
    match task.product {
        Product::ZonePrefetch | Product::ZoneEdgePrefetch => Some(domain.areas),
        // purges have no tasks of this kind
        Product::DomainPrefetch
        | Product::DomainPurgeUrl
        | Product::DomainPurgePath
        | Product::ZonePurgeUrl
        | Product::ZonePurgePrefix
        | Product::ZonePurgeHost
        | Product::ZonePurgeAll
        | Product::ZonePurgeTag => {
            let all = task.areas.areas().iter().all(|area| domain.areas.contains(*area));
            all.then_some(task.areas)
        }
    }
}

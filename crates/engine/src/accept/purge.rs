//! Accepting purges: which targets, whose, and what they cost.
//!
//! The nodes that get orders, and the order in which they do, are decided in `crate::purge`.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, Tier},
    domain::Domain,
    purge::{Method, PathError, Scope, directory, is_tag, root, tagged},
    quota::{AreaLimits, Counter, Product},
    setting::Status,
    target::Target,
    view::PurgeTarget,
    zone::ZoneId,
};
use stoker_ledger::{Charge, NewPurge};

use super::{
    Acceptance, BatchLimit, PurgeError, Receipt, SubmitError,
    ids::Ids,
    limit::check_count,
    rules::{Named, Rules, parse},
    sort,
};
use crate::{
    Engine,
    catalog::Catalog,
    purge::{Reach, phases},
};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeSubmission {
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
    /// Areas to be reached; absent = for each target those of its domain.
    pub areas: Option<AreaScope>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// Whose quota is charged.
    pub product: Product,
    /// What it costs of every counter; absent = one unit for each target.
    pub units: Option<u64>,
    /// Targets that this call may have.
    pub batch_limit: BatchLimit,
}

impl PurgeSubmission {
    /// A purge of `targets` that charges `product`, from where their domains are enabled.
    pub fn new(product: Product, scope: Scope, targets: Vec<String>) -> Self {
        Self {
            targets,
            scope,
            hosts: Vec::new(),
            zone: None,
            method: Method::default(),
            areas: None,
            encode: false,
            product,
            units: None,
            batch_limit: BatchLimit::default(),
        }
    }
}

/// What became of a list of which not everything had to be good.
#[derive(Debug)]
pub struct PartialPurged {
    /// The purge of what was accepted; absent when nothing was.
    pub receipt: Option<Receipt>,
    /// What was not: the place of each in the list, from 0, and the reason.
    pub refused: Vec<(usize, PurgeError)>,
}

/// Targets that passed the rules, each with its domain.
type Checked = Vec<(PurgeTarget, Arc<Domain>)>;

/// Checked targets, each once.
#[derive(Default)]
struct Distinct {
    targets: Checked,
    /// How many entries of the list named something that no entry before them did.
    entries: u64,
}

impl Engine {
    /// Accepts a purge, or nothing of it.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// The first rule that is broken: the count, the targets and who owns their domains, whether
    /// these are enabled where asked, whether there are nodes, the quota.
    pub async fn purge(
        &self,
        account: &Account,
        submission: PurgeSubmission,
    ) -> Result<Receipt, PurgeError> {
        let (receipt, _) = self.accept_purge(account, submission, Acceptance::Whole).await?;
        receipt.ok_or(PurgeError::Refused(SubmitError::NoUrls))
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
        submission: PurgeSubmission,
    ) -> Result<PartialPurged, PurgeError> {
        let accepted = self.accept_purge(account, submission, Acceptance::WhatCanBe).await;
        accepted.map(|(receipt, refused)| PartialPurged { receipt, refused })
    }

    async fn accept_purge(
        &self,
        account: &Account,
        submission: PurgeSubmission,
        acceptance: Acceptance,
    ) -> Result<(Option<Receipt>, Vec<(usize, PurgeError)>), PurgeError> {
        let PurgeSubmission { product, areas, batch_limit, .. } = submission;
        let limits = self.ledger.limits(account.id, product).await.map_err(SubmitError::ledger)?;
        let given = submission.targets.len();
        check_count(given, batch_limit.of(&limits, product, areas).into())?;
        let directory = self.directory.current();
        let zone = submission.zone.as_ref();
        let rules = Rules { directory: &directory, account: account.id, zone, areas };
        let judge = |index| check(&rules, &submission, index);
        let (checked, refused) = sort(given, acceptance, judge).await?;
        let distinct = distinct(checked);
        if distinct.targets.is_empty() {
            return Ok((None, refused));
        }
        let merged = (given - refused.len()) as u64 - distinct.entries;
        let new = self.new_purge(account, &submission, acceptance, (&directory, distinct, &limits));
        let new = new?;
        let receipt = Receipt { task: new.id.clone(), targets: new.targets.len() as u64, merged };
        let nodes: BTreeSet<String> = new.phases[0].iter().cloned().collect();
        let submitted = self.ledger.submit_purge(new).await;
        submitted.map_err(|error| SubmitError::of_ledger(error, &limits))?;
        self.counters.accepted(product, receipt.targets);
        tracing::info!(task.id = %receipt.task, target.count = receipt.targets, "purge accepted");
        self.purge_wakeups.notify(nodes.iter().map(String::as_str));
        Ok((Some(receipt), refused))
    }

    fn new_purge(
        &self,
        account: &Account,
        submission: &PurgeSubmission,
        acceptance: Acceptance,
        (directory, distinct, limits): (&Catalog, Distinct, &AreaLimits),
    ) -> Result<NewPurge, SubmitError> {
        let PurgeSubmission { product, scope, method, areas, .. } = *submission;
        let reach = Reach::of(&distinct.targets, areas);
        let phases = phases(directory, &reach);
        if phases.is_empty() {
            return Err(SubmitError::NoNode { area: reach.first(), tier: Tier::Edge });
        }
        let now = self.clock.now();
        let day = self.calendar.day(now);
        let charge = |(area, count): (Area, u64)| {
            let counter = Counter { product, area, day };
            (Charge { counter, daily: limits.of(area).daily }, count)
        };
        let units = match acceptance {
            // each area pays for the targets that go there
            Acceptance::Whole | Acceptance::ByDomain => submission.units,
            // each entry is paid once, wherever it goes and however many domains it names
            Acceptance::WhatCanBe | Acceptance::Again => {
                submission.units.or(Some(distinct.entries))
            }
        };
        Ok(NewPurge {
            id: Ids::of_purge(acceptance, now, self.random()),
            account: account.id,
            product,
            scope,
            method,
            areas: reach.areas(),
            created_at: now,
            targets: distinct.targets.into_iter().map(|(target, _)| target).collect(),
            charges: reach.costs(product, units).into_iter().map(charge).collect(),
            phases,
        })
    }
}

/// What the entry at `index` names: a tag is looked for in several domains.
fn check(
    rules: &Rules<'_>,
    submission: &PurgeSubmission,
    index: usize,
) -> Result<Checked, PurgeError> {
    let text = &submission.targets[index];
    if submission.scope == Scope::Tag {
        return tagged_targets(rules, submission, index);
    }
    let (domain, host, url) = if submission.hosts.contains(text) {
        (rules.directory.named(text), text.clone(), root(text))
    } else {
        let target = read(submission.scope, text, submission.encode, index)?;
        (rules.directory.domain(&target.host), target.host, target.url)
    };
    let domain = rules.usable(domain, Named { index, host: &host, url: &url })?;
    rules.areas(domain, &host)?;
    Ok(vec![(PurgeTarget { url, host: domain.name.clone() }, Arc::clone(domain))])
}

fn read(scope: Scope, text: &str, encode: bool, index: usize) -> Result<Target, PurgeError> {
    match scope {
        Scope::Path => directory(text, encode).map_err(|error| match error {
            PathError::Target(error) => SubmitError::Url { index, url: text.into(), error }.into(),
            PathError::Query => PurgeError::Query { index, path: text.into() },
        }),
        Scope::Url | Scope::Tag => Ok(parse(index, text, encode)?),
    }
}

/// The tag in those of the hosts named whose domains can be purged.
fn tagged_targets(
    rules: &Rules<'_>,
    submission: &PurgeSubmission,
    index: usize,
) -> Result<Checked, PurgeError> {
    let tag = &submission.targets[index];
    if !is_tag(tag) {
        return Err(PurgeError::Tag { index, tag: tag.clone() });
    }
    let named = submission.hosts.iter().filter_map(|host| {
        let named = Named { index, host, url: "" };
        let domain = rules.owned(rules.directory.named_or_over(host), named).ok()?;
        let is_meant = rules.is_in_zone(domain) && domain.status != Status::Offline;
        // one host of a wildcard is part of the tag itself
        let url = if domain.name == *host { tag.clone() } else { tagged(host, tag) };
        is_meant.then(|| (PurgeTarget { url, host: domain.name.clone() }, Arc::clone(domain)))
    });
    Ok(named.collect())
}

fn distinct(checked: Vec<Checked>) -> Distinct {
    let mut seen = HashSet::with_capacity(checked.len());
    let mut distinct = Distinct::default();
    for targets in checked {
        let before = distinct.targets.len();
        let is_new =
            |(target, _): &(PurgeTarget, _)| seen.insert((target.url.clone(), target.host.clone()));
        distinct.targets.extend(targets.into_iter().filter(is_new));
        distinct.entries += u64::from(distinct.targets.len() > before);
    }
    distinct
}

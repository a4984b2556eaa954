//! One item: fetch it unless it is there, then prove through the serving path that it is.
//!
//! Success is what the read-back says, never what the fill believes: a hit, whole, of the right
//! size and durable, every byte of it as it was written. What is damaged is filled again by itself.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use stoker_agent::{Progress, Terms};
use stoker_domain::{
    directory::Directory,
    domain::NodeDomain,
    http::{Reuse, reuse},
    job::{ItemReport, JobItem},
    media::References,
    outcome::{Block, OriginFault, Outcome, Uncacheable},
    retry::is_worth_retrying,
    setting::Status,
    target::Target,
    task::FetchOptions,
    time::{Clock, Timestamp},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::playlist::{self, Unreadable};
use crate::{
    fault::whole_seconds,
    fill::{Body, FillHead, Filled, Fills, is_content},
    request::{Handed, Intent, Priority, Request},
    serve::{Proof, Service, cached_only, selecting},
    store::{Store, Stored, Verified},
};

/// How often a running fill is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// How long the read-back waits for something that another request brought to become durable.
const SYNC: Duration = Duration::from_secs(10);
/// How often it looks.
const SYNC_LOOK: Duration = Duration::from_millis(2);

/// The disk did not do what it should.
const DISK_ERROR: Outcome = Outcome::Uncacheable(Uncacheable::DiskError);
/// A purge made something else of it: worth another attempt.
const OVERTAKEN: Outcome = Outcome::OriginError(OriginFault::Changed);

/// The origin was not asked.
const BUSY: Outcome = Outcome::OriginError(OriginFault::Busy);
/// The response is stale as soon as it is stored.
const NEVER_FRESH: Outcome = Outcome::Uncacheable(Uncacheable::NoLifetime);
/// A wall clock that differs by more from the time that passed was set.
const JUMP: Duration = Duration::from_secs(5);

/// Makes items present.
pub(super) struct Prefetcher {
    service: Service,
    store: Store,
    fills: Fills,
    directory: watch::Receiver<Arc<Directory>>,
    clock: Arc<dyn Clock>,
    turns: playlist::Turns,
}

/// An item, understood.
struct PrefetchItem<'a> {
    item: &'a JobItem,
    target: Target,
    domain: Arc<NodeDomain>,
    terms: &'a Terms,
    /// How its own domain is asked.
    options: Arc<FetchOptions>,
    /// The request fields by which its response is selected.
    selecting: HeaderMap,
}

impl PrefetchItem<'_> {
    /// Whether it is looked into, should it turn out to be a playlist.
    fn looks_inside(&self) -> bool {
        self.item.levels > 0
    }
}

/// What the read-back found wrong.
enum Failure {
    /// It is there and must be validated at every use.
    NeverFresh,
    /// It is there, and a purge wants it validated.
    Invalidated,
    /// It is not there, or not all of it.
    Gone,
    /// Some of it was damaged, and is not there any more.
    Damaged,
    /// It is there and did not become durable in time.
    Unsynced,
}

impl Prefetcher {
    pub(super) fn new(
        service: Service,
        store: Store,
        fills: Fills,
        directory: watch::Receiver<Arc<Directory>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { service, store, fills, directory, clock, turns: playlist::Turns::default() }
    }

    /// See [`stoker_agent::Cache::prefetch`]. Dropped, it leaves a fill that has begun to itself.
    pub(super) async fn prefetch(
        &self,
        item: &JobItem,
        terms: &Terms,
        progress: &Progress,
    ) -> ItemReport {
        let Ok(target) = Target::parse(&item.url, false) else {
            return failed(item, Outcome::Blocked(Block::Ownership), "the URL cannot be read");
        };
        // the host may have changed hands since the task was accepted
        let owned = |domain: &&Arc<NodeDomain>| domain.account == terms.account;
        let domain = self.directory.borrow().domain(&target.host).filter(owned).cloned();
        let Some(domain) = domain else {
            let detail =
                format!("host `{}` no longer belongs to a domain of the account", target.host);
            return failed(item, Outcome::Blocked(Block::Ownership), &detail);
        };
        if domain.status == Status::Offline {
            let detail = format!("domain `{}` is stopped", target.host);
            return failed(item, Outcome::Blocked(Block::Offline), &detail);
        }
        let options = Arc::new(terms.options.for_domain(&domain.name));
        let selecting = selecting(&options);
        let wanted = PrefetchItem { item, target, domain, terms, options, selecting };
        let (is_fresh, mut stored) = self.look(&wanted).await;
        if is_fresh {
            stored = match self.read_back(&wanted, stored.as_ref()).await {
                Ok(proof) => return self.proven(&wanted, Outcome::AlreadyFresh, 0, &proof).await,
                Err(Failure::Damaged) => self.look(&wanted).await.1,
                // what cannot be read back must not be built upon
                Err(_) => None,
            };
        }
        let began = (self.clock.now(), Instant::now());
        let (outcome, report) = self.fill_and_judge(&wanted, stored, progress).await;
        if report.outcome != NEVER_FRESH || !self.has_jumped(began) {
            return report;
        }
        // what came a moment ago looks old: let it be confirmed under the new time
        let (_, stored) = self.look(&wanted).await;
        let pulled = report.pulled_bytes;
        let (_, report) = self.fill_and_judge(&wanted, stored, progress).await;
        let outcome = if report.outcome.is_success() { outcome } else { report.outcome };
        ItemReport { outcome, pulled_bytes: report.pulled_bytes + pulled, ..report }
    }

    /// Whether the wall clock was set since `(wall, then)`.
    fn has_jumped(&self, (wall, then): (Timestamp, Instant)) -> bool {
        let (now, passed) = (self.clock.now(), then.elapsed());
        now.since(wall) > passed + JUMP || wall + passed > now + JUMP
    }

    /// Fills it and reads it back: the outcome of the fill, and the report.
    async fn fill_and_judge(
        &self,
        wanted: &PrefetchItem<'_>,
        stored: Option<Stored>,
        progress: &Progress,
    ) -> (Outcome, ItemReport) {
        let (mut filled, passing) = self.fill(wanted, stored, progress).await;
        let mut back = self.read_back_of(wanted, &filled).await;
        if let Some(Err(Failure::Damaged)) = back {
            // it stood in the store before; what is damaged of it is filled again, and only that
            let pulled_bytes = filled.pulled_bytes;
            let left = self.look(wanted).await.1;
            (filled, _) = self.fill(wanted, left, progress).await;
            filled.pulled_bytes += pulled_bytes;
            back = self.read_back_of(wanted, &filled).await;
        }
        let outcome = filled.outcome;
        let mut report = self.judge(wanted, filled, back).await;
        if let Some((head, body)) = passing {
            let (references, came) =
                playlist::of_passing(&self.turns, wanted.item, &wanted.target, &head, body).await;
            report.pulled_bytes += came;
            add_references(&mut report, references);
        }
        (outcome, report)
    }

    /// Whether it is there, whole and fresh; and what is there.
    async fn look(&self, wanted: &PrefetchItem<'_>) -> (bool, Option<Stored>) {
        let request = self.request(wanted);
        let Some(stored) = self.store.lookup(request.key, &request.url()).await else {
            return (false, None);
        };
        let Some(response) = stored.response() else { return (false, None) };
        match reuse(response, &wanted.selecting, self.clock.now()) {
            // an error that the origin lets be kept is not the target
            Reuse::Fresh if stored.is_invalidated() => (false, Some(stored)),
            Reuse::Fresh => (stored.is_complete() && is_content(response.status), Some(stored)),
            Reuse::Stale => (false, Some(stored)),
            Reuse::VaryMiss => (false, None),
        }
    }

    fn request(&self, wanted: &PrefetchItem<'_>) -> Request {
        Request {
            key: wanted.target.key(),
            domain: Arc::clone(&wanted.domain),
            host: wanted.target.host.clone(),
            path_and_query: wanted.target.path_and_query.clone(),
            fields: HeaderMap::new(),
            handed: Handed::default(),
            options: Arc::clone(&wanted.options),
            intent: if wanted.looks_inside() { Intent::PrefetchAndRead } else { Intent::Prefetch },
            hops: 0,
            client: None,
            priority: Priority::Background,
            errors_since: Some(wanted.terms.accepted_at),
        }
    }

    /// What became of it; and a playlist that is not kept, as it comes.
    async fn fill(
        &self,
        wanted: &PrefetchItem<'_>,
        stored: Option<Stored>,
        progress: &Progress,
    ) -> (Filled, Option<(Arc<FillHead>, Body)>) {
        loop {
            let reader = self.fills.get_or_start(self.request(wanted), stored.clone());
            while !reader.ends_within(LOOK).await {
                let (done, total) = reader.progress();
                progress.set(done, total);
            }
            let ended = reader.durable_or_passing().await;
            if ended.0.outcome != BUSY {
                return ended;
            }
            // it was shared with a viewer, who does not wait for long; this one does
            sleep(LOOK).await;
        }
    }

    async fn judge(
        &self,
        wanted: &PrefetchItem<'_>,
        filled: Filled,
        back: Option<Result<Proof, Failure>>,
    ) -> ItemReport {
        let mut report = ItemReport {
            size_bytes: filled.size.filter(|_| is_sized(filled.outcome)),
            pulled_bytes: filled.pulled_bytes,
            validator: filled.validator,
            detail: filled.detail,
            retry_after_seconds: filled.retry_after.map(whole_seconds),
            ..ItemReport::new(wanted.item.position, filled.outcome)
        };
        let Some(back) = back else { return report };
        let is_purged = || filled.stored.as_ref().is_some_and(Stored::is_purged);
        let (outcome, detail) = match back {
            Ok(proof) if filled.size.is_none_or(|size| proof.stored.size() == Some(size)) => {
                let proven = self.proven(wanted, filled.outcome, filled.pulled_bytes, &proof).await;
                let detail = proven.detail.or(report.detail);
                return ItemReport { detail, ..proven };
            }
            Ok(_) => (DISK_ERROR, "the size read back is another than that fetched"),
            Err(Failure::NeverFresh) => {
                (NEVER_FRESH, "its lifetime was over before it could be read back")
            }
            Err(Failure::Damaged) => (DISK_ERROR, "the disk gave back other bytes, again"),
            Err(Failure::Unsynced) => (DISK_ERROR, "the disk did not confirm it in time"),
            Err(Failure::Invalidated) => (OVERTAKEN, "a purge came before it was read back"),
            Err(Failure::Gone) if is_purged() => {
                (OVERTAKEN, "a purge removed it before it was read back")
            }
            Err(Failure::Gone) => return self.evicted(report),
        };
        report.outcome = outcome;
        // why it was stale as it came is known by the fill alone
        let noted = report.detail.take().filter(|_| outcome == NEVER_FRESH);
        report.detail = noted.or_else(|| Some(detail.into()));
        // there it is, and what it names can be there too
        if let (true, Outcome::Uncacheable(Uncacheable::NoLifetime), Some(stored)) =
            (wanted.looks_inside(), outcome, &filled.stored)
        {
            add_references(
                &mut report,
                playlist::of_stored(&self.turns, wanted.item, &wanted.target, stored).await,
            );
        }
        report
    }

    /// What came is gone already: other content took its place.
    fn evicted(&self, mut report: ItemReport) -> ItemReport {
        let mib = self.store.max_bytes() >> 20;
        report.outcome = Outcome::Uncacheable(Uncacheable::DiskFull);
        report.detail = Some(format!(
            "evicted before it was read back: the store of {mib} MiB is too small for what is \
             being prefetched"
        ));
        report
    }

    /// As [`Self::read_back`], of what was filled, if it was.
    async fn read_back_of(
        &self,
        wanted: &PrefetchItem<'_>,
        filled: &Filled,
    ) -> Option<Result<Proof, Failure>> {
        if !filled.outcome.is_success() {
            return None;
        }
        Some(self.read_back(wanted, filled.stored.as_ref()).await)
    }

    /// Verifies every byte of what is `held`, then asks the serving path for it, as a viewer would who
    /// wants only what is cached.
    async fn read_back(
        &self,
        wanted: &PrefetchItem<'_>,
        held: Option<&Stored>,
    ) -> Result<Proof, Failure> {
        let mut verified = None;
        if let Some(held) = held {
            verified = self.verified(held).await?;
        }
        let end = Instant::now() + SYNC;
        loop {
            let reply =
                self.service.prove(cached_only(&wanted.target, wanted.selecting.clone())).await;
            let Some(proof) = reply.extensions().get::<Proof>() else {
                return Err(match self.look(wanted).await.1.filter(Stored::is_complete) {
                    Some(stored) if stored.is_invalidated() => Failure::Invalidated,
                    Some(_) => Failure::NeverFresh,
                    None => Failure::Gone,
                });
            };
            if reply.status() != stored_status(&proof.stored) || !proof.stored.is_complete() {
                return Err(Failure::Gone);
            }
            if verified != Some(proof.stored.generation()) {
                verified = self.verified(&proof.stored).await?;
            }
            if proof.stored.is_durable() {
                return Ok(proof.clone());
            }
            // it came with a viewer's request and its group is being synced
            if Instant::now() >= end {
                return Err(Failure::Unsynced);
            }
            sleep(SYNC_LOOK).await;
        }
    }

    /// The generation that was verified; none when it was not all there.
    async fn verified(&self, held: &Stored) -> Result<Option<u64>, Failure> {
        match held.verify().await {
            Verified::Sound => Ok(Some(held.generation())),
            Verified::Missing => Ok(None),
            Verified::Damaged => Err(Failure::Damaged),
        }
    }

    async fn proven(
        &self,
        wanted: &PrefetchItem<'_>,
        outcome: Outcome,
        pulled_bytes: u64,
        proof: &Proof,
    ) -> ItemReport {
        let mut report = ItemReport {
            size_bytes: proof.stored.size(),
            pulled_bytes,
            validator: proof.validator.clone(),
            verified_at: Some(self.clock.now()),
            fresh_until: Some(proof.fresh_until),
            ..ItemReport::new(wanted.item.position, outcome)
        };
        if wanted.looks_inside() {
            add_references(
                &mut report,
                playlist::of_stored(&self.turns, wanted.item, &wanted.target, &proof.stored).await,
            );
        }
        report
    }
}

/// Whether the size of what came is the target's: that of an error page is not.
fn is_sized(outcome: Outcome) -> bool {
    outcome.is_success() || matches!(outcome, Outcome::Uncacheable(_) | Outcome::TooLarge)
}

/// The status that the read-back must have: that of the stored response.
fn stored_status(stored: &Stored) -> StatusCode {
    stored.response().map_or(StatusCode::OK, |response| response.status)
}

/// Adds what the item names. Where that cannot be known, an item that is there has failed all the
/// same; for one that is not, it is said besides, unless another attempt may find out.
fn add_references(report: &mut ItemReport, references: Result<References, Unreadable>) {
    match references {
        Ok(References { children, not_followed }) => {
            (report.children, report.not_followed) = (children, not_followed);
        }
        Err(Unreadable { outcome, detail })
            if report.outcome.is_success() || is_worth_retrying(outcome) =>
        {
            (report.outcome, report.detail) = (outcome, Some(detail));
        }
        Err(Unreadable { detail, .. }) => {
            let before = report.detail.take().map(|detail| detail + "; ").unwrap_or_default();
            report.detail = Some(before + &detail);
        }
    }
}

fn failed(item: &JobItem, outcome: Outcome, detail: &str) -> ItemReport {
    ItemReport { detail: Some(detail.to_owned()), ..ItemReport::new(item.position, outcome) }
}

//! Origins that are down, or that asked to be left alone (`Retry-After`): which of their targets
//! wait, and until when. A circuit breaker for each origin.
//!
//! While an origin is held, its targets are not handed out; when the pause is over, one of them is the
//! probe, and its outcome decides whether the others follow. The pauses grow as those of a target do.
//! In memory: an engine that starts again asks each origin once more. When a single target is tried
//! again is decided in `attempts`.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::{
    area::Area,
    domain::{Domain, Shield},
    job::{ItemReport, JobId},
    outcome::Outcome,
    retry::{BACKOFF, Presence},
    time::Timestamp,
};

/// So many targets in a row whose reply did not come in time show that the origin is away.
const SILENT: usize = 3;
/// How long other items have their turn before one that was the probe is so once more.
const TURN: Duration = Duration::from_secs(2);
/// Items that are remembered as former probes.
const MOST_TRIED: usize = 1000;
/// Jobs that are woken when an origin is back; others wait until they are due.
const MOST_WAITING: usize = 10_000;

/// An origin as one shield sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OriginKey {
    authority: String,
    /// Absent where one shield asks for all areas.
    area: Option<Area>,
}

impl OriginKey {
    /// What nodes of `area` ask for what `domain` names.
    pub(crate) fn of(domain: &Domain, area: Area) -> Self {
        let area = (domain.shield == Shield::PerArea).then_some(area);
        Self { authority: domain.origin.authority(), area }
    }
}

/// One item of a job that fails, or is about to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) job: JobId,
    pub(crate) position: u16,
}

/// Whether an item may be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may, as all others of its origin.
    Open,
    /// It may, as the probe of its origin.
    Probe,
    /// It waits.
    Wait(Reason),
}

/// Why targets of an origin wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) outcome: Outcome,
    pub(crate) detail: Option<String>,
    /// When the next of them is tried.
    pub(crate) until: Timestamp,
    /// When an attempt last failed.
    pub(crate) failed_at: Timestamp,
}

/// The origins that are held, and those that may soon be.
#[derive(Debug, Default)]
pub(crate) struct Origins(Mutex<HashMap<OriginKey, State>>);

#[derive(Debug, Default)]
struct State {
    /// Items in a row whose reply did not come in time.
    silent: Vec<Item>,
    hold: Option<Hold>,
}

#[derive(Debug)]
struct Hold {
    reason: Reason,
    attempts: u32,
    /// The item that is the probe, or was the last one.
    probe: Option<Item>,
    /// All that were.
    tried: HashSet<Item>,
    waiting: HashSet<JobId>,
}

impl Origins {
    /// Whether no origin is held.
    pub(crate) fn are_all_up(&self) -> bool {
        self.state().values().all(|state| state.hold.is_none())
    }

    /// Whether nothing is known of any origin.
    pub(crate) fn are_unknown(&self) -> bool {
        self.state().is_empty()
    }

    /// Whether an item for `origin` may go.
    pub(crate) fn admit(
        &self,
        origin: &OriginKey,
        item: Item,
        now: Timestamp,
        random: u64,
    ) -> Admission {
        let mut state = self.state();
        let Some(hold) = state.get_mut(origin).and_then(|state| state.hold.as_mut()) else {
            return Admission::Open;
        };
        // A target may fail for a reason of its own. So that it does not hold the whole origin, one
        // that was the probe before is so again only if no other comes.
        let turn = if hold.tried.contains(&item) { TURN } else { Duration::ZERO };
        if hold.reason.until + turn <= now {
            hold.attempts = hold.attempts.saturating_add(1);
            // if no report of this one comes, another is the probe after the next pause
            hold.reason.until = now + BACKOFF.delay(hold.attempts, random);
            hold.probe = Some(item);
            if hold.tried.len() >= MOST_TRIED {
                hold.tried.clear();
            }
            hold.tried.insert(item);
            return Admission::Probe;
        }
        if hold.waiting.len() < MOST_WAITING {
            hold.waiting.insert(item.job);
        }
        let until = hold.reason.until + turn;
        Admission::Wait(Reason { until, ..hold.reason.clone() })
    }

    /// Why targets of `origin` wait at present.
    pub(crate) fn reason(&self, origin: &OriginKey) -> Option<Reason> {
        self.state().get(origin)?.hold.as_ref().map(|hold| hold.reason.clone())
    }

    /// Records the outcome of an item that was asked of `origin`; the jobs that may go on now. `retry_after` is how long the origin itself asked to be left alone.
    pub(crate) fn record(
        &self,
        origin: &OriginKey,
        item: Item,
        (report, retry_after): (&ItemReport, Option<Duration>),
        now: Timestamp,
        random: u64,
    ) -> Vec<JobId> {
        let mut states = self.state();
        if let Some(wanted) = retry_after {
            for origin in origin.everywhere() {
                states.entry(origin).or_default().hold(report, now, wanted);
            }
            return Vec::new();
        }
        match Presence::of(report.outcome) {
            Presence::There => {
                let Some(state) = states.get_mut(origin) else { return Vec::new() };
                state.silent.clear();
                // a success that was on its way when the origin went down proves nothing; that of the
                // probe does
                if state.hold.as_ref().is_none_or(|hold| hold.probe == Some(item)) {
                    return states.remove(origin).map(State::waiting).unwrap_or_default();
                }
            }
            Presence::Away => {
                let pause = BACKOFF.delay(1, random);
                states.entry(origin.clone()).or_default().hold(report, now, pause);
            }
            Presence::Silent => {
                let state = states.entry(origin.clone()).or_default();
                if !state.silent.contains(&item) {
                    state.silent.push(item);
                }
                if state.silent.len() >= SILENT {
                    state.silent.clear();
                    state.hold(report, now, BACKOFF.delay(1, random));
                } else if state.hold.is_some() {
                    state.hold(report, now, Duration::ZERO);
                }
            }
            Presence::Unknown => {}
        }
        Vec::new()
    }

    /// Forgets holds whose last pause ended before `before`: no target is left that would be the probe.
    pub(crate) fn forget(&self, before: Timestamp) {
        self.state()
            .retain(|_, state| state.hold.as_ref().is_some_and(|hold| hold.reason.until >= before));
    }

    fn state(&self) -> MutexGuard<'_, HashMap<OriginKey, State>> {
        // a std mutex, held for a few look-ups and never across an await
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OriginKey {
    /// The same origin, whichever shield asks it.
    fn everywhere(&self) -> impl Iterator<Item = Self> {
        let areas = Area::ALL.into_iter().map(Some).chain([None]);
        areas.map(|area| Self { authority: self.authority.clone(), area })
    }
}

impl State {
    /// Holds for `pause` at least. What fails meanwhile was on its way before, or was the probe.
    fn hold(&mut self, report: &ItemReport, now: Timestamp, pause: Duration) {
        let until = now + pause;
        let hold = self.hold.get_or_insert_with(|| Hold {
            reason: Reason { outcome: report.outcome, detail: None, until, failed_at: now },
            attempts: 1,
            probe: None,
            tried: HashSet::new(),
            waiting: HashSet::new(),
        });
        hold.reason.outcome = report.outcome;
        hold.reason.detail.clone_from(&report.detail);
        hold.reason.failed_at = now;
        hold.reason.until = hold.reason.until.max(until);
    }

    fn waiting(mut self) -> Vec<JobId> {
        self.hold
            .take()
            .map(|mut hold| mem::take(&mut hold.waiting))
            .into_iter()
            .flatten()
            .collect()
    }
}

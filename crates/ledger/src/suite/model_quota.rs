//! Submissions, children and quotas against a plain model, under seeded orders of calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stoker_domain::{
    area::{Area, AreaScope},
    outcome::{Block, Outcome},
    task::{Task, TaskId},
};

use super::fixture::{Dice, Fixture, T0, charges, targets};
use crate::{ChildPlan, ErrorKind, Ledger, NewTask, Submitted};

const SEED: u64 = 20_261_203;
const AREAS: [Area; 2] = [Area::Mainland, Area::Overseas];
const NODES: [&str; 2] = ["edge-1", "edge-2"];

struct Model {
    fixture: Fixture,
    dice: Dice,
    used: BTreeMap<Area, u64>,
    /// The URLs of each task.
    tasks: BTreeMap<String, BTreeSet<String>>,
    /// Children that were written, but are not fetched.
    settled: BTreeMap<String, (u64, u64)>,
}

impl Model {
    /// URLs of which some are equal.
    fn some_urls(&mut self) -> Vec<String> {
        let count = 1 + self.dice.below(6);
        (0..count).map(|_| format!("http://a.example/{}", self.dice.below(30))).collect()
    }

    fn some_areas(&mut self) -> AreaScope {
        self.dice.pick([AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global])
    }

    fn used(&self, area: Area) -> u64 {
        self.used.get(&area).copied().unwrap_or(0)
    }

    /// A limit near what is used, so that it often matters.
    fn some_limit(&mut self) -> u64 {
        let most = AREAS.map(|area| self.used(area)).into_iter().max().unwrap_or(0);
        most + self.dice.below(16)
    }

    async fn submit(&mut self, step: u64) {
        let count = 1 + self.dice.below(3);
        let mut new = Vec::new();
        let mut needed: BTreeMap<Area, (u64, u64)> = BTreeMap::new();
        let mut expected = Vec::new();
        for number in 0..count {
            let (urls, areas, daily) = (self.some_urls(), self.some_areas(), self.some_limit());
            let unique: BTreeSet<_> = urls.iter().cloned().collect();
            for area in areas.areas() {
                let (limit, units) = needed.entry(*area).or_insert((daily, 0));
                *limit = daily.min(*limit);
                *units += unique.len() as u64;
            }
            expected.push(Submitted {
                targets: unique.len() as u64,
                merged: (urls.len() - unique.len()) as u64,
                jobs: NODES.len() as u64,
                ..Submitted::default()
            });
            let id = format!("{step}-{number}");
            let task = Task { areas, ..self.fixture.task(&id) };
            let charges = charges(areas, daily);
            let targets = targets(&urls, &NODES);
            new.push((NewTask { task, charges, targets, retry_of: None }, unique));
        }
        let is_over = needed.iter().any(|(area, (limit, units))| self.used(*area) + units > *limit);
        let tasks = new.iter().map(|(task, _)| task.clone()).collect();
        match self.fixture.ledger.submit_all(tasks).await {
            Ok(submitted) => {
                assert_eq!((is_over, submitted), (false, expected));
                for (area, (_, units)) in needed {
                    *self.used.entry(area).or_default() += units;
                }
                self.tasks.extend(new.into_iter().map(|(new, urls)| (new.task.id.0, urls)));
            }
            Err(error) => {
                assert!(is_over, "{error:?}");
                assert!(matches!(error.kind, ErrorKind::OverQuota { .. }), "{error:?}");
                if let ErrorKind::OverQuota { counter, available, needed: units } = error.kind {
                    let (limit, expected) = needed[&counter.area];
                    assert_eq!(available, limit.saturating_sub(self.used(counter.area)));
                    assert!(available < units && units == expected);
                }
            }
        }
    }

    async fn add_children(&mut self) {
        let names: Vec<_> = self.tasks.keys().cloned().collect();
        let index = usize::try_from(self.dice.below(names.len() as u64 + 1)).expect("small");
        let Some(id) = names.get(index).cloned() else { return };
        let parent = self.fixture.targets(&id).await[0].clone();
        let (urls, daily, room) = (self.some_urls(), self.some_limit(), self.dice.below(8));
        let present = &self.tasks[&id];
        let mut fresh: Vec<String> = Vec::new();
        for url in &urls {
            if !present.contains(url) && !fresh.contains(url) {
                fresh.push(url.clone());
            }
        }
        let most_targets = present.len() as u64 + room;
        let areas = parent.task.areas;
        let left = areas.areas().iter().map(|area| daily.saturating_sub(self.used(*area)));
        let within = (fresh.len() as u64).min(room);
        let paid = within.min(left.min().unwrap_or(u64::MAX));
        let merged = (urls.len() - fresh.len()) as u64;
        let expected = match fresh.len() as u64 {
            0 => Submitted { merged, ..Submitted::default() },
            left_out if room == 0 => Submitted { merged, left_out, ..Submitted::default() },
            targets => Submitted {
                targets,
                merged,
                over_quota: within - paid,
                jobs: if paid > 0 { NODES.len() as u64 } else { 0 },
                left_out: 0,
            },
        };
        let plan = ChildPlan {
            task: TaskId(id.clone()),
            parent: parent.id,
            charges: charges(areas, daily),
            targets: targets(&urls, &NODES),
            most_targets,
            now: T0,
        };
        let added = self.fixture.ledger.add_children(plan.clone()).await.expect("add children");
        assert_eq!(added, expected, "{plan:?}");
        if added.targets > 0 {
            for area in areas.areas() {
                *self.used.entry(*area).or_default() += paid;
            }
            let (over_quota, too_many) = self.settled.entry(id.clone()).or_default();
            *over_quota += within - paid;
            *too_many += fresh.len() as u64 - within;
            self.tasks.entry(id).or_default().extend(fresh);
        }
    }

    async fn check(&self) {
        for area in AREAS {
            assert_eq!(self.fixture.used(area).await, self.used(area), "{area:?}");
        }
    }

    /// What was written is what was accepted, and told as it was settled.
    async fn check_tasks(&self) {
        for (id, urls) in &self.tasks {
            let rows = self.fixture.targets(id).await;
            let found: BTreeSet<_> = rows.iter().map(|row| row.url.clone()).collect();
            assert_eq!((&found, rows.len()), (urls, urls.len()), "task {id}");
            let count = |outcome| rows.iter().filter(|row| row.outcome == Some(outcome)).count();
            let too_many = count(Outcome::Blocked(Block::TooManyChildren)) as u64;
            let settled = (count(Outcome::OverQuota) as u64, too_many);
            assert_eq!(settled, self.settled.get(id).copied().unwrap_or_default(), "task {id}");
            let row = self.fixture.row(id).await;
            assert_eq!((row.targets, row.failed), (urls.len() as u64, settled.0 + settled.1));
        }
    }
}

pub async fn quotas_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    let mut model = Model {
        fixture: Fixture::new(ledger).await,
        dice: Dice(SEED),
        used: BTreeMap::new(),
        tasks: BTreeMap::new(),
        settled: BTreeMap::new(),
    };
    for step in 0..150 {
        if model.dice.coin() {
            model.submit(step).await;
        } else {
            model.add_children().await;
        }
        model.check().await;
    }
    model.check_tasks().await;
    let (over_quota, too_many) =
        model.settled.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(model.tasks.len() > 20 && over_quota > 0 && too_many > 0, "seed {SEED}: hardly a case");
}

//! Following a task to its end, with the first failures as they come.
//!
//! A lost answer is no reason to give up: the server may be restarting, and the task outlives it, as
//! it outlives the command.

use std::{collections::HashSet, future::Future, time::Duration};

use stoker_domain::{outcome::Outcome, task::Progress};
use stoker_gateway::admin::api::{NodeOutcomeView, TargetView, Targets, TaskView};
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use super::progress::{Show, shown};
use crate::{
    client::{Client, Error},
    failure::Failure,
    output,
    size::{show, show_duration},
};

const PERIOD: Duration = Duration::from_millis(200);
/// How long a server may be away before the command gives up; the task goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Targets asked for in one call.
const PAGE: u64 = 500;
/// Failures that are told before the end.
const EARLY: usize = 5;

/// Waits until every target of the task is final; shows how far it is unless `is_quiet`.
pub(super) async fn to_the_end(
    client: &Client,
    id: &str,
    is_quiet: bool,
) -> Result<TaskView, Failure> {
    let mut show = shown(is_quiet);
    let path = format!("/admin/v1/tasks/{id}");
    let mut heard = Instant::now();
    let mut failures = Failures::default();
    loop {
        match client.get::<TaskView>(&path).await {
            Ok(task) if task.status != Progress::Processing => {
                show.clear();
                if !is_quiet {
                    output::line(summary(&task));
                }
                return Ok(task);
            }
            Ok(task) => {
                heard = Instant::now();
                if !is_quiet {
                    failures.tell(client, &task, &mut *show).await;
                }
                show.update(&task, heard);
            }
            Err(Error::Unreachable { .. }) if heard.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        sleep(PERIOD).await;
    }
}

/// Does `work` unless Ctrl-C comes before its end; then says that what was begun, `what` with these
/// `ids`, goes on, and the command with which it is looked at again.
pub(super) async fn unless_interrupted<T>(
    what: &str,
    ids: &[String],
    again: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        Ok(()) = ctrl_c() => {
            let (plural, verb) = if ids.len() == 1 { ("", "goes") } else { ("s", "go") };
            let message = format!("{what}{plural} {} {verb} on at the server", ids.join(", "));
            let first = ids.first().map_or("ID", String::as_str);
            Err(Failure::interrupted(message).hint(format!("`{again} {first}` shows it again")))
        }
    }
}

/// The failures that were told before the end.
#[derive(Default)]
struct Failures {
    /// As counted when they were last asked for.
    known: u64,
    told: HashSet<i64>,
    is_over: bool,
}

impl Failures {
    /// Tells the first ones. That they cannot be had is no reason to end.
    async fn tell(&mut self, client: &Client, task: &TaskView, show: &mut dyn Show) {
        if task.failed == self.known || self.is_over {
            return;
        }
        let most = EARLY as u64 + 1;
        let Ok(failed) = targets(client, &task.id, Some(Progress::Failed), most).await else {
            return;
        };
        self.known = task.failed;
        for target in failed {
            if self.told.len() == EARLY && !self.told.contains(&target.id) {
                show.say("further failures are told at the end");
                self.is_over = true;
                return;
            }
            if self.told.insert(target.id) {
                show.say(&format!("failed {}: {}", target.url, first_reason(&target)));
            }
        }
    }
}

/// Why a target failed, as the first of its nodes says.
fn first_reason(target: &TargetView) -> String {
    let told = target.outcomes.iter().find(|one| one.outcome.is_some() && !is_success(one));
    let of_target = || target.outcome.map_or_else(String::new, |outcome| outcome.to_string());
    told.map_or_else(of_target, reason)
}

/// The targets of the task that failed, with what each node says of them.
pub(super) async fn failed_targets(
    client: &Client,
    task: &TaskView,
) -> Result<Vec<TargetView>, Failure> {
    if task.failed == 0 {
        return Ok(Vec::new());
    }
    targets(client, &task.id, Some(Progress::Failed), u64::MAX).await
}

/// Up to `most` targets of a task.
pub(super) async fn targets(
    client: &Client,
    id: &str,
    status: Option<Progress>,
    most: u64,
) -> Result<Vec<TargetView>, Failure> {
    let status = status.map(|status| format!("&status={}", status.as_str())).unwrap_or_default();
    let mut all = Vec::new();
    loop {
        let (offset, limit) = (all.len() as u64, PAGE.min(most - all.len() as u64));
        let path = format!("/admin/v1/tasks/{id}/targets?offset={offset}&limit={limit}{status}");
        let page: Targets = client.get(&path).await?;
        let is_last = page.targets.is_empty();
        all.extend(page.targets);
        if is_last || all.len() as u64 >= page.total.min(most) {
            return Ok(all);
        }
    }
}

/// Names every failed target, and for each node why.
pub(super) fn print_failed(failed: &[TargetView]) {
    for target in failed {
        output::line(format!("failed {}", target.url));
        let told: Vec<_> = target.outcomes.iter().filter(|one| !is_success(one)).collect();
        for outcome in &told {
            output::line(format!("       {}: {}", outcome.node, reason(outcome)));
        }
        if let (true, Some(outcome)) = (told.is_empty(), &target.outcome) {
            output::line(format!("       {outcome}"));
        }
    }
}

/// The outcome and, when there is one, the sentence that explains it.
pub(super) fn reason(outcome: &NodeOutcomeView) -> String {
    match (&outcome.outcome, &outcome.detail) {
        (None, _) => "not yet".into(),
        (Some(outcome), None) => outcome.to_string(),
        (Some(outcome), Some(detail)) => format!("{outcome}: {detail}"),
    }
}

fn is_success(outcome: &NodeOutcomeView) -> bool {
    outcome.outcome.is_some_and(Outcome::is_success)
}

fn summary(task: &TaskView) -> String {
    let mut text = format!("task {}: {} of {} done", task.id, task.done, task.targets);
    if task.failed > 0 {
        text.push_str(&format!(", {} failed", task.failed));
    }
    text.push_str(&format!(", {}", show(task.done_bytes)));
    if let Some(time) = duration(task) {
        text.push_str(&format!(", in {}", show_duration(time)));
    }
    text
}

fn duration(task: &TaskView) -> Option<Duration> {
    let from: jiff::Timestamp = task.created_at.parse().ok()?;
    let to: jiff::Timestamp = task.finished_at.as_ref()?.parse().ok()?;
    Duration::try_from(to.duration_since(from)).ok()
}

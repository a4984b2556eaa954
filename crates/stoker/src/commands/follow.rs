//! Following a task to its end, with the first failures as they come.
//!
//! A poll reads the sums of the task, which cost the server the same however large the task is;
//! targets are read only when more of them have failed. A lost reply does not end the command: the
//! server may be restarting, and the task outlives server and command.

use std::{collections::HashSet, future::Future, time::Duration};

use stoker_domain::outcome::Outcome;
use stoker_gateway::admin::api::{
    NodeOutcomeView, TargetStatus, TargetView, Targets, TaskStatus, TaskView,
};
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use super::{
    not_followed,
    progress::{Show, shown},
};
use crate::{
    client::{Client, Error},
    failure::Failure,
    output,
    size::{show, show_duration},
};

/// Shortest pause between two polls, that of a task that has just begun.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two polls: a person who watches still sees the progress move.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A pause is one part in so many of the time that the task has been followed.
const PAUSE_SHARE: u32 = 10;
/// How long the server may be unreachable before the command gives up; the task continues.
const PATIENCE: Duration = Duration::from_secs(60);
/// Targets read in one call.
const PAGE: u64 = 500;
/// Failures that are printed before the end.
const EARLY: usize = 5;

/// Waits until every target of the task is final, also while it is paused; shows how far it is unless `is_quiet`.
async fn to_the_end(client: &Client, id: &str, is_quiet: bool) -> Result<TaskView, Failure> {
    let mut show = shown(is_quiet);
    let path = format!("/admin/v1/tasks/{id}");
    let begin = Instant::now();
    let mut last_reply = begin;
    let mut failures = Failures::default();
    loop {
        match client.get::<TaskView>(&path).await {
            Ok(task) if task.finished_at.is_some() => {
                show.clear();
                if !is_quiet {
                    output::line(summary(&task));
                }
                return Ok(task);
            }
            Ok(task) => {
                last_reply = Instant::now();
                if !is_quiet {
                    failures.print(client, &task, &mut *show).await;
                }
                show.update(&task, last_reply);
            }
            Err(Error::Unreachable { .. }) if last_reply.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        sleep(pause(begin.elapsed())).await;
    }
}

/// Follows each task to its end, and unless `is_quiet` prints what of it is not done: each with its
/// targets that failed. Ctrl-C ends it.
pub(super) async fn all_to_the_end(
    client: &Client,
    ids: &[String],
    is_quiet: bool,
) -> Result<Vec<(TaskView, Vec<TargetView>)>, Failure> {
    let follow = async {
        let mut ended = Vec::with_capacity(ids.len());
        for id in ids {
            let task = to_the_end(client, id, is_quiet).await?;
            let failed = failed_targets(client, &task).await?;
            if !is_quiet {
                print_failed(&failed);
                not_followed::print("", &task.not_followed);
            }
            ended.push((task, failed));
        }
        Ok(ended)
    };
    unless_interrupted("task", ids, "stoker task watch", follow).await
}

/// Whether every target of a task that has ended is done.
pub(super) fn is_done(task: &TaskView) -> bool {
    task.failed == 0 && task.canceled == 0
}

/// The pause before the next poll of a task that has been followed for so long: the end of a short
/// task is seen at once, and a long one is polled seldom.
fn pause(followed: Duration) -> Duration {
    (followed / PAUSE_SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Does `work` unless Ctrl-C comes first. Then the error says that `what` with these `ids` continues
/// on the server, and that `again` shows it.
pub(super) async fn unless_interrupted<T>(
    what: &str,
    ids: &[String],
    again: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        Ok(()) = ctrl_c() => {
            let (plural, verb) = if ids.len() == 1 { ("", "continues") } else { ("s", "continue") };
            let message = format!("{what}{plural} {} {verb} on the server", ids.join(", "));
            let first = ids.first().map_or("ID", String::as_str);
            Err(Failure::interrupted(message).hint(format!("`{again} {first}` shows it again")))
        }
    }
}

/// The failures that were printed before the end.
#[derive(Default)]
struct Failures {
    /// Failed targets of the task when they were last read.
    count: u64,
    printed: HashSet<i64>,
    is_full: bool,
}

impl Failures {
    /// Prints the first ones. If they cannot be read, the end of the task still names them.
    async fn print(&mut self, client: &Client, task: &TaskView, show: &mut dyn Show) {
        if task.failed == self.count || self.is_full {
            return;
        }
        let most = EARLY as u64 + 1;
        let Ok(failed) = targets(client, &task.id, Some(TargetStatus::Failed), most).await else {
            return;
        };
        self.count = task.failed;
        for target in failed {
            if self.printed.len() == EARLY && !self.printed.contains(&target.id) {
                show.print("more failures: they are listed at the end");
                self.is_full = true;
                return;
            }
            if self.printed.insert(target.id) {
                show.print(&format!("failed {}: {}", target.url, first_reason(&target)));
            }
        }
    }
}

/// Why a target failed, by the first of its nodes that failed.
fn first_reason(target: &TargetView) -> String {
    let failed = target.outcomes.iter().find(|one| one.outcome.is_some() && !is_success(one));
    let of_target = || target.outcome.map_or_else(String::new, |outcome| outcome.to_string());
    failed.map_or_else(of_target, reason)
}

/// The targets of the task that failed, with the outcome on each node; not those that were canceled.
async fn failed_targets(client: &Client, task: &TaskView) -> Result<Vec<TargetView>, Failure> {
    if task.failed == 0 {
        return Ok(Vec::new());
    }
    targets(client, &task.id, Some(TargetStatus::Failed), u64::MAX).await
}

/// Up to `most` targets of a task.
pub(super) async fn targets(
    client: &Client,
    id: &str,
    status: Option<TargetStatus>,
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

/// Prints every failed target with the reason of each node.
fn print_failed(failed: &[TargetView]) {
    for target in failed {
        output::line(format!("failed {}", target.url));
        let failed: Vec<_> = target.outcomes.iter().filter(|one| !is_success(one)).collect();
        for outcome in &failed {
            output::line(format!("       {}: {}", outcome.node, reason(outcome)));
        }
        if let (true, Some(outcome)) = (failed.is_empty(), &target.outcome) {
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
    let is_canceled = task.status == TaskStatus::Canceled;
    let state = if is_canceled { "canceled, " } else { "" };
    let mut text = format!("task {}: {state}{} of {} done", task.id, task.done, task.targets);
    for (count, word) in [(task.failed, "failed"), (task.canceled, "canceled")] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_quick_at_first_and_then_a_tenth_of_the_time_apart() {
        let at = |seconds: f64| pause(Duration::from_secs_f64(seconds));
        assert_eq!(at(0.0), SHORTEST_PAUSE);
        assert_eq!(at(0.4), SHORTEST_PAUSE);
        assert_eq!(at(3.0), Duration::from_millis(300));
        assert_eq!(at(10.0), LONGEST_PAUSE);
        assert_eq!(at(86_400.0), LONGEST_PAUSE);
    }
}

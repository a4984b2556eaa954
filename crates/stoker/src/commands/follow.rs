//! Following a task to its end: progress bars on a terminal, plain lines otherwise.
//!
//! A lost answer is no reason to give up: the server may be restarting, and the task outlives it.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stoker_domain::{outcome::Outcome, task::Progress};
use stoker_gateway::admin::api::{NodeOutcomeView, TargetView, Targets, TaskView};
use tokio::time::{Instant, sleep};

use crate::{
    client::{Client, Error},
    failure::Failure,
    output,
    size::{show, show_duration},
};

const PERIOD: Duration = Duration::from_millis(200);
/// Plain lines stand at least so far apart.
const LINES_APART: Duration = Duration::from_secs(2);
/// How long a server may be away before the command gives up; the task goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Targets asked for in one call.
const PAGE: u64 = 500;

/// Waits until every target of the task is final; shows how far it is unless `is_quiet`.
pub(super) async fn to_the_end(
    client: &Client,
    id: &str,
    is_quiet: bool,
) -> Result<TaskView, Failure> {
    let mut show: Box<dyn Show> = match (is_quiet, output::is_terminal()) {
        (true, _) => Box::new(Silence),
        (false, true) => Box::new(Bars::new()),
        (false, false) => Box::new(Lines::new()),
    };
    let path = format!("/admin/v1/tasks/{id}");
    let mut heard = Instant::now();
    loop {
        match client.get::<TaskView>(&path).await {
            Ok(task) if task.status != Progress::Processing => {
                show.end(&task);
                return Ok(task);
            }
            Ok(task) => {
                heard = Instant::now();
                show.update(&task);
            }
            Err(Error::Unreachable { .. }) if heard.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        sleep(PERIOD).await;
    }
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

/// How progress is shown.
trait Show {
    fn update(&mut self, task: &TaskView);
    fn end(&mut self, task: &TaskView);
}

struct Silence;

impl Show for Silence {
    fn update(&mut self, _: &TaskView) {}
    fn end(&mut self, _: &TaskView) {}
}

/// Two bars: targets, and bytes with their rate and, once the size is known, the time left.
struct Bars {
    targets: ProgressBar,
    bytes: ProgressBar,
}

const TARGETS: &str = "targets {wide_bar} {pos}/{len} {percent:>3}%";
const BYTES_OPEN: &str = "bytes   {binary_bytes} {binary_bytes_per_sec}";
const BYTES: &str =
    "bytes   {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} left {eta}";

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let bar = |template| all.add(ProgressBar::new(0).with_style(style(template)));
        Self { targets: bar(TARGETS), bytes: bar(BYTES_OPEN) }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are ours")
}

impl Show for Bars {
    fn update(&mut self, task: &TaskView) {
        self.targets.set_length(task.targets);
        self.targets.set_position(task.done + task.failed);
        let total = task.total_bytes.unwrap_or(0).max(task.done_bytes);
        if self.bytes.length() == Some(0) && total > 0 {
            self.bytes.set_style(style(BYTES));
        }
        self.bytes.set_length(total);
        self.bytes.set_position(task.done_bytes);
    }

    fn end(&mut self, task: &TaskView) {
        // the bars go, the summary stays
        self.bytes.finish_and_clear();
        self.targets.finish_and_clear();
        output::line(summary(task));
    }
}

struct Lines {
    started: Instant,
    written: Instant,
}

impl Lines {
    fn new() -> Self {
        let now = Instant::now();
        Self { started: now, written: now }
    }
}

impl Show for Lines {
    fn update(&mut self, task: &TaskView) {
        if self.written.elapsed() >= LINES_APART {
            self.written = Instant::now();
            let settled = task.done + task.failed;
            let rate = task.done_bytes as f64 / self.started.elapsed().as_secs_f64();
            output::line(format!(
                "task {}: {settled} of {}, {}%, {}, {}/s",
                task.id,
                counted(task.targets),
                task.percent,
                show(task.done_bytes),
                show(rate as u64),
            ));
        }
    }

    fn end(&mut self, task: &TaskView) {
        output::line(summary(task));
    }
}

/// `1 target`, `2 targets`.
pub(super) fn counted(targets: u64) -> String {
    if targets == 1 { "1 target".into() } else { format!("{targets} targets") }
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

//! `stoker task`: the tasks of the account, with the outcome of each target on each node; and their
//! state: canceled, paused, resumed, tried again.

use std::{cell::Cell, process::ExitCode};

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Map;
use stoker_domain::area::{AreaScope, Tier};
use stoker_gateway::admin::api::{
    NodeOutcomeView, Retried, TargetStatus, TargetView, TaskChanged, TaskStatus, TaskView, Tasks,
};

use crate::{
    client::Client,
    commands::{
        arguments::{ForCaller, List, Print},
        follow, not_followed, progress, table,
    },
    failure::Failure,
    output, size,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List tasks, newest first
    List {
        /// Maximum number of tasks
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        list: List,
    },
    /// Show a task, with the outcome of each target on each node
    Show(Show),
    /// Follow a task until every target is final
    ///
    /// Exit code: 0 when every target is done, 1 when some are not, 130 after Ctrl-C. The task continues
    /// after Ctrl-C. A paused task is followed until it is resumed and ends.
    Watch {
        /// Id of the task
        id: String,
    },
    /// Cancel tasks: what they have fetched stays, nothing more is fetched for them
    ///
    /// Exit code: 0 when no task of these runs any more, 1 when one cannot be canceled.
    Cancel(Many),
    /// Pause tasks: nothing is fetched for them until they are resumed
    ///
    /// Exit code: 0 when all of these are paused, 1 when one cannot be paused.
    Pause(Many),
    /// Resume paused tasks where they were
    ///
    /// Exit code: 0 when all of these run, 1 when one cannot be resumed.
    Resume(Many),
    /// Submit what failed or was canceled of finished tasks again, as a new task each
    ///
    /// The new task has the same options, and names the old one. Only what is tried again is charged.
    /// Exit code: 0 when a new task was accepted for each, 1 when not; with --wait as `prefetch --wait`.
    Retry {
        #[command(flatten)]
        many: Many,
        /// Wait until every target is final, and show the progress
        #[arg(long)]
        wait: bool,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Many {
    /// Ids of the tasks
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    print: Print,
}

#[derive(clap::Args, Debug)]
pub(super) struct Show {
    /// Id of the task
    id: String,
    /// Only targets with this status
    #[arg(long, value_name = "STATUS", value_parser = status_words())]
    status: Option<TargetStatus>,
    /// Maximum number of targets
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    #[command(flatten)]
    print: Print,
}

/// What `list --json` prints of each task.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    status: TaskStatus,
    areas: AreaScope,
    layer: Option<Tier>,
    targets: u64,
    done: u64,
    failed: u64,
    canceled: u64,
    percent: u8,
    created_at: &'a str,
    finished_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn new(task: &'a TaskView) -> Self {
        Self {
            id: &task.id,
            status: task.status,
            areas: task.areas,
            layer: task.layer,
            targets: task.targets,
            done: task.done,
            failed: task.failed,
            canceled: task.canceled,
            percent: task.percent,
            created_at: &task.created_at,
            finished_at: task.finished_at.as_deref(),
            retry_of: task.retry_of.as_deref(),
        }
    }
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Shown {
    task: TaskView,
    targets: Vec<TargetView>,
}

/// Reads the status of a target, so that help and errors list the words.
fn status_words() -> impl TypedValueParser<Value = TargetStatus> {
    use TargetStatus as Status;
    let all = [Status::Processing, Status::Done, Status::Failed, Status::Canceled];
    PossibleValuesParser::new(all.map(Status::as_str)).map(move |word| {
        all.into_iter().find(|status| status.as_str() == word).unwrap_or(Status::Failed)
    })
}

/// What `retry --json` prints of each task.
#[derive(Serialize)]
struct Again {
    #[serde(flatten)]
    retried: Retried,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Vec<TargetView>>,
}

/// What becomes of the tasks.
#[derive(Clone, Copy)]
enum Change {
    Cancel,
    Pause,
    Resume,
}

pub(super) async fn run(args: ForCaller<Command>) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    match args.command {
        Command::List { limit, list: List { json } } => list(&client, limit, json).await,
        Command::Show(command) => show(&client, command).await,
        Command::Watch { id } => {
            let ended = follow::all_to_the_end(&client, &[id], false).await?;
            Ok(code(ended.iter().all(|(task, _)| follow::is_done(task))))
        }
        Command::Cancel(many) => change(&client, Change::Cancel, &many).await,
        Command::Pause(many) => change(&client, Change::Pause, &many).await,
        Command::Resume(many) => change(&client, Change::Resume, &many).await,
        Command::Retry { many, wait } => retry(&client, &many, wait).await,
    }
}

fn code(is_whole: bool) -> ExitCode {
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Posts `verb` to each of the tasks, and prints what came of it; an error of one does not end the
/// others. Whether all succeeded.
async fn post_each<T: DeserializeOwned>(
    client: &Client,
    many: &Many,
    verb: &str,
    print: impl Fn(&T),
) -> (Vec<T>, bool) {
    let (mut answers, mut is_whole) = (Vec::new(), true);
    for id in &many.ids {
        let path = format!("/admin/v1/tasks/{id}/{verb}");
        match client.post(&path, &Map::new()).await {
            Ok(answer) => {
                if !many.print.json {
                    print(&answer);
                }
                answers.push(answer);
            }
            Err(error) => {
                is_whole = false;
                Failure::from(error).print();
            }
        }
    }
    (answers, is_whole)
}

async fn change(client: &Client, change: Change, many: &Many) -> Result<ExitCode, Failure> {
    let verb = match change {
        Change::Cancel => "cancel",
        Change::Pause => "pause",
        Change::Resume => "resume",
    };
    let print = |answer: &TaskChanged| output::line(changed(change, answer));
    let (answers, is_whole) = post_each(client, many, verb, print).await;
    if many.print.json {
        output::json(&answers);
    }
    Ok(code(is_whole))
}

fn changed(change: Change, TaskChanged { is_changed, task }: &TaskChanged) -> String {
    let reached = format!("{} of {} done", task.done, task.targets);
    let state = match (change, is_changed) {
        (Change::Cancel, true) => "canceled",
        (Change::Cancel, false) if task.status == TaskStatus::Canceled => "was canceled before",
        (Change::Cancel, false) => "is finished, there is nothing to cancel",
        (Change::Pause, true) => "paused",
        (Change::Pause, false) => "was paused before",
        (Change::Resume, true) => "resumed",
        (Change::Resume, false) => "is not paused",
    };
    format!("task {}: {state}, {reached}", task.id)
}

async fn retry(client: &Client, many: &Many, wait: bool) -> Result<ExitCode, Failure> {
    let print = |retried: &Retried| {
        let targets = progress::counted(retried.targets);
        output::line(format!("task {}: {targets} of task {}", retried.task_id, retried.retry_of));
        for target in &retried.first_refused {
            output::note(&format!("left out {}: {}", target.url, target.detail));
        }
        let more = retried.refused - retried.first_refused.len() as u64;
        if more > 0 {
            output::note(&format!("left out: {more} more"));
        }
    };
    let (retried, mut is_whole) = post_each(client, many, "retry", print).await;
    let ids: Vec<_> = retried.iter().map(|retried: &Retried| retried.task_id.clone()).collect();
    let again = |retried| Again { retried, task: None, failed: None };
    let mut all: Vec<Again> = retried.into_iter().map(again).collect();
    if wait {
        let ended = follow::all_to_the_end(client, &ids, many.print.json).await?;
        is_whole &= ended.iter().all(|(task, _)| follow::is_done(task));
        for (again, (task, failed)) in all.iter_mut().zip(ended) {
            (again.task, again.failed) = (Some(task), Some(failed));
        }
    }
    if many.print.json {
        output::json(&all);
    }
    Ok(code(is_whole))
}

async fn list(client: &Client, limit: usize, json: bool) -> Result<ExitCode, Failure> {
    let total = Cell::new(0);
    let split = |page: Tasks| {
        total.set(page.total);
        (page.tasks, page.next)
    };
    let tasks = client.list("/admin/v1/tasks", limit, split).await?;
    let total = total.get();
    if json {
        output::json(&tasks.iter().map(Listed::new).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if tasks.is_empty() {
        output::note("no tasks; create one with `stoker prefetch URL`");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = tasks.iter().map(row).collect();
    table::print(["TASK", "STATUS", "DONE", "FAILED", "CANCELED", "TARGETS", "CREATED"], &rows);
    if total > tasks.len() as u64 {
        output::note(&format!("{} of {total} tasks; more with --limit", tasks.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(task: &TaskView) -> [String; 7] {
    [
        task.id.clone(),
        table::word(&task.status),
        task.done.to_string(),
        task.failed.to_string(),
        task.canceled.to_string(),
        task.targets.to_string(),
        task.created_at.clone(),
    ]
}

async fn show(client: &Client, show: Show) -> Result<ExitCode, Failure> {
    let task: TaskView = client.get(&format!("/admin/v1/tasks/{}", show.id)).await?;
    let targets = follow::targets(client, &show.id, show.status, show.limit).await?;
    if show.print.json {
        output::json(&Shown { task, targets });
        return Ok(ExitCode::SUCCESS);
    }
    let canceled = match task.canceled {
        0 => String::new(),
        count => format!(", {count} canceled"),
    };
    let targets_line =
        format!("{}: {} done, {} failed{canceled}", task.targets, task.done, task.failed);
    let lines = [
        ("task", task.id.clone()),
        ("status", format!("{}, {}%", table::word(&task.status), task.percent)),
        ("area", task.areas.to_string()),
        ("tier", table::or_dash(task.layer)),
        ("targets", targets_line),
        ("size", size::show(task.done_bytes)),
        ("created", task.created_at.clone()),
        ("finished", table::or_dash(task.finished_at.as_ref())),
    ];
    let further = [
        ("paused", task.paused_at.clone()),
        ("canceled", task.canceled_at.clone()),
        ("retry of", task.retry_of.clone()),
    ];
    let further = further.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in lines.into_iter().chain(further) {
        output::line(format!("{name:<10}{value}"));
    }
    not_followed::print("", &task.not_followed);
    for target in &targets {
        output::line("");
        output::line(&target.url);
        if let Some(waiting) = &target.waiting {
            output::line(format!("  {waiting}"));
        }
        let rows: Vec<_> = target.outcomes.iter().map(node_row).collect();
        table::print(["  NODE", "OUTCOME", "SIZE", "VALIDATOR", "VERIFIED", "FRESH UNTIL"], &rows);
        for outcome in &target.outcomes {
            if let Some(detail) = &outcome.detail {
                output::line(format!("  {}: {detail}", outcome.node));
            }
            not_followed::print(&format!("  {}: ", outcome.node), &outcome.not_followed);
        }
    }
    if task.targets > targets.len() as u64 && show.status.is_none() {
        let shown = targets.len();
        output::note(&format!("{shown} of {} targets; more with --limit", task.targets));
    }
    Ok(ExitCode::SUCCESS)
}

fn node_row(outcome: &NodeOutcomeView) -> [String; 6] {
    [
        format!("  {}", outcome.node),
        table::or_dash(outcome.outcome),
        table::or_dash(outcome.size_bytes.map(size::show)),
        table::or_dash(outcome.validator.as_ref()),
        table::or_dash(outcome.verified_at.as_ref()),
        table::or_dash(outcome.fresh_until.as_ref()),
    ]
}

//! `stoker task`: the tasks of the account, with the outcome of each target on each node.

use std::{cell::Cell, process::ExitCode};

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde::Serialize;
use stoker_domain::{
    area::{AreaScope, Tier},
    task::Progress,
};
use stoker_gateway::admin::api::{NodeOutcomeView, TargetView, TaskView, Tasks};

use crate::{
    client::Client,
    commands::{
        arguments::{ForCaller, List, Print},
        follow, not_followed, table,
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
    /// after Ctrl-C.
    Watch {
        /// Id of the task
        id: String,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Show {
    /// Id of the task
    id: String,
    /// Only targets with this status
    #[arg(long, value_name = "STATUS", value_parser = progress_words())]
    status: Option<Progress>,
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
    status: Progress,
    areas: AreaScope,
    layer: Option<Tier>,
    targets: u64,
    done: u64,
    failed: u64,
    percent: u8,
    created_at: &'a str,
    finished_at: Option<&'a str>,
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
            percent: task.percent,
            created_at: &task.created_at,
            finished_at: task.finished_at.as_deref(),
        }
    }
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Shown {
    task: TaskView,
    targets: Vec<TargetView>,
}

/// Reads the progress of a target, so that help and errors list the words.
fn progress_words() -> impl TypedValueParser<Value = Progress> {
    PossibleValuesParser::new(["processing", "done", "failed"]).map(|word| match word.as_str() {
        "processing" => Progress::Processing,
        "done" => Progress::Done,
        _ => Progress::Failed,
    })
}

pub(super) async fn run(args: ForCaller<Command>) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    match args.command {
        Command::List { limit, list: List { json } } => list(&client, limit, json).await,
        Command::Show(command) => show(&client, command).await,
        Command::Watch { id } => {
            let watch = async {
                let task = follow::to_the_end(&client, &id, false).await?;
                follow::print_failed(&follow::failed_targets(&client, &task).await?);
                not_followed::print("", &task.not_followed);
                Ok(if task.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            };
            let ids = [id.clone()];
            follow::unless_interrupted("task", &ids, "stoker task watch", watch).await
        }
    }
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
    table::print(["TASK", "STATUS", "DONE", "FAILED", "TARGETS", "CREATED"], &rows);
    if total > tasks.len() as u64 {
        output::note(&format!("{} of {total} tasks; more with --limit", tasks.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(task: &TaskView) -> [String; 6] {
    [
        task.id.clone(),
        table::word(&task.status),
        task.done.to_string(),
        task.failed.to_string(),
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
    let lines = [
        ("task", task.id.clone()),
        ("status", format!("{}, {}%", table::word(&task.status), task.percent)),
        ("area", task.areas.to_string()),
        ("tier", table::or_dash(task.layer)),
        ("targets", format!("{}: {} done, {} failed", task.targets, task.done, task.failed)),
        ("size", size::show(task.done_bytes)),
        ("created", task.created_at.clone()),
        ("finished", table::or_dash(task.finished_at.as_ref())),
    ];
    for (name, value) in lines {
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

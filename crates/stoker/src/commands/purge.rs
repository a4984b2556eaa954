//! `stoker purge`: removes URLs, or everything below a path, from the caches.

use std::{cell::Cell, collections::BTreeSet, process::ExitCode, time::Duration};

use clap::Subcommand;
use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope},
    task::Progress,
};
use stoker_gateway::admin::api::{NewPurge, PurgeNodeView, PurgeReceipt, PurgeView, Purges};
use tokio::time::sleep;

use crate::{
    client::Client,
    commands::{
        arguments::{List, Print, area_words},
        follow, table,
    },
    config::Access,
    failure::Failure,
    output,
};

/// How often the status of a purge is read while the command waits for its end.
const POLL: Duration = Duration::from_millis(100);

/// Remove URLs, or everything below a path, from the caches
///
/// A target that ends in `/` is a path: everything below it is removed, and `http://HOST/` is the
/// whole host. Any other target is one URL. A purge is done when every node has carried it out
/// durably, also those that are down now. A later prefetch fetches the content again.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// URLs, and paths that end in `/`
    #[arg(required = true, value_name = "URL|PREFIX/")]
    targets: Vec<String>,
    /// Only in these areas [default: those of each domain]
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Make the content below paths stale instead of removing it: it is used again once the origin
    /// confirms it
    #[arg(long)]
    invalidate: bool,
    /// Wait until every node has carried it out
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List purges, newest first
    List {
        /// Maximum number of purges
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        list: List,
        #[command(flatten)]
        access: Access,
    },
    /// Show a purge: its targets, and which nodes have carried it out
    Show {
        /// Id of the purge
        id: String,
        #[command(flatten)]
        print: Print,
        #[command(flatten)]
        access: Access,
    },
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Some(Command::List { limit, list: List { json }, access }) => {
            list(&access.client()?, limit, json).await
        }
        Some(Command::Show { id, print, access }) => show(&access.client()?, &id, print).await,
        None => submit(args).await,
    }
}

async fn list(client: &Client, limit: usize, json: bool) -> Result<ExitCode, Failure> {
    let total = Cell::new(0);
    let split = |page: Purges| {
        total.set(page.total);
        (page.purges, page.next)
    };
    let purges = client.list("/admin/v1/purges", limit, split).await?;
    let total = total.get();
    let row = |view: &PurgeView| {
        [
            view.purge.clone(),
            table::word(&view.status),
            view.scope.to_string(),
            view.method.as_str().into(),
            view.areas.to_string(),
            view.targets.to_string(),
            view.created_at.clone(),
        ]
    };
    let head = ["PURGE", "STATUS", "SCOPE", "METHOD", "AREAS", "TARGETS", "CREATED"];
    let none = "no purges; create one with `stoker purge URL`";
    table::list(json, &purges, none, head, row);
    if !json && total > purges.len() as u64 {
        output::note(&format!("{} of {total} purges; more with --limit", purges.len()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(client: &Client, id: &str, print: Print) -> Result<ExitCode, Failure> {
    let view = read(client, id).await?;
    if print.json {
        output::json(&view);
        return Ok(ExitCode::SUCCESS);
    }
    let PurgeView { purge, status, scope, method, areas, targets, .. } = &view;
    let (method, status) = (method.as_str(), table::word(status));
    output::line(format!("purge {purge}: {status}; {targets} {scope}, {method}, {areas}"));
    view.names.iter().for_each(output::line);
    let row = |node: &PurgeNodeView| {
        [node.node.clone(), node.turn.to_string(), table::or_dash(node.done_at.as_ref())]
    };
    let rows: Vec<_> = view.nodes.iter().map(row).collect();
    table::print(["NODE", "TURN", "DONE"], &rows);
    Ok(ExitCode::SUCCESS)
}

async fn submit(args: Args) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    let (paths, urls): (Vec<String>, Vec<String>) =
        args.targets.iter().cloned().partition(|target| target.ends_with('/'));
    if args.invalidate && !urls.is_empty() {
        return Err(Failure::usage("`--invalidate` is for paths, which end in `/`"));
    }
    let method = if args.invalidate { Method::Invalidate } else { Method::Delete };
    let mut views = Vec::new();
    for (scope, targets) in [(Scope::Url, urls), (Scope::Path, paths)] {
        if targets.is_empty() {
            continue;
        }
        let new = NewPurge { scope, method, targets, areas: args.area, encode: true };
        let receipt: PurgeReceipt = client.post("/admin/v1/purges", &new).await?;
        if !args.list.json {
            output::line(format!("purge {}: {} accepted", receipt.purge, receipt.targets));
        }
        views.push(read(&client, &receipt.purge).await?);
    }
    if args.wait {
        let ids: Vec<_> = views.iter().map(|view| view.purge.clone()).collect();
        let wait = wait(&client, &mut views, args.list.json);
        follow::unless_interrupted("purge", &ids, "stoker purge show", wait).await?;
    }
    if args.list.json {
        output::json(&views);
    }
    let has_failed = views.iter().any(|view| view.status == Progress::Failed);
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits until each purge is over.
async fn wait(client: &Client, views: &mut [PurgeView], is_quiet: bool) -> Result<(), Failure> {
    for view in views {
        while view.status == Progress::Processing {
            sleep(POLL).await;
            *view = read(client, &view.purge).await?;
        }
        if !is_quiet {
            output::line(summary(view));
        }
    }
    Ok(())
}

/// How a purge ended.
fn summary(view: &PurgeView) -> String {
    let missing = view.nodes.iter().filter(|node| node.done_at.is_none());
    let missing: BTreeSet<&str> = missing.map(|node| node.node.as_str()).collect();
    if missing.is_empty() {
        return format!("purge {}: done", view.purge);
    }
    let missing = Vec::from_iter(missing).join(", ");
    format!("purge {}: failed so far; not carried out by {missing}", view.purge)
}

async fn read(client: &Client, purge: &str) -> Result<PurgeView, Failure> {
    Ok(client.get(&format!("/admin/v1/purges/{purge}")).await?)
}

//! `stoker check`: which nodes hold URLs, for how long, or why not.
//!
//! The server asks the nodes through the function that answers viewers; nothing is fetched.

use std::{process::ExitCode, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use stoker_domain::{area::AreaScope, target::Target};
use stoker_gateway::admin::api::{
    CheckedTarget, CheckedView, HoldingView, Layers, MOST_CHECKED, NewCheck,
};
use tokio::time::Instant;

use crate::{
    client::Client,
    commands::{
        arguments::{List, Urls, area_words},
        table,
    },
    config::Access,
    failure::Failure,
    list, output,
    size::{show, show_duration},
};

/// Plain lines of progress stand at least so far apart.
const LINES_APART: Duration = Duration::from_secs(2);

/// Show which nodes hold URLs, for how long, or why not
///
/// Asks the nodes that `stoker prefetch` with the same --area and --tier would reach. With --list only
/// URLs that some node does not hold are printed, and at the end how many are held. Exit code: 0 when
/// each node holds each URL, whole and fresh; 1 when some do not.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    urls: Urls,
    /// Ask only nodes of this area [default: the areas of each domain]
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Ask only nodes of this tier, or of both with `all` [default: middle in the mainland, edge
    /// overseas]
    #[arg(long, alias = "layer", value_name = "TIER", value_parser = tiers())]
    tier: Option<Layers>,
    #[command(flatten)]
    print: List,
    #[command(flatten)]
    access: Access,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let urls = urls(&args)?;
    let client = args.access.client()?;
    let is_long = args.urls.list.is_some();
    let mut progress = Progress::new(urls.len(), args.print.json);
    let (mut all, mut done, mut held) = (Vec::new(), 0, 0);
    for part in urls.chunks(MOST_CHECKED as usize) {
        for target in ask(&client, &args, part).await? {
            let is_held = is_held(&target);
            (done, held) = (done + 1, held + usize::from(is_held));
            if args.print.json {
                all.push(target);
            } else if !(is_long && is_held) {
                progress.aside(|| print(&target));
            }
        }
        progress.reach(done);
    }
    progress.end();
    if args.print.json {
        output::json(&all);
    } else if is_long || urls.len() > 1 {
        output::line(format!("{held} of {} URLs are held", urls.len()));
    }
    Ok(if held == urls.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The URLs of the command line and of the list.
fn urls(args: &Args) -> Result<Vec<String>, Failure> {
    for url in &args.urls.urls {
        Target::parse(url, true).map_err(|error| Failure::usage(format!("URL `{url}` {error}")))?;
    }
    let lines = args.urls.list.as_deref().map(|list| list::read(list)?.whole()).transpose()?;
    args.urls.with(lines.into_iter().flatten().map(|line| line.url))
}

async fn ask(client: &Client, args: &Args, urls: &[String]) -> Result<Vec<CheckedTarget>, Failure> {
    let new = NewCheck { urls: urls.to_vec(), areas: args.area, layer: args.tier, encode: true };
    let CheckedView { targets } = client.post("/admin/v1/check", &new).await?;
    Ok(targets)
}

/// Whether every node that was asked holds it; there must be one.
fn is_held(target: &CheckedTarget) -> bool {
    !target.nodes.is_empty() && target.nodes.iter().all(|node| node.is_held)
}

fn tiers() -> impl TypedValueParser<Value = Layers> {
    PossibleValuesParser::new(["edge", "middle", "all"]).map(|word| match word.as_str() {
        "edge" => Layers::Edge,
        "middle" => Layers::Middle,
        _ => Layers::All,
    })
}

fn print(target: &CheckedTarget) {
    output::line(&target.url);
    if target.nodes.is_empty() {
        output::line("  no node has to hold it");
        return;
    }
    let rows: Vec<_> = target.nodes.iter().map(row).collect();
    table::print(["  NODE", "HELD", "STATUS", "SIZE", "FRESH FOR", "WHY NOT"], &rows);
}

fn row(held: &HoldingView) -> [String; 6] {
    let fresh = held.fresh_for_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    [
        format!("  {}", held.node),
        if held.is_held { "yes" } else { "no" }.into(),
        table::or_dash(held.status),
        table::or_dash(held.size_bytes.map(show)),
        table::or_dash(fresh.map(|seconds| show_duration(Duration::from_secs(seconds)))),
        table::or_dash(held.reason.as_ref()),
    ]
}

/// Progress of a long check: a bar on a terminal, otherwise a line now and then on standard error.
struct Progress {
    total: usize,
    bar: Option<ProgressBar>,
    /// When the last line was written; absent where none is wanted.
    written: Option<Instant>,
}

const BAR: &str = "checked {wide_bar} {pos}/{len} {percent:>3}%";

impl Progress {
    fn new(total: usize, is_quiet: bool) -> Self {
        let is_shown = !is_quiet && total > MOST_CHECKED as usize;
        let style = || ProgressStyle::with_template(BAR).expect("the template is ours");
        let bar = (is_shown && output::is_terminal())
            .then(|| ProgressBar::new(total as u64).with_style(style()));
        let written = (is_shown && bar.is_none()).then(Instant::now);
        Self { total, bar, written }
    }

    fn reach(&mut self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
        if let Some(written) = self.written.as_mut().filter(|at| at.elapsed() >= LINES_APART) {
            *written = Instant::now();
            output::note(&format!("checked {done} of {}", self.total));
        }
    }

    /// Writes something of the result without the bar in its way.
    fn aside(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

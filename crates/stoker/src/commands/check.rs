//! `stoker check`: which nodes hold URLs, until when, or why not.
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
    commands::{area_words, table},
    config::Access,
    failure::Failure,
    list, output,
    size::{show, show_duration},
};

/// Plain lines of progress stand at least so far apart.
const LINES_APART: Duration = Duration::from_secs(2);

/// Ask which nodes hold URLs, until when, or why not
///
/// Asks the nodes that `stoker prefetch` with the same --area and --layer would reach. Exit code: 0
/// when each of them holds each URL, whole and fresh; 1 when some do not.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which URLs
    #[arg(value_name = "URL", required_unless_present = "list")]
    urls: Vec<String>,
    /// Read further URLs from FILE, one on a line; `-` reads standard input
    ///
    /// Then only what some node does not hold is shown, and at the end how many are held. Of the
    /// lines the same is taken as by `stoker prefetch --list`.
    #[arg(long, value_name = "FILE")]
    list: Option<String>,
    /// Ask only nodes of this area [default: wherever the domain is served]
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Ask nodes of this tier, or of all [default: middle in the mainland, edge overseas]
    #[arg(long, value_name = "LAYER", value_parser = layers())]
    layer: Option<Layers>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let urls = urls(&args)?;
    let client = args.access.client()?;
    let is_long = args.list.is_some();
    let mut progress = Progress::new(urls.len(), args.json);
    let (mut all, mut done, mut held) = (Vec::new(), 0, 0);
    for part in urls.chunks(MOST_CHECKED as usize) {
        for target in ask(&client, &args, part).await? {
            let is_held = is_held(&target);
            (done, held) = (done + 1, held + usize::from(is_held));
            if args.json {
                all.push(target);
            } else if !(is_long && is_held) {
                progress.aside(|| print(&target));
            }
        }
        progress.reach(done);
    }
    progress.end();
    if args.json {
        output::json(&all);
    } else if is_long || urls.len() > 1 {
        output::line(format!("{held} of {} URLs are held", urls.len()));
    }
    Ok(if held == urls.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The URLs of the command line and of the list.
fn urls(args: &Args) -> Result<Vec<String>, Failure> {
    for url in &args.urls {
        Target::parse(url, true).map_err(|error| Failure::usage(format!("URL `{url}` {error}")))?;
    }
    let mut urls = args.urls.clone();
    if let Some(list) = &args.list {
        urls.extend(list::read(list)?.whole()?.into_iter().map(|line| line.url));
    }
    if urls.is_empty() {
        return Err(Failure::usage("the list has no URLs")
            .hint("write one URL on each line; lines that begin with `#` are left out"));
    }
    Ok(urls)
}

async fn ask(client: &Client, args: &Args, urls: &[String]) -> Result<Vec<CheckedTarget>, Failure> {
    let new = NewCheck { urls: urls.to_vec(), areas: args.area, layer: args.layer, encode: true };
    let CheckedView { targets } = client.post("/admin/v1/check", &new).await?;
    Ok(targets)
}

/// Whether every node that was asked holds it; there must be one.
fn is_held(target: &CheckedTarget) -> bool {
    !target.nodes.is_empty() && target.nodes.iter().all(|node| node.is_held)
}

fn layers() -> impl TypedValueParser<Value = Layers> {
    PossibleValuesParser::new(["edge", "middle", "all"]).map(|word| match word.as_str() {
        "edge" => Layers::Edge,
        "middle" => Layers::Middle,
        _ => Layers::All,
    })
}

fn print(target: &CheckedTarget) {
    output::line(&target.url);
    if target.nodes.is_empty() {
        output::line("  no node is known that must hold it");
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

/// How far a long check is: a bar on a terminal, else now and then a line beside the result.
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

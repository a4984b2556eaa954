//! `stoker purge`: makes the caches forget URLs, or everything below a path.

use std::{process::ExitCode, time::Duration};

use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope},
    task::Progress,
};
use stoker_gateway::admin::api::{NewPurge, PurgeReceipt, PurgeView};
use tokio::time::sleep;

use crate::{client::Client, commands::area_words, config::Access, failure::Failure, output};

/// How often a purge that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Make the caches forget URLs, or everything below a path
///
/// A target that ends in `/` is a path: everything below it goes, and `http://HOST/` is the whole
/// host. Any other target is one URL. A purge is done when every node has carried it out for good;
/// a node that is down is waited for. What is prefetched afterwards is fetched anew.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// URLs, and paths that end in `/`
    #[arg(required = true, value_name = "URL|PREFIX/")]
    targets: Vec<String>,
    /// Areas to be reached; without it those of each domain
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Keep what the origin confirms: paths become stale instead of gone
    #[arg(long)]
    invalidate: bool,
    /// Wait until every node has carried it out
    #[arg(long)]
    wait: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
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
        if !args.json {
            output::line(format!("purge {}: {} accepted", receipt.purge, receipt.targets));
        }
        views.push(look(&client, &receipt.purge).await?);
    }
    if args.wait {
        for view in &mut views {
            while view.status == Progress::Processing {
                sleep(LOOK).await;
                *view = look(&client, &view.purge).await?;
            }
            if !args.json {
                output::line(format!("purge {}: done", view.purge));
            }
        }
    }
    if args.json {
        output::json(&views);
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(client: &Client, purge: &str) -> Result<PurgeView, Failure> {
    Ok(client.get(&format!("/admin/v1/purges/{purge}")).await?)
}

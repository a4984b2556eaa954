//! `stoker prefetch`: submits URLs as tasks, and with `--wait` follows the tasks to their end.

use std::{fs, io, process::ExitCode, time::Duration};

use clap::ValueEnum;
use serde::Serialize;
use stoker_domain::{
    area::{AreaScope, Tier},
    media,
    task::MediaPolicy,
};
use stoker_gateway::admin::api::{Accepted, MOST_URLS, NewTask, TargetView, TaskView};

use crate::{
    client::{Client, Error},
    commands::{
        arguments::{Print, Urls, area_words, tier_words},
        follow, hosts, progress,
    },
    config::Access,
    failure::Failure,
    list::{self, Line, Refused},
    output, size,
};

/// Bring URLs to the nodes before the first viewer asks
///
/// Exit code with --wait: 0 when every target is done, 1 when some are not (each is printed with its
/// reason) or the task is canceled, 130 after Ctrl-C. The task continues after Ctrl-C. Without --wait: 0 when the task was
/// accepted.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    urls: Urls,
    /// Submit the valid lines of the list even if others are no URLs, or their domains cannot be
    /// prefetched
    ///
    /// The skipped lines are written to standard error as a list again, each after a comment with its
    /// number and the reason.
    #[arg(long, requires = "list")]
    skip_invalid: bool,
    /// Write the skipped lines into FILE instead of standard error; FILE is overwritten
    #[arg(long, value_name = "FILE", requires = "skip_invalid")]
    rejected: Option<String>,
    /// Areas whose nodes must hold the URLs [default: those of each domain]
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Tier that must hold the URLs [default: middle in the mainland, edge overseas]
    #[arg(long, alias = "layer", value_name = "TIER", value_parser = tier_words())]
    tier: Option<Tier>,
    /// Read each domain's origin at no more than MBPS megabits (10^6 bits) per second, over all nodes
    #[arg(long, value_name = "MBPS", value_parser = clap::value_parser!(u32).range(1..))]
    limit_rate: Option<u32>,
    /// How long a URL is retried after its first failure, such as `10m` [default: that of its domain]
    #[arg(long, value_name = "TIME", value_parser = size::parse_duration)]
    patience: Option<Duration>,
    /// Request field sent to the origin; may be repeated up to 20 times
    #[arg(long = "header", value_name = "K: V", value_parser = field)]
    headers: Vec<(String, String)>,
    /// `User-Agent` sent to the origin
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// Whether playlists are followed: not at all, or to playlists and `.ts` segments
    ///
    /// Anything else that a playlist names, such as `.m4s` segments, keys or audio renditions, is
    /// listed and not followed.
    #[arg(long, value_enum, default_value_t = Media::Off)]
    media: Media,
    /// Request whole representations from the origin, without `Range`
    #[arg(long)]
    disable_range: bool,
    /// Wait until every target is final, and show the progress
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Media {
    Off,
    Segments,
}

/// What `--json` prints, in an array: one for each task that was made.
#[derive(Serialize)]
struct Submitted {
    task_id: String,
    targets: u64,
    merged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Vec<TargetView>>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let (mut lines, mut refused) = lines(&args)?;
    let client = args.access.client()?;
    if args.skip_invalid {
        let (good, others) = hosts::sort(&client, lines, args.area).await?;
        lines = good;
        refused.extend(others);
        refused.sort_by_key(Refused::number);
        reject(&refused, args.rejected.as_deref())?;
    }
    let urls = args.urls.with(lines.iter().map(|line| line.url.clone()))?;
    if matches!(args.media, Media::Off) && urls.iter().any(|url| media::is_playlist(url)) {
        output::note(
            "note: only the playlists themselves are prefetched; `--media segments` follows them",
        );
    }
    let mut results = Vec::new();
    for part in urls.chunks(MOST_URLS as usize) {
        let accepted = match submit(&client, &args, part).await {
            Ok(accepted) => accepted,
            Err(error) => {
                if let (Some(list), true) = (&args.urls.list, hosts::is_about_a_domain(&error)) {
                    let (_, refused) = hosts::sort(&client, lines, args.area).await?;
                    list::report(list, &refused);
                }
                return Err(error.into());
            }
        };
        if !args.print.json {
            output::line(format!("task {}: {}", accepted.task_id, counted(&accepted)));
        }
        let Accepted { task_id, targets, merged } = accepted;
        results.push(Submitted { task_id, targets, merged, task: None, failed: None });
    }
    if args.wait {
        let ids: Vec<_> = results.iter().map(|result| result.task_id.clone()).collect();
        let ended = follow::all_to_the_end(&client, &ids, args.print.json).await?;
        for (result, (task, failed)) in results.iter_mut().zip(ended) {
            (result.task, result.failed) = (Some(task), Some(failed));
        }
    }
    if args.print.json {
        output::json(&results);
    }
    let all_done = results.iter().all(|result| result.task.as_ref().is_none_or(follow::is_done));
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn submit(client: &Client, args: &Args, urls: &[String]) -> Result<Accepted, Error> {
    let new = NewTask {
        urls: urls.to_vec(),
        areas: args.area,
        layer: args.tier,
        headers: args.headers.clone(),
        user_agent: args.user_agent.clone(),
        media: match args.media {
            Media::Off => MediaPolicy::Off,
            Media::Segments => MediaPolicy::Segments,
        },
        disable_range: args.disable_range,
        limit_mbps: args.limit_rate,
        patience_seconds: args.patience.map(|patience| patience.as_secs()),
        encode: true,
    };
    client.post("/admin/v1/tasks", &new).await
}

fn counted(accepted: &Accepted) -> String {
    let targets = progress::counted(accepted.targets);
    match accepted.merged {
        0 => targets,
        merged => format!("{targets}, {merged} given twice"),
    }
}

/// The lines of the list that have URLs, and with `--skip-invalid` the others.
fn lines(args: &Args) -> Result<(Vec<Line>, Vec<Refused>), Failure> {
    let Some(list) = &args.urls.list else { return Ok((Vec::new(), Vec::new())) };
    let list = list::read(list)?;
    if args.skip_invalid {
        return Ok(list.into_parts());
    }
    let lines = list.whole().map_err(|failure| {
        failure.hint("correct them, or submit the others with `--skip-invalid`")
    })?;
    Ok((lines, Vec::new()))
}

/// Writes refused lines into `file`, or to standard error. The file is created even if there are none.
fn reject(refused: &[Refused], file: Option<&str>) -> Result<(), Failure> {
    let Some(file) = file else {
        for line in refused {
            output::note(&line.as_comment());
        }
        return Ok(());
    };
    let written = fs::File::create(file).and_then(|file| {
        let mut file = io::BufWriter::new(file);
        list::write_refused(refused, &mut file)
    });
    written.map_err(|error| {
        Failure::because(format!("cannot write the rejected lines into `{file}`"), &error)
            .into_usage()
    })?;
    if !refused.is_empty() {
        output::note(&format!("lines skipped: {}, in `{file}`", refused.len()));
    }
    Ok(())
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().into(), value.trim().into()))
        }
        _ => Err("a field is a name, a colon and a value, as in `Authorization: Bearer x`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_split_at_its_first_colon() {
        assert_eq!(field("X-A: b:c"), Ok(("X-A".into(), "b:c".into())));
        assert!(field(": b").is_err() && field("X-A").is_err());
    }
}

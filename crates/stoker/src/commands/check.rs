//! `stoker check`: which nodes hold a URL, until when, or why not.
//!
//! Asks each node at its own address, as a viewer does, with `only-if-cached`: the answer is the
//! node's own and nothing is fetched. By GET, because HEAD is answered from a stored head even when
//! some of the content had to make room; after the head of the answer it hangs up.

use std::{process::ExitCode, sync::Arc, time::Duration};

use http::{Request, header};
use serde::Serialize;
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    placement::{Directory, Node},
    target::Target,
};
use stoker_gateway::admin::api::{DomainView, NodeView, Nodes};

use crate::{
    client::{Answer, Client, Connection},
    commands::{area_words, layer_words, table},
    config::Access,
    failure::Failure,
    output,
    size::{show, show_duration},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Ask which nodes hold URLs, until when, or why not
///
/// Exit code: 0 when every node that was asked holds every URL, fresh; 1 otherwise.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which URLs
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Ask only nodes of this area [default: wherever the domain is served]
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Ask only nodes of this tier [default: both]
    #[arg(long, value_name = "LAYER", value_parser = layer_words())]
    layer: Option<Tier>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// What the nodes say of one URL.
#[derive(Serialize)]
struct Finding {
    url: String,
    nodes: Vec<Held>,
}

/// What one node says.
#[derive(Serialize)]
struct Held {
    node: String,
    area: Area,
    tier: Tier,
    is_held: bool,
    /// Status of the stored response.
    status: Option<u16>,
    size_bytes: Option<u64>,
    fresh_for_seconds: Option<i64>,
    /// Why it is not held.
    reason: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    let Nodes { nodes } = client.get("/admin/v1/nodes").await?;
    let directory = Directory {
        nodes: nodes.into_iter().map(node).map(Arc::new).collect(),
        ..Directory::default()
    };
    let mut findings = Vec::new();
    for url in &args.urls {
        let target = Target::parse(url, true)
            .map_err(|error| Failure::usage(format!("URL `{url}` {error}")))?;
        findings.push(ask_all(&client, &directory, &args, &target).await?);
    }
    if args.json {
        output::json(&findings);
    } else {
        findings.iter().for_each(print);
    }
    let is_held =
        |one: &Finding| !one.nodes.is_empty() && one.nodes.iter().all(|held| held.is_held);
    let all = findings.iter().all(is_held);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn node(view: NodeView) -> Node {
    let NodeView { name, area, tier, cluster, address, .. } = view;
    Node { name, area, tier, cluster, address }
}

async fn ask_all(
    client: &Client,
    directory: &Directory,
    args: &Args,
    target: &Target,
) -> Result<Finding, Failure> {
    let areas = match args.area {
        Some(areas) => areas,
        None => {
            let path = format!("/admin/v1/domains/{}", target.host);
            client.get::<DomainView>(&path).await?.areas
        }
    };
    let tiers = args.layer.map_or(vec![Tier::Edge, Tier::Middle], |tier| vec![tier]);
    let mut nodes = Vec::new();
    for tier in tiers {
        for node in directory.holders(target.key(), areas, Some(tier)) {
            nodes.push(ask(client.connection(), &node, target).await);
        }
    }
    Ok(Finding { url: target.url.clone(), nodes })
}

async fn ask(connection: &Connection, node: &Node, target: &Target) -> Held {
    let request = Request::builder()
        .uri(format!("http://{}{}", node.address, target.path_and_query))
        .header(header::HOST, &target.host)
        .header(header::CACHE_CONTROL, "only-if-cached");
    let held = Held {
        node: node.name.clone(),
        area: node.area,
        tier: node.tier,
        is_held: false,
        status: None,
        size_bytes: None,
        fresh_for_seconds: None,
        reason: None,
    };
    match connection.head(request, PATIENCE).await {
        Ok(answer) => read(held, &answer),
        Err(error) => {
            let failure = Failure::because(format!("no answer from `{}`", node.address), &error);
            Held { reason: Some(failure.message().into()), ..held }
        }
    }
}

fn read(held: Held, answer: &Answer) -> Held {
    // the last entry is the node's own (RFC 9211 section 2)
    let status = answer.field("cache-status").and_then(|field| field.rsplit(',').next());
    let parameters: Vec<_> = status.unwrap_or_default().split(';').skip(1).map(str::trim).collect();
    let value =
        |name: &str| parameters.iter().find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
    if parameters.contains(&"hit") {
        return Held {
            is_held: true,
            status: Some(answer.status.as_u16()),
            size_bytes: answer.field("content-length").and_then(|text| text.parse().ok()),
            fresh_for_seconds: value("ttl").and_then(|text| text.parse().ok()),
            ..held
        };
    }
    let reason = match (value("detail"), answer.status.as_u16()) {
        (Some("only-if-cached"), _) => "nothing stored that is fresh".into(),
        (Some(detail), status) => format!("answered {status}: {}", detail.trim_matches('"')),
        (None, status) => format!("answered {status}"),
    };
    Held { reason: Some(reason), ..held }
}

fn print(finding: &Finding) {
    output::line(&finding.url);
    let rows: Vec<_> = finding.nodes.iter().map(row).collect();
    table::print(["  NODE", "HELD", "STATUS", "SIZE", "FRESH FOR", "WHY NOT"], &rows);
}

fn row(held: &Held) -> [String; 6] {
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

//! `stoker domain`: the accelerated hosts and their origins.

use std::{process::ExitCode, time::Duration};

use clap::{Subcommand, ValueEnum};
use stoker_domain::{
    area::AreaScope,
    domain::{Lock, Shield},
    host::is_wildcard,
    retry::DEFAULT_PATIENCE,
    setting::Status,
};
use stoker_gateway::admin::api::{DomainChange, DomainLock, DomainView, Domains, NewDomain};

use crate::{
    client::Client,
    commands::{
        arguments::{ForAccount, List, Print, area_words, host},
        table, verification,
    },
    failure::Failure,
    output,
    size::{parse_duration, show_duration},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a domain
    Add(Add),
    /// List the domains of the account
    List(List),
    /// Show one domain
    Show(Which),
    /// Change a domain
    Set(Set),
    /// Start a stopped domain
    Start(Host),
    /// Stop a domain: its nodes refuse viewers and prefetches
    Stop(Host),
    /// Lock a domain against prefetches and changes, as the owner of the installation
    ///
    /// Viewers are still served, and purges are still accepted.
    Lock {
        #[command(flatten)]
        which: Which,
        /// Give "being changed" as the reason in place of "locked"
        #[arg(long)]
        changing: bool,
    },
    /// Unlock a domain
    Unlock(Which),
    /// Show how to prove that the account owns a host, and check the proof
    Verify(verification::Verify),
    /// Remove a domain; its cached content is no longer served
    Remove(Host),
}

#[derive(clap::Args, Debug)]
pub(super) struct Host {
    /// Host of the domain
    #[arg(value_parser = host)]
    host: String,
}

#[derive(clap::Args, Debug)]
pub(super) struct Which {
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    print: Print,
}

#[derive(clap::Args, Debug)]
pub(super) struct Add {
    /// Host that viewers request: a name, `localhost` or an IP address, without a port; `*.HOST`
    /// covers every host below HOST that has no domain of its own
    host: String,
    /// Origin of its content: `http[s]://HOST[:PORT][/BASE]`
    #[arg(long, value_name = "URL")]
    origin: String,
    /// Areas in which it is served
    #[arg(long, value_name = "AREA", default_value = "global", value_parser = area_words())]
    area: AreaScope,
    /// Middle nodes that may request one URL from the origin: one in all, or one in each area
    #[arg(long, value_enum, default_value_t = ShieldWord::Global)]
    shield: ShieldWord,
    /// `Host` field sent to the origin [default: the requested host]
    #[arg(long, value_name = "HOST")]
    host_header: Option<String>,
    /// Allow an origin with a private, loopback or link-local address
    #[arg(long)]
    allow_private_origin: bool,
    /// Put it into the zone NAME, created if absent [default: that of its registrable domain]
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Put it into no zone
    #[arg(long, conflicts_with = "zone")]
    no_zone: bool,
    #[command(flatten)]
    print: Print,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShieldWord {
    Global,
    PerArea,
}

impl From<ShieldWord> for Shield {
    fn from(word: ShieldWord) -> Self {
        match word {
            ShieldWord::Global => Self::Global,
            ShieldWord::PerArea => Self::PerArea,
        }
    }
}

#[derive(clap::Args, Debug)]
#[group(id = "change", required = true, multiple = true)]
pub(super) struct Changes {
    /// New origin; a private address is refused unless it is allowed again. Cached content is served
    /// until it is stale, unless --discard-cached is given too
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Discard all cached content of the domain
    #[arg(long)]
    discard_cached: bool,
    /// Areas in which it is served
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// Middle nodes that may request one URL from the origin: one in all, or one in each area
    #[arg(long, value_enum)]
    shield: Option<ShieldWord>,
    /// `Host` field sent to the origin; empty for the requested host
    #[arg(long, value_name = "HOST")]
    host_header: Option<String>,
    /// Allow an origin with a private, loopback or link-local address
    #[arg(long)]
    allow_private_origin: bool,
    /// How long prefetches are retried after the first failure, such as `10m` or `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    patience: Option<Duration>,
    /// Put it into the zone NAME, created if absent
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Remove it from its zone
    #[arg(long, conflicts_with = "zone")]
    no_zone: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct Set {
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    print: Print,
}

/// Added to the result when only the origin was changed.
const KEEPS_CACHED: &str =
    "\ncached content is served until it is stale; `--discard-cached` discards it";

/// The `Host` field that the origin gets by default.
fn default_host_header(host: &str) -> String {
    if is_wildcard(host) { "the requested host".into() } else { host.into() }
}

pub(super) async fn run(args: ForAccount<Command>) -> Result<ExitCode, Failure> {
    let ForAccount { command, account } = args;
    let client = account.client()?;
    let all = account.path("domains");
    let one = |Host { host }: &Host| account.path(&format!("domains/{host}"));
    let lock = |Host { host }: &Host| account.path(&format!("domains/{host}/lock"));
    match command {
        Command::Add(command) => add(&client, &all, command).await?,
        Command::List(List { json }) => list(&client, &all, json).await?,
        Command::Show(Which { host, print }) => {
            show(client.get(&one(&host)).await?, print.json);
        }
        Command::Set(Set { host, changes, print }) => {
            set(&client, &one(&host), changes, print).await?;
        }
        Command::Start(host) => put(&client, &one(&host), Status::Online).await?,
        Command::Stop(host) => put(&client, &one(&host), Status::Offline).await?,
        Command::Lock { which: Which { host, print }, changing } => {
            let reason = if changing { Lock::Changing } else { Lock::Locked };
            let new = DomainLock { lock: reason };
            print_lock(&client.post(&lock(&host), &new).await?, print);
        }
        Command::Unlock(Which { host, print }) => {
            client.delete(&lock(&host)).await?;
            print_lock(&client.get(&one(&host)).await?, print);
        }
        Command::Verify(command) => {
            let path = account.path(&format!("domains/{}/verification", command.host));
            return verification::run(&client, &path, command).await;
        }
        Command::Remove(host) => {
            client.delete(&one(&host)).await?;
            output::line(format!("removed {}", host.host));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_lock(domain: &DomainView, print: Print) {
    let state = domain.lock.map_or("not locked", Lock::as_str);
    output::result(print.json, domain, format!("{} is {state}", domain.host));
}

/// Whether the domain is served, and whether it is locked.
fn standing(domain: &DomainView) -> String {
    let status = table::word(&domain.status);
    domain.lock.map_or_else(|| status.clone(), |lock| format!("{status}, {}", lock.as_str()))
}

async fn add(client: &Client, path: &str, add: Add) -> Result<(), Failure> {
    let new = NewDomain {
        host: add.host,
        origin: add.origin,
        areas: Some(add.area),
        shield: add.shield.into(),
        allow_private_origin: add.allow_private_origin,
        host_header: add.host_header,
        default_lifetime_seconds: None,
        zone: add.zone,
        no_zone: add.no_zone,
    };
    let domain: DomainView = client.post(path, &new).await?;
    let DomainView { host, origin, areas, .. } = &domain;
    let sentence = format!("added {host}: from {origin}, served in {areas}");
    output::result(add.print.json, &domain, sentence);
    warn(&domain);
    Ok(())
}

async fn set(client: &Client, path: &str, changes: Changes, print: Print) -> Result<(), Failure> {
    let Changes { origin, discard_cached, area, shield, host_header, .. } = changes;
    let Changes { allow_private_origin, patience, zone, no_zone, .. } = changes;
    let keeps_cached = origin.is_some() && !discard_cached;
    let change = DomainChange {
        origin,
        discard_cached,
        areas: area,
        shield: shield.map(Into::into),
        host_header,
        allow_private_origin: allow_private_origin.then_some(true),
        patience_seconds: patience.map(|patience| patience.as_secs()),
        zone: if no_zone { Some(String::new()) } else { zone },
        ..DomainChange::default()
    };
    let domain: DomainView = client.post(path, &change).await?;
    let DomainView { host, origin, areas, .. } = &domain;
    let mut sentence = format!("changed {host}: from {origin}, served in {areas}");
    if keeps_cached {
        sentence.push_str(KEEPS_CACHED);
    }
    output::result(print.json, &domain, sentence);
    warn(&domain);
    Ok(())
}

/// Prints on standard error what will not work.
fn warn(domain: &DomainView) {
    for warning in &domain.warnings {
        output::note(&format!("warning: {warning}"));
    }
}

async fn put(client: &Client, path: &str, status: Status) -> Result<(), Failure> {
    let change = DomainChange { status: Some(status), ..DomainChange::default() };
    let domain: DomainView = client.post(path, &change).await?;
    output::line(format!("{} is {}", domain.host, table::word(&domain.status)));
    warn(&domain);
    Ok(())
}

async fn list(client: &Client, path: &str, json: bool) -> Result<(), Failure> {
    let split = |page: Domains| (page.domains, page.next);
    let domains = client.list(path, usize::MAX, split).await?;
    let row = |domain: &DomainView| {
        let (areas, status) = (domain.areas.to_string(), standing(domain));
        [domain.host.clone(), areas, status, domain.origin.clone()]
    };
    let none = "no domains; add one with `stoker domain add HOST --origin URL`";
    table::list(json, &domains, none, ["HOST", "AREA", "STATUS", "ORIGIN"], row);
    Ok(())
}

fn show(domain: DomainView, json: bool) {
    if json {
        return output::json(&domain);
    }
    warn(&domain);
    let lifetime = Duration::from_secs(domain.default_lifetime_seconds);
    let patience = domain.patience_seconds.map_or(DEFAULT_PATIENCE, Duration::from_secs);
    let lines = [
        ("host", domain.host.clone()),
        ("origin", domain.origin.clone()),
        (
            "host header",
            domain.host_header.clone().unwrap_or_else(|| default_host_header(&domain.host)),
        ),
        ("private origin", if domain.allow_private_origin { "allowed" } else { "refused" }.into()),
        ("area", domain.areas.to_string()),
        ("status", standing(&domain)),
        ("shield", table::word(&domain.shield)),
        ("default lifetime", show_duration(lifetime)),
        ("patience", show_duration(patience)),
        ("zone", domain.zone_id.unwrap_or_else(|| "none".into())),
        ("verified", domain.ownership.as_str().into()),
        ("created", domain.created_at),
    ];
    let lists = [
        ("further origin", domain.further_origins),
        ("backup origin", domain.backup_origins),
        ("cache rule", domain.cache_rules),
    ];
    let lists =
        lists.into_iter().flat_map(|(name, all)| all.into_iter().map(move |one| (name, one)));
    table::values(lines.into_iter().chain(lists));
}

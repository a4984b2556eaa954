//! `stoker domain`: the hosts that are accelerated, and where their content comes from.

use std::{process::ExitCode, time::Duration};

use clap::{Subcommand, ValueEnum};
use stoker_domain::{
    area::AreaScope,
    domain::{Lock, Shield},
    host,
    retry::DEFAULT_PATIENCE,
    setting::Status,
};
use stoker_gateway::admin::api::{DomainChange, DomainLock, DomainView, Domains, NewDomain};

use crate::{
    client::Client,
    commands::{area_words, table, verification, whose::Whose},
    failure::Failure,
    output,
    size::{parse_duration, show_duration},
};

/// Add, list, show, change or remove accelerated domains
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a domain
    Add(Add),
    /// List the domains of the account
    List(List),
    /// Show one domain
    Show(Show),
    /// Change a domain
    Set(Set),
    /// Bring a stopped domain online
    Start(Which),
    /// Stop a domain: viewers and prefetches are refused
    Stop(Which),
    /// Lock a domain, as the owner of the installation: it is neither prefetched nor changed until
    /// it is unlocked; viewers are served, and purges are taken
    Lock(LockIt),
    /// Let a domain be prefetched and changed again
    Unlock(Unlock),
    /// Prove that a host is the account's own: shows what to publish, and looks for it
    Verify(verification::Verify),
    /// Remove a domain; what nodes hold of it is served no longer
    Remove(Which),
}

#[derive(clap::Args, Debug)]
struct Add {
    /// Host that viewers ask for; `localhost` and IP addresses are taken, ports are not; `*.HOST`
    /// answers for every host below HOST that has no domain of its own
    host: String,
    /// Where its content comes from: `http[s]://HOST[:PORT][/BASE]`
    #[arg(long, value_name = "URL")]
    origin: String,
    /// Areas in which it is served
    #[arg(long, value_name = "AREA", default_value = "global", value_parser = area_words())]
    area: AreaScope,
    /// How many middle nodes may ask the origin for one URL: one in all, or one in each area
    #[arg(long, value_enum, default_value_t = ShieldWord::Global)]
    shield: ShieldWord,
    /// `Host` field sent to the origin [default: the requested host]
    #[arg(long, value_name = "HOST")]
    host_header: Option<String>,
    /// Allow an origin with a private, loopback or link-local address
    #[arg(long)]
    allow_private_origin: bool,
    /// Put it into the zone NAME, made if absent [default: that of its registrable domain]
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Put it into no zone
    #[arg(long, conflicts_with = "zone")]
    no_zone: bool,
    /// Print the domain as JSON
    #[arg(long)]
    json: bool,
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
struct Changes {
    /// Where its content comes from; private addresses are refused unless allowed again. What is
    /// cached stays in use until it is stale, unless --discard-cached is given too
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Never serve again what the nodes hold of it now
    #[arg(long)]
    discard_cached: bool,
    /// Areas in which it is served
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<AreaScope>,
    /// How many middle nodes may ask the origin for one URL: one in all, or one in each area
    #[arg(long, value_enum)]
    shield: Option<ShieldWord>,
    /// `Host` field sent to the origin; empty for the domain's own
    #[arg(long, value_name = "HOST")]
    host_header: Option<String>,
    /// Allow an origin with a private, loopback or link-local address
    #[arg(long)]
    allow_private_origin: bool,
    /// How long prefetches are tried after the first failure, as `10m` or `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    patience: Option<Duration>,
    /// Put it into the zone NAME, made if absent
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Take it out of its zone
    #[arg(long, conflicts_with = "zone")]
    no_zone: bool,
}

#[derive(clap::Args, Debug)]
struct Set {
    /// Which domain
    #[arg(value_parser = host)]
    host: String,
    #[command(flatten)]
    changes: Changes,
    /// Print the domain as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Which domain
    #[arg(value_parser = host)]
    host: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Which {
    /// Which domain
    #[arg(value_parser = host)]
    host: String,
}

/// Told of an origin that was changed alone.
const KEEPS_CACHED: &str =
    "\nwhat is cached is served until it is stale; `--discard-cached` discards it";

#[derive(clap::Args, Debug)]
struct LockIt {
    /// Which domain
    #[arg(value_parser = host)]
    host: String,
    /// Say that the domain is being changed, not that it is locked
    #[arg(long)]
    changing: bool,
    /// Print the domain as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Unlock {
    /// Which domain
    #[arg(value_parser = host)]
    host: String,
    /// Print the domain as JSON
    #[arg(long)]
    json: bool,
}

/// What may stand in the path of a call.
pub(super) fn host(text: &str) -> Result<String, String> {
    if host::is_domain_name(text) {
        Ok(text.into())
    } else {
        Err("not a host name or an IP address".into())
    }
}

/// What the origin is asked for where the domain does not say.
fn own_header(host: &str) -> String {
    if host::is_wildcard(host) { "the requested host".into() } else { host.into() }
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.whose.client()?;
    let all = args.whose.path("domains");
    let one = |host: &str| args.whose.path(&format!("domains/{host}"));
    match args.command {
        Command::Add(command) => add(&client, &all, command).await?,
        Command::List(command) => list(&client, &all, command).await?,
        Command::Show(Show { host, json }) => show(client.get(&one(&host)).await?, json),
        Command::Set(Set { host, changes, json }) => {
            set(&client, &one(&host), changes, json).await?;
        }
        Command::Start(Which { host }) => put(&client, &one(&host), Status::Online).await?,
        Command::Stop(Which { host }) => put(&client, &one(&host), Status::Offline).await?,
        Command::Lock(LockIt { host, changing, json }) => {
            let lock = if changing { Lock::Changing } else { Lock::Locked };
            let path = args.whose.path(&format!("domains/{host}/lock"));
            told_lock(&client.post(&path, &DomainLock { lock }).await?, json);
        }
        Command::Unlock(Unlock { host, json }) => {
            client.delete(&args.whose.path(&format!("domains/{host}/lock"))).await?;
            told_lock(&client.get(&one(&host)).await?, json);
        }
        Command::Verify(command) => {
            let path = args.whose.path(&format!("domains/{}/verification", command.host));
            return verification::run(&client, &path, command).await;
        }
        Command::Remove(Which { host }) => {
            client.delete(&one(&host)).await?;
            output::line(format!("removed {host}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told_lock(domain: &DomainView, json: bool) {
    let state = domain.lock.map_or("not locked", Lock::as_str);
    output::told(json, domain, format!("{} is {state}", domain.host));
}

/// Whether it is served, and why it may not be changed.
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
    output::told(add.json, &domain, sentence);
    warn(&domain);
    Ok(())
}

async fn set(client: &Client, path: &str, changes: Changes, json: bool) -> Result<(), Failure> {
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
    output::told(json, &domain, sentence);
    warn(&domain);
    Ok(())
}

/// Says on standard error what will not work as it is.
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

async fn list(client: &Client, path: &str, list: List) -> Result<(), Failure> {
    let split = |page: Domains| (page.domains, page.next);
    let domains = client.list(path, usize::MAX, split).await?;
    let row = |domain: &DomainView| {
        let (areas, status) = (domain.areas.to_string(), standing(domain));
        [domain.host.clone(), areas, status, domain.origin.clone()]
    };
    let none = "no domains; add one with `stoker domain add HOST --origin URL`";
    table::list(list.json, &domains, none, ["HOST", "AREA", "STATUS", "ORIGIN"], row);
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
        ("host header", domain.host_header.clone().unwrap_or_else(|| own_header(&domain.host))),
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

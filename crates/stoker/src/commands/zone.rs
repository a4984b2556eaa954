//! `stoker zone`: groups of domains, as some APIs address them.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_domain::area::AreaScope;
use stoker_gateway::admin::api::{NewZone, ZoneView, Zones};

use crate::{
    client::Client,
    commands::{area_words, table},
    config::Access,
    failure::Failure,
    output,
};

/// Add, list, show or remove zones: groups of domains
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the zones of the account
    List(List),
    /// Show one zone
    Show(Show),
    /// Add a zone
    Add(Add),
    /// Remove a zone that no domain is in
    Remove(Remove),
}

#[derive(clap::Args, Debug)]
struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Which zone, by id or name
    #[arg(value_parser = word)]
    zone: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Add {
    /// Its name, mostly a registrable domain; unique in the account
    name: String,
    /// Areas that it is made for
    #[arg(long, value_name = "AREA", default_value = "global", value_parser = area_words())]
    area: AreaScope,
    /// Print the zone as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Remove {
    /// Which zone, by id or name
    #[arg(value_parser = word)]
    zone: String,
}

/// What may stand in the path of a call.
fn word(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(text.into())
    } else {
        Err("not the id or the name of a zone".into())
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    match args.command {
        Command::List(command) => list(&client, command).await?,
        Command::Show(command) => show(&client, command).await?,
        Command::Add(command) => add(&client, command).await?,
        Command::Remove(Remove { zone }) => {
            client.delete(&format!("/admin/v1/zones/{zone}")).await?;
            output::line(format!("removed {zone}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, list: List) -> Result<(), Failure> {
    let split = |page: Zones| (page.zones, page.next);
    let zones = client.list("/admin/v1/zones", usize::MAX, split).await?;
    let row = |zone: &ZoneView| {
        let (area, domains) = (zone.area.to_string(), zone.domains.len().to_string());
        [zone.zone_id.clone(), zone.name.clone(), area, domains]
    };
    let none = "no zones; `stoker domain add` makes them, and so does `stoker zone add`";
    table::list(list.json, &zones, none, ["ZONE", "NAME", "AREA", "DOMAINS"], row);
    Ok(())
}

async fn show(client: &Client, show: Show) -> Result<(), Failure> {
    let zone: ZoneView = client.get(&format!("/admin/v1/zones/{}", show.zone)).await?;
    if show.json {
        output::json(&zone);
        return Ok(());
    }
    table::values([
        ("zone", zone.zone_id),
        ("name", zone.name),
        ("area", zone.area.to_string()),
        ("status", table::word(&zone.status)),
        ("domains", zone.domains.join(" ")),
        ("created", zone.created_at),
    ]);
    Ok(())
}

async fn add(client: &Client, add: Add) -> Result<(), Failure> {
    let new = NewZone { name: add.name, area: Some(add.area) };
    let zone: ZoneView = client.post("/admin/v1/zones", &new).await?;
    output::told(add.json, &zone, format!("added {}: {}", zone.zone_id, zone.name));
    Ok(())
}

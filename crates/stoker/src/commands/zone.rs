//! `stoker zone`: groups of domains, as some APIs address them.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_domain::area::AreaScope;
use stoker_gateway::admin::api::{NewZone, ZoneView, Zones};

use crate::{
    client::Client,
    commands::{
        arguments::{ForCaller, List, Print, area_words},
        table,
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the zones of the account
    List(List),
    /// Show one zone
    Show {
        /// Id or name of the zone
        #[arg(value_parser = word)]
        zone: String,
        #[command(flatten)]
        print: Print,
    },
    /// Add a zone
    Add {
        /// Its name, usually a registrable domain; unique in the account
        name: String,
        /// Areas of the zone
        #[arg(long, value_name = "AREA", default_value = "global", value_parser = area_words())]
        area: AreaScope,
        #[command(flatten)]
        print: Print,
    },
    /// Remove a zone without domains
    Remove {
        /// Id or name of the zone
        #[arg(value_parser = word)]
        zone: String,
    },
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

pub(super) async fn run(args: ForCaller<Command>) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    match args.command {
        Command::List(List { json }) => list(&client, json).await?,
        Command::Show { zone, print } => {
            show(client.get(&format!("/admin/v1/zones/{zone}")).await?, print.json);
        }
        Command::Add { name, area, print } => {
            let new = NewZone { name, area: Some(area) };
            let zone: ZoneView = client.post("/admin/v1/zones", &new).await?;
            output::result(print.json, &zone, format!("added {}: {}", zone.zone_id, zone.name));
        }
        Command::Remove { zone } => {
            client.delete(&format!("/admin/v1/zones/{zone}")).await?;
            output::line(format!("removed {zone}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, json: bool) -> Result<(), Failure> {
    let split = |page: Zones| (page.zones, page.next);
    let zones = client.list("/admin/v1/zones", usize::MAX, split).await?;
    let row = |zone: &ZoneView| {
        let (area, domains) = (zone.area.to_string(), zone.domains.len().to_string());
        [zone.zone_id.clone(), zone.name.clone(), area, domains]
    };
    let none = "no zones; `stoker domain add` and `stoker zone add` add them";
    table::list(json, &zones, none, ["ZONE", "NAME", "AREA", "DOMAINS"], row);
    Ok(())
}

fn show(zone: ZoneView, json: bool) {
    if json {
        output::json(&zone);
        return;
    }
    table::values([
        ("zone", zone.zone_id),
        ("name", zone.name),
        ("area", zone.area.to_string()),
        ("status", table::word(&zone.status)),
        ("domains", zone.domains.join(" ")),
        ("created", zone.created_at),
    ]);
}

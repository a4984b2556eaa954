//! `stoker quota`: what accounts may have prefetched and purged in a day.

use std::process::ExitCode;

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stoker_domain::{
    area::{Area, AreaScope},
    quota::{Product, Reset},
};
use stoker_gateway::admin::api::{Quota, QuotaChange, QuotaDay, QuotaView};

use crate::{
    client::Client,
    commands::{table, whose::uin},
    config::Access,
    failure::Failure,
    output,
};

/// Show or set what an account may have prefetched and purged in a day
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the limits and what is left today
    Show(Show),
    /// Set limits; the next call has them
    Set(Set),
    /// Let daily quotas be full again at another time of day, once the running day has ended
    Day(Day),
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Number of the account, if not your own; only the owner may name it
    #[arg(long, value_name = "UIN", value_parser = uin)]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("limit").required(true).multiple(true).args(["batch", "daily"]))]
struct Set {
    /// What is counted
    #[arg(value_parser = product_words())]
    product: Product,
    /// Only in this area
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<Area>,
    /// URLs in one call of the API
    #[arg(long, value_name = "N")]
    batch: Option<u32>,
    /// URLs in one day; below what was used today, nothing is left
    #[arg(long, value_name = "N")]
    daily: Option<u64>,
    /// Number of the account, if not your own; only the owner may set limits
    #[arg(long, value_name = "UIN", value_parser = uin)]
    account: Option<String>,
    /// Print the limits as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Day {
    /// Time of day with its zone, like `00:00+08:00`
    #[arg(value_name = "HH:MM+HH:MM")]
    begins_at: Reset,
    /// Print the limits as JSON
    #[arg(long)]
    json: bool,
}

fn product_words() -> impl TypedValueParser<Value = Product> {
    PossibleValuesParser::new(Product::ALL.map(Product::as_str))
        .map(|word| word.parse().expect("the words are those of `Product`"))
}

fn area_words() -> impl TypedValueParser<Value = Area> {
    PossibleValuesParser::new(Area::ALL.map(Area::as_str))
        .map(|word| word.parse().expect("the words are those of `Area`"))
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    let (quota, json) = match args.command {
        Command::Show(command) => (show(&client, command.account).await?, command.json),
        Command::Set(command) => {
            let json = command.json;
            (set(&client, command).await?, json)
        }
        Command::Day(Day { begins_at, json }) => {
            (client.post("/admin/v1/quota/day", &QuotaDay { begins_at }).await?, json)
        }
    };
    if json {
        output::json(&quota);
    } else {
        output::line(format!("account {}; the day ends {}", quota.account, quota.resets_at));
        let rows: Vec<_> = quota.products.iter().map(row).collect();
        table::print(["PRODUCT", "AREA", "BATCH", "DAILY", "USED", "AVAILABLE"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(client: &Client, account: Option<String>) -> Result<Quota, Failure> {
    let query = account.map_or_else(String::new, |uin| format!("?account={uin}"));
    Ok(client.get(&format!("/admin/v1/quota{query}")).await?)
}

async fn set(client: &Client, set: Set) -> Result<Quota, Failure> {
    let Set { product, area, batch, daily, account, .. } = set;
    let change = QuotaChange { account, product, area, batch, daily };
    Ok(client.post("/admin/v1/quota", &change).await?)
}

fn row(entry: &QuotaView) -> [String; 6] {
    let is_by_area = entry.product.counted(AreaScope::Global).len() > 1;
    let area = if is_by_area { entry.area.as_str() } else { "all" };
    [
        entry.product.as_str().into(),
        area.into(),
        entry.batch.to_string(),
        entry.daily.to_string(),
        entry.used.to_string(),
        entry.available.to_string(),
    ]
}

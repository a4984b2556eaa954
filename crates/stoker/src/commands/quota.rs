//! `stoker quota`: how many URLs accounts may prefetch and purge in a day.

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
    commands::{
        account_flag::uin,
        arguments::{ForCaller, Print},
        table,
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the limits and what is left of them today
    Show {
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        print: Print,
    },
    /// Set limits, in force from the next call
    Set(Set),
    /// Set the time of day at which daily quotas start again, after the current quota day
    Day {
        /// Time of day and offset from UTC, such as `00:00+08:00`
        #[arg(value_name = "HH:MM+HH:MM")]
        begins_at: Reset,
        #[command(flatten)]
        print: Print,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Account {
    /// Act for the account with this number; only the owner of the installation may name another
    /// than their own
    #[arg(long = "account", value_name = "UIN", value_parser = uin)]
    uin: Option<String>,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("limit").required(true).multiple(true).args(["batch", "daily"]))]
pub(super) struct Set {
    /// Product whose URLs are counted
    #[arg(value_parser = product_words())]
    product: Product,
    /// Only in this area
    #[arg(long, value_name = "AREA", value_parser = area_words())]
    area: Option<Area>,
    /// URLs in one call of the API
    #[arg(long, value_name = "N")]
    batch: Option<u32>,
    /// URLs in one day; nothing is left if more have been used today
    #[arg(long, value_name = "N")]
    daily: Option<u64>,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    print: Print,
}

fn product_words() -> impl TypedValueParser<Value = Product> {
    PossibleValuesParser::new(Product::ALL.map(Product::as_str))
        .map(|word| word.parse().expect("the words are those of `Product`"))
}

fn area_words() -> impl TypedValueParser<Value = Area> {
    PossibleValuesParser::new(Area::ALL.map(Area::as_str))
        .map(|word| word.parse().expect("the words are those of `Area`"))
}

pub(super) async fn run(args: ForCaller<Command>) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    let (quota, print): (Quota, _) = match args.command {
        Command::Show { account, print } => {
            let query = account.uin.map_or_else(String::new, |uin| format!("?account={uin}"));
            (client.get(&format!("/admin/v1/quota{query}")).await?, print)
        }
        Command::Set(Set { product, area, batch, daily, account, print }) => {
            let change = QuotaChange { account: account.uin, product, area, batch, daily };
            (client.post("/admin/v1/quota", &change).await?, print)
        }
        Command::Day { begins_at, print } => {
            (client.post("/admin/v1/quota/day", &QuotaDay { begins_at }).await?, print)
        }
    };
    if print.json {
        output::json(&quota);
    } else {
        output::line(format!("account {}; the day ends {}", quota.account, quota.resets_at));
        let rows: Vec<_> = quota.products.iter().map(row).collect();
        table::print(["PRODUCT", "AREA", "BATCH", "DAILY", "USED", "AVAILABLE"], &rows);
    }
    Ok(ExitCode::SUCCESS)
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

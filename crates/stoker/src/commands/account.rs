//! `stoker account`: the accounts of an installation.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use stoker_domain::account::{Feature, Service};
use stoker_gateway::admin::api::identity::{
    AccountChange, AccountMade, AccountView, Accounts, NewAccount,
};

use crate::{
    client::Client,
    commands::{
        secret, table,
        whose::{names, state, uin},
    },
    config::Access,
    failure::Failure,
    output,
};

/// Add, list, show, enable, disable or suspend accounts, as the owner of the installation
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an account, with a key of its root user
    Add(Add),
    /// List all accounts
    List(List),
    /// Show one account; everybody may see their own
    Show(Which),
    /// Let the keys of an account be known again
    Enable(Which),
    /// Know no key of an account any more, be it the root user's or another's
    Disable(Which),
    /// Refuse the calls of an account and tell it why; its domains are served, what it has submitted
    /// goes on
    Suspend(Suspend),
    /// Carry out the calls of an account again
    Resume(Which),
    /// Open a feature to an account, or close it; all are open at first
    Feature(Switch),
    /// Ask an account for proofs that hosts are its own, or waive them; at first they are required
    Verification(Verification),
}

#[derive(clap::Args, Debug)]
struct Verification {
    /// Number of the account
    #[arg(value_name = "UIN", value_parser = uin)]
    uin: String,
    /// Whether it must prove that a host is its own before it adds it
    #[arg(value_name = "STATE", value_enum)]
    state: VerificationWord,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VerificationWord {
    Waived,
    Required,
}

#[derive(clap::Args, Debug)]
struct Suspend {
    #[command(flatten)]
    which: Which,
    /// Say that the account awaits approval, not that it is suspended
    #[arg(long)]
    awaiting_approval: bool,
}

#[derive(clap::Args, Debug)]
struct Switch {
    /// Number of the account
    #[arg(value_name = "UIN", value_parser = uin)]
    uin: String,
    /// Which feature
    #[arg(value_name = "NAME", value_enum)]
    feature: FeatureWord,
    /// Whether it is open
    #[arg(value_name = "STATE", value_enum)]
    state: OnOff,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

/// A feature, as an operator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FeatureWord {
    /// `Mode` `edge` of CreatePrefetchTask
    EdgePrefetch,
    /// PrefetchMediaSegments of CreatePrefetchTask
    MediaSegments,
    /// DisableRange of PushUrlsCache, `prefetch --disable-range`
    DisableRange,
    /// ModifyPrefetchOriginLimit and DescribePrefetchOriginLimit
    OriginLimit,
}

impl From<FeatureWord> for Feature {
    fn from(word: FeatureWord) -> Self {
        match word {
            FeatureWord::EdgePrefetch => Self::EdgePrefetch,
            FeatureWord::MediaSegments => Self::MediaSegments,
            FeatureWord::DisableRange => Self::DisableRange,
            FeatureWord::OriginLimit => Self::OriginLimit,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(clap::Args, Debug)]
struct Add {
    /// What people call it; need not be unique
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    #[command(flatten)]
    output: secret::Output,
}

#[derive(clap::Args, Debug)]
struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Which {
    /// Number of the account
    #[arg(value_name = "UIN", value_parser = uin)]
    uin: String,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    match args.command {
        Command::Add(command) => add(&client, command).await?,
        Command::List(command) => list(&client, command).await?,
        Command::Show(which) => {
            let account = client.get(&format!("/admin/v1/accounts/{}", which.uin)).await?;
            show(&account, which.json);
        }
        Command::Enable(which) => switch(&client, which, true).await?,
        Command::Disable(which) => switch(&client, which, false).await?,
        Command::Suspend(Suspend { which, awaiting_approval: false }) => {
            serve(&client, which, Service::Suspended).await?;
        }
        Command::Suspend(Suspend { which, awaiting_approval: true }) => {
            serve(&client, which, Service::AwaitingApproval).await?;
        }
        Command::Resume(which) => serve(&client, which, Service::Active).await?,
        Command::Feature(command) => open(&client, command).await?,
        Command::Verification(command) => waive(&client, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(client: &Client, add: Add) -> Result<(), Failure> {
    let place = add.output.take()?;
    let new = NewAccount { name: add.name };
    let made: AccountMade = client.post("/admin/v1/accounts", &new).await?;
    place.put(&made, client.endpoint())
}

async fn list(client: &Client, list: List) -> Result<(), Failure> {
    let split = |page: Accounts| (page.accounts, page.next);
    let accounts = client.list("/admin/v1/accounts", usize::MAX, split).await?;
    let row = |account: &AccountView| {
        let state = standing(account).into();
        [account.uin.clone(), state, account.created_at.clone(), account.name.clone()]
    };
    let none = "no accounts; `stoker account add` makes them";
    table::list(list.json, &accounts, none, ["ACCOUNT", "STATE", "CREATED", "NAME"], row);
    Ok(())
}

async fn switch(client: &Client, which: Which, is_enabled: bool) -> Result<(), Failure> {
    let change = AccountChange { is_enabled: Some(is_enabled), ..AccountChange::default() };
    let path = format!("/admin/v1/accounts/{}", which.uin);
    let account: AccountView = client.post(&path, &change).await?;
    let sentence = format!("{} is {}", account.uin, state(account.is_enabled));
    output::told(which.json, &account, sentence);
    Ok(())
}

async fn serve(client: &Client, which: Which, service: Service) -> Result<(), Failure> {
    let change = AccountChange { service: Some(service), ..AccountChange::default() };
    let path = format!("/admin/v1/accounts/{}", which.uin);
    let account: AccountView = client.post(&path, &change).await?;
    let sentence = format!("{}: its service is {}", account.uin, account.service.as_str());
    output::told(which.json, &account, sentence);
    Ok(())
}

async fn open(client: &Client, switch: Switch) -> Result<(), Failure> {
    let (feature, is_open) = (Feature::from(switch.feature), switch.state == OnOff::On);
    let change =
        AccountChange { features: [(feature, is_open)].into(), ..AccountChange::default() };
    let path = format!("/admin/v1/accounts/{}", switch.uin);
    let account: AccountView = client.post(&path, &change).await?;
    let state = if is_open { "open" } else { "closed" };
    output::told(switch.json, &account, format!("{feature} is {state} to {}", account.uin));
    Ok(())
}

async fn waive(client: &Client, command: Verification) -> Result<(), Failure> {
    let is_waived = command.state == VerificationWord::Waived;
    let change =
        AccountChange { is_verification_waived: Some(is_waived), ..AccountChange::default() };
    let path = format!("/admin/v1/accounts/{}", command.uin);
    let account: AccountView = client.post(&path, &change).await?;
    let sentence = format!("{}: verification of hosts is {}", account.uin, verification(&account));
    output::told(command.json, &account, sentence);
    Ok(())
}

const fn verification(account: &AccountView) -> &'static str {
    if account.is_verification_waived { "waived" } else { "required" }
}

/// Whether its keys are known and its calls carried out, in a word or two.
const fn standing(account: &AccountView) -> &'static str {
    match account.service {
        Service::Suspended | Service::AwaitingApproval if account.is_enabled => {
            account.service.as_str()
        }
        _ => state(account.is_enabled),
    }
}

fn show(account: &AccountView, json: bool) {
    if json {
        output::json(account);
        return;
    }
    table::values([
        ("account", account.uin.clone()),
        ("app id", account.app_id.to_string()),
        ("name", account.name.clone()),
        ("state", state(account.is_enabled).into()),
        ("service", account.service.as_str().into()),
        ("closed to it", closed(account)),
        ("verification", verification(account).into()),
        ("created", account.created_at.clone()),
    ]);
}

/// The features that are closed to it.
fn closed(account: &AccountView) -> String {
    let closed = account.features.iter().filter(|(_, is_open)| !**is_open);
    names(&closed.map(|(feature, _)| feature.to_string()).collect::<Vec<_>>())
}

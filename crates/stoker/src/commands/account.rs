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
        account_flag::uin,
        arguments::{ForCaller, List, Print},
        secret,
        table::{self, names, state},
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an account, with a key for its root user
    Add {
        /// A name for people; need not be unique
        #[arg(default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        output: secret::Output,
    },
    /// List all accounts
    List(List),
    /// Show one account; every account may show itself
    Show(Which),
    /// Enable an account: its enabled keys work again
    Enable(Which),
    /// Disable all keys of an account, those of its root user and of its sub-users
    Disable(Which),
    /// Suspend an account: refuse its calls and give the reason
    ///
    /// Its domains are still served, and its running tasks continue.
    Suspend {
        #[command(flatten)]
        which: Which,
        /// Give "awaiting approval" as the reason in place of "suspended"
        #[arg(long)]
        awaiting_approval: bool,
    },
    /// Resume a suspended account: accept its calls again
    Resume(Which),
    /// Enable or disable a feature for an account; all are enabled at first
    Feature {
        #[command(flatten)]
        which: Which,
        /// Name of the feature
        #[arg(value_name = "NAME", value_enum)]
        feature: FeatureWord,
        /// Whether the account may use it
        #[arg(value_name = "STATE", value_enum)]
        state: OnOff,
    },
    /// Require proof of ownership of an account's hosts, or waive it; required at first
    Verification {
        #[command(flatten)]
        which: Which,
        /// Whether the account must prove that it owns a host before it adds it
        #[arg(value_name = "STATE", value_enum)]
        state: VerificationWord,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Which {
    /// Number of the account
    #[arg(value_name = "UIN", value_parser = uin)]
    uin: String,
    #[command(flatten)]
    print: Print,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum VerificationWord {
    Waived,
    Required,
}

/// A feature, as an operator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FeatureWord {
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
pub(super) enum OnOff {
    On,
    Off,
}

pub(super) async fn run(args: ForCaller<Command>) -> Result<ExitCode, Failure> {
    let client = args.access.client()?;
    let (which, change) = match args.command {
        Command::Add { name, output } => {
            add(&client, name, output).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::List(List { json }) => {
            list(&client, json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Show(which) => {
            show(&client.get(&path(&which)).await?, which.print.json);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Enable(which) => (which, Change::IsEnabled(true)),
        Command::Disable(which) => (which, Change::IsEnabled(false)),
        Command::Suspend { which, awaiting_approval: false } => {
            (which, Change::Service(Service::Suspended))
        }
        Command::Suspend { which, awaiting_approval: true } => {
            (which, Change::Service(Service::AwaitingApproval))
        }
        Command::Resume(which) => (which, Change::Service(Service::Active)),
        Command::Feature { which, feature, state } => {
            (which, Change::Feature(feature.into(), state == OnOff::On))
        }
        Command::Verification { which, state } => {
            (which, Change::Verification(state == VerificationWord::Required))
        }
    };
    let account: AccountView = client.post(&path(&which), &change.call()).await?;
    output::result(which.print.json, &account, change.sentence(&account));
    Ok(ExitCode::SUCCESS)
}

fn path(which: &Which) -> String {
    format!("/admin/v1/accounts/{}", which.uin)
}

/// One change of an account.
enum Change {
    IsEnabled(bool),
    Service(Service),
    Feature(Feature, bool),
    /// Whether proof of ownership is required.
    Verification(bool),
}

impl Change {
    fn call(&self) -> AccountChange {
        let mut call = AccountChange::default();
        match *self {
            Self::IsEnabled(is_enabled) => call.is_enabled = Some(is_enabled),
            Self::Service(service) => call.service = Some(service),
            Self::Feature(feature, is_enabled) => call.features = [(feature, is_enabled)].into(),
            Self::Verification(is_required) => call.is_verification_waived = Some(!is_required),
        }
        call
    }

    /// What is so now.
    fn sentence(&self, account: &AccountView) -> String {
        let uin = &account.uin;
        match self {
            Self::IsEnabled(_) => format!("{uin} is {}", state(account.is_enabled)),
            Self::Service(_) => format!("{uin} is {}", account.service.as_str()),
            Self::Feature(feature, is_enabled) => {
                format!("{feature} is {} for {uin}", state(*is_enabled))
            }
            Self::Verification(_) => format!("verification is {} for {uin}", verification(account)),
        }
    }
}

async fn add(client: &Client, name: String, output: secret::Output) -> Result<(), Failure> {
    let place = output.take()?;
    let made: AccountMade = client.post("/admin/v1/accounts", &NewAccount { name }).await?;
    place.put(&made, client.endpoint())
}

async fn list(client: &Client, json: bool) -> Result<(), Failure> {
    let split = |page: Accounts| (page.accounts, page.next);
    let accounts = client.list("/admin/v1/accounts", usize::MAX, split).await?;
    let row = |account: &AccountView| {
        let state = standing(account).into();
        [account.uin.clone(), state, account.created_at.clone(), account.name.clone()]
    };
    let none = "no accounts; add one with `stoker account add`";
    table::list(json, &accounts, none, ["ACCOUNT", "STATE", "CREATED", "NAME"], row);
    Ok(())
}

const fn verification(account: &AccountView) -> &'static str {
    if account.is_verification_waived { "waived" } else { "required" }
}

/// Whether its keys work and its calls are accepted, in a word or two.
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
        ("disabled features", disabled(account)),
        ("verification", verification(account).into()),
        ("created", account.created_at.clone()),
    ]);
}

/// The features that the account may not use.
fn disabled(account: &AccountView) -> String {
    let disabled = account.features.iter().filter(|(_, is_enabled)| !**is_enabled);
    names(&disabled.map(|(feature, _)| feature.to_string()).collect::<Vec<_>>())
}

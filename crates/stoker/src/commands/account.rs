//! `stoker account`: the accounts of an installation.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{
    AccountChange, AccountMade, AccountView, Accounts, NewAccount,
};

use crate::{
    client::Client,
    commands::{
        secret, table,
        whose::{state, uin},
    },
    config::Access,
    failure::Failure,
    output,
};

/// Add, list, show, enable or disable accounts, as the owner of the installation
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
    let Accounts { accounts } = client.get("/admin/v1/accounts").await?;
    let row = |account: &AccountView| {
        let state = state(account.is_enabled).into();
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
        ("created", account.created_at.clone()),
    ]);
}

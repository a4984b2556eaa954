//! `stoker user`: the sub-users of an account.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{NewName, Switch, UserView, Users};

use crate::{
    commands::{
        table,
        whose::{self, Whose, names, state},
    },
    failure::Failure,
    output,
};

/// Add, list, show, enable, disable or remove users: they may do what policies allow
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user; it may do nothing until a policy is attached to it
    Add(New),
    /// List the users of the account
    List(List),
    /// Show one user
    Show(Which),
    /// Let the keys of a user be known again
    Enable(Which),
    /// Know no key of a user any more
    Disable(Which),
    /// Remove a user with its keys, and take it out of its groups
    Remove(Remove),
}

#[derive(clap::Args, Debug)]
struct New {
    /// Its name, unique in the account
    #[arg(value_parser = whose::name)]
    name: String,
    /// Print the user as JSON
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
struct Which {
    /// Which user, by name or number
    #[arg(value_parser = whose::name)]
    user: String,
    /// Print the user as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Remove {
    /// Which user, by name or number
    #[arg(value_parser = whose::name)]
    user: String,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let Args { command, whose } = args;
    let client = whose.client()?;
    let path = |user: &str| whose.path(&format!("users/{user}"));
    match command {
        Command::Add(New { name, json }) => {
            let user: UserView = client.post(&whose.path("users"), &NewName { name }).await?;
            output::told(json, &user, format!("added {}: {}", user.name, user.uin));
        }
        Command::List(List { json }) => {
            let split = |page: Users| (page.users, page.next);
            let users = client.list(&whose.path("users"), usize::MAX, split).await?;
            let none = "no users; `stoker user add` makes them";
            let head = ["USER", "NUMBER", "STATE", "GROUPS", "POLICIES"];
            table::list(json, &users, none, head, row);
        }
        Command::Show(Which { user, json }) => show(&client.get(&path(&user)).await?, json),
        Command::Enable(Which { user, json }) => {
            let user = client.post(&path(&user), &Switch { is_enabled: true }).await?;
            switched(&user, json);
        }
        Command::Disable(Which { user, json }) => {
            let user = client.post(&path(&user), &Switch { is_enabled: false }).await?;
            switched(&user, json);
        }
        Command::Remove(Remove { user }) => {
            client.delete(&path(&user)).await?;
            output::line(format!("removed {user}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn switched(user: &UserView, json: bool) {
    output::told(json, user, format!("{} is {}", user.name, state(user.is_enabled)));
}

fn row(user: &UserView) -> [String; 5] {
    [
        user.name.clone(),
        user.uin.clone(),
        state(user.is_enabled).into(),
        names(&user.groups),
        names(&user.policies),
    ]
}

fn show(user: &UserView, json: bool) {
    if json {
        output::json(user);
        return;
    }
    table::values([
        ("user", user.name.clone()),
        ("number", user.uin.clone()),
        ("state", state(user.is_enabled).into()),
        ("groups", names(&user.groups)),
        ("policies", names(&user.policies)),
        ("created", user.created_at.clone()),
    ]);
}

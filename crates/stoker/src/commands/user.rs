//! `stoker user`: the sub-users of an account.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{NewName, UserView, Users};

use crate::{
    commands::{
        arguments::{ForAccount, List, New, Print, name},
        table::{self, names, state},
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user, who may do nothing until a policy is attached
    Add(New),
    /// List the users of the account
    List(List),
    /// Show one user
    Show(Which),
    /// Enable a user: its enabled keys work again
    Enable(Which),
    /// Disable a user: none of its keys works until the user is enabled
    Disable(Which),
    /// Remove a user and its keys
    Remove {
        /// Name or number of the user
        #[arg(value_parser = name)]
        user: String,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct Which {
    /// Name or number of the user
    #[arg(value_parser = name)]
    user: String,
    #[command(flatten)]
    print: Print,
}

pub(super) async fn run(args: ForAccount<Command>) -> Result<ExitCode, Failure> {
    let ForAccount { command, account } = args;
    let client = account.client()?;
    let path = |user: &str| account.path(&format!("users/{user}"));
    match command {
        Command::Add(New { name, print }) => {
            let user: UserView = client.post(&account.path("users"), &NewName { name }).await?;
            output::result(print.json, &user, format!("added {}: {}", user.name, user.uin));
        }
        Command::List(List { json }) => {
            let split = |page: Users| (page.users, page.next);
            let users = client.list(&account.path("users"), usize::MAX, split).await?;
            let none = "no users; add one with `stoker user add NAME`";
            let head = ["USER", "NUMBER", "STATE", "GROUPS", "POLICIES"];
            table::list(json, &users, none, head, row);
        }
        Command::Show(Which { user, print }) => {
            show(&client.get(&path(&user)).await?, print.json);
        }
        Command::Enable(Which { user, print }) => {
            print.switch(&client, &path(&user), true, name_and_state).await?;
        }
        Command::Disable(Which { user, print }) => {
            print.switch(&client, &path(&user), false, name_and_state).await?;
        }
        Command::Remove { user } => {
            client.delete(&path(&user)).await?;
            output::line(format!("removed {user}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn name_and_state(user: &UserView) -> (&str, bool) {
    (&user.name, user.is_enabled)
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

//! `stoker group`: users who share policies.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{GroupView, Groups, NewMember, NewName};

use crate::{
    commands::{
        table,
        whose::{self, Whose, names},
    },
    failure::Failure,
    output,
};

/// Add, list or remove groups of users, and say who is in them
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a group without members
    Add(New),
    /// List the groups of the account
    List(List),
    /// Remove a group; its members stay and lose its policies
    Remove(Remove),
    /// Put a user into a group
    Join(Join),
    /// Take a user out of a group
    Leave(Leave),
}

#[derive(clap::Args, Debug)]
struct New {
    /// Its name, unique in the account
    #[arg(value_parser = whose::name)]
    name: String,
    /// Print the group as JSON
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
struct Remove {
    /// Which group
    #[arg(value_parser = whose::name)]
    group: String,
}

#[derive(clap::Args, Debug)]
struct Join {
    /// Which group
    #[arg(value_parser = whose::name)]
    group: String,
    /// Which user, by name or number
    #[arg(value_parser = whose::name)]
    user: String,
    /// Print the group as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Leave {
    /// Which group
    #[arg(value_parser = whose::name)]
    group: String,
    /// Which user, by name or number
    #[arg(value_parser = whose::name)]
    user: String,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let Args { command, whose } = args;
    let client = whose.client()?;
    match command {
        Command::Add(New { name, json }) => {
            let group: GroupView = client.post(&whose.path("groups"), &NewName { name }).await?;
            output::told(json, &group, format!("added {}", group.name));
        }
        Command::List(List { json }) => {
            let split = |page: Groups| (page.groups, page.next);
            let groups = client.list(&whose.path("groups"), usize::MAX, split).await?;
            let none = "no groups; `stoker group add` makes them";
            table::list(json, &groups, none, ["GROUP", "MEMBERS", "POLICIES"], row);
        }
        Command::Remove(Remove { group }) => {
            client.delete(&whose.path(&format!("groups/{group}"))).await?;
            output::line(format!("removed {group}"));
        }
        Command::Join(Join { group, user, json }) => {
            let line = format!("{user} is in {group}");
            let path = whose.path(&format!("groups/{group}/members"));
            let group: GroupView = client.post(&path, &NewMember { user }).await?;
            output::told(json, &group, line);
        }
        Command::Leave(Leave { group, user }) => {
            client.delete(&whose.path(&format!("groups/{group}/members/{user}"))).await?;
            output::line(format!("{user} is not in {group}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(group: &GroupView) -> [String; 3] {
    [group.name.clone(), names(&group.members), names(&group.policies)]
}

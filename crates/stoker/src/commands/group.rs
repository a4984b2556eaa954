//! `stoker group`: users who share policies.

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{GroupView, Groups, NewMember, NewName};

use crate::{
    commands::{
        arguments::{ForAccount, List, New, Print, name},
        table::{self, names},
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a group without members
    Add(New),
    /// List the groups of the account
    List(List),
    /// Remove a group; its members remain and lose its policies
    Remove {
        /// Name of the group
        #[arg(value_parser = name)]
        group: String,
    },
    /// Add a user to a group
    Join {
        #[command(flatten)]
        member: Member,
        #[command(flatten)]
        print: Print,
    },
    /// Remove a user from a group
    Leave(Member),
}

#[derive(clap::Args, Debug)]
pub(super) struct Member {
    /// Name of the group
    #[arg(value_parser = name)]
    group: String,
    /// Name or number of the user
    #[arg(value_parser = name)]
    user: String,
}

pub(super) async fn run(args: ForAccount<Command>) -> Result<ExitCode, Failure> {
    let ForAccount { command, account } = args;
    let client = account.client()?;
    match command {
        Command::Add(New { name, print }) => {
            let path = account.path("groups");
            let group: GroupView = client.post(&path, &NewName { name }).await?;
            output::result(print.json, &group, format!("added {}", group.name));
        }
        Command::List(List { json }) => {
            let split = |page: Groups| (page.groups, page.next);
            let groups = client.list(&account.path("groups"), usize::MAX, split).await?;
            let none = "no groups; add one with `stoker group add NAME`";
            table::list(json, &groups, none, ["GROUP", "MEMBERS", "POLICIES"], row);
        }
        Command::Remove { group } => {
            client.delete(&account.path(&format!("groups/{group}"))).await?;
            output::line(format!("removed {group}"));
        }
        Command::Join { member: Member { group, user }, print } => {
            let line = format!("{user} is in {group}");
            let path = account.path(&format!("groups/{group}/members"));
            let group: GroupView = client.post(&path, &NewMember { user }).await?;
            output::result(print.json, &group, line);
        }
        Command::Leave(Member { group, user }) => {
            client.delete(&account.path(&format!("groups/{group}/members/{user}"))).await?;
            output::line(format!("{user} is not in {group}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(group: &GroupView) -> [String; 3] {
    [group.name.clone(), names(&group.members), names(&group.policies)]
}

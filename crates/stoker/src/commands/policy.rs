//! `stoker policy`: what users may do, and why.

mod test;

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{Holder, NewPolicy, Policies, PolicyView};

use crate::{
    commands::{
        account_flag::AccountFlag,
        arguments::{ForAccount, List, Print, name, read_policy},
        table::{self, names},
    },
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a policy, or replace the document of an existing one
    Put {
        /// Its name, unique in the account
        #[arg(value_parser = name)]
        name: String,
        /// File with the policy document; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        file: String,
        #[command(flatten)]
        print: Print,
    },
    /// List the policies of the account, without their documents
    List(List),
    /// Show one policy and its document
    Show {
        /// Name of the policy
        #[arg(value_parser = name)]
        name: String,
        #[command(flatten)]
        print: Print,
    },
    /// Remove a policy that is attached to no user and no group
    Remove {
        /// Name of the policy
        #[arg(value_parser = name)]
        name: String,
    },
    /// Attach a policy to a user or a group
    Attach(Attach),
    /// Detach a policy from a user or a group
    Detach(Attach),
    Test(test::Args),
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("holder").required(true).args(["user", "group"]))]
pub(super) struct Attach {
    /// Name of the policy
    #[arg(value_parser = name)]
    name: String,
    /// Name or number of the user
    #[arg(long, value_name = "USER", value_parser = name)]
    user: Option<String>,
    /// Name of the group
    #[arg(long, value_name = "GROUP", value_parser = name)]
    group: Option<String>,
    #[command(flatten)]
    print: Print,
}

pub(super) async fn run(args: ForAccount<Command>) -> Result<ExitCode, Failure> {
    let ForAccount { command, account } = args;
    let path = |name: &str| account.path(&format!("policies/{name}"));
    match command {
        Command::Put { name, file, print } => {
            let document = read_policy(&file)?;
            let new = NewPolicy { name, document };
            let path = account.path("policies");
            let policy: PolicyView = account.client()?.post(&path, &new).await?;
            output::result(print.json, &policy, format!("put {}", policy.name));
        }
        Command::List(List { json }) => {
            let split = |page: Policies| (page.policies, page.next);
            let path = account.path("policies");
            let policies = account.client()?.list(&path, usize::MAX, split).await?;
            let none = "no policies; add one with `stoker policy put NAME --file FILE`";
            table::list(json, &policies, none, ["POLICY", "CHANGED", "USERS", "GROUPS"], row);
        }
        Command::Show { name, print } => {
            show(&account.client()?.get(&path(&name)).await?, print.json);
        }
        Command::Remove { name } => {
            account.client()?.delete(&path(&name)).await?;
            output::line(format!("removed {name}"));
        }
        Command::Attach(command) => set(&account, command, true).await?,
        Command::Detach(command) => set(&account, command, false).await?,
        Command::Test(args) => return test::run(&account, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(account: &AccountFlag, attach: Attach, is_attached: bool) -> Result<(), Failure> {
    let Attach { name, user, group, print } = attach;
    let who = user.as_ref().or(group.as_ref()).map_or("", String::as_str);
    let (word, line) = if is_attached {
        ("attach", format!("attached {name} to {who}"))
    } else {
        ("detach", format!("detached {name} from {who}"))
    };
    let path = account.path(&format!("policies/{name}/{word}"));
    let policy: PolicyView = account.client()?.post(&path, &Holder { user, group }).await?;
    output::result(print.json, &policy, line);
    Ok(())
}

fn row(policy: &PolicyView) -> [String; 4] {
    let changed = policy.updated_at.clone();
    [policy.name.clone(), changed, names(&policy.users), names(&policy.groups)]
}

fn show(policy: &PolicyView, json: bool) {
    if json {
        output::json(policy);
        return;
    }
    table::values([
        ("policy", policy.name.clone()),
        ("users", names(&policy.users)),
        ("groups", names(&policy.groups)),
        ("created", policy.created_at.clone()),
        ("changed", policy.updated_at.clone()),
    ]);
    output::line(policy.document.as_deref().unwrap_or_default().trim_end());
}

//! `stoker policy`: what users may do, and why.

mod test;

use std::process::ExitCode;

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{Holder, NewPolicy, Policies, PolicyView};

use crate::{
    commands::{
        table,
        whose::{self, Whose, names, read_policy},
    },
    failure::Failure,
    output,
};

/// Put, list, show, remove, attach, detach or test policies
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a policy, or replace the document of one for whoever has it
    Put(Put),
    /// List the policies of the account
    List(List),
    /// Show one policy and its document
    Show(Show),
    /// Remove a policy that is attached to nobody
    Remove(Remove),
    /// Attach a policy to a user or a group
    Attach(Attach),
    /// Detach a policy from a user or a group
    Detach(Attach),
    Test(test::Args),
}

#[derive(clap::Args, Debug)]
struct Put {
    /// Its name, unique in the account
    #[arg(value_parser = whose::name)]
    name: String,
    /// The policy document; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: String,
    /// Print the policy as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct List {
    /// Print a JSON array, without the documents
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Which policy
    #[arg(value_parser = whose::name)]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Remove {
    /// Which policy
    #[arg(value_parser = whose::name)]
    name: String,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("holder").required(true).args(["user", "group"]))]
struct Attach {
    /// Which policy
    #[arg(value_parser = whose::name)]
    name: String,
    /// This user, by name or number
    #[arg(long, value_name = "USER", value_parser = whose::name)]
    user: Option<String>,
    /// All members of this group
    #[arg(long, value_name = "GROUP", value_parser = whose::name)]
    group: Option<String>,
    /// Print the policy as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let Args { command, whose } = args;
    let path = |name: &str| whose.path(&format!("policies/{name}"));
    match command {
        Command::Put(Put { name, file, json }) => {
            let document = read_policy(&file)?;
            let new = NewPolicy { name, document };
            let policy: PolicyView = whose.client()?.post(&whose.path("policies"), &new).await?;
            output::told(json, &policy, format!("put {}", policy.name));
        }
        Command::List(List { json }) => {
            let split = |page: Policies| (page.policies, page.next);
            let policies = whose.client()?.list(&whose.path("policies"), usize::MAX, split).await?;
            let none = "no policies; `stoker policy put` makes them";
            table::list(json, &policies, none, ["POLICY", "CHANGED", "USERS", "GROUPS"], row);
        }
        Command::Show(Show { name, json }) => {
            show(&whose.client()?.get(&path(&name)).await?, json);
        }
        Command::Remove(Remove { name }) => {
            whose.client()?.delete(&path(&name)).await?;
            output::line(format!("removed {name}"));
        }
        Command::Attach(command) => set(&whose, command, true).await?,
        Command::Detach(command) => set(&whose, command, false).await?,
        Command::Test(args) => return test::run(&whose, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(whose: &Whose, attach: Attach, is_attached: bool) -> Result<(), Failure> {
    let Attach { name, user, group, json } = attach;
    let who = user.as_ref().or(group.as_ref()).map_or("", String::as_str);
    let (word, line) = if is_attached {
        ("attach", format!("attached {name} to {who}"))
    } else {
        ("detach", format!("detached {name} from {who}"))
    };
    let path = whose.path(&format!("policies/{name}/{word}"));
    let policy: PolicyView = whose.client()?.post(&path, &Holder { user, group }).await?;
    output::told(json, &policy, line);
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

//! `stoker key`: the keys with which an account's users sign their calls.

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{
    KeyMade, KeyView, Keys, NewKey, NewTemporaryKey, Rotation, Switch,
};

use crate::{
    client::Client,
    commands::{
        secret,
        table::{self, or_dash},
        whose::{self, Whose, read_policy, state},
    },
    credentials::{self, Credentials},
    failure::Failure,
    output, size,
};

/// Add, list, enable, disable, remove or rotate keys, or make one that ends by itself
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key; its secret is shown this once
    Add(Add),
    /// List the keys of the account, without secrets; the temporary ones apart
    List(List),
    /// Let a key be known again
    Enable(Which),
    /// Know a key no more, until it is enabled again
    Disable(Which),
    /// Remove a key
    Remove(Remove),
    /// Make a new key for whoever has this one, and disable this one
    Rotate(Rotate),
    /// Make a key that ends by itself
    Temporary(Temporary),
}

#[derive(clap::Args, Debug)]
struct Add {
    /// The user that it is for, by name or number [default: the root user]
    #[arg(long, value_name = "USER", value_parser = whose::name)]
    user: Option<String>,
    #[command(flatten)]
    output: secret::Output,
}

#[derive(clap::Args, Debug)]
struct List {
    /// Only those of this user, by name or number
    #[arg(long, value_name = "USER", value_parser = whose::name)]
    user: Option<String>,
    /// Those that end by themselves and have not yet, the soonest to end first
    #[arg(long)]
    temporary: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Which {
    /// Public half of the key
    #[arg(value_name = "SECRET_ID", value_parser = whose::secret_id)]
    secret_id: String,
    /// Print the key as JSON, without its secret
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Remove {
    /// Public half of the key
    #[arg(value_name = "SECRET_ID", value_parser = whose::secret_id)]
    secret_id: String,
}

#[derive(clap::Args, Debug)]
struct Rotate {
    /// Public half of the key
    #[arg(value_name = "SECRET_ID", value_parser = whose::secret_id)]
    secret_id: String,
    /// Leave the old key enabled, until you disable it
    #[arg(long)]
    keep_old: bool,
    #[command(flatten)]
    output: secret::Output,
}

#[derive(clap::Args, Debug)]
struct Temporary {
    /// The user that it is for, by name or number [default: the root user]
    #[arg(long, value_name = "USER", value_parser = whose::name)]
    user: Option<String>,
    /// How long it is good, from 60s to 36h
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = size::parse_duration)]
    duration: Duration,
    /// Narrow it with this policy document; `-` is standard input
    #[arg(long, value_name = "FILE")]
    policy_file: Option<String>,
    #[command(flatten)]
    output: secret::Output,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let Args { command, whose } = args;
    let client = whose.client()?;
    let path = |secret_id: &str| whose.path(&format!("keys/{secret_id}"));
    match command {
        Command::Add(Add { user, output }) => {
            let place = output.take()?;
            let made: KeyMade = client.post(&whose.path("keys"), &NewKey { user }).await?;
            place.put(&made, client.endpoint())?;
        }
        Command::List(List { user, temporary, json }) => {
            let path = if temporary { "keys/temporary" } else { "keys" };
            let split = |page: Keys| (page.keys, page.next);
            let keys =
                client.list(&whose.path_of(path, user.as_deref()), usize::MAX, split).await?;
            if temporary {
                let none = "no temporary keys; `stoker key temporary` makes them";
                let head = ["KEY", "USER", "STATE", "CREATED", "LAST USED", "ENDS"];
                table::list(json, &keys, none, head, row_with_end);
            } else {
                let none = "no keys; `stoker key add` makes them";
                let head = ["KEY", "USER", "STATE", "CREATED", "LAST USED"];
                table::list(json, &keys, none, head, row);
            }
        }
        Command::Enable(which) => switch(&client, &path(&which.secret_id), &which, true).await?,
        Command::Disable(which) => switch(&client, &path(&which.secret_id), &which, false).await?,
        Command::Remove(Remove { secret_id }) => {
            client.delete(&path(&secret_id)).await?;
            output::line(format!("removed {secret_id}"));
        }
        Command::Rotate(command) => rotate(&client, &whose, command).await?,
        Command::Temporary(Temporary { user, duration, policy_file, output }) => {
            let policy = policy_file.as_deref().map(read_policy).transpose()?;
            let place = output.take()?;
            let duration_seconds = Some(duration.as_secs());
            let new = NewTemporaryKey { user, duration_seconds, policy };
            let made: KeyMade = client.post(&whose.path("keys/temporary"), &new).await?;
            place.put(&made, client.endpoint())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn switch(
    client: &Client,
    path: &str,
    which: &Which,
    is_enabled: bool,
) -> Result<(), Failure> {
    let key: KeyView = client.post(path, &Switch { is_enabled }).await?;
    let sentence = format!("{} is {}", key.secret_id, state(key.is_enabled));
    output::told(which.json, &key, sentence);
    Ok(())
}

/// The old key ends only when the new one is in safe keeping, also where the old one is what this
/// command signs with.
async fn rotate(client: &Client, whose: &Whose, rotate: Rotate) -> Result<(), Failure> {
    let Rotate { secret_id, keep_old, output } = rotate;
    let place = output.take()?;
    let path = whose.path(&format!("keys/{secret_id}/rotate"));
    let made: KeyMade = client.post(&path, &Rotation { keep_old: true }).await?;
    place.put(&made, client.endpoint())?;
    if let Some(data) = whose.access.data_dir()
        && let Some(own) = credentials::read_if_there(&data)?
        && own.secret_id == secret_id
    {
        let file = credentials::path(&data);
        let (secret_id, secret_key) = (made.secret_id, made.secret_key);
        let new = Credentials { secret_id, secret_key, ..own };
        credentials::write(&data, &new).map_err(|error| {
            Failure::because(format!("cannot write `{}`", file.display()), &error)
                .hint("both keys are good: put the new one there and disable the old one")
        })?;
        table::values([("written to", file.display().to_string())]);
    }
    if !keep_old {
        let path = whose.path(&format!("keys/{secret_id}"));
        let old: KeyView = client.post(&path, &Switch { is_enabled: false }).await?;
        output::note(&format!("{} is {}", old.secret_id, state(old.is_enabled)));
    }
    Ok(())
}

fn row(key: &KeyView) -> [String; 5] {
    [
        key.secret_id.clone(),
        key.user.clone().unwrap_or_else(|| "(root)".into()),
        state(key.is_enabled).into(),
        key.created_at.clone(),
        or_dash(key.last_used_at.as_ref()),
    ]
}

fn row_with_end(key: &KeyView) -> [String; 6] {
    let [id, user, state, created, used] = row(key);
    [id, user, state, created, used, or_dash(key.expires_at.as_ref())]
}

//! `stoker key`: the keys with which an account's users sign their calls.

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use stoker_gateway::admin::api::identity::{
    KeyMade, KeyView, Keys, NewKey, NewTemporaryKey, Rotation, Switch,
};

use crate::{
    client::Client,
    commands::{
        account_flag::AccountFlag,
        arguments::{self, ForAccount, List, Print, read_policy},
        secret,
        table::{self, or_dash, state},
    },
    credentials::{self, Credentials},
    failure::Failure,
    output, size,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a key; its secret is shown only once
    Add {
        #[command(flatten)]
        user: User,
        #[command(flatten)]
        output: secret::Output,
    },
    /// List the keys of the account, without their secrets
    List {
        /// Only the keys of this user, by name or number
        #[arg(long, value_name = "USER", value_parser = arguments::name)]
        user: Option<String>,
        /// List the temporary keys that have not expired, those that expire first at the top
        #[arg(long)]
        temporary: bool,
        #[command(flatten)]
        list: List,
    },
    /// Enable a key
    Enable(Which),
    /// Disable a key until it is enabled again
    Disable(Which),
    /// Remove a key
    Remove {
        #[command(flatten)]
        key: Key,
    },
    /// Create a new key for the user of this one, and disable this one
    Rotate {
        #[command(flatten)]
        key: Key,
        /// Leave the old key enabled
        #[arg(long)]
        keep_old: bool,
        #[command(flatten)]
        output: secret::Output,
    },
    /// Create a temporary key
    Temporary {
        #[command(flatten)]
        user: User,
        /// Lifetime of the key, from 60s to 36h
        #[arg(long, value_name = "TIME", default_value = "30m", value_parser = size::parse_duration)]
        duration: Duration,
        /// File with a policy document that restricts the key further; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        policy_file: Option<String>,
        #[command(flatten)]
        output: secret::Output,
    },
}

#[derive(clap::Args, Debug)]
pub(super) struct User {
    /// Name or number of the user who gets the key [default: the root user]
    #[arg(long, value_name = "USER", value_parser = arguments::name)]
    user: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct Key {
    /// Public half of the key
    #[arg(value_name = "SECRET_ID", value_parser = arguments::secret_id)]
    secret_id: String,
}

#[derive(clap::Args, Debug)]
pub(super) struct Which {
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    print: Print,
}

pub(super) async fn run(args: ForAccount<Command>) -> Result<ExitCode, Failure> {
    let ForAccount { command, account } = args;
    let client = account.client()?;
    let path = |key: &Key| account.path(&format!("keys/{}", key.secret_id));
    match command {
        Command::Add { user: User { user }, output } => {
            let place = output.take()?;
            let made: KeyMade = client.post(&account.path("keys"), &NewKey { user }).await?;
            place.put(&made, client.endpoint())?;
        }
        Command::List { user, temporary, list: List { json } } => {
            let path = if temporary { "keys/temporary" } else { "keys" };
            let split = |page: Keys| (page.keys, page.next);
            let keys =
                client.list(&account.path_of(path, user.as_deref()), usize::MAX, split).await?;
            if temporary {
                let none = "no temporary keys; create one with `stoker key temporary`";
                let head = ["KEY", "USER", "STATE", "CREATED", "LAST USED", "EXPIRES"];
                table::list(json, &keys, none, head, row_with_expiry);
            } else {
                let none = "no keys; create one with `stoker key add`";
                let head = ["KEY", "USER", "STATE", "CREATED", "LAST USED"];
                table::list(json, &keys, none, head, row);
            }
        }
        Command::Enable(Which { key, print }) => {
            print.switch(&client, &path(&key), true, name_and_state).await?;
        }
        Command::Disable(Which { key, print }) => {
            print.switch(&client, &path(&key), false, name_and_state).await?;
        }
        Command::Remove { key } => {
            client.delete(&path(&key)).await?;
            output::line(format!("removed {}", key.secret_id));
        }
        Command::Rotate { key, keep_old, output } => {
            rotate(&client, &account, (&key, keep_old), output).await?;
        }
        Command::Temporary { user: User { user }, duration, policy_file, output } => {
            let policy = policy_file.as_deref().map(read_policy).transpose()?;
            let place = output.take()?;
            let duration_seconds = Some(duration.as_secs());
            let new = NewTemporaryKey { user, duration_seconds, policy };
            let made: KeyMade = client.post(&account.path("keys/temporary"), &new).await?;
            place.put(&made, client.endpoint())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces a key. The old one is disabled only after the new one was written to its place, because
/// it may be the key that this command signs with.
async fn rotate(
    client: &Client,
    account: &AccountFlag,
    (key, keep_old): (&Key, bool),
    output: secret::Output,
) -> Result<(), Failure> {
    let place = output.take()?;
    let path = account.path(&format!("keys/{}/rotate", key.secret_id));
    let made: KeyMade = client.post(&path, &Rotation { keep_old: true }).await?;
    place.put(&made, client.endpoint())?;
    if let Some(data) = account.access.data_dir()
        && let Some(own) = credentials::read_if_there(&data)?
        && own.secret_id == key.secret_id
    {
        let file = credentials::path(&data);
        let (secret_id, secret_key) = (made.secret_id, made.secret_key);
        let new = Credentials { secret_id, secret_key, ..own };
        credentials::write(&data, &new).map_err(|error| {
            Failure::because(format!("cannot write `{}`", file.display()), &error)
                .hint("both keys work: write the new one there and disable the old one")
        })?;
        table::values([("written to", file.display().to_string())]);
    }
    if !keep_old {
        let path = account.path(&format!("keys/{}", key.secret_id));
        let old: KeyView = client.post(&path, &Switch { is_enabled: false }).await?;
        output::note(&format!("{} is {}", old.secret_id, state(old.is_enabled)));
    }
    Ok(())
}

fn name_and_state(key: &KeyView) -> (&str, bool) {
    (&key.secret_id, key.is_enabled)
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

fn row_with_expiry(key: &KeyView) -> [String; 6] {
    let [id, user, state, created, used] = row(key);
    [id, user, state, created, used, or_dash(key.expires_at.as_ref())]
}

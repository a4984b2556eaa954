//! The command line: one file per command, each with its arguments, its help and its work.
//!
//! A command gives the exit code 0 when what was asked for is so, 1 when it is not, 2 for wrong
//! usage. It reaches the server only through `client`.

mod account;
mod check;
mod completions;
mod doctor;
mod domain;
mod follow;
mod group;
mod hosts;
mod key;
mod not_followed;
mod policy;
mod prefetch;
mod progress;
mod purge;
mod quota;
mod secret;
mod table;
mod task;
mod up;
mod user;
mod verification;
mod whose;
mod zone;

use std::{future::Future, process::ExitCode};

use clap::{
    Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stoker_domain::{
    area::{AreaScope, Tier},
    task::Progress,
};
use tokio::runtime::Builder;

use crate::failure::Failure;

/// Keeps caches warm: brings content to cache nodes before the first viewer asks.
#[derive(Debug, Parser)]
#[command(name = "stoker", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Domain(domain::Args),
    Zone(zone::Args),
    Account(account::Args),
    User(user::Args),
    Group(group::Args),
    Key(key::Args),
    Policy(policy::Args),
    Prefetch(prefetch::Args),
    Purge(purge::Args),
    Quota(quota::Args),
    Task(task::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
}

/// Runs the command that was parsed.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Up(args) => up::run(args),
        Command::Domain(args) => wait_for(domain::run(args)),
        Command::Zone(args) => wait_for(zone::run(args)),
        Command::Account(args) => wait_for(account::run(args)),
        Command::User(args) => wait_for(user::run(args)),
        Command::Group(args) => wait_for(group::run(args)),
        Command::Key(args) => wait_for(key::run(args)),
        Command::Policy(args) => wait_for(policy::run(args)),
        Command::Prefetch(args) => wait_for(prefetch::run(args)),
        Command::Purge(args) => wait_for(purge::run(args)),
        Command::Quota(args) => wait_for(quota::run(args)),
        Command::Task(args) => wait_for(task::run(args)),
        Command::Check(args) => wait_for(check::run(args)),
        Command::Doctor(args) => wait_for(doctor::run(args)),
        Command::Completions(args) => Ok(completions::run(args)),
    }
}

fn wait_for(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("cannot start the runtime", &error))?;
    runtime.block_on(work)
}

/// Reads an area, so that help and errors list the words.
fn area_words() -> impl TypedValueParser<Value = AreaScope> {
    PossibleValuesParser::new(["mainland", "overseas", "global"])
        .map(|word| word.parse().expect("the words are those of `AreaScope`"))
}

/// Reads a tier, so that help and errors list the words.
fn layer_words() -> impl TypedValueParser<Value = Tier> {
    PossibleValuesParser::new(["edge", "middle"])
        .map(|word| word.parse().expect("the words are those of `Tier`"))
}

/// Reads how far a target is, so that help and errors list the words.
fn progress_words() -> impl TypedValueParser<Value = Progress> {
    PossibleValuesParser::new(["processing", "done", "failed"]).map(|word| match word.as_str() {
        "processing" => Progress::Processing,
        "done" => Progress::Done,
        _ => Progress::Failed,
    })
}

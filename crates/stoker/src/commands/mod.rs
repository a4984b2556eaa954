//! The command line: one file per command, each with its arguments, its help and its work.
//!
//! Exit codes: 0 when the command did what was asked, 1 when it did not, 2 for wrong usage. Commands
//! reach the server only through `client`.

mod account;
mod account_flag;
mod arguments;
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
mod zone;

use std::{future::Future, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::failure::Failure;

use arguments::{ForAccount, ForCaller};

/// Keeps caches warm: brings content to cache nodes before the first viewer asks
#[derive(Debug, Parser)]
#[command(name = "stoker", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    /// Add, list, show, change or remove accelerated domains
    Domain(ForAccount<domain::Command>),
    /// Add, list, show or remove zones, which are groups of domains
    Zone(ForCaller<zone::Command>),
    /// Add, list, show, enable, disable or suspend accounts, as the owner of the installation
    Account(ForCaller<account::Command>),
    /// Add, list, show, enable, disable or remove users, who may do what policies allow
    User(ForAccount<user::Command>),
    /// Add, list or remove groups of users, and change their members
    Group(ForAccount<group::Command>),
    /// Create, list, enable, disable, remove or rotate keys and temporary keys
    Key(ForAccount<key::Command>),
    /// Put, list, show, remove, attach, detach or test policies
    Policy(ForAccount<policy::Command>),
    Prefetch(prefetch::Args),
    Purge(purge::Args),
    /// Show or set how many URLs an account may prefetch and purge in a day
    Quota(ForCaller<quota::Command>),
    /// List, show, watch, cancel, pause, resume or retry tasks
    Task(ForCaller<task::Command>),
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

//! `stoker completions`: scripts that let a shell complete commands and flags.

use std::{io, process::ExitCode};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::commands::Cli;

/// Write a completion script for a shell
///
/// For bash: `stoker completions bash > /etc/bash_completion.d/stoker`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: Args) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "stoker", &mut io::stdout());
    ExitCode::SUCCESS
}

//! `stoker completions`: scripts that let a shell complete commands and flags.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{commands::Cli, output};

/// Print a completion script for a shell
///
/// For bash: `stoker completions bash > /etc/bash_completion.d/stoker`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Name of the shell
    shell: Shell,
}

pub(super) fn run(args: Args) -> ExitCode {
    // into memory first, because a reader that goes away is no reason to panic
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stoker", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

//! The `stoker` executable: parse, run, exit code.
//!
//! The one place where errors reach the terminal and where the process-wide choices are made: the
//! allocator and the crypto provider. Everything else is decided in `commands`.

mod client;
mod clock;
mod commands;
mod config;
mod credentials;
mod entropy;
mod failure;
mod list;
mod output;
mod pem;
mod private;
mod server;
mod size;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::commands::Cli;

// Nodes allocate and free many buffers of a few sizes on all threads at once, which this allocator
// is made for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // First of all, so that no library can bring another provider.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        output::error("another crypto provider was installed before ring");
        return ExitCode::FAILURE;
    }
    match commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

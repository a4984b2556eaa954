//! `stoker domain verify`: what to publish to prove that a host is the account's own, and whether it is
//! there.

use std::process::ExitCode;

use clap::ValueEnum;
use stoker_domain::ownership::Method;
use stoker_gateway::admin::api::ownership::{Verification, Verify as Wish};

use super::domain::host;
use crate::{client::Client, commands::table, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(super) struct Verify {
    /// Host or wildcard; it need not be a domain yet
    #[arg(value_parser = host)]
    pub(super) host: String,
    /// Where to look: for the TXT record, which proves the registrable domain and all below it, or for
    /// the file, which proves this host alone
    #[arg(long, value_enum, default_value_t = MethodWord::Dns)]
    method: MethodWord,
    /// Show what to publish, and do not look for it yet
    #[arg(long)]
    show: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A method, as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MethodWord {
    Dns,
    File,
}

impl From<MethodWord> for Method {
    fn from(word: MethodWord) -> Self {
        match word {
            MethodWord::Dns => Self::Dns,
            MethodWord::File => Self::File,
        }
    }
}

pub(super) async fn run(client: &Client, path: &str, command: Verify) -> Result<ExitCode, Failure> {
    let mut verification: Verification = client.get(path).await?;
    // shown first, for it is what helps when nothing is found
    if !command.json {
        show(&verification);
    }
    if !command.show {
        let wish = Wish { method: command.method.into() };
        verification = client.post(path, &wish).await?;
    }
    if command.json {
        output::json(&verification);
    } else if let Some(until) = &verification.verified_until {
        let proved = match verification.verified_by {
            Some(Method::Dns) => format!("{} and all below it", verification.domain),
            _ => verification.host.clone(),
        };
        output::line(format!("verified: {proved}; add domains until {until}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(verification: &Verification) {
    let file = verification.file_url.clone();
    table::values([
        ("host", verification.host.clone()),
        ("TXT record", verification.record_name.clone()),
        ("or file", file.unwrap_or_else(|| "none: a wildcard is proved by DNS alone".into())),
        ("text", verification.text.clone()),
        ("until", verification.expires_at.clone()),
        ("needed", if verification.is_needed { "yes" } else { "no" }.into()),
    ]);
}

//! `stoker domain verify`: what to publish to prove that the account owns a host, and the check of it.

use std::process::ExitCode;

use clap::ValueEnum;
use stoker_domain::ownership::Method;
use stoker_gateway::admin::api::ownership::{Verification, Verify as Search};

use crate::{
    client::Client,
    commands::{
        arguments::{Print, host},
        table,
    },
    failure::Failure,
    output,
};

#[derive(clap::Args, Debug)]
pub(super) struct Verify {
    /// Host or wildcard; the domain need not exist yet
    #[arg(value_parser = host)]
    pub(super) host: String,
    /// Proof to look for: the TXT record, which covers the registrable domain and all below it, or the
    /// file, which covers only this host
    #[arg(long, value_enum, default_value_t = MethodWord::Dns)]
    method: MethodWord,
    /// Only show what to publish
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    print: Print,
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
    // printed first: it is what helps when the check finds nothing
    if !command.print.json {
        show(&verification);
    }
    if !command.show {
        let search = Search { method: command.method.into() };
        verification = client.post(path, &search).await?;
    }
    if command.print.json {
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
        ("or file", file.unwrap_or_else(|| "none: only DNS proves a wildcard".into())),
        ("text", verification.text.clone()),
        ("until", verification.expires_at.clone()),
        ("needed", if verification.is_needed { "yes" } else { "no" }.into()),
    ]);
}

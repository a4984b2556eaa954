//! `stoker policy test`: what would be decided about a call, and by which statement.

use std::{collections::BTreeMap, net::IpAddr, process::ExitCode};

use stoker_gateway::admin::api::identity::{DecisionView, NewTest, Tested, Verdict};

use crate::{
    commands::whose::{self, Whose, read_policy},
    failure::Failure,
    output,
};

/// Tell what would be decided about a call, and by which statement
///
/// The exit code is 0 when the call is allowed, 1 when it is refused, and 2 when that could not be
/// found out.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("caller").required(true).multiple(true)
          .args(["user", "policy_file"]))]
pub(super) struct Args {
    /// The user that would call, by name or number
    #[arg(long, value_name = "USER", value_parser = whose::name)]
    user: Option<String>,
    /// A policy document that it has besides its own; `-` is standard input
    #[arg(long, value_name = "FILE")]
    policy_file: Option<String>,
    /// The operation, such as `cdn:PushUrlsCache`
    #[arg(long, value_name = "SERVICE:NAME")]
    action: String,
    /// What it touches, such as `domain/www.example.com` or a whole `qcs::…`; may be repeated
    #[arg(long, value_name = "RESOURCE")]
    resource: Vec<String>,
    /// Address that it calls from
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
    /// When it calls, such as `2026-01-31T08:00:00Z` [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// A value of another condition key; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write `KEY=VALUE`".into()),
    }
}

pub(super) async fn run(whose: &Whose, args: Args) -> Result<ExitCode, Failure> {
    let (action, json) = (args.action.clone(), args.json);
    // 1 is the answer of the policies alone
    let tested = ask(whose, args).await.map_err(Failure::into_usage)?;
    if json {
        output::json(&tested);
    } else {
        for decision in &tested.decisions {
            tell(&action, decision);
        }
    }
    Ok(if tested.is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(whose: &Whose, args: Args) -> Result<Tested, Failure> {
    let document = args.policy_file.as_deref().map(read_policy).transpose()?;
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in args.context {
        context.entry(key).or_default().push(value);
    }
    let new = NewTest {
        user: args.user,
        document,
        action: args.action,
        resources: args.resource,
        ip: args.ip.map(|ip| ip.to_string()),
        time: args.time,
        context,
    };
    Ok(whose.client()?.post(&whose.path("policies/test"), &new).await?)
}

fn tell(action: &str, decision: &DecisionView) {
    let word = if decision.verdict == Verdict::Allowed { "allowed" } else { "refused" };
    let on = match &decision.resource {
        Some(resource) => format!(" on {resource}"),
        None => String::new(),
    };
    output::line(format!("{word}: {action}{on}"));
    match (&decision.policy, decision.statement) {
        (Some(policy), Some(statement)) => {
            output::line(format!("  by statement {statement} of policy {policy}"));
        }
        _ if decision.verdict == Verdict::RootOnly => {
            output::line("  only the root user may do that, whatever policies say");
        }
        _ => output::line("  no statement allows it"),
    }
    if let Some(text) = &decision.text {
        output::line(format!("  {text}"));
    }
}

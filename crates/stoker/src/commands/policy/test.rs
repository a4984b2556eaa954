//! `stoker policy test`: whether the policies allow a call, and which statement decides.

use std::{collections::BTreeMap, net::IpAddr, process::ExitCode};

use stoker_gateway::admin::api::identity::{DecisionView, NewTest, Tested, Verdict};

use crate::{
    commands::{
        account_flag::AccountFlag,
        arguments::{self, Print, read_policy},
    },
    failure::Failure,
    output,
};

/// Show whether the policies allow a call, and which statement decides
///
/// Exit code: 0 when the call is allowed, 1 when it is refused, 2 when the test failed.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("caller").required(true).multiple(true)
          .args(["user", "policy_file"]))]
pub(in crate::commands) struct Args {
    /// Name or number of the user who would make the call
    #[arg(long, value_name = "USER", value_parser = arguments::name)]
    user: Option<String>,
    /// File with a policy document to test, in addition to the user's own policies; `-` reads
    /// standard input
    #[arg(long, value_name = "FILE")]
    policy_file: Option<String>,
    /// Action of the call, such as `cdn:PushUrlsCache`
    #[arg(long, value_name = "SERVICE:NAME")]
    action: String,
    /// Resource of the call, such as `domain/www.example.com` or a full `qcs::…`; may be repeated
    #[arg(long, value_name = "RESOURCE")]
    resource: Vec<String>,
    /// Address that the call comes from
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
    /// Time of the call, such as `2026-01-31T08:00:00Z` [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Value of another condition key; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    #[command(flatten)]
    print: Print,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write `KEY=VALUE`".into()),
    }
}

pub(super) async fn run(account: &AccountFlag, args: Args) -> Result<ExitCode, Failure> {
    let (action, json) = (args.action.clone(), args.print.json);
    // exit code 1 means that the policies refuse the call, and nothing else
    let tested = ask(account, args).await.map_err(Failure::into_usage)?;
    if json {
        output::json(&tested);
    } else {
        for decision in &tested.decisions {
            print(&action, decision);
        }
    }
    Ok(if tested.is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(account: &AccountFlag, args: Args) -> Result<Tested, Failure> {
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
    Ok(account.client()?.post(&account.path("policies/test"), &new).await?)
}

fn print(action: &str, decision: &DecisionView) {
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
            output::line("  only the root user may do that, whatever the policies say");
        }
        _ => output::line("  no statement allows it"),
    }
    if let Some(text) = &decision.text {
        output::line(format!("  {text}"));
    }
}

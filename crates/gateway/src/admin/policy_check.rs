//! What policies would decide about a call, and which statement of them. Nothing is called.

use std::net::IpAddr;

use http::StatusCode;
use jiff::Timestamp as Moment;
use serde_json::Value;
use stoker_domain::{
    account::Account,
    policy::{Action, Call as PolicyCall, Context, Decision, Resource, evaluate_as_bound},
    time::Timestamp,
};
use stoker_engine::Caller;

use super::{
    api::identity as api,
    call::{Call, Reply},
    invalid::ContentError,
    named_account,
    problem::Error,
};
use crate::tencent::permissions;

/// The name under which the document of the call decides; no policy that is kept can have it.
const DOCUMENT: &str = "(document)";

pub(super) async fn test(call: Call) -> Result<Reply, Error> {
    let new: api::NewTest = call.json()?;
    let account = named_account::of_call(&call).await?;
    if new.user.is_none() && new.document.is_none() {
        return Err(ContentError::Nothing("`user`, `document` or both").into());
    }
    let document = new.document.as_deref();
    let engine = &call.gateway.engine;
    let extra = document.map(|text| (DOCUMENT, text));
    let caller = engine.caller_like(&account, new.user.as_deref(), extra).await?;
    let action: Action = new.action.parse().map_err(ContentError::Action)?;
    let resources = resources(&account, &action, &new.resources)?;
    let context = context(&call, &caller, &new)?;
    let identity = caller.identity();
    let names = permissions::names(&action);
    let mut decisions = Vec::new();
    for resource in resources {
        let resource = resource.map(|it| permissions::tagged(&call.gateway, &account, it));
        let decide = |action: &Action| {
            let asked = PolicyCall { action, resources: resource.as_slice(), context: &context };
            // as one whom policies bind also without `user`, who would be the root user
            Ruling::of(&evaluate_as_bound(&*caller.policies, &identity, &asked))
        };
        let ruling = names.as_ref().map_or(Ruling::ROOT_ONLY, |names| {
            let rulings = names.iter().map(decide);
            rulings.min_by_key(|ruling| ruling.rank()).unwrap_or(Ruling::NO_MATCH)
        });
        decisions.push(view(&call, &account, document, resource.as_ref(), ruling).await?);
    }
    let is_allowed = decisions.iter().all(|it| it.verdict == api::Verdict::Allowed);
    Ok(Reply::json(StatusCode::OK, &api::Tested { is_allowed, decisions }))
}

/// Each resource that is named, or none, once.
fn resources(
    account: &Account,
    action: &Action,
    texts: &[String],
) -> Result<Vec<Option<Resource>>, Error> {
    if texts.is_empty() {
        return Ok(vec![None]);
    }
    let read = |text: &String| {
        let resource = resource(account, action, text);
        resource.map(Some).ok_or_else(|| ContentError::Resource(text.clone()).into())
    };
    texts.iter().map(read).collect()
}

/// A resource as somebody writes it: whole, without the account as policies may have it, or its last
/// part alone.
fn resource(account: &Account, action: &Action, text: &str) -> Option<Resource> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match *parts {
        [head, project, service, region, "", name] => {
            format!("{head}:{project}:{service}:{region}:uin/{}:{name}", account.uin).parse().ok()
        }
        [name] => {
            let (kind, rest) = name.split_once('/')?;
            let is_one = !kind.is_empty() && !rest.is_empty() && !name.contains('*');
            is_one.then(|| Resource::new(&action.service, &account.uin, name))
        }
        _ => text.parse().ok(),
    }
}

fn context(call: &Call, caller: &Caller, new: &api::NewTest) -> Result<Context, Error> {
    let now = match &new.time {
        Some(time) => {
            let moment: Moment = time.parse().map_err(|_| ContentError::Time(time.clone()))?;
            Timestamp::from_millis(moment.as_millisecond())
        }
        None => call.gateway.clock.now(),
    };
    let address = match &new.ip {
        Some(ip) => Some(ip.parse::<IpAddr>().map_err(|_| ContentError::Address(ip.clone()))?),
        None => None,
    };
    let mut context = Context::of_call(&caller.identity(), now, address);
    for (key, values) in &new.context {
        context.set(key, values.iter().cloned());
    }
    Ok(context)
}

/// A decision with its place, in a policy of the account or in the document of the call.
struct Ruling {
    verdict: api::Verdict,
    by: Option<(String, usize)>,
}

impl Ruling {
    const ROOT_ONLY: Self = Self { verdict: api::Verdict::RootOnly, by: None };
    const NO_MATCH: Self = Self { verdict: api::Verdict::NoMatch, by: None };

    fn of(decision: &Decision<'_>) -> Self {
        let by = |policy: &str, statement| Some((policy.into(), statement));
        match *decision {
            Decision::Root | Decision::NoMatch { .. } => Self::NO_MATCH,
            Decision::Allowed { policy, statement } => {
                Self { verdict: api::Verdict::Allowed, by: by(policy, statement) }
            }
            Decision::Denied { policy, statement, .. } => {
                Self { verdict: api::Verdict::Denied, by: by(policy, statement) }
            }
        }
    }

    /// Which of several counts: the smallest.
    const fn rank(&self) -> u8 {
        match self.verdict {
            api::Verdict::RootOnly | api::Verdict::Denied => 0,
            api::Verdict::Allowed => 1,
            api::Verdict::NoMatch => 2,
        }
    }
}

async fn view(
    call: &Call,
    account: &Account,
    document: Option<&str>,
    resource: Option<&Resource>,
    Ruling { verdict, by }: Ruling,
) -> Result<api::DecisionView, Error> {
    let text = match (&by, document) {
        (Some((policy, number)), Some(document)) if policy == DOCUMENT => {
            statement(document, *number)
        }
        (Some((policy, number)), _) => {
            let policy = call.gateway.engine.policy(account.id, policy).await?;
            statement(&policy.text, *number)
        }
        (None, _) => None,
    };
    Ok(api::DecisionView {
        resource: resource.map(Resource::to_string),
        verdict,
        statement: by.as_ref().map(|(_, number)| *number),
        policy: by.map(|(policy, _)| policy),
        text,
    })
}

/// The statement with this number, from 1.
fn statement(document: &str, number: usize) -> Option<Value> {
    let mut document: Value = serde_json::from_str(document).ok()?;
    match document["statement"].take() {
        Value::Array(list) => list.into_iter().nth(number.checked_sub(1)?),
        single => Some(single),
    }
}

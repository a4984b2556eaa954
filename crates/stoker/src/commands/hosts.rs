//! Lines of a list that the server would refuse because of their domains. Asking about the domains
//! beforehand gives the numbers of these lines; the decision remains the server's.

use std::collections::HashMap;

use stoker_domain::{
    area::{Area, AreaScope},
    setting::Status,
    target::Target,
};
use stoker_gateway::admin::api::DomainView;

use crate::{
    client::{Client, Error},
    list::{Line, Refused},
};

/// Parts the lines whose domain can be prefetched in `areas`, where given, from the others.
pub(super) async fn sort(
    client: &Client,
    lines: Vec<Line>,
    areas: Option<AreaScope>,
) -> Result<(Vec<Line>, Vec<Refused>), Error> {
    let mut reasons: HashMap<String, Option<String>> = HashMap::new();
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for line in lines {
        // the list has parsed it
        let Ok(Target { host, .. }) = Target::parse(&line.url, true) else {
            good.push(line);
            continue;
        };
        let reason = match reasons.get(&host) {
            Some(reason) => reason.clone(),
            None => {
                let reason = reason(client, &host, areas).await?;
                reasons.insert(host, reason.clone());
                reason
            }
        };
        match reason {
            None => good.push(line),
            Some(reason) => refused.push(Refused::new(&line, reason)),
        }
    }
    Ok((good, refused))
}

/// Whether `error` is about a domain of what was submitted.
pub(super) fn is_about_a_domain(error: &Error) -> bool {
    ["domain-unknown", "domain-offline", "area-not-enabled"].iter().any(|word| is(error, word))
}

async fn reason(
    client: &Client,
    host: &str,
    areas: Option<AreaScope>,
) -> Result<Option<String>, Error> {
    let view: DomainView = match client.get(&format!("/admin/v1/domains/{host}")).await {
        Ok(view) => view,
        Err(error) if is(&error, "domain-unknown") => {
            return Ok(Some(format!("is of domain `{host}`, which is not in this account")));
        }
        Err(error) => return Err(error),
    };
    Ok(unfit(&view, host, areas))
}

fn unfit(view: &DomainView, host: &str, areas: Option<AreaScope>) -> Option<String> {
    if view.status == Status::Offline {
        return Some(format!("is of domain `{host}`, which is offline"));
    }
    let is_missing = |area: &&Area| !view.areas.contains(**area);
    let missing = areas?.areas().iter().find(is_missing)?;
    Some(format!("is of domain `{host}`, which is not enabled in area `{missing}`"))
}

fn is(error: &Error, word: &str) -> bool {
    let Error::Refused(problem) = error else { return false };
    problem.kind.rsplit(':').next() == Some(word)
}

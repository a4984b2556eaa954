//! Whether nodes will connect to the origin of a domain: found out when the domain is added or changed,
//! not first when a prefetch ends as blocked.
//!
//! A node refuses an origin one of whose addresses is private, unless the domain allows it. What a
//! name resolves to may change; so that is only a warning, and the node decides at each connection.

use std::{net::IpAddr, time::Duration};

use stoker_domain::{address::is_public, domain::Origin};
use tokio::{net::lookup_host, time::timeout};

use super::problem::Error;

/// How long the names of an origin may take to resolve.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses an origin whose address itself stands there and is private.
pub(super) fn check(origin: &Origin) -> Result<(), Error> {
    let is_private = |host: &&str| literal(host).is_some_and(|address| !is_public(address));
    match hosts(origin).find(is_private) {
        Some(host) => Err(Error::PrivateAddress(host.into())),
        None => Ok(()),
    }
}

/// A sentence for each server that nodes will not connect to, as its name resolves now.
pub(super) async fn warnings(origin: &Origin) -> Vec<String> {
    let mut warnings = Vec::new();
    for host in hosts(origin) {
        if let Some(address) = private_address(host).await {
            let verb = if literal(host).is_some() { "is" } else { "resolves to" };
            warnings.push(format!(
                "the origin `{host}` {verb} the private address {address}: prefetches and viewers are \
                 refused, `blocked:private-address`, until the owner of the installation allows it: \
                 --allow-private-origin"
            ));
        }
    }
    warnings
}

/// The servers whose addresses are vetted.
fn hosts(origin: &Origin) -> impl Iterator<Item = &str> {
    let further = origin.others.iter().chain(&origin.backups).map(|server| server.host.as_str());
    let vetted = !origin.allow_private;
    std::iter::once(origin.host.as_str()).chain(further).filter(move |_| vetted)
}

async fn private_address(host: &str) -> Option<IpAddr> {
    let addresses = match literal(host) {
        Some(address) => vec![address],
        None => {
            let found = timeout(PATIENCE, lookup_host((host, 0))).await.ok()?.ok()?;
            found.map(|address| address.ip()).collect()
        }
    };
    addresses.into_iter().find(|address| !is_public(*address))
}

/// The address that stands where a name could.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_private_literal_is_refused_and_a_private_name_is_a_warning() {
        for (url, is_refused, is_warned) in [
            ("http://127.0.0.1:8080", true, true),
            ("http://10.1.2.3/base", true, true),
            ("https://[::1]", true, true),
            ("http://[::ffff:192.168.1.1]", true, true),
            ("http://localhost:80", false, true),
            ("http://1.1.1.1", false, false),
            ("http://[2606:4700::1111]:81", false, false),
            ("http://none.invalid", false, false),
        ] {
            let origin: Origin = url.parse().unwrap();
            assert_eq!(check(&origin).is_err(), is_refused, "{url}");
            assert_eq!(!warnings(&origin).await.is_empty(), is_warned, "{url}");
            let allowed = Origin { allow_private: true, ..origin };
            assert!(check(&allowed).is_ok() && warnings(&allowed).await.is_empty(), "{url}");
        }
    }
}

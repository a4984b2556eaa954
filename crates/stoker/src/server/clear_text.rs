//! Listeners without TLS that other machines can reach: a warning in the log at the start, and in
//! `stoker doctor` after such a start.
//!
//! It only warns: an encrypting proxy or network in front may be intended.

use std::{fs, io, net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const NAME: &str = "listeners.json";

/// Where something listens without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    /// What listens there.
    pub(crate) name: String,
    /// At which address.
    pub(crate) address: SocketAddr,
}

impl Listener {
    fn is_exposed(&self) -> bool {
        !self.address.ip().to_canonical().is_loopback()
    }

    /// The warning, if other machines can reach the listener.
    pub(crate) fn warning(&self) -> Option<String> {
        let Self { name, address } = self;
        self.is_exposed().then(|| {
            format!("{name} listens without TLS on {address}, which other machines can reach")
        })
    }
}

/// What to do about it.
pub(crate) const HINT: &str = "use --tls-listen for other machines and --listen 127.0.0.1:PORT for this one, or let a \
                               proxy or network encrypt the traffic: see docs/security.md";

/// Warns of listeners and writes them to a file of the data directory.
pub(super) fn report(data: &Path, listeners: &[Listener]) -> Result<(), Failure> {
    for Listener { name, address } in listeners.iter().filter(|listener| listener.is_exposed()) {
        tracing::warn!(name, %address, hint = HINT, "listener without TLS can be reached from other machines");
    }
    let path = data.join(NAME);
    let text = serde_json::to_vec_pretty(listeners).map_err(io::Error::from);
    // readers find the old one or the new one
    let new = path.with_extension("json.new");
    let written =
        text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &path));
    written.map_err(|error| {
        Failure::because(format!("cannot write `{}`", path.display()), &error)
            .hint("is the disk full or read-only?")
    })
}

/// Reads the file; nothing if it is missing or foreign.
pub(crate) fn read(data: &Path) -> Vec<Listener> {
    let text = fs::read(data.join(NAME)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_reach_is_warned_of_and_all_is_read_back() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(data.path()), []);
        let listeners: Vec<Listener> = [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.1:1", true),
            ("[::ffff:10.0.0.1]:1", true),
        ]
        .into_iter()
        .map(|(address, is_warned)| {
            let listener = Listener { name: "the API".into(), address: address.parse().unwrap() };
            assert_eq!(listener.warning().is_some(), is_warned, "{address}");
            listener
        })
        .collect();
        for some in [&listeners[..], &listeners[..1]] {
            report(data.path(), some).unwrap();
            assert_eq!(read(data.path()), some);
        }
        fs::write(data.path().join(NAME), "not ours").unwrap();
        assert_eq!(read(data.path()), []);
    }
}

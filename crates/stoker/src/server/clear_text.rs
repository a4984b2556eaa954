//! Listeners without TLS that others than this machine can reach: told by the log at the start, and by
//! `stoker doctor` as long as `stoker up` was last started so.
//!
//! Decides nothing: an encrypting proxy or network in front may be just what is meant.

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
    /// What is wrong with it, in a sentence, if others than this machine reach it.
    pub(crate) fn warning(&self) -> Option<String> {
        let Self { name, address } = self;
        let is_local = address.ip().to_canonical().is_loopback();
        (!is_local)
            .then(|| format!("{name} listens in clear text beyond this machine, at {address}"))
    }
}

/// What to do about it.
pub(crate) const WAY_OUT: &str = "take --tls-listen for others and --listen 127.0.0.1:PORT for this machine, \
                                  or have a proxy or network encrypt what passes: see docs/security.md";

/// Warns of listeners and writes them to a file of the data directory.
pub(super) fn tell(data: &Path, listeners: &[Listener]) -> Result<(), Failure> {
    for warning in listeners.iter().filter_map(Listener::warning) {
        tracing::warn!(hint = WAY_OUT, "{warning}");
    }
    let path = data.join(NAME);
    let text = serde_json::to_vec_pretty(listeners).map_err(io::Error::from);
    // readers find the old one or the new one
    let new = path.with_extension("json.new");
    let told = text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &path));
    told.map_err(|error| {
        Failure::because(format!("cannot write `{}`", path.display()), &error)
            .hint("is the disk full or read-only?")
    })
}

/// Reads the file; nothing when there is none or it is somebody else's.
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
        for told in [&listeners[..], &listeners[..1]] {
            tell(data.path(), told).unwrap();
            assert_eq!(read(data.path()), told);
        }
        fs::write(data.path().join(NAME), "not ours").unwrap();
        assert_eq!(read(data.path()), []);
    }
}

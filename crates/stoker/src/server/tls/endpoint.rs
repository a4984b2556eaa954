//! `tls.json` in the data directory: where the API speaks TLS, for `stoker doctor` and for scripts.
//!
//! It is there as long as `stoker up` was last started with TLS, and holds no secret.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const NAME: &str = "tls.json";

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// `https://IP:PORT`; the certificate names the host by which callers know it.
    pub(crate) endpoint: String,
    /// The file of the certificate.
    pub(crate) certificate: PathBuf,
}

/// Writes the file, or takes it away when TLS is not spoken.
pub(in crate::server) fn tell(data: &Path, endpoint: Option<&Endpoint>) -> Result<(), Failure> {
    let path = data.join(NAME);
    let told = match endpoint {
        Some(endpoint) => {
            let text = serde_json::to_vec_pretty(endpoint).map_err(std::io::Error::from);
            // readers find the old one or the new one
            let new = path.with_extension("json.new");
            text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &path))
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            told => told,
        },
    };
    told.map_err(|error| {
        Failure::because(format!("cannot write `{}`", path.display()), &error)
            .hint("is the disk full or read-only?")
    })
}

/// Reads the file; nothing when there is none or it is somebody else's.
pub(crate) fn read_endpoint(data: &Path) -> Option<Endpoint> {
    serde_json::from_slice(&fs::read(data.join(NAME)).ok()?).ok()
}

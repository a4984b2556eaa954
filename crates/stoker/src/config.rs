//! How a command finds its settings: flags first, then the environment, then defaults.
//!
//! The only module that reads environment variables.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    client::{Client, Keys},
    credentials::{self, Credentials},
    failure::Failure,
    pem,
};

/// The data directory of `stoker up` when none is named.
pub(crate) const DEFAULT_DATA: &str = "stoker-data";

const ENDPOINT: &str = "STOKER_ENDPOINT";
const SECRET_ID: &str = "STOKER_SECRET_ID";
const SECRET_KEY: &str = "STOKER_SECRET_KEY";
const CA: &str = "STOKER_CA";
/// The sealing keys, with the content of a key file.
pub(crate) const SEAL_KEY: &str = "STOKER_SEAL_KEY";

/// How a command finds the server and the keys to sign with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Access {
    /// Data directory of the running `stoker up`, which has its address and a key
    ///
    /// Default: STOKER_ENDPOINT, STOKER_SECRET_ID and STOKER_SECRET_KEY if they are set, otherwise
    /// ./stoker-data.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Server")]
    pub(crate) data: Option<PathBuf>,
}

impl Access {
    /// The server's address and the keys to sign with.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        if let Some(data) = &self.data {
            return credentials::read(data);
        }
        match [ENDPOINT, SECRET_ID, SECRET_KEY].map(variable) {
            [Some(endpoint), Some(secret_id), Some(secret_key)] => {
                Ok(Credentials { uin: String::new(), secret_id, secret_key, endpoint })
            }
            [None, None, None] => credentials::read(Path::new(DEFAULT_DATA)),
            given => {
                let names = [ENDPOINT, SECRET_ID, SECRET_KEY];
                let missing = names.iter().zip(&given).find(|(_, value)| value.is_none());
                let missing = missing.map_or(ENDPOINT, |(name, _)| name);
                Err(Failure::usage(format!(
                    "`{missing}` is not set, but the variables that belong to it are"
                ))
                .hint(format!("set {ENDPOINT}, {SECRET_ID} and {SECRET_KEY}, or use --data")))
            }
        }
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let Credentials { secret_id, secret_key, endpoint, .. } = self.credentials()?;
        let authorities = match variable(CA) {
            Some(path) => pem::read_chain(Path::new(&path))?,
            None => Vec::new(),
        };
        Client::new(&endpoint, Keys { secret_id, secret_key }, &authorities)
    }

    /// The data directory of the flag, or the default one if the environment names no server.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        match (&self.data, variable(ENDPOINT)) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(_)) => None,
            (None, None) => Some(DEFAULT_DATA.into()),
        }
    }
}

/// Where the keys come from that encrypt the secrets in the ledger.
pub(crate) enum SealKeySource {
    /// This file.
    File(PathBuf),
    /// This text.
    Text(String),
    /// A file in the data directory, created if absent.
    DataDirectory,
}

impl SealKeySource {
    /// The file of the flag, otherwise the environment, otherwise the data directory.
    pub(crate) fn find(file: Option<PathBuf>) -> Self {
        match (file, variable(SEAL_KEY)) {
            (Some(file), _) => Self::File(file),
            (None, Some(text)) => Self::Text(text),
            (None, None) => Self::DataDirectory,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

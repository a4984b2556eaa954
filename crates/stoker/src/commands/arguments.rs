//! Arguments that several commands share, and the parsers of names that may stand in a path.

use std::{
    fs,
    io::{self, Read},
};

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde::{Serialize, de::DeserializeOwned};
use stoker_domain::{
    account::is_name,
    area::{AreaScope, Tier},
    host::is_domain_name,
};

use stoker_gateway::admin::api::identity::Switch;

use super::{account_flag::AccountFlag, table::state};
use crate::{client::Client, config::Access, failure::Failure, output};

/// A group of commands that act for one account.
#[derive(clap::Args, Debug)]
pub(super) struct ForAccount<C: Subcommand> {
    #[command(subcommand)]
    pub(super) command: C,
    #[command(flatten)]
    pub(super) account: AccountFlag,
}

/// A group of commands that act for the account that signs.
#[derive(clap::Args, Debug)]
pub(super) struct ForCaller<C: Subcommand> {
    #[command(subcommand)]
    pub(super) command: C,
    #[command(flatten)]
    pub(super) access: Access,
}

/// How a command prints what it shows or changed.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Print {
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Print {
    /// Enables or disables what `path` names, and prints what it is then, by the name that it has.
    pub(super) async fn switch<T: DeserializeOwned + Serialize>(
        &self,
        client: &Client,
        path: &str,
        is_enabled: bool,
        name: impl Fn(&T) -> (&str, bool),
    ) -> Result<(), Failure> {
        let switched: T = client.post(path, &Switch { is_enabled }).await?;
        let (name, is_enabled) = name(&switched);
        output::result(self.json, &switched, format!("{name} is {}", state(is_enabled)));
        Ok(())
    }
}

/// How a command prints a list.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct List {
    /// Print a JSON array
    #[arg(long)]
    pub(super) json: bool,
}

/// The name of something new.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct New {
    /// Its name, unique in the account
    #[arg(value_parser = name)]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) print: Print,
}

/// The name of a user, a group or a policy.
pub(super) fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.into())
    } else {
        Err("a name has 1 to 64 letters, digits and the characters `-_.@`".into())
    }
}

/// The host of a domain, which may be a wildcard.
pub(super) fn host(text: &str) -> Result<String, String> {
    if is_domain_name(text) {
        Ok(text.into())
    } else {
        Err("not a host name or an IP address".into())
    }
}

/// The public half of a key.
pub(super) fn secret_id(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(text.into())
    } else {
        Err("not the public half of a key, as `stoker key list` shows it".into())
    }
}

/// Reads a policy document from a file, or from standard input when it is called `-`.
pub(super) fn read_policy(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin().read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| {
        Failure::because(format!("cannot read the policy `{file}`"), &error)
            .into_usage()
            .hint("name a file with a policy document, or `-` for standard input")
    })?;
    Ok(text)
}

/// URLs on the command line and in a list.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Urls {
    /// URLs, which begin with `http://` or `https://`
    #[arg(value_name = "URL", required_unless_present = "list")]
    pub(super) urls: Vec<String>,
    /// Read more URLs from FILE, one on each line; `-` reads standard input
    ///
    /// Empty lines and lines that begin with `#` are ignored. Any line ending and the quotes of a
    /// spreadsheet are accepted; the text is UTF-8, or UTF-16 with a byte order mark.
    #[arg(long, value_name = "FILE")]
    pub(super) list: Option<String>,
}

impl Urls {
    /// All URLs, with those of `lines` that were read from the list.
    pub(super) fn with(
        &self,
        lines: impl IntoIterator<Item = String>,
    ) -> Result<Vec<String>, Failure> {
        let urls: Vec<_> = self.urls.iter().cloned().chain(lines).collect();
        if urls.is_empty() {
            return Err(Failure::usage("the list has no URLs")
                .hint("write one URL on each line; lines that begin with `#` are ignored"));
        }
        Ok(urls)
    }
}

/// Reads an area, so that help and errors list the words.
pub(super) fn area_words() -> impl TypedValueParser<Value = AreaScope> {
    PossibleValuesParser::new(["mainland", "overseas", "global"])
        .map(|word| word.parse().expect("the words are those of `AreaScope`"))
}

/// Reads a tier, so that help and errors list the words.
pub(super) fn tier_words() -> impl TypedValueParser<Value = Tier> {
    PossibleValuesParser::new(["edge", "middle"])
        .map(|word| word.parse().expect("the words are those of `Tier`"))
}

#[cfg(test)]
mod tests {
    use super::{super::account_flag::uin, *};

    #[test]
    fn what_cannot_stand_in_a_path_is_refused() {
        for text in ["", "a/b", "a b", "a?b", "ü", "a%20"] {
            assert!(name(text).is_err() && secret_id(text).is_err() && uin(text).is_err());
        }
        assert!(name("ops-team_1.x@example").is_ok());
    }
}

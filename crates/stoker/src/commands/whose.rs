//! What the commands for users, groups, keys and policies share: whose things they are about, names
//! that may stand in a path, and files with policies.

use std::{
    fs,
    io::{self, Read},
};

use stoker_domain::account::is_name;

use crate::{client::Client, config::Access, failure::Failure};

/// Which account, and how it is reached.
#[derive(clap::Args, Debug)]
pub(super) struct Whose {
    /// Number of the account, if not your own; only the owner may name it
    #[arg(long, value_name = "UIN", value_parser = uin, global = true)]
    account: Option<String>,
    #[command(flatten)]
    pub(super) access: Access,
}

impl Whose {
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.access.client()
    }

    /// The path of a call below `/admin/v1/`, with the account in its query.
    pub(super) fn path(&self, path: &str) -> String {
        match &self.account {
            Some(uin) => format!("/admin/v1/{path}?account={uin}"),
            None => format!("/admin/v1/{path}"),
        }
    }

    /// As [`Self::path`], with the user in the query too.
    pub(super) fn path_of(&self, path: &str, user: Option<&str>) -> String {
        let path = self.path(path);
        let mark = if path.contains('?') { '&' } else { '?' };
        user.map_or_else(|| path.clone(), |user| format!("{path}{mark}user={user}"))
    }
}

/// The number of an account.
pub(super) fn uin(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.into())
    } else {
        Err("the number of an account has digits only".into())
    }
}

/// The name of a user, a group or a policy.
pub(super) fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.into())
    } else {
        Err("a name has 1 to 64 letters, digits and the characters `-_.@`".into())
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

/// The word for whether something is enabled.
pub(super) const fn state(is_enabled: bool) -> &'static str {
    if is_enabled { "enabled" } else { "disabled" }
}

/// Names with commas between them, or a dash.
pub(super) fn names(names: &[String]) -> String {
    if names.is_empty() { "-".into() } else { names.join(",") }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        whose: Whose,
    }

    #[test]
    fn the_account_and_the_user_stand_in_the_query() {
        let own = Line::parse_from(["x"]).whose;
        assert_eq!(own.path("keys"), "/admin/v1/keys");
        assert_eq!(own.path_of("keys", None), "/admin/v1/keys");
        assert_eq!(own.path_of("keys", Some("ann")), "/admin/v1/keys?user=ann");
        let other = Line::parse_from(["x", "--account", "7"]).whose;
        assert_eq!(other.path("keys/A"), "/admin/v1/keys/A?account=7");
        assert_eq!(other.path_of("keys", Some("ann")), "/admin/v1/keys?account=7&user=ann");
    }

    #[test]
    fn what_cannot_stand_in_a_path_is_refused() {
        for text in ["", "a/b", "a b", "a?b", "ü", "a%20"] {
            assert!(name(text).is_err() && secret_id(text).is_err() && uin(text).is_err());
        }
        assert!(name("ops-team_1.x@example").is_ok());
    }
}

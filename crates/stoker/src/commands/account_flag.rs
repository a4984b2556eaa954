//! `--account`: the account that a command acts for, where that is not the one that signs.

use crate::{client::Client, config::Access, failure::Failure};

/// The account to act for, and how the server is reached.
#[derive(clap::Args, Debug)]
pub(super) struct AccountFlag {
    /// Act for the account with this number; only the owner of the installation may name another
    /// than their own
    #[arg(long, value_name = "UIN", value_parser = uin, global = true)]
    account: Option<String>,
    #[command(flatten)]
    pub(super) access: Access,
}

impl AccountFlag {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        account: AccountFlag,
    }

    #[test]
    fn the_account_and_the_user_stand_in_the_query() {
        let own = Line::parse_from(["x"]).account;
        assert_eq!(own.path("keys"), "/admin/v1/keys");
        assert_eq!(own.path_of("keys", None), "/admin/v1/keys");
        assert_eq!(own.path_of("keys", Some("ann")), "/admin/v1/keys?user=ann");
        let other = Line::parse_from(["x", "--account", "7"]).account;
        assert_eq!(other.path("keys/A"), "/admin/v1/keys/A?account=7");
        assert_eq!(other.path_of("keys", Some("ann")), "/admin/v1/keys?account=7&user=ann");
    }
}

//! What an action is given beside its parameters.

use stoker_domain::account::Account;

use super::scope::Scope;
use crate::{Gateway, tencent::message::Language};

/// A call whose caller is verified and may do what it asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) gateway: &'a Gateway,
    /// Whose call it is.
    pub(crate) account: &'a Account,
    /// What its caller may be shown.
    pub(crate) scope: &'a Scope,
    /// Of sentences in the reply.
    pub(crate) language: Language,
}

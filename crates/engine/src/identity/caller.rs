//! Who stands behind a key, and what its policies say.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use quick_cache::sync::Cache;
use stoker_domain::{
    account::{AccessKey, Account, User},
    policy::{self, Document, Policy},
};
use stoker_ledger::{Identity, Ledger};

use super::Identities;
use crate::{Engine, Error};

/// Callers kept in memory; when there are more, those go that were not asked for lately.
const MOST_CALLERS: usize = 10_000;
/// The name under which the policy of a temporary key decides.
const SESSION: &str = "session";

/// Who makes a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account that the key belongs to.
    pub account: Account,
    /// The user whose key it is; absent = the root user.
    pub user: Option<User>,
    /// The key that signed.
    pub key: AccessKey,
    /// The policies of the user and of all its groups.
    pub policies: Arc<[Policy]>,
    /// The policy of a temporary key, which must allow a call too.
    pub session: Option<Arc<Policy>>,
}

impl Caller {
    /// Who it is for policies.
    pub fn identity(&self) -> policy::Caller {
        let owner_uin = self.account.uin.clone();
        policy::Caller {
            uin: self.user.as_ref().map_or_else(|| owner_uin.clone(), |user| user.uin.clone()),
            owner_uin,
            app_id: self.account.app_id,
        }
    }

    /// What the policies decide about a call. Where the policy of a temporary key refuses, it is
    /// named `session`.
    pub fn decide<'a>(&'a self, call: &policy::Call<'a>) -> policy::Decision<'a> {
        let identity = self.identity();
        let decision = policy::evaluate(&*self.policies, &identity, call);
        match &self.session {
            Some(session) if decision.is_allowed() => {
                policy::evaluate_as_bound([&**session], &identity, call)
            }
            _ => decision,
        }
    }

    /// Whether the policies allow the operation on some resource, conditions aside.
    pub fn may_somewhere(&self, action: &policy::Action) -> bool {
        let identity = self.identity();
        policy::allows_somewhere(&*self.policies, &identity, action)
            && self.session.as_ref().is_none_or(|session| {
                policy::allows_somewhere_as_bound([&**session], &identity, action)
            })
    }
}

impl Engine {
    /// Who stands behind an enabled key of an enabled user of an enabled account; nothing for any
    /// other key. A temporary key is found even when it has ended, as long as it is not swept.
    ///
    /// # Errors
    /// A failure of the ledger; [`crate::ErrorKind::Corrupt`] when a secret does not open or a policy is none.
    pub async fn caller(&self, secret_id: &str) -> Result<Option<Arc<Caller>>, Error> {
        let callers = &self.identities.callers;
        let changes = callers.changes();
        if let Some(caller) = callers.get(secret_id, changes) {
            return Ok(Some(caller));
        }
        let Some(caller) = find(&*self.ledger, &self.identities, secret_id).await? else {
            return Ok(None);
        };
        let caller = Arc::new(caller);
        callers.insert(&caller, changes);
        Ok(Some(caller))
    }

    /// The caller that a user of `account` would be with a lasting key, or the root user; for asking
    /// what a user may do.
    pub(super) fn caller_of(account: Account, user: Option<User>, policies: Vec<Policy>) -> Caller {
        let key = AccessKey {
            secret_id: String::new(),
            secret_key: String::new(),
            account: account.id,
            user: user.as_ref().map(|user| user.id),
            is_enabled: false,
            created_at: account.created_at,
            last_used_at: None,
            temporary: None,
        };
        Caller { account, user, key, policies: policies.into(), session: None }
    }
}

async fn find(
    ledger: &dyn Ledger,
    identities: &Identities,
    secret_id: &str,
) -> Result<Option<Caller>, Error> {
    let Some(Identity { account, user, key, policies }) = ledger.identity(secret_id).await? else {
        return Ok(None);
    };
    let is_enabled =
        key.is_enabled && account.is_enabled && user.as_ref().is_none_or(|user| user.is_enabled);
    if !is_enabled {
        return Ok(None);
    }
    let key = identities.opened(key)?;
    let policies =
        policies.into_iter().map(|(name, text)| read(name, &text)).collect::<Result<_, _>>()?;
    let session = key.temporary.as_ref().and_then(|temporary| temporary.policy.as_deref());
    let session = session.map(|text| read(SESSION.into(), text)).transpose()?.map(Arc::new);
    Ok(Some(Caller { account, user, key, policies, session }))
}

/// Reads a policy that was found to be one when it was written. One that is none any more must not
/// be left out: it may deny.
pub(super) fn read(name: String, text: &str) -> Result<Policy, Error> {
    match Document::parse(text, serde_json::from_str) {
        Ok(document) => Ok(Policy { name, document }),
        Err(error) => Err(Error::corrupt("read a policy", error)),
    }
}

/// The callers found so far. Unknown keys are not kept: anybody can invent them without end.
///
/// Each is kept with the number of changes before it was read from the ledger. It counts as long as
/// that number is the present one: what was read before a change is never used after it, also when it
/// is inserted later.
#[derive(Debug)]
pub(super) struct Callers {
    known: Cache<String, (u64, Arc<Caller>)>,
    changes: AtomicU64,
}

impl Default for Callers {
    fn default() -> Self {
        Self { known: Cache::new(MOST_CALLERS), changes: AtomicU64::new(0) }
    }
}

impl Callers {
    /// Forgets them all. To be called after each change, also one that failed: it may have been
    /// written all the same.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        // they are not used again; their secrets need not stay in memory
        self.known.clear();
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn get(&self, secret_id: &str, changes: u64) -> Option<Arc<Caller>> {
        let (read_at, caller) = self.known.get(secret_id)?;
        (read_at == changes).then_some(caller)
    }

    fn insert(&self, caller: &Arc<Caller>, changes: u64) {
        self.known.insert(caller.key.secret_id.clone(), (changes, Arc::clone(caller)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stoker_domain::{
        account::{AccountId, Service},
        time::Timestamp,
    };

    use super::*;

    fn caller(secret_id: &str) -> Arc<Caller> {
        let account = Account {
            id: AccountId(1),
            uin: "100000000001".into(),
            app_id: 1,
            name: String::new(),
            is_enabled: true,
            service: Service::default(),
            closed: BTreeSet::new(),
            is_verification_waived: false,
            created_at: Timestamp::from_seconds(0),
        };
        let mut caller = Engine::caller_of(account, None, Vec::new());
        caller.key.secret_id = secret_id.into();
        Arc::new(caller)
    }

    #[test]
    fn what_was_read_before_a_change_is_not_used_after_it() {
        let callers = Callers::default();
        let before = callers.changes();
        callers.insert(&caller("a"), before);
        assert!(callers.get("a", before).is_some() && callers.get("b", before).is_none());
        callers.forget();
        let after = callers.changes();
        assert!(callers.get("a", after).is_none());
        // found in the ledger before the change, and inserted after it
        callers.insert(&caller("a"), before);
        assert!(callers.get("a", after).is_none());
        callers.insert(&caller("a"), after);
        assert!(callers.get("a", after).is_some());
    }
}

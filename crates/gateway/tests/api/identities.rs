//! Sub-users and temporary credentials of the owner's account.

use std::time::Duration;

use sha2::{Digest, Sha256};
use stoker_domain::{
    account::{AccessKey, AccountId, Principal, Temporary, User, UserId},
    time::Clock,
    view::TargetFilter,
};

use crate::app::{App, SECRET};

/// Key of the sub-user of [`App::sub_user`].
pub(crate) const SUB: &str = "AKIDTESTTESTTESTTESTTESTTESTTESTSUB1";
/// Key of the temporary credentials of [`App::temporary`], and their token.
pub(crate) const TEMPORARY: &str = "AKIDTESTTESTTESTTESTTESTTESTTESTTMP1";
pub(crate) const TOKEN: &str = "TOKENTEST";

const OWNER: AccountId = AccountId(1);
const NAME: &str = "sub";

impl App {
    /// A sub-user with these policies and no others, whose key is `secret_id`. Always the same one.
    pub(crate) async fn sub_user(&self, secret_id: &str, policies: &[&str]) -> User {
        let user = match self.engine.user(OWNER, NAME).await {
            Ok(user) => user,
            Err(_) => self.engine.create_user(OWNER, NAME).await.unwrap(),
        };
        for old in self.engine.attachments(OWNER).await.unwrap() {
            self.engine.set_attachment(OWNER, &old.policy, old.to, false).await.unwrap();
        }
        for (number, text) in policies.iter().enumerate() {
            self.attach(&format!("policy-{number}"), text, Principal::User(user.id)).await;
        }
        self.put(secret_id, Some(user.id), None).await;
        user
    }

    /// A group with these members and policies.
    pub(crate) async fn group(&self, name: &str, members: &[&User], policies: &[&str]) {
        self.engine.create_group(OWNER, name).await.unwrap();
        for user in members {
            self.engine.set_member(OWNER, name, &user.name, true).await.unwrap();
        }
        for (number, text) in policies.iter().enumerate() {
            self.attach(&format!("{name}-{number}"), text, Principal::Group(name.into())).await;
        }
    }

    pub(crate) async fn disable(&self, user: &User) {
        self.engine.enable_user(OWNER, &user.name, false).await.unwrap();
    }

    /// Temporary credentials of a sub-user or of the root user, [`TEMPORARY`] with [`TOKEN`].
    pub(crate) async fn temporary(
        &self,
        user: Option<&User>,
        lasts: Duration,
        policy: Option<&str>,
    ) {
        let temporary = Temporary {
            token_hash: Sha256::digest(TOKEN).into(),
            expires_at: self.clock.now() + lasts,
            policy: policy.map(Into::into),
        };
        // what narrows a key does not change while it lives
        self.engine.remove_key(OWNER, TEMPORARY).await.ok();
        self.put(TEMPORARY, user.map(|user| user.id), Some(temporary)).await;
    }

    /// How often a URL was submitted.
    pub(crate) async fn targets(&self, url: &str) -> u64 {
        let filter = TargetFilter { url: Some(url.into()), limit: 1, ..TargetFilter::default() };
        self.engine.targets(&filter).await.unwrap().total
    }

    async fn attach(&self, name: &str, text: &str, to: Principal) {
        self.engine.put_policy(OWNER, name, text).await.unwrap();
        self.engine.set_attachment(OWNER, name, to, true).await.unwrap();
    }

    async fn put(&self, secret_id: &str, user: Option<UserId>, temporary: Option<Temporary>) {
        let key = AccessKey {
            secret_id: secret_id.into(),
            secret_key: SECRET.into(),
            account: OWNER,
            user,
            is_enabled: true,
            created_at: self.clock.now(),
            last_used_at: None,
            temporary,
        };
        self.engine.put_key(key).await.unwrap();
    }
}

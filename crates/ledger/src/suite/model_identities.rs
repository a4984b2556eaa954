//! Users, groups, policies, records and proofs against plain models, under seeded orders of calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stoker_domain::{
    account::{AccessKey, AccountId, Attachment, Group, NamedPolicy, Principal, User, UserId},
    ownership::{Method, Proof, VerificationRecord},
};

use super::fixture::{Dice, Fixture, T0, at};
use crate::{Error, ErrorKind, Ledger};

const SEED: u64 = 20_261_202;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What must be true of the identities of one account.
#[derive(Debug, Default)]
struct Model {
    users: BTreeMap<UserId, String>,
    /// Members by group.
    groups: BTreeMap<String, BTreeSet<UserId>>,
    /// Texts by policy.
    policies: BTreeMap<String, String>,
    attached: BTreeSet<Attachment>,
}

impl Model {
    fn remove_user(&mut self, user: UserId) -> bool {
        for members in self.groups.values_mut() {
            members.remove(&user);
        }
        self.attached.retain(|one| one.to != Principal::User(user));
        self.users.remove(&user).is_some()
    }

    fn remove_group(&mut self, name: &str) -> bool {
        self.attached.retain(|one| one.to != Principal::Group(name.to_owned()));
        self.groups.remove(name).is_some()
    }

    /// Whether the policy was there, or why it stays.
    fn remove_policy(&mut self, name: &str) -> Result<bool, ErrorKind> {
        if self.attached.iter().any(|one| one.policy == name) {
            return Err(ErrorKind::InUse);
        }
        Ok(self.policies.remove(name).is_some())
    }

    fn has(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User(user) => self.users.contains_key(user),
            Principal::Group(name) => self.groups.contains_key(name),
        }
    }

    fn of_user(&self, user: UserId) -> Vec<(String, String)> {
        let is_for = |to: &Principal| match to {
            Principal::User(one) => *one == user,
            Principal::Group(name) => self.groups[name].contains(&user),
        };
        let attached = self.attached.iter().filter(|one| is_for(&one.to));
        let names: BTreeSet<_> = attached.map(|one| one.policy.clone()).collect();
        names.into_iter().map(|name| (name.clone(), self.policies[&name].clone())).collect()
    }
}

fn kind<T>(result: Result<T, Error>) -> Result<T, ErrorKind> {
    result.map_err(|error| error.kind)
}

/// The model's `Ok` unless something that is named is missing.
const fn found(is_there: bool) -> Result<(), ErrorKind> {
    if is_there { Ok(()) } else { Err(ErrorKind::NotFound) }
}

struct Identities {
    ledger: Arc<dyn Ledger>,
    account: AccountId,
    dice: Dice,
    model: Model,
    step: u64,
}

impl Identities {
    /// A user of the model, or sometimes one that is not there.
    fn some_user(&mut self) -> UserId {
        let users: Vec<_> = self.model.users.keys().copied().collect();
        let index = usize::try_from(self.dice.below(users.len() as u64 + 1)).expect("small");
        users.get(index).copied().unwrap_or(UserId(404))
    }

    fn some_principal(&mut self) -> Principal {
        if self.dice.coin() {
            return Principal::User(self.some_user());
        }
        Principal::Group(self.dice.pick(NAMES).into())
    }

    async fn change_users(&mut self) {
        let name = self.dice.pick(NAMES).to_owned();
        if self.dice.below(4) == 0 {
            let user = self.some_user();
            let removed = self.ledger.remove_user(user).await.expect("remove a user");
            assert_eq!(removed, self.model.remove_user(user));
            return;
        }
        let user = User {
            id: UserId(0),
            account: self.account,
            uin: (200_000_000_000 + self.step).to_string(),
            name: name.clone(),
            is_enabled: true,
            created_at: T0,
        };
        let is_taken = self.model.users.values().any(|one| *one == name);
        match kind(self.ledger.create_user(&user).await) {
            Ok(id) => {
                assert!(!is_taken && self.model.users.insert(id, name).is_none());
            }
            Err(refused) => assert_eq!((refused, is_taken), (ErrorKind::Conflict, true)),
        }
    }

    async fn change_groups(&mut self) {
        let (account, name) = (self.account, self.dice.pick(NAMES).to_owned());
        match self.dice.below(5) {
            0 => {
                let removed = self.ledger.remove_group(account, &name).await.expect("remove");
                assert_eq!(removed, self.model.remove_group(&name));
            }
            1 => {
                let is_new = !self.model.groups.contains_key(&name);
                let group =
                    Group { account, name: name.clone(), members: Vec::new(), created_at: T0 };
                let made = kind(self.ledger.create_group(&group).await);
                assert_eq!(made, if is_new { Ok(()) } else { Err(ErrorKind::Conflict) });
                self.model.groups.entry(name).or_default();
            }
            _ => {
                let (user, is_member) = (self.some_user(), self.dice.coin());
                let set = kind(self.ledger.set_member(account, &name, user, is_member).await);
                let has_user = self.model.users.contains_key(&user);
                let members = self.model.groups.get_mut(&name);
                // who is taken out may be gone already
                assert_eq!(set, found(members.is_some() && (has_user || !is_member)));
                let Some(members) = members.filter(|_| set.is_ok()) else { return };
                if is_member {
                    members.insert(user);
                } else {
                    members.remove(&user);
                }
            }
        }
    }

    async fn change_policies(&mut self) {
        let (account, name) = (self.account, self.dice.pick(NAMES).to_owned());
        match self.dice.below(5) {
            0 => {
                let removed = kind(self.ledger.remove_policy(account, &name).await);
                assert_eq!(removed, self.model.remove_policy(&name));
            }
            1 => {
                let (text, at) = (format!("{{{}}}", self.step), at(self.step));
                let policy = NamedPolicy {
                    account,
                    name: name.clone(),
                    text: text.clone(),
                    created_at: at,
                    updated_at: at,
                };
                self.ledger.put_policy(&policy).await.expect("put a policy");
                self.model.policies.insert(name, text);
            }
            _ => {
                let (to, is_attached) = (self.some_principal(), self.dice.coin());
                let is_there = self.model.policies.contains_key(&name) && self.model.has(&to);
                let attachment = Attachment { policy: name, to };
                let set = self.ledger.set_attachment(account, &attachment, is_attached).await;
                assert_eq!(kind(set), found(is_there), "{attachment:?}");
                if is_there && is_attached {
                    self.model.attached.insert(attachment);
                } else {
                    self.model.attached.remove(&attachment);
                }
            }
        }
    }

    async fn check(&self) {
        let (ledger, account, model) = (&self.ledger, self.account, &self.model);
        let users = ledger.users(account).await.expect("users").into_iter();
        let users: BTreeMap<_, _> = users.map(|user| (user.id, user.name)).collect();
        assert_eq!(users, model.users);
        let groups = ledger.groups(account).await.expect("groups").into_iter();
        let groups: Vec<_> = groups.map(|group| (group.name, group.members)).collect();
        let expected = model.groups.iter();
        let expected: Vec<_> = expected
            .map(|(name, members)| (name.clone(), members.iter().copied().collect::<Vec<_>>()))
            .collect();
        assert_eq!(groups, expected);
        let policies = ledger.policies(account).await.expect("policies").into_iter();
        let policies: Vec<_> = policies.map(|policy| (policy.name, policy.text)).collect();
        assert_eq!(policies, model.policies.clone().into_iter().collect::<Vec<_>>());
        let attachments = ledger.attachments(account).await.expect("attachments");
        assert_eq!(attachments, model.attached.iter().cloned().collect::<Vec<_>>());
        for user in model.users.keys() {
            let policies = ledger.policies_of(*user).await.expect("policies of a user");
            assert_eq!(policies, model.of_user(*user), "{user:?}");
        }
    }
}

pub async fn identities_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let (dice, model) = (Dice(SEED), Model::default());
    let mut identities = Identities { ledger, account, dice, model, step: 0 };
    for step in 0..240 {
        identities.step = step;
        match identities.dice.below(3) {
            0 => identities.change_users().await,
            1 => identities.change_groups().await,
            _ => identities.change_policies().await,
        }
        identities.check().await;
    }
    let Identities { ledger, model, .. } = identities;
    assert!(!model.users.is_empty() && !model.policies.is_empty(), "seed {SEED}: hardly a case");
    assert_eq!(ledger.users(stranger).await.expect("users"), []);
    assert_eq!(ledger.groups(stranger).await.expect("groups"), []);
    assert_eq!(ledger.policies(stranger).await.expect("policies"), []);
    assert_eq!(ledger.attachments(stranger).await.expect("attachments"), []);
    for (number, user) in model.users.keys().enumerate() {
        let key = AccessKey {
            secret_id: number.to_string(),
            secret_key: "sealed".into(),
            account,
            user: Some(*user),
            is_enabled: true,
            created_at: T0,
            last_used_at: None,
            temporary: None,
        };
        ledger.put_key(key.clone()).await.expect("put a key");
        let found = ledger.identity(&key.secret_id).await.expect("identity").expect("a caller");
        assert_eq!((found.key, found.policies), (key, model.of_user(*user)));
        assert_eq!(found.user.map(|user| user.id), Some(*user));
    }
}

pub async fn records_and_proofs_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    const MOST: u32 = 2;
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let mut dice = Dice(SEED);
    let mut records: BTreeMap<String, VerificationRecord> = BTreeMap::new();
    let mut proofs: Vec<Proof> = Vec::new();
    for second in 0..200 {
        let (name, now) = (format!("{}.com", dice.pick(NAMES)), at(second));
        let expires_at = at(second + dice.below(12));
        if dice.coin() {
            let token = second.to_string();
            let new = VerificationRecord {
                account,
                name: name.clone(),
                token,
                created_at: now,
                expires_at,
            };
            records.retain(|_, record| record.expires_at > now);
            let has_room = records.len() < MOST as usize;
            let expected = match records.get(&name) {
                Some(present) => Some(present.clone()),
                None => has_room.then(|| new.clone()),
            };
            let put = ledger.put_ownership_record(&new, MOST).await.expect("put a record");
            assert_eq!(put, expected, "second {second}");
            records.extend(expected.map(|record| (name, record)));
        } else {
            let method = dice.pick([Method::Dns, Method::File]);
            let new = Proof { account, name, method, proved_at: now, expires_at };
            ledger.put_ownership_proof(&new, MOST).await.expect("put a proof");
            proofs.retain(|one| (&one.name, one.method) != (&new.name, new.method));
            proofs.push(new);
            proofs.retain(|one| one.expires_at > now);
            proofs.sort_by_key(|one| (one.expires_at, one.proved_at));
            while proofs.len() > MOST as usize {
                proofs.remove(0);
            }
        }
        let found = ledger.ownership_records(account).await.expect("records");
        assert_eq!(found, records.values().cloned().collect::<Vec<_>>(), "second {second}");
        let found = ledger.ownership_proofs(account).await.expect("proofs");
        let mut expected = proofs.clone();
        expected.sort_by_key(|one| (one.name.clone(), one.method.as_str()));
        assert_eq!(found, expected, "second {second}");
    }
    assert_eq!(ledger.ownership_records(stranger).await.expect("records"), []);
    assert_eq!(ledger.ownership_proofs(stranger).await.expect("proofs"), []);
}

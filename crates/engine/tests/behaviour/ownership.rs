//! Who may have which host, and what proves it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stoker_domain::{
    account::{Account, AccountId},
    area::AreaScope,
    ownership::{MAX_RECORDS, Method, Ownership, Unclaimable, are_related},
    quota::Limits,
    setting::VendorSettings,
};
use stoker_engine::{
    Config, DomainError, Engine, Evidence, EvidenceError, NewDomain, NewZone, OwnershipError,
    ZoneError,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::fixture::{Fixture, domain};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is published: texts by the name of the record, or by the host of the file.
#[derive(Debug, Default)]
struct Published(Mutex<HashMap<String, String>>);

impl Published {
    fn put(&self, place: &str, text: &str) {
        self.0.lock().unwrap().insert(place.into(), text.into());
    }

    fn get(&self, place: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(place).map(|text| text.clone().into_bytes())
    }
}

#[async_trait]
impl Evidence for Published {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, EvidenceError> {
        let text = self.get(name).ok_or_else(|| EvidenceError::NoRecord(name.into()))?;
        Ok(vec![b"v=spf1 -all".into(), text])
    }

    async fn file(&self, host: &str, _: &str) -> Result<Vec<u8>, EvidenceError> {
        self.get(host).ok_or_else(|| EvidenceError::NoAddress(host.into()))
    }
}

/// An engine that asks for proofs, a second account, and what is published.
struct Strict {
    fixture: Fixture,
    other: Account,
    published: Arc<Published>,
}

impl Strict {
    async fn new() -> Self {
        Self::with(Config { verifications_per_minute: 1000, ..Config::default() }).await
    }

    async fn with(config: Config) -> Self {
        let fixture = Fixture::with(config).await;
        let limits = Limits::OWNER;
        let other = fixture.engine.create_account("100000000002".into(), 2, limits).await.unwrap();
        let published = Arc::new(Published::default());
        fixture.engine.set_evidence(Arc::clone(&published) as _);
        Self { fixture, other, published }
    }

    fn engine(&self) -> &Engine {
        &self.fixture.engine
    }

    async fn add(&self, host: &str) -> Result<Ownership, DomainError> {
        let new = domain(host, AreaScope::Global);
        let added = self.engine().add_domain(self.other.id, new).await?;
        assert_eq!(
            self.engine().domain_named(self.other.id, host).unwrap().ownership,
            added.ownership
        );
        Ok(added.ownership)
    }

    /// Publishes the record of a host.
    async fn publish(&self, host: &str) {
        let record = self.engine().ownership_record(self.other.id, host).await.unwrap();
        self.published.put(&record.dns_name(), &record.token);
    }

    async fn verify(&self, host: &str, method: Method) -> Result<(), OwnershipError> {
        self.engine().verify_ownership(self.other.id, host, method).await.map(|_| ())
    }
}

#[tokio::test]
async fn only_the_owner_and_whoever_it_is_waived_for_need_no_proof() {
    let strict = Strict::new().await;
    let (engine, owner) = (strict.engine(), strict.fixture.account.id);
    for host in ["img.example.com", "localhost", "10.0.0.1", "*.corp.internal"] {
        let added = engine.add_domain(owner, domain(host, AreaScope::Global)).await.unwrap();
        assert_eq!(added.ownership, Ownership::Owner, "{host}");
    }
    let refused = strict.add("a.example.net").await.unwrap_err();
    let DomainError::Unverified { record: Some(record), .. } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(record.dns_name(), "_cdnauth.example.net");
    assert!(refused.hint().unwrap().contains(&record.token), "{:?}", refused.hint());
    assert!(engine.needs_proof(strict.other.id).await.unwrap());
    engine.waive_verification(&strict.other.uin, true).await.unwrap();
    assert!(!engine.needs_proof(strict.other.id).await.unwrap());
    for host in ["a.example.net", "intranet", "192.0.2.1"] {
        assert_eq!(strict.add(host).await.unwrap(), Ownership::Waived, "{host}");
    }
    let refused = strict.add("co.uk").await.unwrap_err();
    let why = Unclaimable::PublicSuffix;
    assert!(matches!(refused, DomainError::Unclaimable { why: it, .. } if it == why), "{refused}");
    engine.waive_verification(&strict.other.uin, false).await.unwrap();
    assert!(strict.add("b.example.net").await.is_err());
    let vouched =
        |host: &str| NewDomain { is_vouched_for: true, ..domain(host, AreaScope::Global) };
    let added = engine.add_domain(strict.other.id, vouched("b.example.net")).await.unwrap();
    assert_eq!(added.ownership, Ownership::Waived);
    let refused = engine.add_domain(strict.other.id, vouched("www.example.com")).await;
    assert!(matches!(refused, Err(DomainError::Taken { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_record_proves_the_registrable_domain_and_a_file_its_host() {
    let strict = Strict::new().await;
    strict.publish("img.example.co.uk").await;
    strict.verify("img.example.co.uk", Method::Dns).await.unwrap();
    for host in ["img.example.co.uk", "example.co.uk", "*.example.co.uk", "A.B.example.co.uk."] {
        let host = host.to_ascii_lowercase();
        assert_eq!(strict.add(host.trim_end_matches('.')).await.unwrap(), Ownership::Dns, "{host}");
    }
    assert!(matches!(strict.add("other.co.uk").await, Err(DomainError::Unverified { .. })));

    let record = strict.engine().ownership_record(strict.other.id, "www.a.com").await.unwrap();
    strict.published.put("www.a.com", &format!("\n{}\r\n", record.token));
    strict.verify("WWW.a.com.", Method::File).await.unwrap();
    for host in ["a.com", "img.a.com", "*.www.a.com", "x.www.a.com"] {
        assert!(matches!(strict.add(host).await, Err(DomainError::Unverified { .. })), "{host}");
    }
    assert_eq!(strict.add("www.a.com").await.unwrap(), Ownership::File);
    let refused = strict.verify("*.a.com", Method::File).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::NoFile { .. }), "{refused}");
}

#[tokio::test]
async fn what_is_not_there_or_not_the_right_text_proves_nothing() {
    let strict = Strict::new().await;
    let (host, name) = ("www.a.com", "_cdnauth.a.com");
    let refused = strict.verify(host, Method::Dns).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::NoRecord { .. }), "{refused}");
    let record = strict.engine().ownership_record(strict.other.id, host).await.unwrap();
    let of_the_owner =
        strict.engine().ownership_record(strict.fixture.account.id, host).await.unwrap();
    assert_ne!(record.token, of_the_owner.token, "each account has its own");
    assert_eq!(record.token.len(), "owner-".len() + 32);
    for text in ["", "owner-", &of_the_owner.token, &format!("{}0", record.token)] {
        strict.published.put(name, text);
        strict.published.put(host, text);
        for method in [Method::Dns, Method::File] {
            let refused = strict.verify(host, method).await.unwrap_err();
            let is_other = matches!(
                &refused,
                OwnershipError::ProofNotFound { reason: EvidenceError::Other(_), .. }
            );
            assert!(is_other, "{refused}");
        }
    }
    let gone = strict.verify("img.a.com", Method::File).await.unwrap_err();
    assert_eq!(gone.to_string(), "not verified: `img.a.com` has no public address");
    assert!(matches!(strict.add(host).await, Err(DomainError::Unverified { .. })));
}

#[tokio::test]
async fn records_and_proofs_last_a_day() {
    let strict = Strict::new().await;
    let record = async || {
        strict.engine().ownership_record(strict.other.id, "www.a.com").await.unwrap().token
    };
    let first = record().await;
    strict.fixture.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(record().await, first);
    strict.publish("www.a.com").await;
    strict.fixture.clock.advance(Duration::from_secs(1));
    let refused = strict.verify("www.a.com", Method::Dns).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::NoRecord { .. }), "{refused}");
    assert_ne!(record().await, first);
    strict.publish("www.a.com").await;
    strict.verify("www.a.com", Method::Dns).await.unwrap();
    strict.fixture.clock.advance(DAY - Duration::from_secs(1));
    strict.add("www.a.com").await.unwrap();
    strict.fixture.clock.advance(Duration::from_secs(1));
    assert!(matches!(strict.add("img.a.com").await, Err(DomainError::Unverified { .. })));
    assert!(strict.engine().domain(strict.other.id, "www.a.com").is_some(), "it stays");
}

#[tokio::test]
async fn records_are_listed_with_their_proofs_until_they_end() {
    let strict = Strict::new().await;
    let (engine, other) = (strict.engine(), strict.other.id);
    strict.publish("www.a.com").await;
    strict.publish("www.b.com").await;
    strict.verify("www.a.com", Method::Dns).await.unwrap();
    let listed = || async {
        let records = engine.ownership_records(other).await.unwrap();
        let listed = records.into_iter().map(|(record, proof)| (record.name, proof.is_some()));
        listed.collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [("a.com".into(), true), ("b.com".into(), false)]);
    strict.fixture.clock.advance(DAY - Duration::from_millis(1));
    assert_eq!(listed().await.len(), 2);
    strict.fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(listed().await, []);
}

#[tokio::test]
async fn a_domain_that_is_removed_must_be_proved_again() {
    let strict = Strict::new().await;
    strict.publish("www.a.com").await;
    strict.verify("www.a.com", Method::Dns).await.unwrap();
    strict.add("www.a.com").await.unwrap();
    strict.engine().remove_domain(strict.other.id, "www.a.com").await.unwrap();
    assert!(matches!(strict.add("www.a.com").await, Err(DomainError::Unverified { .. })));
    let refused = strict.verify("www.a.com", Method::Dns).await.unwrap_err();
    let is_other =
        matches!(&refused, OwnershipError::ProofNotFound { reason: EvidenceError::Other(_), .. });
    assert!(is_other, "what was published before is worth nothing: {refused}");
}

#[tokio::test]
async fn nobody_learns_of_others_hosts_before_a_proof() {
    let strict = Strict::new().await;
    for host in ["www.example.com", "x.www.example.com", "*.example.com", "free.example.org"] {
        let refused = strict.add(host).await;
        assert!(matches!(refused, Err(DomainError::Unverified { .. })), "{host}");
    }
    strict.publish("example.com").await;
    strict.verify("example.com", Method::Dns).await.unwrap();
    assert!(matches!(strict.add("www.example.com").await, Err(DomainError::Taken { .. })));
    assert!(matches!(strict.add("*.example.com").await, Err(DomainError::Related { .. })));
    assert_eq!(strict.add("img.example.com").await.unwrap(), Ownership::Dns);
}

#[tokio::test]
async fn names_that_nobody_can_prove_have_no_record() {
    let strict = Strict::new().await;
    for host in ["localhost", "127.0.0.1", "[::1]", "a.local", "a.test", "com", "*.github.io"] {
        let record = strict.engine().ownership_record(strict.other.id, host).await;
        assert!(matches!(record, Err(OwnershipError::Unclaimable { .. })), "{host}: {record:?}");
        let refused = strict.add(host).await;
        assert!(matches!(refused, Err(DomainError::Unclaimable { .. })), "{host}: {refused:?}");
    }
    let long = format!("{}.com", "x".repeat(64));
    for host in ["", "a b.com", "bücher.de", "a..com", "-a.com", "http://a.com", long.as_str()] {
        let record = strict.engine().ownership_record(strict.other.id, host).await;
        assert!(matches!(record, Err(OwnershipError::InvalidHost { .. })), "{host}: {record:?}");
    }
}

#[tokio::test]
async fn records_and_searches_are_bounded_for_each_account() {
    let strict = Strict::with(Config { verifications_per_minute: 3, ..Config::default() }).await;
    let (engine, other) = (strict.engine(), strict.other.id);
    for number in 0..MAX_RECORDS {
        engine.ownership_record(other, &format!("www.d{number}.com")).await.unwrap();
    }
    engine.ownership_record(other, "img.d0.com").await.unwrap();
    let refused = engine.ownership_record(other, "one.more.com").await.unwrap_err();
    assert!(matches!(refused, OwnershipError::TooMany { limit: MAX_RECORDS }), "{refused}");
    let refused = strict.add("one.more.com").await.unwrap_err();
    assert!(matches!(refused, DomainError::Unverified { record: None, .. }), "{refused}");

    strict.publish("d0.com").await;
    for _ in 0..3 {
        assert!(strict.verify("www.d1.com", Method::Dns).await.is_err());
    }
    let refused = strict.verify("www.d0.com", Method::Dns).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::TooOften { limit: 3 }), "{refused}");
    let owner = strict.fixture.account.id;
    engine.ownership_record(owner, "d0.com").await.unwrap();
    let of_another = engine.verify_ownership(owner, "d0.com", Method::Dns).await.unwrap_err();
    assert!(matches!(of_another, OwnershipError::ProofNotFound { .. }), "{of_another}");
    strict.fixture.clock.advance(Duration::from_secs(60));
    strict.verify("www.d0.com", Method::Dns).await.unwrap();
}

/// Answers when it is told to, and says when it is asked.
#[derive(Debug)]
struct Slow {
    asked: mpsc::UnboundedSender<()>,
    may_answer: Semaphore,
}

#[async_trait]
impl Evidence for Slow {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, EvidenceError> {
        self.asked.send(()).unwrap();
        let _turn = self.may_answer.acquire().await.unwrap();
        Err(EvidenceError::NoAnswer(name.into()))
    }

    async fn file(&self, host: &str, _: &str) -> Result<Vec<u8>, EvidenceError> {
        Err(EvidenceError::NoAddress(host.into()))
    }
}

#[tokio::test]
async fn eight_searches_run_at_once() {
    let config = Config { verifications_per_minute: 1000, ..Config::default() };
    let fixture = Fixture::with(config).await;
    let (asked, mut questions) = mpsc::unbounded_channel();
    let slow = Arc::new(Slow { asked, may_answer: Semaphore::new(0) });
    fixture.engine.set_evidence(Arc::clone(&slow) as _);
    let (engine, account) = (Arc::clone(&fixture.engine), fixture.account.id);
    engine.ownership_record(account, "a.com").await.unwrap();
    let mut searches = JoinSet::new();
    for _ in 0..8 {
        let engine = Arc::clone(&engine);
        searches.spawn(async move { engine.verify_ownership(account, "a.com", Method::Dns).await });
    }
    for _ in 0..8 {
        questions.recv().await.unwrap();
    }
    let refused = engine.verify_ownership(account, "a.com", Method::Dns).await.unwrap_err();
    assert!(matches!(refused, OwnershipError::Busy), "{refused}");
    slow.may_answer.add_permits(100);
    for ended in searches.join_all().await {
        assert!(matches!(ended, Err(OwnershipError::ProofNotFound { .. })), "{ended:?}");
    }
    let again = engine.verify_ownership(account, "a.com", Method::Dns).await.unwrap_err();
    assert!(matches!(again, OwnershipError::ProofNotFound { .. }), "{again}");
}

fn zone(name: &str) -> NewZone {
    let settings = VendorSettings::from([("api".into(), serde_json::Map::new())]);
    NewZone { name: name.into(), area: AreaScope::Global, settings }
}

#[tokio::test]
async fn a_zone_claims_its_name_once_that_is_proved() {
    let strict = Strict::new().await;
    let (engine, owner, other) = (strict.engine(), strict.fixture.account.id, strict.other.id);
    let own = async |host: &str| engine.add_domain(owner, domain(host, AreaScope::Global)).await;
    assert_eq!(engine.add_zone(other, zone("a.com")).await.unwrap().claim, None);
    own("x.a.com").await.unwrap();
    engine.remove_domain(owner, "x.a.com").await.unwrap();
    engine.remove_zone(owner, "a.com").await.unwrap();
    strict.publish("a.com").await;
    strict.verify("a.com", Method::Dns).await.unwrap();
    assert_eq!(engine.zone(other, "a.com").unwrap().claim, Some(Ownership::Dns));
    for host in ["a.com", "x.a.com", "*.x.a.com"] {
        assert!(matches!(own(host).await, Err(DomainError::Related { .. })), "{host}");
    }
    let refused = engine.add_zone(owner, zone("x.a.com")).await;
    assert!(matches!(refused, Err(ZoneError::Related { .. })), "{refused:?}");
    strict.fixture.clock.advance(DAY * 9);
    assert_eq!(
        strict.add("x.a.com").await.unwrap(),
        Ownership::Dns,
        "as long as the zone is there"
    );
    engine.remove_domain(other, "x.a.com").await.unwrap();
    engine.remove_zone(other, "a.com").await.unwrap();
    assert!(matches!(strict.add("x.a.com").await, Err(DomainError::Unverified { .. })));
    assert_eq!(engine.add_zone(owner, zone("a.com")).await.unwrap().claim, Some(Ownership::Owner));
    // a zone that a domain brought about claims nothing
    own("www.b.com").await.unwrap();
    assert_eq!(engine.zone(owner, "b.com").unwrap().claim, None);
    strict.publish("b.com").await;
    strict.verify("b.com", Method::Dns).await.unwrap();
    assert_eq!(strict.add("img.b.com").await.unwrap(), Ownership::Dns);
}

/// Whatever the order in which two accounts add and remove related hosts at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn related_hosts_never_belong_to_two_accounts_however_they_race() {
    let fixture = Fixture::new().await;
    let engine = Arc::clone(&fixture.engine);
    let other = engine.create_account("100000000002".into(), 2, Limits::OWNER).await.unwrap().id;
    let mut racing = JoinSet::new();
    for number in 0..60_usize {
        let engine = Arc::clone(&engine);
        let account: AccountId = [fixture.account.id, other][number % 2];
        racing.spawn(async move {
            for step in 0..6 {
                let label = ["", "x.", "a.x.", "*.", "*.x."][(number / 2 + step) % 5];
                let host = format!("{label}race{}.net", number % 4 / 2);
                if step % 3 == 1 {
                    let _ = engine.remove_domain(account, &host).await;
                } else {
                    let _ = engine.add_domain(account, domain(&host, AreaScope::Global)).await;
                }
            }
        });
    }
    racing.join_all().await;
    let held = |account| engine.domains(account);
    let (ours, theirs) = (held(fixture.account.id), held(other));
    assert!(!ours.is_empty() || !theirs.is_empty(), "the last step of each adds one");
    for a in &ours {
        for b in &theirs {
            assert!(!are_related(&a.name, &b.name), "{} {}", a.name, b.name);
        }
    }
}

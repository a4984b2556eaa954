//! Claims, records and proofs.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    ownership::{Method, Ownership, Proof, VerificationRecord, are_related},
    setting::Status,
    zone::{Zone, ZoneId},
};
use tokio::task::JoinSet;

use super::{
    accounts::domain,
    fixture::{Dice, Fixture, T0, at},
};
use crate::{ErrorKind, Ledger};

fn zone(name: &str, account: AccountId, is_claim: bool) -> Zone {
    Zone {
        id: ZoneId(format!("zone-{name}-{account}")),
        account,
        name: name.into(),
        claim: is_claim.then_some(Ownership::Dns),
        area: AreaScope::Global,
        status: Status::Online,
        created_at: T0,
        updated_at: T0,
        settings: Default::default(),
    }
}

fn record(account: AccountId, name: &str, token: &str, made: u64) -> VerificationRecord {
    VerificationRecord {
        account,
        name: name.into(),
        token: token.into(),
        created_at: at(made),
        expires_at: at(made + 10),
    }
}

fn proof(account: AccountId, name: &str, method: Method, made: u64) -> Proof {
    Proof { account, name: name.into(), method, proved_at: at(made), expires_at: at(made + 10) }
}

pub async fn a_claim_that_is_related_to_another_accounts_is_a_conflict(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    ledger.add_domain(&domain("www.a.com", account)).await.expect("free");
    ledger.put_zone(&zone("b.com", account, true)).await.expect("free");
    ledger.put_zone(&zone("c.com", account, false)).await.expect("free");
    for host in ["www.a.com", "a.com", "*.a.com", "x.www.a.com", "*.www.a.com", "b.com", "x.b.com"]
    {
        let error = ledger.add_domain(&domain(host, stranger)).await.expect_err(host);
        assert_eq!(error.kind, ErrorKind::Conflict, "{host}");
        let error = ledger.put_zone(&zone(host, stranger, true)).await.expect_err(host);
        assert_eq!(error.kind, ErrorKind::Conflict, "{host}");
        ledger.put_zone(&zone(host, stranger, false)).await.expect("it claims nothing");
    }
    for host in ["img.a.com", "*.img.a.com", "x.c.com", "c.com"] {
        ledger.add_domain(&domain(host, stranger)).await.expect(host);
    }
    for host in ["x.www.a.com", "x.b.com", "y.c.net"] {
        ledger.add_domain(&domain(host, account)).await.expect(host);
    }
    let error = ledger.add_domain(&domain("x.b.com", account)).await.expect_err("it is there");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(ledger.remove_domain("www.a.com").await.expect("remove"));
    assert!(ledger.remove_domain("x.www.a.com").await.expect("remove"));
    ledger.add_domain(&domain("www.a.com", stranger)).await.expect("free again");
}

pub async fn of_related_claims_that_race_those_of_one_account_are_taken(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let mut dice = Dice(9);
    for round in 0..20 {
        let mut adding = JoinSet::new();
        for _ in 0..12 {
            let label = dice.pick(["", "www.", "a.www.", "*.", "*.www."]);
            let new = domain(&format!("{label}r{round}.com"), dice.pick([account, stranger]));
            let ledger = Arc::clone(&ledger);
            adding.spawn(async move { ledger.add_domain(&new).await.map_err(|error| error.kind) });
        }
        let results = adding.join_all().await;
        assert!(results.contains(&Ok(())), "the first one is taken");
        assert!(results.iter().all(|it| matches!(it, Ok(()) | Err(ErrorKind::Conflict))));
    }
    let domains = ledger.domains().await.expect("domains");
    for a in &domains {
        for b in &domains {
            assert!(
                a.account == b.account || !are_related(&a.name, &b.name),
                "{} {}",
                a.name,
                b.name
            );
        }
    }
}

pub async fn a_record_stays_until_it_expires_and_an_account_has_a_bounded_number(
    ledger: Arc<dyn Ledger>,
) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let put =
        async |new: VerificationRecord| ledger.put_ownership_record(&new, 2).await.expect("put");
    let first = record(account, "a.com", "one", 0);
    assert_eq!(put(first.clone()).await, Some(first.clone()));
    assert_eq!(put(record(account, "a.com", "two", 9)).await, Some(first.clone()));
    let others = record(stranger, "a.com", "theirs", 0);
    assert_eq!(put(others.clone()).await, Some(others.clone()));
    let second = record(account, "b.com", "b", 5);
    assert_eq!(put(second.clone()).await, Some(second.clone()));
    assert_eq!(put(record(account, "c.com", "c", 9)).await, None, "there are two");
    assert_eq!(ledger.ownership_records(account).await.expect("list"), [first, second.clone()]);
    let later = record(account, "a.com", "later", 10);
    assert_eq!(put(later.clone()).await, Some(later.clone()), "the first one has expired");
    assert_eq!(ledger.ownership_records(account).await.expect("list"), [later, second]);
    assert_eq!(ledger.ownership_records(stranger).await.expect("list"), [others]);
    let error = ledger.put_ownership_record(&record(AccountId(404), "a.com", "", 0), 2).await;
    assert_eq!(error.expect_err("nobody").kind, ErrorKind::NotFound);
}

pub async fn a_proof_replaces_the_older_one_and_the_oldest_goes(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let put = async |new: &Proof| ledger.put_ownership_proof(new, 2).await.expect("put");
    let list = async |of| ledger.ownership_proofs(of).await.expect("list");
    let (dns, file) =
        (proof(account, "a.com", Method::Dns, 0), proof(account, "a.com", Method::File, 1));
    put(&dns).await;
    put(&file).await;
    put(&proof(stranger, "a.com", Method::Dns, 0)).await;
    assert_eq!(list(account).await, [dns.clone(), file.clone()]);
    let dns = Proof { proved_at: at(2), expires_at: at(2) + Duration::from_secs(10), ..dns };
    put(&dns).await;
    assert_eq!(list(account).await, [dns.clone(), file]);
    let third = proof(account, "b.com", Method::Dns, 3);
    put(&third).await;
    assert_eq!(list(account).await, [dns, third.clone()], "that of the file was the oldest");
    let last = proof(account, "c.com", Method::Dns, 12);
    put(&last).await;
    assert_eq!(list(account).await, [third, last], "one has expired");
    assert_eq!(list(stranger).await.len(), 1);
}

pub async fn a_domain_that_is_removed_ends_records_and_proofs_of_its_account(
    ledger: Arc<dyn Ledger>,
) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    ledger.add_domain(&domain("www.a.com", account)).await.expect("free");
    for of in [account, stranger] {
        for name in ["a.com", "b.com"] {
            ledger.put_ownership_record(&record(of, name, "t", 0), 9).await.expect("put");
            ledger.put_ownership_proof(&proof(of, name, Method::Dns, 0), 9).await.expect("put");
        }
        ledger.put_ownership_proof(&proof(of, "img.a.com", Method::File, 0), 9).await.expect("put");
    }
    assert!(ledger.remove_domain("www.a.com").await.expect("remove"));
    let names = async |of| {
        let records = ledger.ownership_records(of).await.expect("list");
        let proofs = ledger.ownership_proofs(of).await.expect("list");
        let records = records.into_iter().map(|record| record.name);
        records.chain(proofs.into_iter().map(|proof| proof.name)).collect::<Vec<_>>()
    };
    assert_eq!(names(account).await, ["b.com", "b.com", "img.a.com"]);
    assert_eq!(names(stranger).await, ["a.com", "b.com", "a.com", "b.com", "img.a.com"]);
}

//! Accounts, keys, limits and domains.

use std::sync::Arc;

use stoker_domain::{
    account::AccountId,
    area::{Area, AreaScope},
    domain::{Domain, Lock, Shield},
    quota::{AreaLimits, Era, Limits, Product},
    replay::ReplayWindow,
    setting::Status,
};

use super::fixture::{Fixture, T0, account, at, counter};
use crate::{AdmittedCall, ErrorKind, Ledger, NewLimits};

pub async fn an_account_gets_a_number_and_is_listed_oldest_first(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.accounts().await.expect("accounts"), vec![]);
    let fixture = Fixture::new(ledger).await;
    assert_ne!(fixture.account, fixture.stranger);
    let accounts = fixture.ledger.accounts().await.expect("accounts");
    let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
    assert_eq!(ids, vec![fixture.account, fixture.stranger]);
    assert_eq!(accounts[0].uin, "100000000001");
    assert_eq!(accounts[0].app_id, 1_250_000_000);
    assert_eq!(accounts[0].created_at, T0);
}

pub async fn a_second_account_with_the_same_number_is_a_conflict(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let error = fixture.ledger.create_account(account("100000000001")).await.expect_err("taken");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.to_string(), "ledger cannot create an account");
    assert_eq!(fixture.ledger.accounts().await.expect("accounts").len(), 2);
}

pub async fn limits_are_the_default_until_they_are_set_by_product(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let limits = async |account, product| ledger.limits(account, product).await.expect("limits");
    let default = AreaLimits::both(Limits::PREFETCH_DEFAULT);
    assert_eq!(limits(account, Product::DomainPrefetch).await, default);
    for daily in [5, u64::from(u32::MAX) * 4] {
        let set = Limits { batch: 7, daily };
        let (product, areas) = (Product::DomainPrefetch, AreaScope::Global);
        let new = NewLimits { product, areas, limits: set, is_default: false };
        ledger.set_limits(account, new).await.expect("set limits");
        assert_eq!(limits(account, Product::DomainPrefetch).await, AreaLimits::both(set));
    }
    assert_eq!(limits(account, Product::ZonePrefetch).await, default);
    assert_eq!(limits(stranger, Product::DomainPrefetch).await, default);
    assert_eq!(ledger.used(account, counter(Area::Mainland)).await.expect("used"), 0);
}

pub async fn limits_are_set_by_area_and_added_where_there_are_none(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, .. } = Fixture::new(ledger).await;
    let (product, set) = (Product::DomainPurgePath, |daily| Limits { batch: 7, daily });
    let limits = async || ledger.limits(account, product).await.expect("limits");
    let put = async |areas, limits, is_default| {
        let new = NewLimits { product, areas, limits, is_default };
        ledger.set_limits(account, new).await.expect("set limits");
    };
    put(AreaScope::Mainland, set(1), false).await;
    let overseas = product.default_limits();
    assert_eq!(limits().await, AreaLimits { mainland: set(1), overseas });
    for daily in [2, 3] {
        put(AreaScope::Global, set(daily), true).await;
        assert_eq!(limits().await, AreaLimits { mainland: set(1), overseas: set(2) });
    }
    put(AreaScope::Overseas, set(4), false).await;
    assert_eq!(limits().await, AreaLimits { mainland: set(1), overseas: set(4) });
}

pub async fn the_quota_days_are_kept_whole(ledger: Arc<dyn Ledger>) {
    let eras = async || ledger.quota_eras().await.expect("eras");
    assert_eq!(eras().await, []);
    let era = |seconds, first_day| Era { starts_at: at(seconds), first_day };
    for set in [vec![era(10, 5)], vec![era(10, 5), era(20, 9)], vec![era(7, 6)], vec![]] {
        ledger.set_quota_eras(&set).await.expect("set eras");
        assert_eq!(eras().await, set);
    }
}

pub(super) fn domain(host: &str, account: AccountId) -> Domain {
    let origin = "http://127.0.0.1:8080/base".parse().expect("an origin");
    Domain::new(host, account, origin, T0)
}

pub async fn a_domain_is_kept_whole_and_listed_by_host(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let (b, mut a) = (domain("b.example", account), domain("a.example", stranger));
    ledger.put_domain(&b).await.expect("put");
    ledger.put_domain(&a).await.expect("put");
    assert_eq!(ledger.domains().await.expect("domains"), vec![a.clone(), b.clone()]);
    a = Domain {
        account,
        shield: Shield::PerArea,
        status: Status::Offline,
        updated_at: at(9),
        lock: Some(Lock::Changing),
        ..a
    };
    a.origin.allow_private = true;
    a.origin.host_header = Some("origin.example".into());
    a.cache.default_lifetime_seconds = 60;
    ledger.put_domain(&a).await.expect("put");
    assert_eq!(ledger.domains().await.expect("domains"), vec![a, b.clone()]);
    assert!(ledger.remove_domain("a.example").await.expect("remove"));
    assert!(!ledger.remove_domain("a.example").await.expect("remove"));
    assert_eq!(ledger.domains().await.expect("domains"), vec![b]);
}

pub async fn what_belongs_to_no_account_is_not_found(ledger: Arc<dyn Ledger>) {
    let nobody = AccountId(404);
    let error = ledger.put_domain(&domain("a.example", nobody)).await.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let new = NewLimits {
        product: Product::DomainPrefetch,
        areas: AreaScope::Global,
        limits: Limits::OWNER,
        is_default: false,
    };
    let error = ledger.set_limits(nobody, new).await.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(ledger.domains().await.expect("domains"), vec![]);
}

/// [`SignedCalls::admit_once`](crate::SignedCalls::admit_once): the second comes too late, whatever else was taken in between.
pub async fn a_signed_call_is_taken_once_while_it_is_remembered(ledger: Arc<dyn Ledger>) {
    for window in [ReplayWindow::Minutes, ReplayWindow::Hours] {
        is_taken_once(&*ledger, window).await;
    }
    // what is forgotten after minutes does not take with it what is remembered for hours
    let call = |window, time| AdmittedCall { window, time, call: [7; 16] };
    for window in [ReplayWindow::Minutes, ReplayWindow::Hours] {
        assert!(ledger.admit_once(call(window, 400), 0).await.expect("admit"));
    }
    assert!(ledger.admit_once(call(ReplayWindow::Minutes, 999), 999).await.expect("admit"));
    assert!(ledger.admit_once(call(ReplayWindow::Minutes, 400), 0).await.expect("admit"));
    assert!(!ledger.admit_once(call(ReplayWindow::Hours, 400), 0).await.expect("admit"));
}

async fn is_taken_once(ledger: &dyn Ledger, window: ReplayWindow) {
    let admit = async |time, call, forget_before| {
        let call = AdmittedCall { window, time, call: [call; 16] };
        ledger.admit_once(call, forget_before).await.expect("admit")
    };
    assert!(admit(100, 1, 0).await);
    assert!(!admit(100, 1, 0).await);
    assert!(admit(100, 2, 0).await && admit(101, 1, 0).await);
    assert!(!admit(100, 1, 100).await, "what is as old as that is remembered");
    assert!(admit(100, 1, 101).await, "what is older is forgotten");
    assert!(!admit(101, 1, 101).await);
    for call in 0..250 {
        assert!(admit(200, call, 0).await);
    }
    assert!(admit(300, 0, 300).await, "many are forgotten by and by, and none is in the way");
    assert!(!admit(300, 0, 300).await);
}

//! Who may have which domain, and who is told.

use stoker_domain::{
    area::AreaScope,
    domain::{Domain, Lock},
    quota::Limits,
};
use stoker_engine::{DomainError, NewDomain};

use crate::fixture::{Fixture, HOST, domain};

#[tokio::test]
async fn a_host_belongs_to_one_account() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let other = engine.create_account("100000000002".into(), 2, Limits::OWNER).await.unwrap().id;
    for (host, told) in [
        ("WWW.Example.Com.", "domain `www.example.com` is used by another account"),
        ("www.example.com:80", "`www.example.com:80` is not a host name or an IP address"),
        (
            "*.example.com",
            "domain `*.example.com` lies above or below what belongs to another account",
        ),
        ("com", "`com` is a public suffix: others register names below it"),
        ("bücher.example.com", "`bücher.example.com` is not a host name or an IP address"),
        ("", "`` is not a host name or an IP address"),
    ] {
        let error = engine.add_domain(other, domain(host, AreaScope::Global)).await.unwrap_err();
        assert_eq!(error.to_string(), told);
        assert!(error.hint().is_some());
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        engine.add_domain(other, domain(host, AreaScope::Global)).await.unwrap();
    }
    let hosts: Vec<_> = engine.domains(other).iter().map(|domain| domain.name.clone()).collect();
    assert_eq!(hosts, ["127.0.0.1", "[::1]", "localhost"]);
    assert!(engine.domain(owner, "localhost").is_none());
    assert!(engine.domain(other, "LOCALHOST:8080").is_some());
    assert_eq!(
        engine.remove_domain(other, HOST).await.unwrap_err().to_string(),
        "this account has no domain named `www.example.com`"
    );
}

#[tokio::test]
async fn every_change_is_published() {
    let fixture = Fixture::new().await;
    let mut directory = fixture.engine.directory();
    assert!(directory.borrow_and_update().domain(HOST).is_some());
    fixture.engine.remove_domain(fixture.account.id, HOST).await.unwrap();
    assert!(directory.has_changed().unwrap());
    assert!(directory.borrow_and_update().domain(HOST).is_none());
}

#[tokio::test]
async fn a_locked_domain_is_neither_changed_nor_removed() {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    engine.lock_domain(account, HOST, Some(Lock::Locked)).await.unwrap();
    let nothing = |_: &mut Domain| Ok::<_, DomainError>(());
    let changed = engine.change_domain(account, HOST, nothing).await.unwrap_err();
    let removed = engine.remove_domain(account, HOST).await.unwrap_err();
    for refused in [changed, removed] {
        assert!(matches!(refused, DomainError::Locked { lock: Lock::Locked, .. }), "{refused}");
        let hint = refused.hint().unwrap();
        assert!(hint.ends_with("`stoker domain unlock www.example.com`"), "{hint}");
    }
    engine.lock_domain(account, HOST, None).await.unwrap();
    engine.change_domain(account, HOST, nothing).await.unwrap();
    engine.remove_domain(account, HOST).await.unwrap();
}

#[tokio::test]
async fn a_domain_is_found_by_its_name_or_by_what_it_answers_for_by_its_account_alone() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    engine.add_domain(owner, domain("*.a.example.net", AreaScope::Global)).await.unwrap();
    let other = engine.create_account("100000000002".into(), 2, Limits::OWNER).await.unwrap().id;
    for (name, found) in [
        ("*.a.example.net", Some("*.a.example.net")),
        ("x.a.example.net", Some("*.a.example.net")),
        (HOST, Some(HOST)),
        ("b.example.net", None),
    ] {
        let of = |account| engine.domain_named_or_over(account, name).map(|it| it.name.clone());
        assert_eq!((of(owner).as_deref(), of(other)), (found, None), "{name}");
    }
}

#[tokio::test]
async fn a_port_of_no_web_server_is_for_the_owner_alone() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let other = engine.create_account("100000000002".into(), 2, Limits::OWNER).await.unwrap().id;
    let new = |host: &str| NewDomain {
        origin: "http://origin.example.com:25".parse().unwrap(),
        ..domain(host, AreaScope::Global)
    };
    engine.add_domain(owner, new("a.example.net")).await.unwrap();
    let refused = engine.add_domain(other, new("b.example.org")).await.unwrap_err();
    assert!(matches!(refused, DomainError::Port { port: 25 }), "{refused}");
}

#[tokio::test]
async fn what_a_domain_stored_before_it_was_removed_is_never_its_again() {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    let epoch = || engine.domain(account, HOST).unwrap().content_epoch;
    let before = epoch();
    engine.remove_domain(account, HOST).await.unwrap();
    engine.add_domain(account, domain(HOST, AreaScope::Global)).await.unwrap();
    assert!(before > 0 && epoch() > 0 && before != epoch());
}

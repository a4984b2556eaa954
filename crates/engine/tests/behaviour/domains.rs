//! Who may have which domain, and who is told.

use stoker_domain::area::AreaScope;
use stoker_domain::quota::Limits;

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

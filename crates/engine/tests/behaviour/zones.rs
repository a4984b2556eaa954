//! Which zone a domain is put into, and what zones refuse.

use stoker_domain::{
    area::AreaScope,
    domain::Domain,
    setting::{Status, VendorSettings},
};
use stoker_engine::{DomainError, NewZone, ZoneChoice, ZoneError};

use crate::fixture::{Fixture, HOST, domain};

#[tokio::test]
async fn a_domain_is_put_into_the_zone_of_its_registrable_domain() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let name_of = |domain: &Domain| {
        let id = domain.zone.as_ref()?;
        Some(engine.zone(owner, &id.0).unwrap().name.clone())
    };
    for (host, choice, zone) in [
        ("img.Example.com", ZoneChoice::Registrable, Some("example.com")),
        ("a.b.example.co.uk", ZoneChoice::Registrable, Some("example.co.uk")),
        ("localhost", ZoneChoice::Registrable, None),
        ("127.0.0.1", ZoneChoice::Registrable, None),
        ("127.0.0.2", ZoneChoice::Named("Lab".into()), Some("lab")),
        ("js.example.com", ZoneChoice::Outside, None),
    ] {
        let new = domain(host, AreaScope::Global);
        let added = engine.add_domain_to(owner, new, choice, VendorSettings::new()).await.unwrap();
        assert_eq!(name_of(&added).as_deref(), zone, "{host}");
    }
    let names: Vec<_> = engine.zones(owner).iter().map(|zone| zone.name.clone()).collect();
    assert_eq!(names, ["example.co.uk", "example.com", "lab"]);
    let id = &engine.zones(owner)[0].id.0;
    assert!(id.starts_with("zone-") && id.len() == 17, "{id}");
}

#[tokio::test]
async fn a_zone_is_removed_only_when_it_is_empty() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let new = |name: &str| NewZone {
        name: name.into(),
        area: AreaScope::Global,
        settings: VendorSettings::new(),
    };
    let error = engine.remove_zone(owner, "example.com").await.unwrap_err();
    assert!(matches!(error, ZoneError::InUse { domains: 1, .. }), "{error}");
    let error = engine.add_zone(owner, new("EXAMPLE.com")).await.unwrap_err();
    assert!(matches!(error, ZoneError::Exists { .. }), "{error}");
    let error = engine.add_zone(owner, new("a zone")).await.unwrap_err();
    assert!(matches!(error, ZoneError::InvalidName { .. }), "{error}");
    let moved = engine.move_domain(owner, HOST, ZoneChoice::Outside).await.unwrap();
    assert_eq!(moved.zone, None);
    let stranger = stoker_domain::account::AccountId(404);
    let error = engine.remove_zone(stranger, "example.com").await.unwrap_err();
    assert!(matches!(error, ZoneError::Unknown { .. }), "{error}");
    engine.remove_zone(owner, "example.com").await.unwrap();
    assert!(engine.zones(owner).is_empty());
}

#[tokio::test]
async fn a_domain_is_changed_as_a_whole_or_not_at_all() {
    let fixture = Fixture::new().await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let before = engine.domain(owner, HOST).unwrap();
    let stop = |domain: &mut Domain| -> Result<(), DomainError> {
        domain.status = Status::Offline;
        domain.name = "another.example.com".into();
        Ok(())
    };
    let changed = engine.change_domain(owner, HOST, stop).await.unwrap();
    assert_eq!((changed.status, changed.name.as_str()), (Status::Offline, HOST));
    assert_eq!(engine.domain(owner, HOST), Some(changed));
    let refuse = |domain: &mut Domain| {
        domain.status = Status::Online;
        Err(DomainError::Exists { host: "x".into() })
    };
    assert!(engine.change_domain(owner, HOST, refuse).await.is_err());
    assert_eq!(engine.domain(owner, HOST).unwrap().status, Status::Offline);
    assert_ne!(before.status, Status::Offline);
}

//! Zones.

use std::sync::Arc;

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    setting::Status,
    zone::{Zone, ZoneId},
};

use super::fixture::{Fixture, T0, at};
use crate::{ErrorKind, Ledger};

fn zone(id: &str, account: AccountId) -> Zone {
    Zone {
        id: ZoneId(id.into()),
        account,
        name: "example.com".into(),
        claim: None,
        area: AreaScope::Global,
        status: Status::Online,
        created_at: T0,
        updated_at: T0,
        settings: [("an-api".into(), serde_json::Map::from_iter([("Tag".into(), 7.into())]))]
            .into(),
    }
}

pub async fn a_zone_is_kept_whole_and_listed_by_id(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let (mut a, b) = (zone("zone-a", stranger), zone("zone-b", account));
    ledger.put_zone(&b).await.expect("put");
    ledger.put_zone(&a).await.expect("put");
    assert_eq!(ledger.zones().await.expect("zones"), vec![a.clone(), b.clone()]);
    a = Zone { status: Status::Offline, updated_at: at(9), ..a };
    ledger.put_zone(&a).await.expect("put");
    assert_eq!(ledger.zones().await.expect("zones"), vec![a.clone(), b.clone()]);
    assert!(ledger.remove_zone(&a.id).await.expect("remove"));
    assert!(!ledger.remove_zone(&a.id).await.expect("remove"));
    assert_eq!(ledger.zones().await.expect("zones"), vec![b]);
    let error = ledger.put_zone(&zone("zone-c", AccountId(404))).await.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

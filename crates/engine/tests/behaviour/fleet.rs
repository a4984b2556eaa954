//! What is known of nodes.

use stoker_domain::{
    area::{Area, Tier},
    job::StoreHealth,
};

use crate::fixture::{Fixture, MIDDLE};

const HEALTH: StoreHealth = StoreHealth {
    held_bytes: 1,
    bound_bytes: 2,
    free_bytes: Some(3),
    reserve_bytes: 4,
    lost_records: 5,
    damaged_records: 6,
    unreadable_segments: 7,
    refused_writes: 8,
};

#[tokio::test]
async fn the_health_of_a_store_is_shown_until_the_next_report_and_survives_a_registration() {
    let fixture = Fixture::new().await;
    let engine = &fixture.engine;
    let store = || engine.nodes().into_iter().find(|view| view.node.name == MIDDLE).unwrap().store;
    assert_eq!(store(), None);
    engine.record_store_health(MIDDLE, HEALTH);
    engine.record_store_health("nobody", HEALTH);
    assert_eq!(store(), Some(HEALTH));
    engine.register(crate::fixture::node(Area::Mainland, Tier::Middle), 2).await.unwrap();
    assert_eq!(store(), Some(HEALTH));
    engine.record_store_health(MIDDLE, StoreHealth { held_bytes: 9, ..HEALTH });
    assert_eq!(store().map(|health| health.held_bytes), Some(9));
    assert_eq!(engine.nodes().len(), 4, "a node that never registered is not shown");
}

#[tokio::test]
async fn only_a_node_that_has_registered_is_registered() {
    let fixture = Fixture::new().await;
    assert!(fixture.engine.is_registered(MIDDLE) && !fixture.engine.is_registered("nobody"));
    fixture.engine.try_ledger().await.unwrap();
}

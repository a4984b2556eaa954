//! Keys, users, groups and policies.

use std::sync::Arc;

use stoker_domain::account::AccessKey;

use super::fixture::{Fixture, T0, at};
use crate::Ledger;

pub async fn a_key_is_found_by_its_public_half_and_replaced(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let key = AccessKey {
        secret_id: "AKIDexample".into(),
        secret_key: "s3cret".into(),
        account,
        user: None,
        is_enabled: true,
        created_at: T0,
        last_used_at: None,
        temporary: None,
    };
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), None);
    ledger.put_key(key.clone()).await.expect("put key");
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), Some(key.clone()));
    let other =
        AccessKey { secret_key: "other".into(), account: stranger, is_enabled: false, ..key };
    let later = AccessKey { created_at: at(5), last_used_at: Some(at(6)), ..other.clone() };
    ledger.put_key(later).await.expect("put key");
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), Some(other));
    assert_eq!(ledger.key("akidexample").await.expect("key"), None);
}

//! Who stands behind a key.

use stoker_domain::account::AccessKey;

use crate::stage::Stage;

#[tokio::test]
async fn a_key_is_found_until_it_is_disabled() {
    let stage = Stage::new().await;
    let key = |secret: &str, is_enabled| AccessKey {
        secret_id: "id".into(),
        secret_key: secret.into(),
        account: stage.account.id,
        user: None,
        is_enabled,
        created_at: stage.account.created_at,
        last_used_at: None,
        temporary: None,
    };
    assert!(stage.engine.caller("id").await.unwrap().is_none());
    stage.engine.put_key(key("first", true)).await.unwrap();
    for _ in 0..2 {
        let caller = stage.engine.caller("id").await.unwrap().unwrap();
        assert_eq!((&caller.account, caller.key.secret_key.as_str()), (&stage.account, "first"));
    }
    stage.engine.put_key(key("second", true)).await.unwrap();
    let caller = stage.engine.caller("id").await.unwrap().unwrap();
    assert_eq!(caller.key.secret_key, "second");
    stage.engine.put_key(key("second", false)).await.unwrap();
    assert!(stage.engine.caller("id").await.unwrap().is_none());
}

//! A stolen database opens nothing, and a new master key costs nobody anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallpass_authorization_server::MasterKey;

use super::Delegating;
use crate::harness::open_with;

#[tokio::test]
async fn a_dump_of_the_database_holds_no_token() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_545);
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    two.house.server.keep_house().await.unwrap();
    let stored = String::from_utf8_lossy(&two.house.everything_stored().await).into_owned();
    assert!(stored.contains("third_party_linked"), "it is the database");
    assert!(!stored.contains("canary"), "nothing of the third party's");
}

/// A sealed value is good in its own row alone.
#[tokio::test]
async fn a_sealed_value_in_another_row_opens_nothing() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    let (replica, ada) = (two.replica().await, two.ada().await);
    let vault = replica.server.vault("hub").unwrap();
    two.house.sql("UPDATE vault SET id = 'another'").await;
    assert!(vault.token(&ada).await.is_err());
}

/// Whoever can write to the database, and has no key, makes nobody's session another's.
#[tokio::test]
async fn a_row_under_another_name_opens_nothing() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house
        .sql(
            "INSERT INTO users (id, name, name_key, password_hash, created_at)
             SELECT 'eve', 'eve', 'eve', password_hash, created_at FROM users;
             UPDATE vault SET user_id = 'eve'",
        )
        .await;
    let opened = two.vault().token("eve").await;
    assert!(matches!(opened, Err(hallpass_authorization_server::NoToken::Store(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_master_key_is_rotated_while_calls_go_on() {
    let two = Arc::new(Delegating::furnished().await);
    two.tokens().await;
    let file = two.house.database.folder().join("master.key");
    MasterKey::add(&file).unwrap();
    // A replica that knows both keys, and one that seals anew, while the first goes on with the former.
    let replica = two.replica().await;
    let (vault, ada) = (replica.server.vault("hub").unwrap(), two.ada().await);
    let done = Arc::new(AtomicBool::new(false));
    let calling = tokio::spawn({
        let (two, done, ada) = (Arc::clone(&two), Arc::clone(&done), ada.clone());
        async move {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) || calls < 20 {
                two.house.advance(3_540);
                assert!(vault.token(&ada).await.is_ok());
                calls += 1;
            }
            calls
        }
    });
    let key = MasterKey::load_or_create(&file).unwrap();
    let store = open_with(&two.house.database, &two.house.clock, key).await.unwrap();
    for _ in 0..5 {
        store.reseal().await.unwrap();
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Relaxed);
    let calls = calling.await.unwrap();
    assert_eq!(two.refreshes(), calls);
    store.reseal().await.unwrap();
    assert_eq!(store.sealed_under_former_keys().await.unwrap(), 0);
    MasterKey::forget_former(&file).unwrap();
    let last = two.replica().await;
    assert!(last.server.vault("hub").unwrap().token(&ada).await.is_ok());
}

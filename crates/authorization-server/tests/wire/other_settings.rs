//! A server whose settings change while it runs.

use std::sync::Arc;

use hallpass_authorization_server::StartError;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::Algorithm;

use crate::harness::{House, settings};

/// Keys are the same, and follow a rotation together.
#[tokio::test]
async fn keys_outlast_the_settings() {
    let house = House::furnished().await;
    let before = house.server.verifying_keys();
    let mut other = settings(&house.issuer);
    other.require_pushed_requests = true;
    let changed = house.server.with_settings(other).await.unwrap();
    let old = before.current();
    assert!(Arc::ptr_eq(&old, &changed.verifying_keys().current()));
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    changed.signing_keys().rotate(Algorithm::ES256, day).await.unwrap();
    changed.keep_house().await.unwrap();
    assert!(!Arc::ptr_eq(&old, &before.current()), "another key is known");
    assert!(Arc::ptr_eq(&before.current(), &changed.verifying_keys().current()), "to both");
}

#[tokio::test]
async fn another_issuer_is_another_server() {
    let house = House::furnished().await;
    let mut other = settings(&house.issuer);
    other.issuer = Issuer::parse("https://other.example").unwrap();
    assert!(matches!(house.server.with_settings(other).await, Err(StartError::OtherIssuer(_))));
    let mut nothing = settings(&house.issuer);
    nothing.resources.clear();
    assert!(matches!(house.server.with_settings(nothing).await, Err(StartError::NoResource)));
}

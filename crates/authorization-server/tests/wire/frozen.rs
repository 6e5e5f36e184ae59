//! A database that answers nothing and closes nothing: frozen, or behind a network that swallows packets.

use crate::harness;
use std::sync::Arc;
use std::time::Duration;

use hallpass_authorization_server::{Settings, StoreError};
use hallpass_testkit::database::{Cluster, TestDatabase};
use hallpass_testkit::person::Person;
use harness::{House, NATIVE, PASSWORD, USER};

fn soon(settings: &mut Settings) {
    settings.patience = Duration::from_secs(2);
}

#[tokio::test]
async fn a_frozen_postgresql_is_told_about_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new_in(folder.path());
    let house = Arc::new(House::furnished_on(TestDatabase::within(&cluster), soon).await);
    let tokens = house.tokens().await;
    let token = tokens.text("refresh_token").to_owned();
    let code = house.code().await;
    let person = Person::new();
    let login = person.open(house.url("/account")).await;
    login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert!(house.server.users().set_admin(USER, true).await.unwrap());
    let elsewhere = house.store().await;
    cluster.freeze(true);
    let form = [("client_id", NATIVE), ("token", "x")];
    let authorize = house.http.get(house.authorize_url(&house.request()));
    let (page, refreshed, redeemed, revoked, apps, all_apps, swept) = tokio::join!(
        authorize.send(),
        house.refresh(NATIVE, &token),
        house.redeem(&code),
        house.post("/revoke", &form),
        person.open(house.url("/account")),
        person.open(house.url("/admin/apps")),
        // Nobody's request: it has a limit of its own, and is done again.
        elsewhere.sweep(),
    );
    assert_eq!(page.unwrap().status(), 503);
    assert_eq!((apps.status().as_u16(), all_apps.status().as_u16()), (503, 503));
    assert!(matches!(swept, Err(StoreError::NoAnswer(_) | StoreError::Database(_))), "{swept:?}");
    assert!(house.server.opaque_tokens().find(&format!("hpa_{}", "A".repeat(43))).await.is_err());
    for answer in [refreshed, redeemed, revoked] {
        assert_eq!(answer.error(), (503, "temporarily_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    cluster.freeze(false);
    // What waited there is done or not done by now: a client that tries again gets on either way.
    let again = tokio::time::timeout(Duration::from_secs(40), async {
        loop {
            let answer = house.refresh(NATIVE, &token).await;
            if answer.status != 503 {
                return answer;
            }
        }
    });
    assert_eq!(again.await.unwrap().status, 200);
    // Beside the runtime: a connection that just begins has to be able to say so, or the end of the cluster waits for it.
    tokio::task::spawn_blocking(move || cluster.crash()).await.unwrap();
}

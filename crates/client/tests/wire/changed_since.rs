//! What has changed since a login: keys, clocks, and what became of its tokens elsewhere.

use std::time::Duration;

use hallpass_client::{
    Error,
    store::{MemoryStore, TokenStore as _},
};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::{
    faults::{Trouble, answer},
    support::{Person, builder, clock, list},
};

/// The authorization server signs with new keys, and what the old ones signed is refused: a refresh, and nobody is
/// asked. The keys themselves are not this client's to fetch.
#[tokio::test]
async fn rotated_keys_cost_one_refresh() {
    let (peer, person) = (Peer::start().await, Person::default());
    let keys = Trouble::start(|| answer(200, &[], "{\"keys\":[]}")).await;
    let jwks_uri = format!("{}/jwks", keys.origin);
    peer.script(|script| script.metadata = json!({ "jwks_uri": jwks_uri }));
    let client = builder(&peer, &person).build().unwrap();
    for rotations in 0..3 {
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
        assert_eq!((peer.seen().grants("refresh_token"), person.logins()), (rotations, 1));
        peer.expire_access_tokens();
    }
    assert_eq!(keys.asked(), 0);
}

/// An hour ahead, and an hour behind, of the clock that a login was made by: the server's verdict counts.
#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_costs_one_refresh_at_most() {
    let (peer, person, store, time) = (Peer::start().await, Person::default(), MemoryStore::new(), clock());
    let start = time.now();
    let build = || builder(&peer, &person).store(store.clone()).clock(time.clock()).build().unwrap();
    let client = build();
    client.send(list(&client)).await.unwrap();

    // Ahead: the token looks ended. It is renewed, and where that is not possible, it is still used.
    time.advance(Duration::from_secs(3600));
    peer.script(|script| script.refresh = Some((500, json!({}))));
    assert_eq!(build().send(list(&client)).await.unwrap().status(), 200);
    peer.script(|script| script.refresh = None);
    let ahead = build();
    for _ in 0..3 {
        assert_eq!(ahead.send(list(&ahead)).await.unwrap().status(), 200);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 2);

    // Behind: a token that has ended looks good for another hour, and one from the future is no worse.
    time.set(start.before(Duration::from_secs(3600)));
    let behind = build();
    assert_eq!(behind.send(list(&behind)).await.unwrap().status(), 200);
    peer.expire_access_tokens();
    for _ in 0..3 {
        assert_eq!(behind.send(list(&behind)).await.unwrap().status(), 200);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 3);

    // And right again.
    time.set(start);
    let right = build();
    for _ in 0..3 {
        assert_eq!(right.send(list(&right)).await.unwrap().status(), 200);
    }
    assert_eq!((peer.seen().grants("refresh_token"), person.logins()), (4, 1));
}

/// A login on purpose by a clock that is off: lifetimes are counted from when they came, so it makes no difference.
#[tokio::test]
async fn a_login_by_a_clock_that_is_off_is_as_good() {
    for off in [-3600, 3600] {
        let (peer, person, time) = (Peer::start().await, Person::default(), clock());
        time.set(hallpass_protocol::time::Timestamp::from_unix(time.now().unix() + off));
        let client = builder(&peer, &person).clock(time.clock()).build().unwrap();
        for _ in 0..3 {
            assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
        }
        assert_eq!((peer.seen().grants("refresh_token"), person.logins()), (0, 1), "{off}");
    }
}

/// RFC 7009 §2.1 and whoever else ended it: revoked is `invalid_grant`, as expired is. Told once, then never tried
/// again.
#[tokio::test]
async fn a_refresh_token_that_was_revoked_elsewhere_is_told_and_forgotten() {
    let (peer, person, store) = (Peer::start().await, Person::default(), MemoryStore::new());
    let client = builder(&peer, &person).store(store.clone()).build().unwrap();
    client.login().await.unwrap();
    let token = store.read().unwrap().accounts()[0].refresh_token.clone().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = [("token", token.expose())];
    http.post(format!("{}/revoke", peer.origin)).form(&form).send().await.unwrap();
    peer.expire_access_tokens();
    let alone = client.in_background();
    let error = alone.send(list(&alone)).await.unwrap_err();
    assert!(matches!(error, Error::RefreshRejected { .. }), "{error}");
    assert!(matches!(alone.send(list(&alone)).await, Err(Error::LoginNeeded { .. })));
    assert_eq!(peer.seen().grants("refresh_token"), 1);
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "a person logs in again");
    assert_eq!(person.logins(), 2);
}

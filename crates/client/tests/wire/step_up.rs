use hallpass_client::Error;
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, call, list};

#[tokio::test]
async fn a_403_asks_for_the_union_of_scopes() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let write = || call(&client, "tools/call", &json!({"name": "write"}));
    assert_eq!(client.send_operation("write", write()).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!(seen.authorizations[1]["scope"], "read write");
    assert_eq!(person.logins(), 2);
    assert_eq!(client.send_operation("write", write()).await.unwrap().status(), 200);
    assert_eq!(person.logins(), 2, "and then no more");
}

/// RFC 9470: a refresh would bring a token of the same old login.
#[tokio::test]
async fn a_login_that_is_too_old_is_made_anew_with_max_age() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.script(|script| {
        let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"300\", scope=\"read\"";
        script.challenge = Some(challenge.into());
    });
    peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.grants("refresh_token")), (2, 0));
    assert_eq!(seen.authorizations[0].get("max_age"), None);
    assert_eq!(seen.authorizations[1]["max_age"], "300");
}

/// What was asked for and not granted is asked for once more, and then it is said who withholds what.
#[tokio::test]
async fn a_scope_that_is_withheld_is_asked_for_once() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.granted = Some("read".into()));
    let client = builder(&peer, &person).build().unwrap();
    for _ in 0..5 {
        let request = call(&client, "tools/call", &json!({"name": "write"}));
        let error = client.send_operation("tools/call write", request).await.unwrap_err();
        assert!(matches!(&error, Error::ScopesNeeded { scopes, .. } if scopes.contains("write")), "{error}");
        let withheld = format!("{} was asked for it and did not grant `write`", peer.origin);
        assert!(error.to_string().contains(&withheld), "{error}");
    }
    assert_eq!(person.logins(), 2, "one login and one step-up, over all five calls");
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "other operations are not affected");
}

#[tokio::test]
async fn a_scope_that_was_granted_and_does_not_help_is_not_asked_for_again() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| {
        script.challenge = Some("Bearer scope=\"write\"".into());
        script.forbid = true;
    });
    let client = builder(&peer, &person).build().unwrap();
    let request = call(&client, "tools/call", &json!({"name": "write"}));
    assert!(matches!(client.send(request).await, Err(Error::ScopesNeeded { .. })));
    assert_eq!(person.logins(), 1);
}

#[tokio::test]
async fn without_a_person_the_missing_scopes_are_named() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let background = client.in_background();
    let request = call(&client, "tools/call", &json!({"name": "write"}));
    let error = background.send(request).await.unwrap_err();
    assert!(matches!(&error, Error::ScopesNeeded { scopes, .. } if scopes.to_string() == "write"), "{error}");
    assert_eq!(person.logins(), 1);
}

#[tokio::test]
async fn concurrent_403s_make_one_step_up() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let calls = (0..6).map(|_| {
        let client = client.clone();
        let request = call(&client, "tools/call", &json!({"name": "write"}));
        tokio::spawn(async move { client.send_operation("write", request).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(person.logins(), 2);
}

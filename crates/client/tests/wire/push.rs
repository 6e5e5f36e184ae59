use hallpass_client::{Error, Rule};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

#[tokio::test]
async fn the_browser_carries_a_reference_and_nothing_else() {
    let (peer, person) = (Peer::start().await, Person::default());
    let endpoint = format!("{}/par", peer.origin);
    peer.script(|script| script.metadata = json!({"pushed_authorization_request_endpoint": endpoint}));
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    client.login().await.unwrap();
    let seen = peer.seen();
    for (place, carried) in seen.authorizations.iter().enumerate() {
        let mut names: Vec<_> = carried.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["client_id", "request_uri"]);
        assert_eq!(carried["request_uri"], format!("urn:pushed:{place}"), "each reference is used once");
    }
    let pushed = &seen.pushed[0];
    assert_eq!(
        (pushed["response_type"].as_str(), pushed["code_challenge_method"].as_str()),
        ("code", "S256")
    );
    assert_eq!((pushed["resource"].as_str(), pushed["scope"].as_str()), (peer.url().as_str(), "read"));
    assert_eq!(pushed["client_id"], "client-1");
    assert_ne!(seen.pushed[0]["state"], seen.pushed[1]["state"]);
}

#[tokio::test]
async fn a_server_that_insists_and_names_no_place_is_told_so() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.metadata = json!({"require_pushed_authorization_requests": true}));
    let client = builder(&peer, &person).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::EndpointMissing(_), .. }), "{error}");
    assert_eq!(person.logins(), 0, "no browser for a request that cannot succeed");
}

#[tokio::test]
async fn a_refused_request_opens_no_browser() {
    let (peer, person) = (Peer::start().await, Person::default());
    let endpoint = format!("{}/token", peer.origin);
    peer.script(|script| {
        script.metadata = json!({"pushed_authorization_request_endpoint": endpoint});
        script.grant = Some((400, json!({"error": "invalid_request"})));
    });
    let client = builder(&peer, &person).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(&error, Error::Misconfigured { rule: Rule::PushRefused { .. }, .. }), "{error}");
    assert_eq!(person.logins(), 0);
}

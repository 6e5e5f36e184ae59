use std::collections::HashSet;

use hallpass_client::{
    DpopUse, Error, Rule, TokenType,
    store::{FileStore, MemoryStore, TokenStore as _},
};
use hallpass_testkit::authorization_server::{Peer, proof};
use serde_json::{Value, json};

use crate::support::{Person, builder, list};

/// A peer whose two servers speak DPoP.
async fn peer() -> Peer {
    let peer = Peer::start().await;
    peer.script(|script| {
        script.token_type = "DPoP";
        script.metadata = json!({"dpop_signing_alg_values_supported": ["RS256", "ES256"]});
        script.resource_metadata = json!({"dpop_signing_alg_values_supported": ["ES256"]});
    });
    peer
}

#[tokio::test]
async fn a_bound_token_is_sent_under_its_own_scheme_with_a_fresh_proof_each_time() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let mut request = list(&client);
    request.url_mut().set_query(Some("a=b"));
    request.url_mut().set_fragment(Some("c"));
    for request in [request, list(&client), list(&client)] {
        assert_eq!(client.send(request).await.unwrap().status(), 200);
    }
    let seen = peer.seen();
    let at_token = proof(&seen.token_headers[0]);
    assert_eq!(
        (&at_token["htm"], &at_token["htu"], &at_token["ath"], &at_token["iat"]),
        (&json!("POST"), &json!(format!("{}/token", peer.origin)), &Value::Null, &json!(1_000_000))
    );
    assert!(!seen.authorizations[0]["dpop_jkt"].is_empty(), "the code is bound as well");
    let token = client.token().await.unwrap().token;
    let sent: Vec<_> =
        seen.mcp.iter().filter(|(_, _, fields)| fields.contains_key("authorization")).collect();
    assert_eq!(sent.len(), 3);
    for (_, _, fields) in &sent {
        assert_eq!(fields["authorization"].to_str().unwrap(), format!("DPoP {}", token.expose()));
        let claims = proof(fields);
        assert_eq!((&claims["htm"], &claims["htu"]), (&json!("POST"), &json!(peer.url())));
        assert_eq!(claims["ath"], hallpass_protocol::dpop::ath(&token));
    }
    let jtis: HashSet<String> = sent.iter().map(|(_, _, fields)| proof(fields)["jti"].to_string()).collect();
    assert_eq!(jtis.len(), 3);
}

#[tokio::test]
async fn a_nonce_is_taken_up_once_and_kept() {
    let (peer, person) = (peer().await, Person::default());
    peer.script(|script| script.nonce = Some("nonce-1"));
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    let nonces = |fields: Vec<&http::HeaderMap>| -> Vec<Value> {
        fields.into_iter().map(|fields| proof(fields)["nonce"].clone()).collect()
    };
    assert_eq!(nonces(seen.token_headers.iter().collect()), [Value::Null, json!("nonce-1")]);
    let sent = seen.mcp.iter().map(|(_, _, fields)| fields).filter(|fields| fields.contains_key("dpop"));
    assert_eq!(nonces(sent.collect()), [Value::Null, json!("nonce-1"), json!("nonce-1")]);
    assert_eq!(person.logins(), 1);
}

/// A server that never takes its own nonce would be asked for ever, or a person be asked to log in for it.
#[tokio::test]
async fn a_nonce_that_is_not_taken_ends_the_attempt() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    // No proof holds this one: the field cannot carry it as it stands in the claims.
    peer.script(|script| script.nonce = Some("not a nonce"));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::NonceNotTaken, .. }), "{error}");
    assert_eq!(person.logins(), 1, "nobody was asked for it");
    peer.expire_access_tokens();
    let error = client.login().await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::NonceNotTaken, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_always_wants_another_nonce_is_asked_twice() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let before = peer.seen();
    peer.script(|script| script.nonce_is_always_old = true);
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::NonceNotTaken, .. }), "{error}");
    assert_eq!(peer.seen().mcp.len(), before.mcp.len() + 2);
    client.login().await.unwrap_err();
    assert_eq!(peer.seen().token_requests.len(), before.token_requests.len() + 2);
}

#[tokio::test]
async fn the_key_is_kept_beside_the_token_and_refreshes_it() {
    let (peer, person) = (peer().await, Person::default());
    let folder = tempfile::tempdir().unwrap();
    let store = || FileStore::new(folder.path().join("tokens.json"));
    let first = builder(&peer, &person).store(store()).build().unwrap();
    first.send(list(&first)).await.unwrap();
    peer.expire_access_tokens();
    let second = builder(&peer, &person).store(store()).build().unwrap();
    assert_eq!(second.send(list(&second)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.grants("refresh_token")), (1, 1));
    let key = |place: usize| -> String {
        let proof = seen.token_headers[place]["dpop"].to_str().unwrap();
        proof.split('.').next().unwrap().to_owned()
    };
    assert_eq!(key(0), key(1), "the same key in the same header");
}

#[tokio::test]
async fn each_login_has_its_own_key() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.login().await.unwrap();
    client.login().await.unwrap();
    let seen = peer.seen();
    assert_ne!(seen.authorizations[0]["dpop_jkt"], seen.authorizations[1]["dpop_jkt"]);
}

#[tokio::test]
async fn it_is_done_where_it_is_asked_for_and_possible() {
    let able = json!({"dpop_signing_alg_values_supported": ["ES256"]});
    let required = json!({"dpop_bound_access_tokens_required": true});
    let challenge = Some(r#"DPoP algs="ES256", scope="read""#.to_owned());
    for (metadata, resource, challenge, wanted, bound) in [
        (&able, &able, None, DpopUse::WhenAsked, Some(true)),
        (&able, &json!({}), challenge.clone(), DpopUse::WhenAsked, Some(true)),
        (&able, &json!({}), None, DpopUse::WhenAsked, Some(false)),
        (&able, &json!({}), None, DpopUse::Always, Some(true)),
        (&able, &able, None, DpopUse::Never, Some(false)),
        (&able, &required, None, DpopUse::Never, None),
        (&able, &required, None, DpopUse::WhenAsked, Some(true)),
        (&json!({}), &able, None, DpopUse::WhenAsked, Some(false)),
        (&json!({}), &able, None, DpopUse::Always, None),
        (&json!({}), &required, None, DpopUse::WhenAsked, None),
        (&json!({"dpop_signing_alg_values_supported": ["RS256"]}), &able, None, DpopUse::Always, None),
    ] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| {
            script.metadata = metadata.clone();
            script.resource_metadata = resource.clone();
            script.token_type = if bound == Some(true) { "DPoP" } else { "Bearer" };
            script.challenge = challenge.clone().or(script.challenge.take());
        });
        let client = builder(&peer, &person).dpop(wanted).build().unwrap();
        let answer = client.send(list(&client)).await;
        let case = format!("{metadata} {resource} {challenge:?} {wanted:?}");
        match bound {
            Some(bound) => {
                assert_eq!(answer.unwrap().status(), 200, "{case}");
                assert_eq!(peer.seen().token_headers[0].contains_key("dpop"), bound, "{case}");
            }
            None => {
                let rules = [Rule::DpopUnsupported, Rule::DpopDemanded];
                let expected = &rules[usize::from(wanted == DpopUse::Never)];
                let refused = matches!(&answer, Err(Error::Misconfigured { rule, .. }) if rule == expected);
                assert!(refused, "{case}");
                assert_eq!(person.logins(), 0, "{case}");
            }
        }
    }
}

/// A man in the middle of the configuration must not talk a client out of it.
#[tokio::test]
async fn who_insists_takes_no_plain_token() {
    let (peer, person) = (peer().await, Person::default());
    peer.script(|script| script.token_type = "Bearer");
    let store = MemoryStore::new();
    let client = builder(&peer, &person).store(store.clone()).dpop(DpopUse::Always).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::TokenNotBound, .. }), "{error}");
    assert!(store.read().unwrap().accounts().is_empty());
    // Where it was only offered, a plain token is what the server prefers.
    let lenient = builder(&peer, &person).build().unwrap();
    assert_eq!(lenient.send(list(&lenient)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refresh_does_not_unbind_a_token() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.script(|script| script.token_type = "Bearer");
    peer.expire_access_tokens();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::TokenNotBound, .. }), "{error}");
}

#[tokio::test]
async fn a_bound_token_that_nobody_asked_for_is_refused() {
    let (peer, person) = (peer().await, Person::default());
    let client = builder(&peer, &person).dpop(DpopUse::Never).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::TokenType(_), .. }), "{error}");
}

/// `hallpass login --no-dpop`, and then a bridge that is asked for a login by itself.
#[tokio::test]
async fn who_asked_for_plain_tokens_keeps_getting_them() {
    let (peer, person) = (peer().await, Person::default());
    peer.script(|script| script.token_type = "Bearer");
    let store = MemoryStore::new();
    let plain = builder(&peer, &person).dpop(DpopUse::Never).store(store.clone()).build().unwrap();
    plain.login().await.unwrap();
    let later = || builder(&peer, &person).store(store.clone()).build().unwrap();
    for _ in 0..2 {
        peer.expire_access_tokens();
        peer.expire_refresh_tokens();
        let later = later();
        assert_eq!(later.send(list(&later)).await.unwrap().status(), 200);
        assert_eq!(later.token().await.unwrap().token_type, TokenType::Bearer);
    }
    assert!(peer.seen().token_headers.iter().all(|fields| !fields.contains_key("dpop")));

    // A server that insists comes first, and who logged out begins anew.
    peer.script(|script| {
        script.token_type = "DPoP";
        script.resource_metadata = json!({"dpop_bound_access_tokens_required": true});
    });
    let bound = later();
    bound.login().await.unwrap();
    assert_eq!(bound.token().await.unwrap().token_type, TokenType::Dpop);
    assert!(!store.read().unwrap().accounts()[0].bearer_only);
    plain.logout().await.unwrap();
}

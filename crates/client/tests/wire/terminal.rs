//! What a server says reaches a terminal as text, and as nothing else.

use hallpass_client::{Client, Error, Rule, interaction::Never, store::MemoryStore};
use hallpass_testkit::authorization_server::{Peer, Script};
use serde_json::json;

use crate::support::{Person, builder, list};

/// Clears the screen, and writes backwards.
const EVIL: &str = "x\u{1b}[2J\u{9b}31m\u{202e}y";

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\u{202e}')
}

async fn failure(change: impl FnOnce(&mut Script)) -> Error {
    let peer = Peer::start().await;
    peer.script(change);
    let client = builder(&peer, &Person::default()).build().unwrap();
    client.send(list(&client)).await.unwrap_err()
}

#[tokio::test]
async fn no_word_of_a_server_moves_the_cursor() {
    type Change = Box<dyn FnOnce(&mut Script)>;
    let changes: Vec<(&str, Change)> = vec![
        ("resource", Box::new(|s| s.resource = Some(EVIL.into()))),
        ("issuer", Box::new(|s| s.issuer = Some(EVIL.into()))),
        ("authorization_servers", Box::new(|s| s.authorization_servers = Some(vec![EVIL.into()]))),
        ("authorization_endpoint", Box::new(|s| s.authorization_endpoint = EVIL.into())),
        ("token_endpoint", Box::new(|s| s.metadata = json!({"token_endpoint": EVIL}))),
        ("registration_endpoint", Box::new(|s| s.metadata = json!({"registration_endpoint": EVIL}))),
        ("auth", Box::new(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": [EVIL]}))),
        ("token_type", Box::new(|s| s.token = json!({"token_type": EVIL}))),
        ("error", Box::new(|s| s.response = vec![("code", None), ("error", Some(EVIL.into()))])),
        ("iss", Box::new(|s| s.response = vec![("iss", Some(EVIL.into()))])),
    ];
    for (name, change) in changes {
        let error = failure(change).await.to_string();
        assert!(is_harmless(&error), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn no_refusal_of_a_refresh_moves_the_cursor() {
    let (peer, store) = (Peer::start().await, MemoryStore::new());
    let client = builder(&peer, &Person::default()).store(store.clone()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    peer.script(|s| s.refresh = Some((400, json!({"error": EVIL, "error_description": EVIL}))));
    let client = Client::builder(&peer.url()).unwrap().interaction(Never).store(store).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::RefreshRejected { .. }), "{error:?}");
    assert!(is_harmless(&error.to_string()), "{error:?}");
}

/// RFC 6749 A.12. `hallpass token` prints what is stored.
#[tokio::test]
async fn a_token_that_could_write_to_a_terminal_is_refused() {
    for token in [EVIL, "a\nb", "\u{e9}", ""] {
        let error = failure(|s| s.token = json!({"access_token": token})).await;
        let refused = matches!(error, Error::Misconfigured { rule: Rule::TokenCharacters, .. });
        assert!(refused, "{token:?}: {error:?}");
    }
}

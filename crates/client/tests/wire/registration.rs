//! A token that lets a client register itself (RFC 7591 §1.2), and who sees it.

use hallpass_client::{Builder, Error, Rule};
use hallpass_protocol::{Issuer, Secret};
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder};

const TOKEN: &str = "canary-token-of-the-operator";

async fn closed() -> Peer {
    let peer = Peer::start().await;
    peer.script(|script| script.registration_token = Some(TOKEN));
    peer
}

fn rule(error: Error) -> Rule {
    let Error::Misconfigured { rule, .. } = error else { panic!("{error}") };
    rule
}

async fn refused(builder: Builder) -> Rule {
    rule(builder.build().unwrap().login().await.unwrap_err())
}

#[tokio::test]
async fn a_client_registers_with_the_token_that_its_person_has() {
    let peer = closed().await;
    let with = |token: &str| builder(&peer, &Person::default()).registration_token(Secret::new(token));
    with(TOKEN).build().unwrap().login().await.unwrap();
    assert_eq!(peer.seen().registration_fields, [Some(format!("Bearer {TOKEN}"))]);
    let wrong = refused(with("another")).await;
    assert!(matches!(wrong, Rule::RegistrationClosed { .. }), "{wrong}");
    let broken = refused(with("canary\nX-Injected: yes")).await;
    assert!(matches!(broken, Rule::RegistrationToken), "{broken}");
    assert!(!broken.to_string().contains("canary"), "{broken}");
    let none = refused(builder(&peer, &Person::default())).await;
    assert!(none.to_string().contains("--registration-token-file"), "{none}");
    assert_eq!(peer.seen().registration_fields.last(), Some(&None));
}

/// MCP 2026-07-28, "Authorization Server Binding": whatever server the MCP server names would get it.
#[tokio::test]
async fn the_token_is_shown_to_nobody_whom_the_person_has_not_chosen() {
    let (server, elsewhere) = (Peer::start().await, closed().await);
    server.script(|script| script.authorization_servers = Some(vec![elsewhere.origin.clone()]));
    let with = || builder(&server, &Person::default()).registration_token(Secret::new(TOKEN));
    let unnamed = refused(with()).await;
    assert!(
        matches!(&unnamed, Rule::RegistrationTokenOfNoOne(named) if *named == elsewhere.origin),
        "{unnamed}"
    );
    assert!(elsewhere.seen().registration_fields.is_empty(), "nothing was sent");
    let named = with().authorization_server(Issuer::parse(&elsewhere.origin).unwrap());
    // The tokens are of no use at the first peer; the registration went through.
    drop(named.build().unwrap().login().await);
    assert_eq!(elsewhere.seen().registration_fields, [Some(format!("Bearer {TOKEN}"))]);
}

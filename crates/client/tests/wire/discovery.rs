use hallpass_client::{Error, Rule, Step};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

async fn rule(
    change: impl FnOnce(&mut hallpass_testkit::authorization_server::Script),
) -> (Rule, Peer, Person) {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(change);
    let client = builder(&peer, &person).build().unwrap();
    match client.send(list(&client)).await.unwrap_err() {
        Error::Misconfigured { rule, .. } => (rule, peer, person),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn metadata_for_another_resource_is_refused() {
    for resource in ["https://evil.example/mcp", "http://127.0.0.1:1/mcp", "not a url", ""] {
        let (rule, peer, person) = rule(|script| script.resource = Some(resource.into())).await;
        assert!(matches!(rule, Rule::ResourceMismatch { .. }), "{resource}: {rule}");
        assert_eq!((peer.seen().registrations.len(), person.logins()), (0, 0));
    }
}

/// RFC 9728 §3.3. At its own location a document is for its own resource; the host's is at the root.
#[tokio::test]
async fn a_resource_beside_or_above_the_server_is_refused_and_the_whole_host_is_not() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    for path in ["/mcp/other", "/other", ""] {
        let resource = format!("{}{path}", peer.origin);
        peer.script(|script| script.resource = Some(resource.clone()));
        let error = client.send(list(&client)).await.unwrap_err();
        let refused = matches!(error, Error::Misconfigured { rule: Rule::ResourceMismatch { .. }, .. });
        assert!(refused, "{resource}: {error}");
    }
    let host = peer.origin.clone();
    peer.script(|script| (script.resource, script.root_resource) = (None, Some(host)));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(
        peer.seen().authorizations[0]["resource"],
        peer.origin,
        "the identifier as the server spells it"
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let (rule, peer, person) = rule(|script| script.issuer = Some("https://honest.example".into())).await;
    assert!(matches!(rule, Rule::IssuerMismatch { .. }), "{rule}");
    assert_eq!((peer.seen().registrations.len(), person.logins()), (0, 0));
}

#[tokio::test]
async fn without_s256_nothing_is_asked() {
    for methods in [json!(null), json!(["plain"]), json!([])] {
        let (rule, peer, person) =
            rule(|s| s.metadata = json!({"code_challenge_methods_supported": methods})).await;
        assert!(matches!(rule, Rule::PkceUnsupported), "{rule}");
        assert_eq!((peer.seen().authorizations.len(), person.logins()), (0, 0));
    }
}

#[tokio::test]
async fn a_401_without_a_challenge_still_leads_to_a_login() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.challenge = None);
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert!(!peer.seen().authorizations[0].contains_key("scope"), "nobody named one");
}

#[tokio::test]
async fn another_scheme_is_left_to_the_caller() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.challenge = Some("Basic realm=\"x\"".into()));
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 401);
    assert_eq!(person.logins(), 0);
}

/// MCP 2025-03-26: no resource metadata; then server metadata at the origin; then none of either.
#[tokio::test]
async fn servers_of_the_first_revision_work() {
    for metadata in [true, false] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| {
            script.resource = None;
            script.challenge = Some("Bearer".into());
            if !metadata {
                script.issuer = None;
                script.response = vec![("iss", None)];
            }
        });
        let client = builder(&peer, &person).build().unwrap();
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "metadata: {metadata}");
        assert_eq!(peer.seen().authorizations[0]["resource"], peer.url());
    }
}

/// never-again row 40: a server elsewhere cannot make the client knock at what listens here, neither by the
/// challenge nor by its metadata.
#[tokio::test]
async fn row_40_a_foreign_server_cannot_name_addresses_on_this_machine() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"] {
        for scheme in ["http", "https"] {
            let (peer, person) = (Peer::start().await, Person::default());
            let target = format!("{scheme}://{host}:{port}/m");
            peer.script(|script| script.challenge = Some(format!("Bearer resource_metadata=\"{target}\"")));
            let strict = hallpass_guarded_fetch::Policy::default();
            let client = builder(&peer, &person).fetch_policy(strict).build().unwrap();
            let error = client.send(list(&client)).await.unwrap_err();
            let refused = matches!(
                &error,
                Error::Misconfigured { step: Step::Discover, rule: Rule::UnsafeUrl(_), .. }
                    | Error::Transient { step: Step::Discover, .. }
            );
            assert!(refused, "{target}: {error}");
            let knocked = listener.accept();
            assert!(knocked.is_err(), "{target}: {knocked:?}");
        }
    }
}

#[tokio::test]
async fn a_new_issuer_gets_a_registration_of_its_own() {
    let (old, new, person) = (Peer::start().await, Peer::start().await, Person::default());
    let client = builder(&old, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    // The MCP server moves to the other authorization server, and forgets the tokens of the first.
    old.expire_access_tokens();
    old.expire_refresh_tokens();
    let origin = new.origin.clone();
    old.script(|script| script.authorization_servers = Some(vec![origin]));
    // The old server cannot know the new one's tokens; what counts is whom the client talks to, and how.
    let _ = client.send(list(&client)).await;
    assert_eq!(new.seen().registrations.len(), 1);
    assert_eq!(new.seen().grants("authorization_code"), 1);
}

//! A client id that the authorization server has forgotten.

use std::sync::{Arc, Mutex};

use hallpass_client::{
    Client, Error, Rule,
    interaction::{Browser, DeviceOffer},
    store::{MemoryStore, TokenStore as _},
};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

/// A person who has logged in once; the authorization server forgets the client then.
async fn forgotten(peer: &Peer, person: &Person) -> (Client, MemoryStore) {
    let store = MemoryStore::new();
    let client = builder(peer, person).store(store.clone()).build().unwrap();
    client.login().await.unwrap();
    peer.forget_clients();
    (client, store)
}

fn client_ids(peer: &Peer) -> Vec<String> {
    peer.seen().authorizations.iter().map(|query| query["client_id"].clone()).collect()
}

#[tokio::test]
async fn a_forgotten_client_is_registered_anew_before_a_person_sees_a_dead_page() {
    let (peer, person) = (Peer::start().await, Person::default());
    let (client, store) = forgotten(&peer, &person).await;
    client.login().await.unwrap();
    // A question without a person, then the login: the server may have forgotten the second as fast.
    assert_eq!(client_ids(&peer), ["client-1", "client-2", "client-2"]);
    let seen = peer.seen();
    assert_eq!((seen.registrations.len(), person.logins()), (2, 2), "one browser window a login");
    assert_eq!(store.read().unwrap().registration(&peer.origin).unwrap().client_id, "client-2");
    // Asked once, and by nobody's browser.
    assert_eq!(seen.refused_authorizations.len(), 1);
}

/// What the question begins there is of no use for the login, and the login's secrets are not in it.
#[tokio::test]
async fn the_question_has_a_state_and_a_challenge_of_its_own() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.login().await.unwrap();
    assert_eq!(peer.seen().authorizations.len(), 1, "a new client is not asked about");
    client.login().await.unwrap();
    let asked = peer.seen().authorizations;
    assert_eq!((asked.len(), peer.seen().registrations.len()), (3, 1));
    for name in ["state", "code_challenge"] {
        assert_ne!(asked[1][name], asked[2][name], "{name}");
    }
    assert_eq!(asked[1]["client_id"], asked[2]["client_id"]);
    assert_eq!(peer.seen().grants("authorization_code"), 2);
}

#[tokio::test]
async fn a_pushed_request_tells_by_itself() {
    let (peer, person) = (Peer::start().await, Person::default());
    let par = json!({"pushed_authorization_request_endpoint": format!("{}/par", peer.origin)});
    peer.script(|script| script.metadata = par);
    let (client, _) = forgotten(&peer, &person).await;
    client.login().await.unwrap();
    let seen = peer.seen();
    assert_eq!(client_ids(&peer), ["client-1", "client-2"]);
    assert_eq!((seen.refused_authorizations.len(), seen.registrations.len(), person.logins()), (0, 2, 2));
}

#[tokio::test]
async fn the_token_endpoints_word_counts_as_well() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.forgotten = None);
    let (client, _) = forgotten(&peer, &person).await;
    client.login().await.unwrap();
    assert_eq!((peer.seen().registrations.len(), person.logins()), (2, 3), "once in vain, then for good");
    peer.forget_clients();
    peer.expire_access_tokens();
    peer.script(|script| script.forgotten = Some((400, "invalid_client")));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "the refresh met it");
    assert_eq!((peer.seen().registrations.len(), person.logins()), (3, 4));
}

#[tokio::test]
async fn it_is_replaced_once_and_not_for_ever() {
    let (peer, person) = (Peer::start().await, Person::default());
    let (client, _) = forgotten(&peer, &person).await;
    peer.script(|script| script.token = json!({"token_type": "strange"}));
    let error = client.login().await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::TokenType(_), .. }), "{error}");
    assert_eq!(peer.seen().registrations.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_plain_refusal_changes_nothing() {
    for page in [(429, "invalid_client"), (500, "invalid_client"), (400, "bad redirect_uri"), (403, "no")] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| script.forgotten = Some(page));
        let browser = Browser::new()
            .launcher(|url| {
                let page = url.url().clone();
                assert_eq!(page.path(), "/authorize");
                Err(std::io::Error::other("seen"))
            })
            .patience(std::time::Duration::from_millis(1))
            .announcer(|_| {});
        let store = MemoryStore::new();
        builder(&peer, &person).store(store.clone()).build().unwrap().login().await.unwrap();
        peer.forget_clients();
        let client = builder(&peer, &person).store(store).interaction(browser).build().unwrap();
        // The person is sent there all the same.
        assert!(matches!(client.login().await.unwrap_err(), Error::Interaction(_)), "{page:?}");
        let seen = peer.seen();
        assert_eq!((seen.refused_authorizations.len(), seen.registrations.len()), (1, 1), "{page:?}");
    }
}

/// A code on another device, and no browser.
#[tokio::test]
async fn a_device_alone_meets_it_too_and_opens_no_browser() {
    let peer = Peer::start().await;
    peer.script(|script| script.device = Some(vec!["authorization_pending"]));
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let browser = Browser::new()
        .device(DeviceOffer::Only)
        .launcher(|_| panic!("no browser is opened"))
        .announcer(move |line| lines.lock().unwrap().push(line.to_owned()));
    let client = Client::builder(&peer.url()).unwrap().interaction(browser).build().unwrap();
    client.login().await.unwrap();
    peer.forget_clients();
    client.login().await.unwrap();
    let seen = peer.seen();
    assert_eq!((seen.registrations.len(), seen.authorizations.len()), (2, 0));
    assert!(told.lock().unwrap()[0].starts_with("To log in, open "), "{told:?}");

    peer.script(|script| script.device = None);
    let error = client.login().await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::EndpointMissing(_), .. }), "{error}");
}

/// Servers that share nothing with their twins: the next one does not know the new client either.
#[tokio::test]
async fn a_server_that_forgets_at_once_shows_nobody_a_dead_page() {
    let (peer, person) = (Peer::start().await, Person::default());
    let (client, store) = forgotten(&peer, &person).await;
    peer.forget_clients_at_once();
    let login = tokio::time::timeout(std::time::Duration::from_secs(20), client.login()).await;
    let error = login.expect("nobody waits at a dead page").unwrap_err();
    let is_told =
        matches!(&error, Error::Misconfigured { rule: Rule::ClientForgotten(id), .. } if id == "client-2");
    assert!(is_told, "{error}");
    assert_eq!((peer.seen().registrations.len(), person.logins()), (2, 1), "no loop, and no browser");
    assert!(store.read().unwrap().registration(&peer.origin).is_none());
}

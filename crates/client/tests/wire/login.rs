use hallpass_client::{
    Client, Error, Login, Preregistered, Revocation, Rule, accounts,
    interaction::Never,
    store::{FileStore, MemoryStore, TokenStore as _},
};
use hallpass_protocol::{issuer::Issuer, secret::Secret};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

#[tokio::test]
async fn a_401_leads_through_login_to_the_answer() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let answer = client.send(list(&client)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = peer.seen();
    assert_eq!(seen.registrations[0]["application_type"], "native");
    assert_eq!(seen.registrations[0]["token_endpoint_auth_method"], "none");
    let asked = &seen.authorizations[0];
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["resource"], peer.url());
    assert_eq!(asked["scope"], "read");
    assert_eq!(seen.token_requests[0]["resource"], peer.url());
    assert_eq!(seen.registrations[0]["redirect_uris"][0], asked["redirect_uri"].as_str());
    assert_eq!(person.logins(), 1);

    client.send(list(&client)).await.unwrap();
    assert_eq!((person.logins(), peer.seen().mcp.len()), (1, 3), "the second call needs nothing more");
}

#[tokio::test]
async fn a_server_without_authorization_costs_nothing() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.protected = false);
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((seen.mcp.len(), seen.metadata_requests.len(), person.logins()), (1, 0, 0));
    assert!(seen.mcp[0].2.get("authorization").is_none());
    assert!(matches!(client.login().await.unwrap(), Login::NotNeeded));
}

#[tokio::test]
async fn sixty_concurrent_401s_make_one_login() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.registrations.len(), seen.grants("authorization_code")), (1, 1, 1));
}

#[tokio::test]
async fn sixty_concurrent_401s_hear_one_no() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.response = vec![("code", None), ("error", Some("access_denied".into()))]);
    let client = builder(&peer, &person).build().unwrap();
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(matches!(call.await.unwrap(), Err(Error::Denied { .. })));
    }
    assert_eq!(person.logins(), 1, "a person who said no is not asked again and again");
}

#[tokio::test]
async fn two_processes_make_one_login() {
    let (peer, person) = (Peer::start().await, Person::default());
    let folder = tempfile::tempdir().unwrap();
    let calls = (0..2).map(|_| {
        let store = FileStore::new(folder.path().join("tokens.json"));
        let client = builder(&peer, &person).store(store).build().unwrap();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(person.logins(), 1);
}

#[tokio::test]
async fn background_requests_open_no_browser() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let background = client.in_background();
    assert!(matches!(background.send(list(&background)).await, Err(Error::LoginNeeded { .. })));
    let never = Client::builder(&peer.url()).unwrap().interaction(Never).build().unwrap();
    assert!(matches!(never.send(list(&never)).await, Err(Error::LoginNeeded { .. })));
    assert_eq!((person.logins(), peer.seen().metadata_requests.len()), (0, 0));
    client.send(list(&client)).await.unwrap();
    assert_eq!(
        background.send(list(&background)).await.unwrap().status(),
        200,
        "it adopts what others obtained"
    );
}

#[tokio::test]
async fn a_token_goes_to_its_own_server_only() {
    let (peer, elsewhere, person) = (Peer::start().await, Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let mut request = list(&client);
    *request.url_mut() = elsewhere.url().parse().unwrap();
    let refused = client.send(request).await.unwrap_err();
    assert!(matches!(refused, Error::Misconfigured { rule: Rule::ForeignRequest(_), .. }), "{refused}");
    assert_eq!(elsewhere.seen().mcp.len(), 0);
}

#[tokio::test]
async fn a_token_that_is_refused_at_once_ends_the_attempt() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    // The MCP server forgets each token as soon as it is issued.
    let forgetful = peer.clone();
    let forget = tokio::spawn(async move {
        loop {
            forgetful.expire_access_tokens();
            tokio::task::yield_now().await;
        }
    });
    let error = client.send(list(&client)).await;
    forget.abort();
    if let Err(error) = error {
        assert!(matches!(error, Error::Misconfigured { rule: Rule::FreshTokenRefused(_), .. }), "{error}");
    }
    assert_eq!(person.logins(), 1, "nobody is asked in a loop");
}

#[tokio::test]
async fn a_client_registered_by_hand_is_bound_to_its_issuer() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}));
    let by_hand = |issuer: &str| Preregistered {
        issuer: Issuer::parse(issuer).unwrap(),
        client_id: "mine".into(),
        client_secret: Some(Secret::new("s")),
    };
    let elsewhere = builder(&peer, &person).preregistered(by_hand("https://other.example")).build().unwrap();
    let error = elsewhere.send(list(&elsewhere)).await.unwrap_err();
    assert!(
        matches!(error, Error::Misconfigured { rule: Rule::ClientOfAnotherIssuer { .. }, .. }),
        "{error}"
    );

    let client = builder(&peer, &person).preregistered(by_hand(&peer.origin)).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    assert_eq!((seen.registrations.len(), seen.authorizations[0]["client_id"].as_str()), (0, "mine"));
    assert!(!seen.token_requests[0].contains_key("client_secret"), "Basic was asked for");
}

#[tokio::test]
async fn without_any_way_to_a_client_id_the_person_is_told() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.metadata = json!({"registration_endpoint": null}));
    let client = builder(&peer, &person).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(&error, Error::Misconfigured { rule: Rule::NoClientId { .. }, .. }), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn logout_revokes_and_forgets() {
    let (peer, person) = (Peer::start().await, Person::default());
    let store = MemoryStore::new();
    let client = builder(&peer, &person).store(store.clone()).build().unwrap();
    assert!(matches!(client.token().await, Err(Error::LoginNeeded { .. })));
    assert!(matches!(client.login().await.unwrap(), Login::Done(_)));
    let listed = accounts(&store).unwrap();
    assert_eq!(
        (listed[0].server.as_str(), listed[0].scopes.to_string().as_str()),
        (peer.url().as_str(), "read")
    );
    let token = client.token().await.unwrap();
    let ended = client.logout().await.unwrap();
    assert!(matches!(ended[0].revocation, Revocation::Done));
    assert!(peer.seen().revoked.contains(&token.token.expose().to_owned()));
    assert_eq!(peer.seen().revoked.len(), 2);
    assert!(store.read().unwrap().accounts().is_empty());
    assert!(matches!(client.token().await, Err(Error::LoginNeeded { .. })));
}

/// A server that was restarted, and knows nobody any more.
#[tokio::test]
async fn what_was_logged_out_of_is_gone_though_the_server_does_not_know() {
    let (peer, person) = (Peer::start().await, Person::default());
    let store = MemoryStore::new();
    let client = builder(&peer, &person).store(store.clone()).build().unwrap();
    client.login().await.unwrap();
    peer.script(|script| script.revocation = Some((401, json!({"error": "invalid_client"}))));
    let ended = client.logout().await.unwrap();
    let Revocation::Failed(error) = &ended[0].revocation else { panic!("{ended:?}") };
    let said = error.to_string();
    assert!(said.contains("/revoke") && said.contains("401"), "{said}");
    assert!(!said.contains("kept") && !said.contains("try again"), "nothing is left to try with: {said}");
    assert!(store.read().unwrap().accounts().is_empty());
}

#[tokio::test]
async fn a_public_client_by_hand_needs_no_issuer() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).client_id("mine").build().unwrap();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    assert_eq!((seen.registrations.len(), seen.authorizations[0]["client_id"].as_str()), (0, "mine"));
    assert_eq!(seen.token_requests[0]["client_id"], "mine");
    let bound = Preregistered {
        issuer: Issuer::parse(&peer.origin).unwrap(),
        client_id: "bound".into(),
        client_secret: None,
    };
    let client = builder(&peer, &person).client_id("mine").preregistered(bound).build().unwrap();
    client.login().await.unwrap();
    assert_eq!(peer.seen().authorizations[1]["client_id"], "bound");
}

#[tokio::test]
async fn a_person_is_told_the_command_that_logs_in() {
    let (peer, store) = (Peer::start().await, MemoryStore::new());
    let builder = || Client::builder(&peer.url()).unwrap().interaction(Never).store(store.clone());
    let said = builder().build().unwrap().token().await.unwrap_err().to_string();
    assert!(said.ends_with("(no login is stored). A person has to log in"), "{said}");
    let command = "hallpass login https://mcp.example/mcp --account work";
    let said = builder().login_command(command).build().unwrap().token().await.unwrap_err().to_string();
    assert!(said.contains(&format!("run `{command}`")), "{said}");
}

/// oidc-provider: JWTs cannot be called back, and it says so.
#[tokio::test]
async fn a_server_that_revokes_no_access_tokens_has_revoked_the_login_all_the_same() {
    for (refresh_token, expected) in [(json!("kept"), "RefreshTokenOnly"), (json!(null), "NotOffered")] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| {
            script.keeps_access = true;
            script.token = json!({"refresh_token": refresh_token});
        });
        let client = builder(&peer, &person).build().unwrap();
        client.login().await.unwrap();
        let ended = client.logout().await.unwrap();
        assert_eq!(format!("{:?}", ended[0].revocation), expected);
        assert!(matches!(client.token().await, Err(Error::LoginNeeded { .. })), "forgotten in any case");
    }
}

#[tokio::test]
async fn a_second_login_uses_the_registration_again() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.login().await.unwrap();
    client.login().await.unwrap();
    assert_eq!((person.logins(), peer.seen().registrations.len()), (2, 1));
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed() {
    let (peer, elsewhere, person) = (Peer::start().await, Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let target = elsewhere.url();
    peer.script(|script| script.redirect = Some(target));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 307);
    assert!(elsewhere.seen().mcp.is_empty());
}

#[tokio::test]
async fn no_token_appears_in_debug_output() {
    let (peer, person) = (Peer::start().await, Person::default());
    let store = MemoryStore::new();
    let client = builder(&peer, &person).store(store.clone()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let token = client.token().await.unwrap();
    let shown =
        format!("{client:?} {token:?} {:?} {:?}", store.read().unwrap(), client.logout().await.unwrap());
    assert!(!shown.contains(token.token.expose()));
    assert!(peer.seen().revoked.iter().all(|secret| !shown.contains(secret)));
}

#[tokio::test]
async fn named_accounts_of_one_server_share_no_token() {
    let (peer, person) = (Peer::start().await, Person::default());
    let store = MemoryStore::new();
    let named = |name: &str| builder(&peer, &person).store(store.clone()).account(name).build().unwrap();
    let (usual, work) = (named(""), named("work"));
    usual.login().await.unwrap();
    assert!(matches!(work.token().await, Err(Error::LoginNeeded { .. })), "the other login is not borrowed");
    work.login().await.unwrap();
    let (one, two) = (usual.token().await.unwrap().token, work.token().await.unwrap().token);
    assert_ne!(one, two);
    let names: Vec<_> = accounts(&store).unwrap().into_iter().map(|a| a.account).collect();
    assert_eq!((names, person.logins()), (vec![String::new(), "work".into()], 2));
    assert_eq!(work.logout().await.unwrap().len(), 1);
    assert!(!peer.seen().revoked.contains(&one.expose().to_owned()));
    assert_eq!(named("").token().await.unwrap().token, one, "the usual login is as it was");
}
/// Plain http to this machine, and a proxy in the environment: the token must not leave the machine.
#[tokio::test]
async fn a_token_for_this_machine_passes_no_proxy() {
    const NAME: &str = "login::a_token_for_this_machine_passes_no_proxy";
    if std::env::var_os("http_proxy").is_none_or(|proxy| proxy != DEAD_PROXY) {
        // The environment is read by a process as it starts, so this test starts itself.
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("http_proxy", DEAD_PROXY)
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        return assert!(again.status.success() && said.contains("1 passed"), "{said}");
    }
    let (peer, person) = (Peer::start().await, Person::default());
    // The person's own browser must not stumble over the proxy.
    let direct = reqwest::Client::builder().no_proxy().build().unwrap();
    let browser = person.browser().launcher(move |url| {
        tokio::spawn(direct.get(url.as_str()).send());
        Ok(())
    });
    let client = builder(&peer, &person).interaction(browser).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
}

/// Nobody listens there.
const DEAD_PROXY: &str = "http://127.0.0.1:9";

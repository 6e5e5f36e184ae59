//! Providers that differ, as data; and the choice of an authorization server.

use std::sync::{Arc, Mutex};

use hallpass_client::{
    Client, ClientAuthentication, ClientCredentials, Endpoints, Error, Login, MachineClient, Mode,
    Preregistered, Profile, Rule, interaction::DeviceOffer,
};
use hallpass_protocol::{issuer::Issuer, secret::Secret};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, list};

fn with(peer: &Peer, profile: Profile) -> Client {
    let profile = Profile { issuers: vec![peer.origin.clone()], ..profile };
    builder(peer, &Person::default()).profile(profile).build().unwrap()
}

/// Entra: AADSTS9010010, and a refresh that needs its scope. Google: `access_type`.
#[tokio::test]
async fn what_a_provider_refuses_is_left_out_and_what_it_wants_is_added() {
    let peer = Peer::start().await;
    let parameters = [("access_type", "offline"), ("code_challenge_method", "plain")];
    let client = with(
        &peer,
        Profile {
            omit_resource: true,
            refresh_scope: true,
            authorization_parameters: parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            ..Profile::default()
        },
    );
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    let asked = &seen.authorizations[0];
    assert_eq!((asked.get("resource"), asked["access_type"].as_str()), (None, "offline"));
    assert_eq!(asked["code_challenge_method"], "S256", "a profile replaces nothing");
    assert!(seen.token_requests.iter().all(|form| !form.contains_key("resource")));
    assert_eq!(seen.token_requests[1]["scope"], "read");
}

#[tokio::test]
async fn without_a_profile_it_is_the_specification() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    assert!(seen.token_requests.iter().all(|form| form["resource"] == peer.url()));
    assert!(!seen.token_requests[1].contains_key("scope"));
}

#[tokio::test]
async fn the_slash_of_an_issuers_root_is_tolerated_by_a_profile_alone() {
    let peer = Peer::start().await;
    let spelt = format!("{}/", peer.origin);
    peer.script(|script| {
        script.response = vec![("iss", Some(spelt.clone()))];
        script.issuer = Some(spelt);
    });
    let strict = with(&peer, Profile::default());
    let error = strict.send(list(&strict)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::IssuerMismatch { .. }, .. }), "{error}");
    let tolerant = with(&peer, Profile { root_slash: true, ..Profile::default() });
    assert_eq!(tolerant.send(list(&tolerant)).await.unwrap().status(), 200);
}

/// MCP 2026-07-28, "Authorization Server Binding": credentials that are for the issuer with the slash.
#[tokio::test]
async fn nor_do_credentials_cross_the_slash_without_a_profile() {
    let peer = Peer::start().await;
    let spelt = format!("{}/", peer.origin);
    let issuer = || Issuer::parse(&spelt).unwrap();
    peer.script(|script| {
        script.metadata = json!({"token_endpoint_auth_methods_supported": ["none", "client_secret_post"]});
    });
    for root_slash in [false, true] {
        let profile = || Profile {
            issuers: vec![peer.origin.clone(), spelt.clone()],
            root_slash,
            ..Profile::default()
        };
        let own = Preregistered { issuer: issuer(), client_id: "own".into(), client_secret: None };
        let by_hand = builder(&peer, &Person::default()).profile(profile()).preregistered(own);
        let secret = ClientAuthentication::Secret(Secret::new("canary"));
        let client = MachineClient { client_id: "robot".into(), authentication: secret };
        let robot = ClientCredentials { client, issuer: Some(issuer()), scope: None };
        let unattended = Client::builder(&peer.url()).unwrap().profile(profile());
        let unattended = unattended.mode(Mode::ClientCredentials(robot));
        for client in [by_hand.build().unwrap(), unattended.build().unwrap()] {
            let outcome = client.login().await;
            let refused = matches!(
                &outcome,
                Err(Error::Misconfigured { rule: Rule::ClientOfAnotherIssuer { .. }, .. })
            );
            assert_eq!((refused, outcome.is_ok()), (!root_slash, root_slash), "{outcome:?}");
        }
    }
}

/// Entra's `organizations`, and Slack's two names.
#[tokio::test]
async fn another_issuer_in_the_metadata_is_taken_where_a_profile_knows_it() {
    let peer = Peer::start().await;
    let template = "https://login.example/{tenantid}/v2.0";
    peer.script(|script| script.issuer = Some(template.to_owned()));
    for known in [vec![], vec!["https://other.example".to_owned()]] {
        let strict = with(&peer, Profile { metadata_issuers: known, ..Profile::default() });
        let error = strict.send(list(&strict)).await.unwrap_err();
        assert!(matches!(error, Error::Misconfigured { rule: Rule::IssuerMismatch { .. }, .. }), "{error}");
    }
    let knowing = with(&peer, Profile { metadata_issuers: vec![template.to_owned()], ..Profile::default() });
    let Login::Done(account) = knowing.login().await.unwrap() else { panic!("a login was asked for") };
    assert_eq!(account.issuer, peer.origin, "bound to the name that was asked for");
}

/// Okta: the endpoint is there, and refuses everybody but administrators.
#[tokio::test]
async fn a_registration_endpoint_that_is_closed_is_not_tried() {
    let peer = Peer::start().await;
    let client = with(&peer, Profile { closed_registration: true, ..Profile::default() });
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::NoClientId { .. }, .. }), "{error}");
    assert!(peer.seen().registrations.is_empty());
}

/// OpenID Connect Core §11: a provider ignores `offline_access` without it. Others are not asked for consent again.
#[tokio::test]
async fn an_openid_provider_is_asked_for_consent_to_offline_access() {
    let peer = Peer::start().await;
    for (supported, expected) in [
        (json!(["openid", "offline_access", "read"]), Some("consent")),
        (json!(["offline_access", "read"]), None),
        (json!(["openid", "read"]), None),
    ] {
        peer.script(|script| script.metadata = json!({"scopes_supported": supported}));
        builder(&peer, &Person::default()).build().unwrap().login().await.unwrap();
        let asked = peer.seen().authorizations.last().unwrap().get("prompt").cloned();
        assert_eq!(asked.as_deref(), expected, "{supported}");
    }
    peer.script(|script| script.metadata = json!({"scopes_supported": ["openid", "offline_access"]}));
    with(&peer, Profile { offline_without_consent: true, ..Profile::default() }).login().await.unwrap();
    assert_eq!(
        peer.seen().authorizations.last().unwrap().get("prompt"),
        None,
        "where a profile knows better"
    );
}

#[tokio::test]
async fn s256_that_is_not_advertised_is_used_by_a_profile_alone() {
    let peer = Peer::start().await;
    peer.script(|script| script.metadata = json!({"code_challenge_methods_supported": null}));
    let strict = with(&peer, Profile::default());
    let error = strict.send(list(&strict)).await.unwrap_err();
    assert!(matches!(error, Error::Misconfigured { rule: Rule::PkceUnsupported, .. }), "{error}");
    let knowing = with(&peer, Profile { s256: true, ..Profile::default() });
    assert_eq!(knowing.send(list(&knowing)).await.unwrap().status(), 200);
    assert_eq!(peer.seen().authorizations[0]["code_challenge_method"], "S256");
}

/// GitHub: nothing is published.
#[tokio::test]
async fn endpoints_that_are_known_need_no_metadata() {
    let peer = Peer::start().await;
    peer.script(|script| script.issuer = None);
    let at = |path: &str| format!("{}{path}", peer.origin);
    let endpoints = Endpoints {
        authorization: at("/authorize"),
        token: at("/token"),
        registration: Some(at("/register")),
        ..Endpoints::default()
    };
    let client = with(&peer, Profile { endpoints: Some(endpoints), ..Profile::default() });
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert!(!peer.seen().metadata_requests.iter().any(|path| path.contains("authorization-server")));
}

/// Cognito, in places.
#[tokio::test]
async fn an_id_token_is_the_bearer_where_a_profile_says_so() {
    let peer = Peer::start().await;
    peer.script(|script| script.id_token = true);
    let client = with(&peer, Profile { id_token_as_bearer: true, ..Profile::default() });
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "and after a refresh");
}

#[tokio::test]
async fn of_several_authorization_servers_the_caller_may_choose() {
    let (peer, person) = (Peer::start().await, Person::default());
    let own = peer.origin.clone();
    peer.script(|s| s.authorization_servers = Some(vec!["http://127.0.0.1:9".into(), own.clone()]));
    let first = builder(&peer, &person).build().unwrap();
    assert!(first.send(list(&first)).await.is_err(), "the server's own order");
    let chosen = |issuer: &str| {
        builder(&peer, &person).authorization_server(Issuer::parse(issuer).unwrap()).build().unwrap()
    };
    let client = chosen(&peer.origin);
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);

    // Never one that the MCP server does not name.
    let elsewhere = Peer::start().await;
    peer.script(|script| script.authorization_servers = None);
    let client = chosen(&elsewhere.origin);
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(&error, Error::Misconfigured { rule: Rule::NotOffered { .. }, .. }), "{error}");
    assert!(elsewhere.seen().authorizations.is_empty());
}

#[tokio::test]
async fn where_none_is_named_the_callers_is_taken() {
    let (peer, elsewhere, person) = (Peer::start().await, Peer::start().await, Person::default());
    peer.script(|script| script.resource = None);
    let issuer = Issuer::parse(&elsewhere.origin).unwrap();
    let client = builder(&peer, &person).authorization_server(issuer).build().unwrap();
    client.login().await.unwrap();
    assert_eq!((elsewhere.seen().authorizations.len(), peer.seen().authorizations.len()), (1, 0));
}

#[tokio::test]
async fn a_realm_that_is_an_issuer_leads_to_it_and_any_other_leads_nowhere() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    peer.script(|script| script.resource = None);
    for (realm, at_realm) in [
        (elsewhere.origin.as_str(), 1),
        ("http://127.0.0.1:9/nobody", 0),
        ("the staff's tools", 0),
        ("http://169.254.169.254/latest", 0),
        ("file:///etc/passwd", 0),
    ] {
        let before = (elsewhere.seen().authorizations.len(), peer.seen().authorizations.len());
        peer.script(|script| script.challenge = Some(format!("Bearer realm=\"{realm}\"")));
        let client = builder(&peer, &Person::default()).build().unwrap();
        let ended = client.login().await;
        let after = (elsewhere.seen().authorizations.len(), peer.seen().authorizations.len());
        if realm.contains(":9/") {
            assert!(matches!(ended, Err(Error::Transient { .. })), "in trouble is not absent: {ended:?}");
            continue;
        }
        assert_eq!(after, (before.0 + at_realm, before.1 + 1 - at_realm), "{realm}: {ended:?}");
    }
}

#[tokio::test]
async fn a_client_id_that_the_server_publishes_for_this_issuer_is_used() {
    let (peer, person) = (Peer::start().await, Person::default());
    let publish = |ids: serde_json::Value| {
        peer.script(|script| script.resource_metadata = json!({"public_client_id": ids}));
    };
    for (ids, expected) in [
        (json!({peer.origin.clone(): "public-1", "https://other.example": "x"}), "public-1"),
        (json!({"https://other.example": "x"}), "client-1"),
        (json!("not an object"), "client-2"),
    ] {
        publish(ids);
        let client = builder(&peer, &person).build().unwrap();
        client.login().await.unwrap();
        assert_eq!(peer.seen().authorizations.last().unwrap()["client_id"], expected);
    }
}

/// Where tokens are not for the `resource` that was asked for, the id of someone else's client would bring the MCP
/// server a token for whatever that client may do.
#[tokio::test]
async fn a_published_client_id_is_not_used_where_tokens_are_not_for_the_server() {
    let (peer, person) = (Peer::start().await, Person::default());
    let ids = json!({peer.origin.clone(): "first-party"});
    peer.script(|script| script.resource_metadata = json!({"public_client_id": ids}));
    let issuers = || vec![peer.origin.clone()];
    let at = |path: &str| format!("{}{path}", peer.origin);
    let endpoints = Endpoints {
        authorization: at("/authorize"),
        token: at("/token"),
        registration: Some(at("/register")),
        ..Endpoints::default()
    };
    // One that knows no `resource`; one that publishes no metadata.
    for (number, profile, issuer) in [
        (
            1,
            Profile { issuers: issuers(), omit_resource: true, ..Profile::default() },
            Some(peer.origin.clone()),
        ),
        (
            2,
            Profile { issuers: issuers(), endpoints: Some(endpoints), s256: true, ..Profile::default() },
            None,
        ),
    ] {
        peer.script(|script| script.issuer = issuer);
        let client = builder(&peer, &person).profile(profile).build().unwrap();
        client.login().await.unwrap();
        assert_eq!(peer.seen().authorizations.last().unwrap()["client_id"], format!("client-{number}"));
    }
}

/// A page for devices asks in the name of the client, whoever started it.
#[tokio::test]
async fn a_published_client_id_is_not_used_for_devices() {
    const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    for (offer, client_id, asked) in
        [(DeviceOffer::Always, "first-party", 0), (DeviceOffer::Only, "client-1", 1)]
    {
        let (peer, person) = (Peer::start().await, Person::default());
        let ids = json!({peer.origin.clone(): "first-party"});
        peer.script(|script| {
            script.resource_metadata = json!({"public_client_id": ids});
            script.device = Some(vec![]);
            // The browser's login is not over before a code would be shown.
            script.delay = std::time::Duration::from_millis(300);
        });
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let browser =
            person.browser().device(offer).announcer(move |line| heard.lock().unwrap().push_str(line));
        let client = builder(&peer, &person).interaction(browser).build().unwrap();
        client.login().await.unwrap();
        let seen = peer.seen();
        assert_eq!(said.lock().unwrap().contains("WDJB-MJHT"), asked > 0, "{said:?}");
        assert_eq!((seen.token_requests[0]["client_id"].as_str(), seen.grants(DEVICE)), (client_id, asked));
    }
}

#[tokio::test]
async fn extra_parameters_go_along_and_replace_nothing() {
    let (peer, person) = (Peer::start().await, Person::default());
    let profile = Profile {
        issuers: vec![peer.origin.clone()],
        authorization_parameters: [("prompt", "consent"), ("hd", "example.com")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Profile::default()
    };
    let client = builder(&peer, &person).profile(profile);
    let client = client.authorization_parameter("prompt", "login").unwrap().build().unwrap();
    client.login().await.unwrap();
    let asked = &peer.seen().authorizations[0];
    assert_eq!((asked["prompt"].as_str(), asked["hd"].as_str()), ("login", "example.com"));
}

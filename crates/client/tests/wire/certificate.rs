//! Client certificates (RFC 8705): who sees one, and what it is good for.

use hallpass_client::{
    BuildError, Builder, Client, ClientAuthentication, ClientCredentials, EnterpriseManaged, Error,
    IdentityProvider, MachineClient, Mode, Preregistered, SecretSource, interaction::Browser,
};
use hallpass_guarded_fetch::{Identity, Policy};
use hallpass_protocol::{issuer::Issuer, secret::Secret};
use hallpass_testkit::{
    authorization_server::Peer,
    tls::{Ask, Authority, Issued, SHOWN},
};
use serde_json::json;

use crate::support::{clock, list};

/// An MCP server that lets nobody in without a certificate, its authorization server, which browsers reach, and
/// the endpoints of that for clients with a certificate.
struct Place {
    authority: Authority,
    own: Issued,
    peer: Peer,
    mcp: String,
    aliases: String,
}

async fn place() -> Place {
    let authority = Authority::new();
    let peer = Peer::start_tls(&authority, "localhost", Ask::Politely).await;
    let mcp = peer.also_tls(&authority, "localhost", Ask::Firmly).await;
    let aliases = peer.also_tls(&authority, "localhost", Ask::Firmly).await;
    let metadata = format!("{mcp}/.well-known/oauth-protected-resource/mcp");
    peer.script(|script| {
        script.challenge = Some(format!("Bearer resource_metadata=\"{metadata}\", scope=\"read\""));
        script.resource = Some(format!("{mcp}/mcp"));
        script.certificate_bound = true;
        script.metadata = json!({
            "token_endpoint_auth_methods_supported": ["none", "self_signed_tls_client_auth", "tls_client_auth"],
            "tls_client_certificate_bound_access_tokens": true,
            "pushed_authorization_request_endpoint": "https://localhost:9/par",
            "mtls_endpoint_aliases": {
                "token_endpoint": format!("{aliases}/token"),
                "revocation_endpoint": format!("{aliases}/revoke"),
                "registration_endpoint": format!("{aliases}/register"),
                "pushed_authorization_request_endpoint": format!("{aliases}/par"),
            },
        });
    });
    Place { own: authority.issue(&["client"]), authority, peer, mcp, aliases }
}

impl Place {
    fn builder(&self) -> Builder {
        let builder = Client::builder(&format!("{}/mcp", self.mcp)).unwrap().clock(clock().clock());
        builder.interaction(self.browser()).trust(self.authority.pem().as_bytes()).unwrap()
    }

    fn shown_builder(&self) -> Builder {
        self.builder().client_certificate(self.own.chain.as_bytes(), &Secret::new(&self.own.key)).unwrap()
    }

    /// A browser that trusts the authority, and has no certificate of its own.
    fn browser(&self) -> Browser {
        let root = reqwest::Certificate::from_pem(self.authority.pem().as_bytes()).unwrap();
        let browser = reqwest::Client::builder().tls_certs_merge([root]).no_proxy().build().unwrap();
        let launch = move |url: &hallpass_client::interaction::LaunchUrl| {
            tokio::spawn(browser.get(url.as_str()).send());
            Ok(())
        };
        Browser::new().launcher(launch).announcer(|_| {})
    }

    fn by_hand(&self) -> Preregistered {
        let issuer = Issuer::parse(&self.peer.origin).unwrap();
        Preregistered { issuer, client_id: "mine".into(), client_secret: None }
    }

    /// At which places of one origin a certificate was shown, and at which not.
    fn shown_at(&self, origin: &str, shown: bool) -> Vec<String> {
        let host = origin.strip_prefix("https://").unwrap();
        let seen = self.peer.seen().shown.into_iter().filter(|(_, was)| *was == shown);
        seen.filter_map(|(place, _)| place.strip_prefix(host).map(str::to_owned)).collect()
    }
}

/// RFC 8705 §2, §3, §5, and a refresh and a revocation beside the login.
#[tokio::test]
async fn a_certificate_shows_who_the_client_is_and_binds_its_tokens() {
    let place = place().await;
    let client = place.shown_builder().preregistered(place.by_hand()).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    place.peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    client.logout().await.unwrap();

    let seen = place.peer.seen();
    let grants: Vec<_> = seen.token_requests.iter().map(|form| form["grant_type"].as_str()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    for (form, headers) in seen.token_requests.iter().zip(&seen.token_headers) {
        assert_eq!((form["client_id"].as_str(), form.contains_key("client_secret")), ("mine", false));
        assert_eq!(headers[SHOWN], place.own.shown);
        assert!(!headers.contains_key("authorization"));
    }
    assert!(seen.mcp.iter().all(|(.., headers)| headers[SHOWN] == place.own.shown));
    assert_eq!(place.shown_at(&place.aliases, true), ["/par", "/token", "/token", "/revoke", "/revoke"]);
    assert_eq!(place.shown_at(&place.peer.origin, false), ["/authorize"], "a browser has no certificate");
}

#[tokio::test]
async fn a_token_that_is_bound_to_another_certificate_is_of_no_use() {
    let place = place().await;
    let client = place.shown_builder().preregistered(place.by_hand()).build().unwrap();
    client.login().await.unwrap();
    let token = client.token().await.unwrap().token;
    let other = place.authority.issue(&["other"]);
    let thief = place.builder().client_certificate(other.chain.as_bytes(), &Secret::new(&other.key)).unwrap();
    let thief = thief.mode(Mode::Bearer(SecretSource::Value(token))).build().unwrap();
    assert!(thief.send(list(&thief)).await.is_err());
}

/// What a server names is not the client's own: documents there are fetched without the certificate, also where it
/// is asked for.
#[tokio::test]
async fn a_certificate_is_shown_to_nobody_else() {
    let place = place().await;
    let elsewhere = Peer::start_tls(&place.authority, "localhost", Ask::Politely).await;
    let (resource, issuer) = (format!("{}/mcp", place.mcp), place.peer.origin.clone());
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", elsewhere.origin);
    elsewhere.script(|script| {
        script.resource = Some(resource);
        script.authorization_servers = Some(vec![issuer]);
    });
    place.peer.script(|s| s.challenge = Some(format!("Bearer resource_metadata=\"{metadata}\"")));
    let client = place.shown_builder().build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);

    let strangers = elsewhere.seen().shown;
    assert_eq!(strangers.len(), 1);
    assert!(strangers.iter().all(|(_, shown)| !shown), "{strangers:?}");
    // The authorization server was named by a stranger too: its endpoints see the certificate, and they alone.
    let metadata = "/.well-known/oauth-authorization-server";
    assert_eq!(place.shown_at(&place.peer.origin, false), [metadata, "/authorize"]);
    assert_eq!(place.shown_at(&place.aliases, true), ["/register", "/par", "/token"]);
    let registered = &place.peer.seen().registrations[0];
    assert_eq!(registered["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(registered["token_endpoint_auth_method"], "none");
}

/// A certificate for the MCP server alone: the client is public, and its tokens are bound to nothing.
#[tokio::test]
async fn a_public_client_with_a_certificate_uses_the_plain_endpoints() {
    let place = place().await;
    place.peer.script(|script| {
        script.certificate_bound = false;
        script.metadata["tls_client_certificate_bound_access_tokens"] = false.into();
        script.metadata["pushed_authorization_request_endpoint"] = json!(null);
    });
    let client = place.shown_builder().build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert!(place.shown_at(&place.aliases, true).is_empty());
    assert_eq!(place.peer.seen().grants("authorization_code"), 1);
}

/// RFC 8705 §5: it has nothing else to show who it is, also where no token is bound to it.
#[tokio::test]
async fn a_client_that_is_known_by_its_certificate_uses_the_aliases_though_nothing_is_bound() {
    let place = place().await;
    place.peer.script(|script| {
        script.certificate_bound = false;
        script.metadata["tls_client_certificate_bound_access_tokens"] = false.into();
        script.metadata["pushed_authorization_request_endpoint"] = json!(null);
        script.metadata["mtls_endpoint_aliases"]["pushed_authorization_request_endpoint"] = json!(null);
    });
    let client = place.shown_builder().preregistered(place.by_hand()).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(place.shown_at(&place.aliases, true), ["/token"]);
}

/// The identity provider of another mode is another server, with another client.
#[tokio::test]
async fn an_identity_provider_sees_the_certificate_only_where_it_is_for_it() {
    for (authentication, is_shown) in
        [(ClientAuthentication::None, false), (ClientAuthentication::Certificate, true)]
    {
        let place = place().await;
        let provider = Peer::start_tls(&place.authority, "localhost", Ask::Politely).await;
        let own = |authentication| MachineClient { client_id: "mine".into(), authentication };
        provider
            .script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["tls_client_auth"]}));
        let client = place.shown_builder().mode(Mode::EnterpriseManaged(EnterpriseManaged {
            identity_provider: IdentityProvider {
                issuer: Issuer::parse(&provider.origin).unwrap(),
                token_endpoint: None,
                client: own(authentication),
            },
            id_token: SecretSource::Value(Secret::new("id")),
            client: own(ClientAuthentication::Certificate),
            issuer: None,
            scope: None,
        }));
        let client = client.build().unwrap();
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
        let shown: Vec<_> = provider.seen().shown.into_iter().map(|(_, shown)| shown).collect();
        assert_eq!(shown, [false, is_shown], "its metadata, then its token endpoint");
    }
}

#[tokio::test]
async fn a_client_without_a_person_shows_its_certificate() {
    let place = place().await;
    let mode = |place: &Place| {
        Mode::ClientCredentials(ClientCredentials {
            client: MachineClient {
                client_id: "robot".into(),
                authentication: ClientAuthentication::Certificate,
            },
            issuer: Some(Issuer::parse(&place.peer.origin).unwrap()),
            scope: None,
        })
    };
    let client = place.shown_builder().mode(mode(&place)).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(place.peer.seen().token_requests[0]["client_id"], "robot");
    assert_eq!(place.shown_at(&place.aliases, true), ["/token"]);
    let without = place.builder().mode(mode(&place)).build().unwrap_err();
    assert!(matches!(without, BuildError::ClientCertificate(_)), "{without}");
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_says_so_to_a_client_without() {
    let place = place().await;
    let client = place.builder().build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Http(_)), "{error}");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_and_its_key_appear_nowhere() {
    let place = place().await;
    let key = Secret::new(&place.own.key);
    let line = |pem: &str| pem.lines().nth(1).unwrap().to_owned();
    let policy = Policy {
        identity: Some(Identity::from_pem(place.own.chain.as_bytes(), &key).unwrap()),
        ..Policy::default()
    };
    let client = place.shown_builder().build().unwrap();
    let shown = format!("{policy:?} {client:?}");
    assert!(!shown.contains(&line(&place.own.key)) && !shown.contains(&line(&place.own.chain)), "{shown}");

    let other = Secret::new(place.authority.issue(&["other"]).key);
    let mismatched = place.builder().client_certificate(place.own.chain.as_bytes(), &other).unwrap().build();
    let error = mismatched.map(drop).unwrap_err().to_string();
    assert!(!error.contains(&line(other.expose())), "{error}");
    assert!(place.builder().client_certificate(b"", &key).is_err());
    assert!(place.builder().client_certificate(place.own.chain.as_bytes(), &Secret::new("")).is_err());
}

//! API keys, Digest, Basic and certificates alone, through the layer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hallpass_protocol::challenge::{Challenge, parse_challenges};
use hallpass_protocol::digest::DigestAlgorithm;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::accounts::{DigestScheme, Shows, hash_password, new_key};
use hallpass_resource_server::{
    Account, Accounts, CertificateAccount, OwnAccounts, PeerCertificate, Refusal, Settings,
};
use http::{Request, StatusCode};
use rustls_pki_types::CertificateDer;
use support::digest::Client;
use support::{NOW, Protected, RESOURCE, protect_with, scopes, text};

type List = Arc<RwLock<Option<Vec<Account>>>>;

fn account(name: &str, shows: Shows) -> Account {
    Account {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        scopes: scopes("notes:read"),
        tenant: None,
        created: NOW,
        expires: Some(NOW.after(Duration::from_secs(60))),
        shows,
    }
}

fn protect(accounts: Vec<Account>, change: impl FnOnce(&mut Settings)) -> (Protected, List) {
    let list: List = Arc::new(RwLock::new(Some(accounts)));
    let current = Arc::clone(&list);
    let server = protect_with(|settings| {
        settings.policy = support::policy();
        settings.accounts = Some(OwnAccounts {
            list: Accounts::live(move || current.read().unwrap().clone().map(Arc::new)),
            keys: true,
            basic: true,
            digest: Some(DigestScheme::default()),
        });
        change(settings);
    });
    (server, list)
}

async fn ask(server: &Protected, name: &str, value: &str) -> Response {
    server.send(Request::post("/mcp").header(name, value).body(Body::from("{}")).unwrap()).await
}

async fn status(server: &Protected, name: &str, value: &str) -> StatusCode {
    ask(server, name, value).await.status()
}

/// A key for another server of the same house is nobody's business; one that upstream itself asks for goes on.
#[tokio::test]
async fn a_key_that_opens_nothing_here_is_not_carried_on() {
    let server = protect_with(|settings| settings.policy = support::policy());
    let (key, _) = new_key();
    for (said, goes_on) in [(key.expose(), false), ("sk-of-upstream", true)] {
        let request = Request::post("/mcp")
            .header("authorization", format!("Bearer {}", server.token("notes:read")))
            .header("x-api-key", said);
        let permitted = server.server.admit(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(permitted.get().headers().contains_key("x-api-key"), goes_on, "{said}");
    }
}

#[tokio::test]
async fn a_key_opens_as_bearer_and_in_its_own_field() {
    let (key, shows) = new_key();
    let (server, list) = protect(vec![account("ci", shows)], |_| {});
    let bearer = format!("Bearer {}", key.expose());
    assert_eq!(text(ask(&server, "authorization", &bearer).await).await, "ci:{}");
    assert_eq!(text(ask(&server, "x-api-key", key.expose()).await).await, "ci:{}");
    // Tokens go on beside it.
    assert_eq!(server.post(&server.token("notes:read"), "{}").await.status(), StatusCode::OK);
    // It has the scopes that it was given, and no more.
    let write = r#"{"method":"tools/call","params":{"name":"write_x"}}"#;
    assert_eq!(server.post(key.expose(), write).await.status(), StatusCode::FORBIDDEN);
    // Revoked means now, for streams as well; and so does expired.
    let request = Request::post("/mcp").header("x-api-key", key.expose()).body(Body::empty()).unwrap();
    let permitted = server.server.admit(request).await.unwrap();
    // Whoever stands behind never sees it.
    assert!(!permitted.get().headers().contains_key("x-api-key"));
    let verified = permitted.verified().clone();
    // No user of an issuer has that name.
    let caller = verified.caller();
    assert_eq!((caller.subject(), caller.principal()), ("ci", "key#ci"));
    server.server.recheck(&verified).await.unwrap();
    let before = list.write().unwrap().replace(Vec::new());
    assert!(matches!(server.server.recheck(&verified).await, Err(Refusal::Revoked)));
    let response = ask(&server, "authorization", &bearer).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(parse_challenges(response.headers())[0].error(), Some("invalid_token"));
    assert!(!text(response).await.contains(key.expose()));
    *list.write().unwrap() = before;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(status(&server, "authorization", &bearer).await, StatusCode::UNAUTHORIZED);
    // A list that cannot be read lets nobody in, and is nobody's fault who calls.
    *list.write().unwrap() = None;
    assert_eq!(status(&server, "x-api-key", key.expose()).await, StatusCode::SERVICE_UNAVAILABLE);
}

/// Row 23.
#[tokio::test]
async fn nothing_but_the_whole_key_opens() {
    let (key, shows) = new_key();
    let kept = format!("{shows:?}{}", serde_json::to_string(&shows).unwrap());
    assert!(!kept.contains(&key.expose()[8..]), "the key is kept nowhere");
    let hash = kept.split('"').nth(3).unwrap().to_owned();
    let (server, _) = protect(vec![account("ci", shows)], |_| {});
    let key = key.expose();
    let mut others: Vec<String> = (0..key.len()).map(|length| key[..length].to_owned()).collect();
    others.extend([format!("{key}A"), key.to_uppercase(), hash.clone(), format!("hpk_{hash}")]);
    for at in 4..key.len() {
        let mut changed = key.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        others.push(String::from_utf8(changed).unwrap());
    }
    for other in others.iter().filter(|other| !other.is_empty()) {
        assert_ne!(status(&server, "x-api-key", other).await, StatusCode::OK, "{other}");
        assert_ne!(
            status(&server, "authorization", &format!("Bearer {other}")).await,
            StatusCode::OK,
            "{other}"
        );
    }
}

#[tokio::test]
async fn one_401_offers_each_scheme_and_bearer_first() {
    let (server, _) = protect(Vec::new(), |settings| settings.dpop = Some(Default::default()));
    let response = server.send(Request::post("/mcp").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers().get_all("www-authenticate").iter().count(), 5);
    let challenges = parse_challenges(response.headers());
    let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    assert_eq!(schemes, ["Bearer", "DPoP", "Digest", "Digest", "Basic"]);
    assert!(challenges.iter().all(|challenge| challenge.realm() == Some(RESOURCE)));
    assert!(challenges[0].resource_metadata().is_some() && challenges[0].scope().is_some());
    let algorithms: Vec<_> = challenges[2..4].iter().map(|one| one.param("algorithm").unwrap()).collect();
    assert_eq!(algorithms, ["SHA-256", "SHA-512-256"]);
    // Who is known and may not is offered nothing else.
    let write = r#"{"method":"tools/call","params":{"name":"write_x"}}"#;
    let response = server.post(&server.token("notes:read"), write).await;
    assert_eq!(parse_challenges(response.headers()).len(), 1);
}

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

#[tokio::test]
async fn a_password_is_taken_over_tls_and_remembered_until_it_changes() {
    let shows = hash_password(&Secret::new("correct: horse")).unwrap();
    let (server, list) = protect(vec![account("ci", shows)], |_| {});
    for _ in 0..2 {
        assert_eq!(text(ask(&server, "authorization", &basic("ci:correct: horse")).await).await, "ci:{}");
    }
    for pair in ["ci:correct: hors", "ci:", "nobody:correct: horse", ":correct: horse", "CI:correct: horse"] {
        let response = ask(&server, "authorization", &basic(pair)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{pair}");
        // Nobody is told which of the two was wrong.
        assert!(text(response).await.contains("the user name or the password is wrong"), "{pair}");
    }
    for value in ["Basic", "Basic x", "Basic Y2k=", "Basic Y2k6\u{7f}"] {
        let Ok(request) = Request::post("/mcp").header("authorization", value).body(Body::empty()) else {
            continue;
        };
        assert_eq!(server.send(request).await.status(), StatusCode::BAD_REQUEST, "{value}");
    }
    // Another password: the one that was remembered is worth nothing.
    let changed = account("ci", hash_password(&Secret::new("other")).unwrap());
    *list.write().unwrap() = Some(vec![changed]);
    assert_eq!(status(&server, "authorization", &basic("ci:correct: horse")).await, StatusCode::UNAUTHORIZED);
}

/// Ten are free; then each waits longer, the right one too, and who was in stays in.
#[tokio::test]
async fn guesses_at_a_password_wait() {
    let shows = hash_password(&Secret::new("correct horse")).unwrap();
    let (server, _) = protect(vec![account("ci", shows), digest_account(&DigestAlgorithm::ALL)], |_| {});
    for n in 0..10 {
        let guess = basic(&format!("ci:{n}"));
        assert_eq!(status(&server, "authorization", &guess).await, StatusCode::UNAUTHORIZED);
    }
    let response = ask(&server, "authorization", &basic("ci:correct horse")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(!response.headers().contains_key("www-authenticate"));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&server, "authorization", &basic("ci:correct horse")).await, StatusCode::OK);
    // The same for Digest, where a guess is cheap.
    let challenge = digest_challenges(&server).await.remove(0);
    for _ in 0..10 {
        let guess = Client { password: "x", ..Client::default() }.answer(&challenge);
        assert_eq!(status(&server, "authorization", &guess).await, StatusCode::UNAUTHORIZED);
    }
    let right = Client::default().answer(&challenge);
    assert_eq!(status(&server, "authorization", &right).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status(&server, "authorization", &basic("ci:correct horse")).await, StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&server, "authorization", &right).await, StatusCode::OK);
}

/// Names that somebody makes up keep nobody out.
#[tokio::test]
async fn strangers_do_not_use_up_the_room_for_passwords() {
    let shows = hash_password(&Secret::new("correct horse")).unwrap();
    let (server, _) = protect(vec![account("ci", shows)], |_| {});
    let server = Arc::new(server);
    let send = |pair: String| {
        let server = Arc::clone(&server);
        async move { status(&server, "authorization", &basic(&pair)).await }
    };
    let mut flood = tokio::task::JoinSet::new();
    (0..200).for_each(|n| drop(flood.spawn(send(format!("nobody{n}:x")))));
    let known = tokio::spawn(send("ci:correct horse".to_owned()));
    assert_eq!(known.await.unwrap(), StatusCode::OK);
    let answers = flood.join_all().await;
    assert!(answers.contains(&StatusCode::SERVICE_UNAVAILABLE));
}

/// RFC 7617 §4.
#[tokio::test]
async fn no_password_over_plain_http() {
    for (resource, expected) in [
        ("http://mcp.example.com/mcp", StatusCode::UNAUTHORIZED),
        ("http://localhost/mcp", StatusCode::OK),
        ("https://mcp.example.com/mcp", StatusCode::OK),
    ] {
        let shows = hash_password(&Secret::new("correct horse")).unwrap();
        let (server, _) = protect(vec![account("ci", shows)], |settings| {
            settings.resource = ResourceIdentifier::parse(resource).unwrap();
        });
        let response = ask(&server, "authorization", &basic("ci:correct horse")).await;
        assert_eq!(response.status(), expected, "{resource}");
        let offered = parse_challenges(response.headers()).iter().any(|one| one.is("Basic"));
        assert!(!offered, "{resource}");
    }
}

fn digest_account(algorithms: &[DigestAlgorithm]) -> Account {
    account("ci", Shows::digest("ci", RESOURCE, &Secret::new("correct horse"), algorithms))
}

async fn digest_challenges(server: &Protected) -> Vec<Challenge> {
    let response = server.send(Request::post("/mcp").body(Body::empty()).unwrap()).await;
    parse_challenges(response.headers()).into_iter().filter(|one| one.is("Digest")).collect()
}

#[tokio::test]
async fn digest_with_either_algorithm() {
    let (server, _) = protect(vec![digest_account(&DigestAlgorithm::ALL)], |_| {});
    for offered in 0..2 {
        let challenge = digest_challenges(&server).await.remove(offered);
        for count in 1..4 {
            let answer = Client { count, ..Client::default() }.answer(&challenge);
            assert_eq!(text(ask(&server, "authorization", &answer).await).await, "ci:{}");
            // The same again is a replay; its sender gets a new nonce.
            let response = ask(&server, "authorization", &answer).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            let again = parse_challenges(response.headers());
            let again = again.iter().find(|one| one.is("Digest")).unwrap();
            assert_eq!(again.param("stale"), Some("true"));
            assert_ne!(again.param("nonce"), challenge.param("nonce"));
        }
    }
}

#[tokio::test]
async fn digest_refuses() {
    let (server, _) = protect(vec![digest_account(&DigestAlgorithm::ALL)], |_| {});
    let challenge = digest_challenges(&server).await.remove(0);
    let client = Client::default;
    let foreign = challenge.clone().with("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let md5 = client().answer(&challenge).replace("algorithm=SHA-256", "algorithm=MD5");
    let unnamed = client().answer(&challenge).replace("algorithm=SHA-256, ", "");
    for (what, answer, expected, stale) in [
        ("another password", Client { password: "x", ..client() }.answer(&challenge), 401, false),
        ("nobody", Client { name: "nobody", ..client() }.answer(&challenge), 401, false),
        ("another realm", Client { realm: Some("x"), ..client() }.answer(&challenge), 401, false),
        ("another method", Client { method: "GET", ..client() }.answer(&challenge), 401, false),
        ("another target", Client { uri: "/mcp?x=1", ..client() }.answer(&challenge), 400, false),
        ("a foreign nonce", client().answer(&foreign), 401, true),
        ("MD5, which was not offered", md5, 400, false),
        ("no algorithm, which is MD5", unnamed, 400, false),
        ("nothing", "Digest".to_owned(), 400, false),
    ] {
        let response = ask(&server, "authorization", &answer).await;
        assert_eq!(response.status().as_u16(), expected, "{what}");
        let told = parse_challenges(response.headers()).iter().any(|one| one.param("stale") == Some("true"));
        assert_eq!(told, stale, "{what}");
    }
    let answer = client().answer(&challenge);
    server.clock.advance(Duration::from_secs(300));
    let response = ask(&server, "authorization", &answer).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "an old nonce");
}

/// The query is part of what was asked for.
#[tokio::test]
async fn digest_covers_the_query() {
    let (server, _) = protect(vec![digest_account(&DigestAlgorithm::ALL)], |_| {});
    let challenge = digest_challenges(&server).await.remove(0);
    let answer = Client { uri: "/mcp?x=1", ..Client::default() }.answer(&challenge);
    for (uri, expected) in [("/mcp?x=2", 400), ("/mcp", 400), ("/mcp?x=1", 200)] {
        let request = Request::post(uri).header("authorization", &answer).body(Body::empty()).unwrap();
        assert_eq!(server.send(request).await.status().as_u16(), expected, "{uri}");
    }
}

fn certificate(name: &str) -> CertificateDer<'static> {
    let path = format!("{}/tests/certificates/{name}.der", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap().into()
}

fn with_certificates(proxies: &[&str]) -> Protected {
    let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    protect_with(|settings| {
        settings.policy = support::policy();
        settings.certificates.proxies = proxies;
        settings.certificates.accounts = vec![CertificateAccount {
            authority: certificate("ca"),
            name: "spiffe://acme/agents/*".to_owned(),
            scopes: scopes("notes:read"),
        }];
    })
}

/// Issuer, purpose, time and name all count.
#[tokio::test]
async fn a_certificate_alone() {
    let server = with_certificates(&[]);
    for (name, expected) in [
        ("agent", StatusCode::OK),
        ("stranger-name", StatusCode::UNAUTHORIZED),
        ("server-only", StatusCode::UNAUTHORIZED),
        ("expired", StatusCode::UNAUTHORIZED),
        ("foreign", StatusCode::UNAUTHORIZED),
    ] {
        let mut request = Request::post("/mcp").body(Body::from("{}")).unwrap();
        request.extensions_mut().insert(PeerCertificate(certificate(name)));
        let response = server.send(request).await;
        assert_eq!(response.status(), expected, "{name}");
        if expected == StatusCode::OK {
            assert_eq!(text(response).await, "spiffe://acme/agents/reader:{}");
        }
    }
}

/// Row 33: the field counts from a listed proxy, and is nothing from anyone else.
#[tokio::test]
async fn client_cert_is_believed_of_listed_proxies_only() {
    let server = with_certificates(&["10.0.0.5"]);
    let field = |name: &str| format!(":{}:", BASE64_STANDARD.encode(certificate(name)));
    for (peer, fields, expected) in [
        (Some("10.0.0.5:1"), vec![field("agent")], StatusCode::OK),
        (Some("[::ffff:10.0.0.5]:1"), vec![field("agent")], StatusCode::OK),
        (Some("10.0.0.6:1"), vec![field("agent")], StatusCode::UNAUTHORIZED),
        (None, vec![field("agent")], StatusCode::UNAUTHORIZED),
        (Some("10.0.0.5:1"), vec![field("foreign")], StatusCode::UNAUTHORIZED),
        (Some("10.0.0.5:1"), vec![], StatusCode::UNAUTHORIZED),
        (Some("10.0.0.5:1"), vec!["x".to_owned()], StatusCode::BAD_REQUEST),
        (Some("10.0.0.5:1"), vec![field("agent"), field("agent")], StatusCode::BAD_REQUEST),
    ] {
        let mut request = Request::post("/mcp");
        for field in &fields {
            request = request.header("client-cert", field);
        }
        let mut request = request.body(Body::from("{}")).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
            // The proxy's own certificate is not the caller's.
            request.extensions_mut().insert(PeerCertificate(certificate("server-only")));
        }
        assert_eq!(server.send(request).await.status(), expected, "{peer:?} {fields:.40?}");
    }
}

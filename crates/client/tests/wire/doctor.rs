//! What the doctor says of a sound server, and of servers with one thing broken each.

use hallpass_client::{
    ClientAuthentication, ClientCredentials, MachineClient, Mode,
    doctor::{Report, Revision, Verdict, examine},
};
use hallpass_protocol::{issuer::Issuer, secret::Secret};
use hallpass_testkit::{
    authorization_server::{Peer, Script},
    upstream::{Upstream, plain},
};
use http::StatusCode;
use serde_json::json;

use crate::support::{Person, builder};

async fn examined(change: impl FnOnce(&mut Script)) -> Report {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(change);
    examine(&builder(&peer, &person).build().unwrap(), false).await
}

fn verdict(report: &Report, check: &str) -> Option<Verdict> {
    report.findings.iter().find(|finding| finding.check == check).map(|finding| finding.verdict)
}

#[tokio::test]
async fn a_sound_server_has_no_fault() {
    let report = examined(|_| {}).await;
    let faults: Vec<_> = report.findings.iter().filter(|f| f.verdict == Verdict::Fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    for check in [
        "challenge.refused",
        "challenge.present",
        "challenge.resource_metadata",
        "challenge.scope",
        "resource.matches",
        "server.issuer_equal",
        "server.pkce",
        "server.iss",
        "server.registration",
        "first_revision.origin",
    ] {
        assert_eq!(verdict(&report, check), Some(Verdict::Ok), "{check}");
    }
    // What the peer leaves out, clients in the field stumble over.
    for check in [
        "resource.root_form",
        "token.garbage",
        "scopes.three_places",
        "browser.preflight",
        "browser.expose",
        "browser.resource_metadata",
        "browser.server_metadata",
        "browser.token_endpoint",
    ] {
        assert_eq!(verdict(&report, check), Some(Verdict::Warning), "{check}");
    }
    assert!(report.findings.iter().all(|f| (f.verdict == Verdict::Ok) == f.change.is_none()));
    assert!(report.findings.iter().all(|f| !f.revisions.is_empty() && !f.source.is_empty()));
}

type Break = (&'static str, fn(&mut Script));

/// One thing broken, and the one check that names it.
const BROKEN: &[Break] = &[
    ("challenge.present", |s| s.challenge = None),
    ("challenge.present", |s| s.challenge = Some("Basic realm=\"x\"".into())),
    ("challenge.resource_metadata", |s| {
        s.challenge = Some("Bearer resource_metadata=\"not a url\"".into());
    }),
    ("resource.named", |s| s.challenge = Some("Bearer resource_metadata=\"{origin}/nowhere\"".into())),
    ("resource.found", |s| s.resource = None),
    ("resource.matches", |s| s.resource = Some("https://other.example/mcp".into())),
    ("resource.authorization_servers", |s| s.authorization_servers = Some(vec![])),
    ("server.issuer", |s| s.authorization_servers = Some(vec!["not an issuer".into()])),
    ("server.metadata", |s| s.issuer = None),
    ("server.issuer_equal", |s| s.issuer = Some("https://other.example".into())),
    ("server.pkce", |s| s.metadata = json!({"code_challenge_methods_supported": ["plain"]})),
    ("server.pkce", |s| s.metadata = json!({"code_challenge_methods_supported": null})),
    ("server.endpoints", |s| s.metadata = json!({"token_endpoint": null})),
    ("server.https", |s| s.metadata = json!({"token_endpoint": "http://as.example/token"})),
    ("server.grants", |s| s.metadata = json!({"grant_types_supported": ["implicit"]})),
    ("server.keys", |s| s.metadata = json!({"jwks_uri": "https://127.0.0.1:1/jwks"})),
    ("resource.bearer_methods", |s| s.resource_metadata = json!({"bearer_methods_supported": ["body"]})),
    ("resource.scope_names", |s| s.resource_metadata = json!({"scopes_supported": ["two words"]})),
];

#[tokio::test]
async fn what_is_broken_is_named() {
    for (check, change) in BROKEN {
        let report = examined(change).await;
        assert_eq!(verdict(&report, check), Some(Verdict::Fault), "{check}: {:#?}", report.findings);
        assert_eq!(report.verdict(), Verdict::Fault);
    }
}

#[tokio::test]
async fn what_only_some_clients_stumble_over_is_a_warning() {
    let warnings: &[Break] = &[
        ("challenge.scope", |s| s.challenge = Some("Bearer".into())),
        ("challenge.error", |s| s.challenge = Some("Bearer error=\"invalid_token\"".into())),
        ("challenge.resource_metadata", |s| s.challenge = Some("Bearer scope=\"read\"".into())),
        ("server.registration", |s| s.metadata = json!({"registration_endpoint": null})),
        ("server.public_clients", |s| s.metadata = json!({"token_endpoint_auth_methods_supported": null})),
        ("scopes.agree", |s| s.metadata = json!({"scopes_supported": ["other"]})),
        ("server.cimd", |s| s.metadata = json!({"client_id_metadata_document_supported": null})),
        ("server.iss", |s| {
            s.metadata = json!({"authorization_response_iss_parameter_supported": null});
        }),
        ("first_revision.origin", |s| s.issuer = Some("https://other.example".into())),
        ("resource.type", |s| s.resource_type = "text/plain"),
        ("resource.path_form", |s| {
            s.root_resource = s.resource.take();
            s.challenge =
                Some("Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource\"".into());
        }),
    ];
    for (check, change) in warnings {
        let report = examined(change).await;
        assert_eq!(verdict(&report, check), Some(Verdict::Warning), "{check}");
    }
    let (peer, person) = (Peer::start().await, Person::default());
    let with_slash = format!("{}/", peer.url());
    peer.script(|script| script.resource = Some(with_slash));
    let report = examine(&builder(&peer, &person).build().unwrap(), false).await;
    assert_eq!(verdict(&report, "resource.matches"), Some(Verdict::Warning), "a slash at the end");
}

/// A fault of newer revisions is none for the clients of an older one.
#[tokio::test]
async fn each_revision_is_judged_by_itself() {
    let report = examined(|script| {
        script.resource = None;
        script.challenge = Some("Bearer".into());
    })
    .await;
    assert_ne!(report.verdict_for(Revision::V2025_03_26), Verdict::Fault, "{report:#?}");
    assert_eq!(report.verdict_for(Revision::V2025_06_18), Verdict::Fault);
    assert_ne!(report.clone().only(Revision::V2025_03_26).verdict(), Verdict::Fault);
}

#[tokio::test]
async fn a_server_without_protection_is_a_warning_and_needs_nothing_else() {
    let upstream = Upstream::start().await;
    let client = hallpass_client::Client::builder(upstream.url("/mcp").as_str()).unwrap().build().unwrap();
    let report = examine(&client, false).await;
    assert_eq!(verdict(&report, "challenge.refused"), Some(Verdict::Warning));
    assert_ne!(report.verdict_for(Revision::V2025_03_26), Verdict::Fault, "{report:#?}");
}

#[tokio::test]
async fn a_server_that_takes_any_token_is_a_fault() {
    let upstream = Upstream::start().await;
    let mut refusal = plain(StatusCode::UNAUTHORIZED, "");
    refusal.headers_mut().insert("www-authenticate", "Bearer".parse().unwrap());
    upstream.answer(refusal);
    let client = hallpass_client::Client::builder(upstream.url("/mcp").as_str()).unwrap().build().unwrap();
    let report = examine(&client, false).await;
    assert_eq!(verdict(&report, "token.garbage"), Some(Verdict::Fault));
    assert_eq!(verdict(&report, "request.slash"), Some(Verdict::Fault));
    assert_eq!(verdict(&report, "request.get"), Some(Verdict::Fault));
    assert_eq!(verdict(&report, "request.head"), Some(Verdict::Warning));
}

/// {"aud":"https://other.example"}: for another server, and of no use at this one.
const FOREIGN: &str = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.AA";

/// What is wrong with a server.
type Change = fn(&mut Script);

/// One thing that is amiss with the login alone, and the check that names it.
const AMISS: &[(&str, Verdict, Change)] = &[
    ("login.audience", Verdict::Warning, |s| s.token = json!({"access_token": FOREIGN})),
    ("login.call", Verdict::Fault, |s| s.token = json!({"access_token": FOREIGN})),
    ("login.lifetime", Verdict::Warning, |s| s.token = json!({"expires_in": null})),
    ("login.refresh", Verdict::Warning, |s| s.token = json!({"refresh_token": null})),
    ("login.refresh", Verdict::Fault, |s| s.refresh = Some((400, json!({"error": "invalid_grant"})))),
    ("login.revocation", Verdict::Warning, |s| s.metadata = json!({"revocation_endpoint": null})),
    ("login.revocation", Verdict::Fault, |s| {
        let nowhere = s.issuer.as_ref().map(|origin| format!("{origin}/nowhere"));
        s.metadata = json!({"revocation_endpoint": nowhere});
    }),
];

#[tokio::test]
async fn what_is_amiss_with_a_login_is_named() {
    for (check, expected, change) in AMISS {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(change);
        let report = examine(&builder(&peer, &person).build().unwrap(), true).await;
        assert_eq!(verdict(&report, check), Some(*expected), "{check}: {report:#?}");
        assert!(!serde_json::to_string(&report).unwrap().contains(FOREIGN), "no secret is in a report");
    }
}

#[tokio::test]
async fn a_login_is_made_used_and_ended() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let report = examine(&client, true).await;
    for check in ["login.done", "login.audience", "login.lifetime", "login.refresh", "login.call"] {
        assert_eq!(verdict(&report, check), Some(Verdict::Ok), "{check}: {report:#?}");
    }
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.grants("refresh_token"), seen.revoked.len()), (1, 1, 2));
    let text = serde_json::to_string(&report).unwrap();
    for secret in seen.revoked.iter().chain(seen.token_requests.iter().filter_map(|form| form.get("code"))) {
        assert!(!text.contains(secret), "no secret is in a report");
    }
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.response = vec![("iss", Some("https://evil.example".into()))]);
    let report = examine(&builder(&peer, &person).build().unwrap(), true).await;
    assert_eq!(verdict(&report, "login.done"), Some(Verdict::Fault));
    assert_eq!(verdict(&report, "login.call"), None);
}

#[tokio::test]
async fn what_may_be_secret_in_the_url_is_not_told() {
    let (peer, person) = (Peer::start().await, Person::default());
    let url = format!("{}?key=s3cret", peer.url());
    let client =
        hallpass_client::Client::builder(&url).unwrap().interaction(person.browser()).build().unwrap();
    let report = examine(&client, false).await;
    assert!(!serde_json::to_string(&report).unwrap().contains("s3cret"), "{report:#?}");
}

/// What is not there has no other fault.
async fn only_reach(url: &str) -> (String, String) {
    let client = hallpass_client::Client::builder(url).unwrap().build().unwrap();
    let report = examine(&client, true).await;
    let [finding] = report.findings.as_slice() else { panic!("{report:#?}") };
    assert_eq!((finding.check, finding.verdict), ("reach.server", Verdict::Fault));
    (finding.found.clone(), finding.change.clone().unwrap())
}

#[tokio::test]
async fn where_nobody_answers_nothing_else_is_checked() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (found, change) = only_reach(&format!("http://{closed}/mcp?key=canary")).await;
    assert!(found.contains("nothing listens there") && found.contains(&closed.to_string()), "{found}");
    assert!(change.contains("Nothing else was checked") && !found.contains("canary"), "{change}");
    let (found, _) = only_reach("https://nowhere.invalid/mcp").await;
    assert!(found.contains("nowhere.invalid") && found.contains("DNS"), "{found}");
}

#[tokio::test]
async fn a_wrong_path_is_named_as_such() {
    let peer = Peer::start().await;
    let (found, change) = only_reach(&format!("{}/nope", peer.origin)).await;
    assert!(
        found.contains("404") && change.contains("check the path") && change.contains("/mcp"),
        "{change}"
    );
    let upstream = Upstream::start().await;
    for _ in 0..3 {
        let mut page = plain(StatusCode::OK, "<html>");
        page.headers_mut().insert("content-type", "text/html; charset=utf-8".parse().unwrap());
        upstream.answer(page);
    }
    let (found, change) = only_reach(upstream.url("/").as_str()).await;
    assert!(found.contains("a page for people") && change.contains("/mcp"), "{found}: {change}");
    peer.script(|script| script.redirect = Some("https://elsewhere.example/mcp?key=canary".into()));
    let (found, _) = only_reach(&peer.url()).await;
    assert!(found.contains("https://elsewhere.example/mcp") && !found.contains("canary"), "{found}");
}

/// HTTP+SSE of 2024-11-05 refuses the stream, and knows no POST there.
#[tokio::test]
async fn an_older_server_is_no_wrong_path() {
    let upstream = Upstream::start().await;
    for _ in 0..3 {
        upstream.answer(plain(StatusCode::METHOD_NOT_ALLOWED, ""));
    }
    let mut refusal = plain(StatusCode::UNAUTHORIZED, "");
    refusal.headers_mut().insert("www-authenticate", "Bearer".parse().unwrap());
    upstream.answer(refusal);
    let client = hallpass_client::Client::builder(upstream.url("/sse").as_str()).unwrap().build().unwrap();
    let report = examine(&client, false).await;
    assert_eq!(verdict(&report, "challenge.refused"), Some(Verdict::Ok), "{report:#?}");
}

/// RFC 6749 §4.4.3: who needs nobody to log in is issued no refresh token.
#[tokio::test]
async fn client_credentials_lack_no_refresh_token() {
    let peer = Peer::start().await;
    let client = MachineClient {
        client_id: "robot".into(),
        authentication: ClientAuthentication::Secret(Secret::new("canary")),
    };
    let issuer = Issuer::parse(&peer.origin).ok();
    let mode = Mode::ClientCredentials(ClientCredentials { client, issuer, scope: None });
    peer.script(|script| {
        script.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_basic"]});
    });
    let client = hallpass_client::Client::builder(&peer.url()).unwrap().mode(mode).build().unwrap();
    let report = examine(&client, true).await;
    for check in ["login.done", "login.refresh", "login.call"] {
        assert_eq!(verdict(&report, check), Some(Verdict::Ok), "{check}: {report:#?}");
    }
}

/// People type one name of this machine, and servers say the other.
#[tokio::test]
async fn the_two_names_of_this_machine_are_explained() {
    let (peer, person) = (Peer::start().await, Person::default());
    let named = peer.url().replace("127.0.0.1", "localhost");
    peer.script(|script| script.resource = Some(named));
    let client = builder(&peer, &person).build().unwrap();
    let report = examine(&client, false).await;
    let found = report.findings.iter().find(|finding| finding.check == "resource.matches").unwrap();
    assert!(found.change.as_ref().unwrap().contains("write localhost in place of 127.0.0.1"), "{found:?}");
    let error = client.login().await.unwrap_err().to_string();
    assert!(error.contains("write localhost in place of 127.0.0.1"), "{error}");
}

/// `python3 -m http.server`, a server in trouble, one that keeps strangers out, and an API of another kind.
#[tokio::test]
async fn what_takes_no_mcp_messages_has_that_one_fault() {
    for (status, says, change) in [
        (501, "does not take MCP messages", "often /mcp"),
        (500, "the server is in trouble", "try again"),
        (403, "names no way to log in", "--header"),
    ] {
        let peer = Peer::start().await;
        peer.script(|script| script.status = Some(status));
        let (found, changed) = only_reach(&peer.url()).await;
        assert!(found.contains(&status.to_string()) && found.contains(says), "{found}");
        assert!(changed.contains(change) && changed.contains("Nothing else was checked"), "{changed}");
    }
    for body in ["{\"status\":\"ok\"}", "[]", "7"] {
        let upstream = Upstream::start().await;
        for _ in 0..3 {
            let mut foreign = plain(StatusCode::OK, body);
            foreign.headers_mut().insert("content-type", "application/json".parse().unwrap());
            upstream.answer(foreign);
        }
        let (found, changed) = only_reach(upstream.url("/").as_str()).await;
        assert!(found.contains("does not take MCP messages") && changed.contains("often /mcp"), "{found}");
    }
}

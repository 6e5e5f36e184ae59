//! An authority that is scripted: what goes wrong there, and what becomes of it. That a real one issues a certificate is shown in
//! `tests/cli/acme.rs`.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hallpass_gateway::listen::{ClientCertificates, Tls};
use hallpass_protocol::{Secret, Timestamp};
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::tls::{Authority, CertificateParams, date};
use http::StatusCode;
use serde_json::{Value, json};

use super::due::{Failed, Lifetime};
use super::follow::Acme;
use super::kept::{Issued, Kept};
use super::plan::AcmePlan;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// What it answers at each place, once; after that the usual.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    base: String,
    /// Place, status, document.
    says: Vec<(&'static str, u16, Value)>,
    /// Which places were asked.
    asked: Vec<String>,
    chain: String,
}

impl Script {
    async fn start(says: Vec<(&'static str, u16, Value)>) -> Self {
        let script = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        {
            let mut told = script.0.lock().unwrap();
            told.base = format!("http://{}", listener.local_addr().unwrap());
            told.says = says;
            told.chain = chain(&["mcp.example.com"]);
        }
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        script
    }

    fn directory(&self) -> url::Url {
        format!("{}/directory", self.0.lock().unwrap().base).parse().unwrap()
    }

    fn asked(&self, place: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| *asked == place).count()
    }
}

fn chain(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let issued = Authority::new().issue_with(|params| {
        params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
        (params.not_before, params.not_after) = (date(2027, 1, 10), date(2027, 4, 10));
    });
    issued.chain
}

/// Signatures are nobody's business here.
async fn answer(State(script): State<Script>, request: Request) -> Response {
    let place = request.uri().path().to_owned();
    let mut told = script.0.lock().unwrap();
    told.asked.push(place.clone());
    let base = told.base.clone();
    let next = told.says.iter().position(|(at, ..)| *at == place).map(|at| told.says.remove(at));
    let at = |place: &str| format!("{base}{place}");
    let order = |status: &str| {
        json!({ "status": status, "authorizations": [at("/authorization")], "finalize": at("/finalize"), "certificate": at("/certificate"),
                "identifiers": [{ "type": "dns", "value": "mcp.example.com" }] })
    };
    let (status, document) = match next {
        Some((_, status, document)) => (status, document),
        None => match place.as_str() {
            "/directory" => (
                200,
                json!({ "newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/new"), "revokeCert": at("/revoke") }),
            ),
            "/account" => (201, json!({ "status": "valid" })),
            "/new" => (201, order("pending")),
            "/order" => (
                200,
                order(if told.asked.iter().any(|asked| asked == "/finalize") { "valid" } else { "ready" }),
            ),
            "/authorization" => (200, authorization("pending", &base, Value::Null)),
            "/challenge" => (
                200,
                json!({ "type": "tls-alpn-01", "url": at("/challenge"), "token": "t", "status": "processing" }),
            ),
            "/finalize" => (200, order("processing")),
            _ => (200, json!({})),
        },
    };
    let location = if place == "/account" { at("/account/1") } else { at("/order") };
    let fields = [("replay-nonce", "nonce"), ("location", &location)];
    match place.as_str() {
        "/certificate" if status == 200 => (fields, told.chain.clone()).into_response(),
        _ => (StatusCode::from_u16(status).unwrap(), fields, Json(document)).into_response(),
    }
}

fn authorization(status: &str, base: &str, error: Value) -> Value {
    authorization_of("mcp.example.com", status, base, error)
}

fn authorization_of(name: &str, status: &str, base: &str, error: Value) -> Value {
    let challenge = json!({ "type": "tls-alpn-01", "url": format!("{base}/challenge"), "token": "t", "status": status, "error": error });
    json!({ "identifier": { "type": "dns", "value": name }, "status": status, "challenges": [challenge] })
}

fn problem(kind: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail })
}

fn acme(script: &Script, data: &Path, clock: &FakeClock) -> (Acme, Tls) {
    let plan = AcmePlan {
        directory: script.directory(),
        contact: Vec::new(),
        names: vec!["mcp.example.com".to_owned()],
        trusted: Vec::new(),
    };
    let said = toml::from_str("acme = { terms_agreed = true }").unwrap();
    let serves = Tls::waiting(&ClientCertificates::None).unwrap();
    let mut acme = Acme::begin(plan, (said, serves.clone()), data, clock.clock()).unwrap();
    // The authority answers at once.
    acme.patience =
        instant_acme::RetryPolicy::new().initial_delay(Duration::ZERO).timeout(Duration::from_secs(20));
    (acme, serves)
}

/// What is wrong with it: a chain that belongs to another key is kept by nobody.
fn failure(acme: &Acme) -> Option<Failed> {
    acme.failed
}

#[tokio::test]
async fn each_fault_of_an_authority_costs_a_pause_and_nothing_else() {
    for (says, limited, places) in [
        (vec![("/new", 429, problem("rateLimited", "too many"))], true, &[("/account", 1), ("/new", 1)][..]),
        (vec![("/new", 500, problem("serverInternal", "broken"))], false, &[("/new", 1)]),
        (vec![("/account", 403, problem("unauthorized", "no"))], false, &[("/new", 0)]),
        (vec![("/directory", 200, json!({ "newNonce": 1 }))], false, &[("/nonce", 0)]),
        // Another nonce is asked for, and the same said again; but not for ever.
        (vec![("/new", 400, problem("badNonce", "old")); 3], false, &[("/new", 3)]),
        (
            vec![("/order", 200, json!({ "status": "invalid", "authorizations": [], "finalize": "x" }))],
            false,
            &[("/finalize", 0)],
        ),
        (
            vec![(
                "/authorization",
                200,
                json!({ "identifier": { "type": "dns", "value": "mcp.example.com" }, "status": "pending", "challenges": [] }),
            )],
            false,
            &[("/challenge", 0)],
        ),
        (vec![("/certificate", 403, problem("unauthorized", "no"))], false, &[("/certificate", 1)]),
        (
            vec![(
                "/authorization",
                200,
                authorization_of("other.example.com", "pending", "http://127.0.0.1:1", Value::Null),
            )],
            false,
            &[("/authorization", 1), ("/challenge", 0), ("/finalize", 0)],
        ),
    ] {
        let script = Script::start(says).await;
        let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
        let (mut acme, serves) = acme(&script, data.path(), &clock);
        acme.get().await;
        assert_eq!(failure(&acme), Some(Failed { at: NOW, times: 1, limited }), "{places:?}");
        for (place, times) in places {
            assert_eq!(script.asked(place), *times, "{place}");
        }
        assert!(serves.challenges().is_idle(), "nobody looks any more");
        assert!(!data.path().join("acme/certificate.pem").exists());
    }
}

/// RFC 8555 §6.5: a nonce that has become old is no failure.
#[tokio::test]
async fn a_nonce_that_is_old_is_exchanged() {
    let script = Script::start(vec![("/new", 400, problem("badNonce", "old"))]).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let (mut acme, _) = acme(&script, data.path(), &clock);
    acme.get().await;
    assert_eq!((script.asked("/new"), script.asked("/finalize")), (2, 1));
}

/// What it says belongs to the key of this order, or is not used: the script's belongs to another.
#[tokio::test]
async fn a_certificate_for_another_key_is_not_served() {
    let script = Script::start(Vec::new()).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let (mut acme, _) = acme(&script, data.path(), &clock);
    acme.get().await;
    assert_eq!(script.asked("/certificate"), 1);
    assert!(failure(&acme).is_some() && acme.lifetime.is_none());
    assert!(!data.path().join("acme/certificate.pem").exists());
    script.0.lock().unwrap().chain = chain(&["other.example.com"]);
    acme.get().await;
    assert_eq!(failure(&acme).unwrap().times, 2);
}

/// The account is made once, and made anew where the authority knows it no more.
#[tokio::test]
async fn an_account_is_kept() {
    let script = Script::start(Vec::new()).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    for expected in [1, 1] {
        let (mut acme, _) = acme(&script, data.path(), &clock);
        acme.get().await;
        assert_eq!(script.asked("/account"), expected);
    }
    script.0.lock().unwrap().says = vec![("/new", 400, problem("accountDoesNotExist", "who?"))];
    let (mut acme, _) = acme(&script, data.path(), &clock);
    acme.get().await;
    assert_eq!(script.asked("/account"), 2);
}

/// A directory is the operator's; where it leads is not.
#[tokio::test]
async fn nothing_goes_where_the_directory_is_not() {
    let elsewhere = Script::start(Vec::new()).await;
    let there = elsewhere.directory().to_string();
    let leads = json!({ "newNonce": there, "newAccount": there, "newOrder": there });
    let script = Script::start(vec![("/directory", 200, leads)]).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let (mut acme, _) = acme(&script, data.path(), &clock);
    acme.get().await;
    assert!(failure(&acme).is_some());
    assert!(elsewhere.0.lock().unwrap().asked.is_empty());
}

/// After a start, what is kept is served, and left alone for as long as it is young and for the right names.
#[tokio::test]
async fn what_is_kept_is_served_after_a_start() {
    let script = Script::start(Vec::new()).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let kept = Kept::in_folder(data.path(), &script.directory()).unwrap();
    for (names, left_alone) in [(&["mcp.example.com"][..], true), (&["other.example.com"], false)] {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let one = Authority::new().issue_with(|params| {
            params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
            (params.not_before, params.not_after) = (date(2027, 1, 10), date(2027, 4, 10));
        });
        kept.put_certificate(&Issued::of(one.chain, Secret::new(one.key)).unwrap()).unwrap();
        let (acme, _) = acme(&script, data.path(), &clock);
        assert_eq!(acme.lifetime.is_some(), left_alone);
        assert_eq!(NOW.until(acme.due()).is_zero(), !left_alone);
    }
    assert_eq!(script.asked("/directory"), 0);
}

/// The clock may be wrong by months, and an authority bears five of the same names a week.
#[tokio::test]
async fn a_certificate_that_is_due_as_it_comes_costs_a_pause() {
    let script = Script::start(Vec::new()).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let (mut acme, _) = acme(&script, data.path(), &clock);
    let far = Lifetime { from: NOW.before(Duration::from_secs(90 * 86_400)), until: NOW };
    acme.lifetime = Some(far);
    acme.came();
    assert_eq!(failure(&acme), Some(Failed { at: NOW, times: 1, limited: true }));
    assert!(!NOW.until(acme.due()).is_zero());
    acme.lifetime = Some(Lifetime { from: NOW, until: NOW.after(Duration::from_secs(90 * 86_400)) });
    acme.came();
    assert_eq!(failure(&acme), None);
}

/// An authority of clients' certificates that is exchanged, or taken out, counts from the next connection on.
#[tokio::test]
async fn what_clients_are_asked_for_is_read_again() {
    let script = Script::start(Vec::new()).await;
    let (data, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(NOW));
    let kept = Kept::in_folder(data.path(), &script.directory()).unwrap();
    let one = Authority::new().issue_with(|params| {
        params.subject_alt_names =
            CertificateParams::new(vec!["mcp.example.com".to_owned()]).unwrap().subject_alt_names;
        (params.not_before, params.not_after) = (date(2027, 1, 10), date(2027, 4, 10));
    });
    kept.put_certificate(&Issued::of(one.chain, Secret::new(one.key)).unwrap()).unwrap();
    let (mut acme, _) = acme(&script, data.path(), &clock);
    let file = data.path().join("clients.pem");
    std::fs::write(&file, Authority::new().pem()).unwrap();
    let said = format!("acme = {{ terms_agreed = true }}\nclient_certificates = ['{}']", file.display());
    acme.tls = toml::from_str(&said).unwrap();
    assert!(acme.read_again(false), "a file that was not there before");
    assert!(!acme.read_again(false), "nothing has changed");
    assert!(acme.read_again(true), "somebody asks");
    std::fs::write(&file, "no certificate").unwrap();
    assert!(!acme.read_again(false), "what was read before holds");
}

//! `hallpass config check --online`: what is said of an issuer that is sound, and of one with a thing missing.

use std::path::Path;

use hallpass_testkit::authorization_server::{Peer, Script};
use hallpass_testkit::issuer::TestIssuer;
use serde_json::{Value, json};

use crate::program::{complained, run};

/// A sound authorization server with keys.
async fn sound() -> Peer {
    let peer = Peer::start().await;
    let keys = json!({"keys": [TestIssuer::new(&peer.origin).key.public_jwk()]});
    let jwks_uri = format!("{}/jwks", peer.origin);
    peer.script(|script| {
        script.documents.insert("/jwks".into(), keys);
        script.metadata = json!({
            "jwks_uri": jwks_uri, "client_id_metadata_document_supported": true,
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "scopes_supported": ["notes:read", "offline_access"],
            "dpop_signing_alg_values_supported": ["ES256"],
        });
    });
    peer
}

fn change(peer: &Peer, members: Value) {
    peer.script(|script| {
        script.metadata.as_object_mut().unwrap().extend(members.as_object().unwrap().clone())
    });
}

/// Runs the check on a server with that issuer, and these lines more.
async fn check(
    data: &Path,
    arrangement: &str,
    issuer: &str,
    more: &str,
    args: &[&str],
) -> (Option<i32>, String, String) {
    let file = data.join("hallpass.toml");
    let text = format!(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\narrangement = \"{arrangement}\"\n\
         scopes.default = [\"notes:read\"]\n[[server.issuers]]\nissuer = \"{issuer}\"\n{more}\n"
    );
    std::fs::write(&file, text).unwrap();
    let args: Vec<String> = ["config", "check", file.to_str().unwrap(), "--online"]
        .iter()
        .chain(args)
        .map(|word| (*word).to_owned())
        .collect();
    let data = data.to_owned();
    let ended =
        tokio::task::spawn_blocking(move || run(&data, &args.iter().map(String::as_str).collect::<Vec<_>>()));
    let ended = ended.await.unwrap();
    (ended.status.code(), String::from_utf8(ended.stdout.clone()).unwrap(), complained(&ended))
}

async fn judged(peer: &Peer, more: &str) -> (Option<i32>, Value) {
    let data = tempfile::tempdir().unwrap();
    let (code, said, complaint) = check(data.path(), "external", &peer.origin, more, &["--json"]).await;
    let all: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{complaint}"));
    assert_eq!(all.as_array().unwrap().len(), 1);
    (code, all[0].clone())
}

fn feature<'j>(judged: &'j Value, name: &str) -> &'j Value {
    let all = judged["features"].as_array().unwrap();
    all.iter().find(|one| one["feature"] == name).unwrap_or_else(|| panic!("no {name} in {judged:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_issuer_is_fit_for_every_client() {
    let (code, judged) = judged(&sound().await, "").await;
    assert_eq!(code, Some(0), "{judged:#}");
    for (name, verdict) in [
        ("metadata", "ok"),
        ("issuer equality", "ok"),
        ("registration", "ok"),
        ("metadata documents", "ok"),
        ("public clients", "ok"),
        ("S256", "ok"),
        ("iss", "ok"),
        ("grants", "ok"),
        ("refresh tokens", "ok"),
        ("DPoP", "ok"),
        ("keys", "ok"),
        ("verification", "ok"),
        ("introspection", "ok"),
        ("scopes", "ok"),
        // No metadata can say.
        ("resource indicators", "unknown"),
        ("loopback redirects", "unknown"),
        ("open registration", "unknown"),
        // The peer knows no pages.
        ("tokens in a browser", "warning"),
    ] {
        assert_eq!(feature(&judged, name)["verdict"], verdict, "{name}");
    }
}

type Break = (&'static str, &'static str, fn(&mut Script), &'static [&'static str], [&'static str; 4]);

const OWN: &[&str] = &["delegated", "embedded"];
const ANY: &[&str] = &["proxied", "delegated", "embedded"];
/// The worst for clients of each revision, where nothing is worse than a page without CORS.
const USUAL: [&str; 4] = ["warning"; 4];

fn without(script: &mut Script, member: &str) {
    script.metadata[member] = Value::Null;
}

/// One thing that is missing, what is said of it, what would mend it, and what follows for each revision.
const BROKEN: &[Break] = &[
    ("metadata", "fault", |s| s.issuer = None, ANY, ["fault"; 4]),
    ("issuer equality", "fault", |s| s.issuer = Some("https://other.example".into()), &[], ["fault"; 4]),
    ("S256", "fault", |s| without(s, "code_challenge_methods_supported"), ANY, ["fault"; 4]),
    ("metadata documents", "warning", |s| without(s, "client_id_metadata_document_supported"), ANY, USUAL),
    ("registration", "warning", |s| without(s, "registration_endpoint"), ANY, USUAL),
    ("iss", "warning", |s| without(s, "authorization_response_iss_parameter_supported"), ANY, USUAL),
    ("DPoP", "warning", |s| without(s, "dpop_signing_alg_values_supported"), OWN, USUAL),
    ("grants", "warning", |s| without(s, "grant_types_supported"), OWN, USUAL),
    ("refresh tokens", "unknown", |s| without(s, "scopes_supported"), &[], USUAL),
    ("scopes", "unknown", |s| s.metadata["scopes_supported"] = json!(["openid"]), &[], USUAL),
    ("verification", "fault", |s| without(s, "jwks_uri"), OWN, ["fault"; 4]),
    ("verification", "fault", |s| s.documents.clear(), OWN, ["fault"; 4]),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_what_would_mend_it() {
    for (name, verdict, breaks, mended_by, revisions) in BROKEN {
        let peer = sound().await;
        peer.script(breaks);
        let (code, judged) = judged(&peer, "").await;
        let found = feature(&judged, name);
        assert_eq!(found["verdict"], *verdict, "{name}: {found}");
        assert_eq!(found["mended_by"], json!(mended_by), "{name}: {found}");
        assert_eq!(code, Some(i32::from(revisions.contains(&"fault"))), "{name}");
        let of_revisions: Vec<_> =
            judged["revisions"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
        assert_eq!(of_revisions, revisions.map(Value::from).iter().collect::<Vec<_>>(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_wants_of_the_issuer_is_looked_for() {
    let peer = sound().await;
    change(&peer, json!({"dpop_signing_alg_values_supported": null}));
    let (code, wanted) = judged(&peer, "[server.credentials]\ndpop = \"require\"").await;
    assert_eq!((code, &feature(&wanted, "DPoP, as required")["verdict"]), (Some(1), &json!("fault")));
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret").unwrap();
    let asked = format!("introspection = {{ client_id = \"rs\", secret_file = \"{}\" }}", secret.display());
    let (code, wanted) = judged(&peer, &asked).await;
    assert_eq!((code, &feature(&wanted, "introspection")["verdict"]), (Some(1), &json!("fault")));
    change(&peer, json!({"introspection_endpoint": format!("{}/introspect", peer.origin), "jwks_uri": null}));
    peer.script(|script| {
        script.documents.insert("/introspect".into(), json!({"active": false}));
    });
    let (code, wanted) = judged(&peer, &asked).await;
    assert_eq!((code, &feature(&wanted, "introspection")["verdict"]), (Some(0), &json!("ok")));
    assert_eq!(feature(&wanted, "verification")["verdict"], "warning");
}

/// A profile in the file says what no metadata says.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_the_file_is_listened_to() {
    let peer = sound().await;
    let profile =
        |lines: &str| format!("[[provider]]\nname = \"ours\"\nissuers = [\"{}\"]\n{lines}", peer.origin);
    for (lines, name, verdict) in [
        ("closed_registration = true", "open registration", "warning"),
        ("omit_resource = true", "resource indicators", "fault"),
        ("ignores_resource = true", "resource indicators", "warning"),
        ("loopback_port = \"any\"", "loopback redirects", "ok"),
        ("loopback_port = \"registered\"", "loopback redirects", "warning"),
        ("offline_parameters = { access_type = \"offline\" }", "refresh tokens", "warning"),
    ] {
        let (_, judged) = judged(&peer, &profile(lines)).await;
        assert_eq!(judged["profile"], "ours");
        assert_eq!(feature(&judged, name)["verdict"], verdict, "{lines}");
    }
    let (code, judged) = judged(&peer, &profile("omit_resource = true")).await;
    assert_eq!(code, Some(1));
    let verdicts: Vec<_> =
        judged["revisions"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts, ["warning", "fault", "fault", "fault"], "2025-03-26 sends no `resource`");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_a_table() {
    let (peer, data) = (sound().await, tempfile::tempdir().unwrap());
    change(&peer, json!({"registration_endpoint": null, "jwks_uri": null}));
    let (code, said, complaint) = check(data.path(), "external", &peer.origin, "", &[]).await;
    assert_eq!(code, Some(1), "{said}");
    for words in [
        "FEATURE",
        "verification",
        "names no key set",
        "What to change",
        "2026-07-28  fault   verification",
        "proxied    registration",
        "; not verification",
        "delegated  registration",
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words) || flat.contains(words), "{words}: {said}");
    }
    let wide: Vec<_> = said.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(complaint.contains("what to change is said there"), "{complaint}");
}

/// Beside hallpass's own authorization server nobody is sent to the issuer: only its tokens matter.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_issuer_beside_our_own_only_its_tokens_matter() {
    let (peer, data) = (sound().await, tempfile::tempdir().unwrap());
    change(&peer, json!({"registration_endpoint": null, "code_challenge_methods_supported": null}));
    let (code, said, _) = check(data.path(), "embedded", &peer.origin, "", &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no client is sent there") && said.contains("verification"), "{said}");
    assert!(!said.contains("registration") && !said.contains("For clients of"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_not_there_is_a_fault() {
    let data = tempfile::tempdir().unwrap();
    let (code, said, _) = check(data.path(), "external", "http://127.0.0.1:1", "", &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("metadata") && said.contains("fault"), "{said}");
    assert!(said.contains("start it, or mend its address") && !said.contains("publish"), "{said}");
    assert!(!said.contains("name a key set"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_for_the_online_check_and_a_wrong_file_is_said_first() {
    let data = tempfile::tempdir().unwrap();
    let (code, _, complaint) = check(data.path(), "external", "ftp://x", "", &[]).await;
    assert!(code == Some(3) && complaint.contains("can't be an issuer"), "{complaint}");
    let ended = run(data.path(), &["config", "check", "hallpass.toml", "--json"]);
    assert_eq!(ended.status.code(), Some(2));
    std::fs::write(data.path().join("h.toml"), "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n").unwrap();
    let ended =
        run(data.path(), &["config", "check", data.path().join("h.toml").to_str().unwrap(), "--online"]);
    assert!(String::from_utf8_lossy(&ended.stdout).contains("no issuer but hallpass itself"));
}

//! `hallpass config check --online` of third parties that hallpass is a client of: what is said of one that is sound, of one with a
//! thing missing, and of one that is not there.

use std::path::Path;
use std::time::SystemTime;

use hallpass_protocol::time::Clock;
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, Script, ThirdParty};
use serde_json::{Value, json};

use crate::program::{complained, run};

async fn party() -> ThirdParty {
    ThirdParty::start(Clock::new(|| SystemTime::now().into())).await
}

/// A file with a secret, and what it says.
fn checked(data: &Path, text: &str, args: &[&str]) -> (Option<i32>, String, String) {
    std::fs::write(data.join("secret"), CLIENT_SECRET).unwrap();
    let file = data.join("hallpass.toml");
    std::fs::write(&file, text).unwrap();
    let ended = run(data, &[&["config", "check", file.to_str().unwrap(), "--online"], args].concat());
    (ended.status.code(), String::from_utf8(ended.stdout.clone()).unwrap(), complained(&ended))
}

fn signing_in(issuer: &str) -> String {
    format!(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n\
         [third_parties.corp]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"secret\"\n\
         [authorization_server.sign_in.corp]\nanybody = true\n"
    )
}

/// What is said of the only third party.
async fn judged(text: String) -> (Option<i32>, Value) {
    let judge = move || {
        let data = tempfile::tempdir().unwrap();
        let (code, said, complaint) = checked(data.path(), &text, &["--json"]);
        let all: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{complaint}"));
        let all = all.as_array().unwrap().clone();
        (code, all.last().unwrap_or_else(|| panic!("{said}")).clone())
    };
    tokio::task::spawn_blocking(judge).await.unwrap()
}

fn verdict<'j>(judged: &'j Value, name: &str) -> &'j str {
    let all = judged["features"].as_array().unwrap();
    let one =
        all.iter().find(|one| one["feature"] == name).unwrap_or_else(|| panic!("no {name} in {judged:#}"));
    one["verdict"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_third_party_has_all_that_hallpass_needs_there() {
    let party = party().await;
    let (code, judged) = judged(signing_in(party.issuer())).await;
    assert_eq!(code, Some(0), "{judged:#}");
    assert_eq!((&judged["server"], &judged["logs_in"]), (&json!("third_parties.corp"), &json!(false)));
    for name in ["metadata", "endpoints", "S256", "iss", "keys", "client authentication", "credentials"] {
        assert_eq!(verdict(&judged, name), "ok", "{name}: {judged:#}");
    }
    let asked = party.asked("/token");
    assert!(asked.len() == 1 && asked[0].parameters["code"].contains("no-code"), "{asked:?}");
}

type Break = (&'static str, &'static str, fn(&mut Script));

const BROKEN: &[Break] = &[
    ("metadata", "fault", |s| s.metadata = json!({ "issuer": "https://other.example" })),
    ("endpoints", "fault", |s| s.metadata = json!({ "token_endpoint": null })),
    ("endpoints", "fault", |s| s.metadata = json!({ "authorization_endpoint": "http://192.0.2.1/a" })),
    ("S256", "unknown", |s| s.metadata = json!({ "code_challenge_methods_supported": null })),
    ("S256", "warning", |s| s.metadata = json!({ "code_challenge_methods_supported": ["plain"] })),
    ("keys", "fault", |s| s.metadata = json!({ "jwks_uri": null })),
    ("keys", "fault", |s| s.published.clear()),
    ("client authentication", "fault", |s| {
        s.metadata = json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((401, json!({ "error": "invalid_client" }).to_string()))
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((200, json!({ "error": "incorrect_client_credentials" }).to_string()));
    }),
    ("credentials", "unknown", |s| s.instead_of_tokens = Some((400, "<p>no</p>".to_owned()))),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_third_party_lacks_is_named() {
    for (name, expected, breaks) in BROKEN {
        let party = party().await;
        breaks(&mut party.script());
        let (code, judged) = judged(signing_in(party.issuer())).await;
        assert_eq!(verdict(&judged, name), *expected, "{name}: {judged:#}");
        assert_eq!(code, Some(i32::from(*expected == "fault")), "{name}: {judged:#}");
        assert!(!judged.to_string().contains(CLIENT_SECRET), "{judged:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_dead_is_a_fault_and_told_to_be_started() {
    let said = tokio::task::spawn_blocking(|| {
        let data = tempfile::tempdir().unwrap();
        checked(data.path(), &signing_in("http://127.0.0.1:1"), &[])
    });
    let (code, said, complaint) = said.await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("third_parties.corp") && said.contains("start it, or mend its address"), "{said}");
    assert!(
        !said.contains("nobody has to be asked") && complaint.contains("what to change"),
        "{said}{complaint}"
    );
}

/// A wrong secret is found out, since a token that nobody has issued is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn introspection_is_tried_with_the_credentials_of_the_file() {
    let file = |issuer: &str| {
        format!(
            "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[[server.issuers]]\nissuer = \"{issuer}\"\n\
             introspection = {{ client_id = \"{CLIENT_ID}\", secret_file = \"secret\" }}\n"
        )
    };
    for (answer, document, expected) in [
        (None, Some(json!({ "active": false })), "ok"),
        (None, Some(json!({ "active": true })), "fault"),
        (None, Some(json!({})), "fault"),
        (Some((401, "{}")), None, "fault"),
        (Some((500, "{}")), None, "fault"),
    ] {
        let party = party().await;
        let place = if document.is_some() { "/introspect" } else { "/token" };
        let endpoint = format!("{}{place}", party.issuer());
        {
            let mut script = party.script();
            script.metadata = json!({ "introspection_endpoint": endpoint });
            script.instead_of_tokens = answer.map(|(status, body)| (status, body.to_owned()));
            script.documents.extend(document.map(|document| (place.to_owned(), document)));
        }
        let (code, judged) = judged(file(party.issuer())).await;
        assert_eq!(verdict(&judged, "introspecting"), expected, "{judged:#}");
        assert_eq!(code, Some(i32::from(expected == "fault")), "{judged:#}");
        let asked = party.asked(place);
        let mut shown = asked.iter().filter_map(|asked| asked.headers.get("authorization")?.to_str().ok());
        assert!(shown.next_back().unwrap().starts_with("Basic "));
    }
}

/// At `proxied` hallpass has a leg of its own, which is judged beside the tokens.
#[tokio::test(flavor = "multi_thread")]
async fn at_proxied_the_own_leg_is_judged_too() {
    let party = party().await;
    let file = |issuer: &str| {
        format!(
            "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\narrangement = \"proxied\"\n\
             [[server.issuers]]\nissuer = \"{issuer}\"\naudiences = [\"api://notes\"]\n\
             [authorization_server]\nproxied = \"corp\"\n\
             [third_parties.corp]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"secret\"\n"
        )
    };
    let (code, leg) = judged(file(party.issuer())).await;
    assert_eq!(code, Some(0), "{leg:#}");
    assert_eq!(leg["role"], "its tokens are handed on");
    assert_eq!((verdict(&leg, "credentials"), verdict(&leg, "refresh tokens")), ("ok", "ok"));
    let asked = party.asked("/token");
    let back = asked.iter().find_map(|asked| asked.parameters.get("redirect_uri")).unwrap();
    assert!(back.ends_with("/provider/callback"), "{back}");
    // OpenID Connect Core §11: what is asked for so that there are refresh tokens.
    party.script().metadata = json!({ "scopes_supported": ["openid", "offline_access"] });
    let (_, leg) = judged(file(party.issuer())).await;
    assert!(leg.to_string().contains("with prompt=consent"), "{leg:#}");
    let profile = format!(
        "[[provider]]\nname = \"ours\"\nissuers = [\"{}\"]\noffline_without_consent = true\n",
        party.issuer()
    );
    let (_, leg) = judged(format!("{}{profile}", file(party.issuer()))).await;
    assert!(!leg.to_string().contains("with prompt=consent"), "{leg:#}");
    party.script().metadata = json!({ "grant_types_supported": ["authorization_code"] });
    let (code, leg) = judged(file(party.issuer())).await;
    assert_eq!((code, verdict(&leg, "refresh tokens")), (Some(0), "warning"), "{leg:#}");
    party.script().instead_of_tokens = Some((401, json!({ "error": "invalid_client" }).to_string()));
    assert_eq!(judged(file(party.issuer())).await.0, Some(1));
}

/// Where servers act for people, it is asked the same way; it need not say who anybody is.
#[tokio::test(flavor = "multi_thread")]
async fn where_servers_act_the_own_leg_is_judged_too() {
    let party = party().await;
    party.script().metadata = json!({ "jwks_uri": null });
    let text = format!(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.delegated.tickets]\nfield = \"Authorization\"\n\
         [third_parties.tickets]\nissuer = \"{}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"secret\"\n",
        party.issuer()
    );
    let (code, leg) = judged(text).await;
    assert_eq!((code, &leg["role"]), (Some(0), &json!("servers act there for people")), "{leg:#}");
    assert_eq!((verdict(&leg, "credentials"), verdict(&leg, "refresh tokens")), ("ok", "ok"));
    assert!(party.asked("/token")[0].parameters["redirect_uri"].ends_with("/providers/tickets/callback"));
}

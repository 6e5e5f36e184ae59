//! `hallpass config check --online` of third parties that hallpass is a client of: what is said of one that is sound, of one with a
//! thing missing, and of one that is not there.

use std::path::Path;
use std::time::SystemTime;

use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::time::Clock;
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, Script, ThirdParty};
use serde_json::{Value, json};

use crate::program::{complained, run};
use crate::signed_metadata::pem;

async fn party() -> ThirdParty {
    ThirdParty::start(Clock::new(|| SystemTime::now().into())).await
}

/// A file with a secret, and what it says.
fn checked(data: &Path, text: &str, args: &[&str]) -> (Option<i32>, String, String) {
    std::fs::write(data.join("secret"), CLIENT_SECRET).unwrap();
    std::fs::write(data.join("key"), pem(&SigningKey::generate_es256().unwrap())).unwrap();
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

/// Its tokens are handed on; `more` goes to the third party's table.
fn handing_on(issuer: &str, more: &str) -> String {
    format!(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\narrangement = \"proxied\"\n\
         [[server.issuers]]\nissuer = \"{issuer}\"\naudiences = [\"api://notes\"]\n\
         [authorization_server]\nproxied = \"corp\"\n\
         [third_parties.corp]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"secret\"\n{more}"
    )
}

/// A server acts there for people.
fn acting(issuer: &str) -> String {
    format!(
        "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.delegated.tickets]\nfield = \"Authorization\"\n\
         [third_parties.tickets]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nsecret_file = \"secret\"\n"
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

fn has(judged: &Value, name: &str) -> bool {
    judged["features"].as_array().unwrap().iter().any(|one| one["feature"] == name)
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
    ("endpoints", "fault", |s| s.metadata = json!({ "authorization_endpoint": null })),
    ("endpoints", "fault", |s| s.metadata = json!({ "authorization_endpoint": "http://192.0.2.1/a" })),
    ("endpoints", "fault", |s| s.metadata = json!({ "token_endpoint": "https://169.254.169.254/token" })),
    ("endpoints", "fault", |s| s.metadata = json!({ "token_endpoint": "token" })),
    ("S256", "unknown", |s| s.metadata = json!({ "code_challenge_methods_supported": null })),
    ("S256", "warning", |s| s.metadata = json!({ "code_challenge_methods_supported": ["plain"] })),
    ("keys", "fault", |s| s.metadata = json!({ "jwks_uri": null })),
    ("keys", "fault", |s| s.metadata = json!({ "jwks_uri": "http://127.0.0.1:1/jwks" })),
    ("keys", "fault", |s| s.published.clear()),
    ("keys", "fault", |s| drop(s.documents.insert("/jwks".to_owned(), json!("no keys")))),
    ("client authentication", "fault", |s| {
        s.metadata = json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((401, json!({ "error": "invalid_client" }).to_string()))
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((200, json!({ "error": "incorrect_client_credentials" }).to_string()));
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((400, json!({ "error": "unauthorized_client" }).to_string()));
    }),
    ("credentials", "fault", |s| {
        s.instead_of_tokens = Some((200, json!({ "access_token": "a", "token_type": "Bearer" }).to_string()));
    }),
    ("credentials", "fault", |s| s.metadata = json!({ "token_endpoint": "http://127.0.0.1:1/token" })),
    ("credentials", "unknown", |s| s.instead_of_tokens = Some((400, "<p>no</p>".to_owned()))),
    ("credentials", "unknown", |s| s.instead_of_tokens = Some((503, String::new()))),
    ("credentials", "unknown", |s| {
        s.instead_of_tokens = Some((400, json!({ "error": "invalid_request" }).to_string()));
    }),
    // GitHub's word for a code that nobody knows.
    ("credentials", "ok", |s| {
        s.instead_of_tokens = Some((200, json!({ "error": "bad_verification_code" }).to_string()));
    }),
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
        let said = judged["features"].as_array().unwrap().iter().find(|one| one["feature"] == *name).unwrap();
        assert_eq!(said["change"].is_null(), *expected == "ok", "what to do is said: {said:#}");
    }
}

/// A secret goes to nobody who does not take it so, and what is not there is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_tried_where_they_can_be() {
    for metadata in [
        json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] }),
        json!({ "token_endpoint": null }),
        json!({ "issuer": "https://other.example" }),
    ] {
        let party = party().await;
        party.script().metadata = metadata.clone();
        let (code, judged) = judged(signing_in(party.issuer())).await;
        assert_eq!(code, Some(1), "{metadata}");
        assert!(!has(&judged, "credentials") && party.asked("/token").is_empty(), "{metadata}: {judged:#}");
    }
}

/// RFC 8414 §2: in the way that the file gives it, held against the list; without a list nothing is said against it.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_of_showing_who_hallpass_is_has_to_be_one_that_is_taken() {
    let (basic, post) = ("client_secret_basic", "client_secret_post");
    let party = party().await;
    for (shows, lists, expected) in [
        ("secret_file = \"secret\"", Some(basic), true),
        ("secret_file = \"secret\"", Some(post), true),
        ("secret_file = \"secret\"", Some("none"), false),
        ("secret_file = \"secret\"\nsecret_by = \"basic\"", Some(basic), true),
        ("secret_file = \"secret\"\nsecret_by = \"basic\"", Some(post), false),
        ("secret_file = \"secret\"\nsecret_by = \"post\"", Some(post), true),
        ("secret_file = \"secret\"\nsecret_by = \"post\"", Some(basic), false),
        ("secret_file = \"secret\"\nsecret_by = \"post\"", None, true),
        ("key_file = \"key\"", Some("private_key_jwt"), true),
        ("key_file = \"key\"", Some(basic), false),
        ("key_file = \"key\"", None, true),
        ("", Some("none"), true),
        ("", Some(basic), false),
        ("", None, true),
    ] {
        party.script().metadata = match lists {
            Some(method) => json!({ "token_endpoint_auth_methods_supported": [method] }),
            None => json!({}),
        };
        let text = signing_in(party.issuer()).replace("secret_file = \"secret\"", shows);
        let (code, judged) = judged(text).await;
        let verdict = verdict(&judged, "client authentication");
        assert_eq!((verdict == "ok", code), (expected, Some(i32::from(!expected))), "{shows} {lists:?}");
    }
}

/// What a profile knows of the third party counts for what it does not say.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_profile_knows_is_not_missing() {
    let party = party().await;
    let profiled = |profile: &str| {
        let issuer = party.issuer();
        format!("{}[[provider]]\nname = \"corp\"\nissuers = [\"{issuer}\"]\n{profile}", signing_in(issuer))
    };
    for methods in [Value::Null, json!(["plain"])] {
        party.script().metadata = json!({ "code_challenge_methods_supported": methods });
        let (_, judged) = judged(profiled("s256 = true\n")).await;
        assert_eq!(verdict(&judged, "S256"), "ok", "{judged:#}");
    }
    // One that has no ID tokens needs no keys for them.
    party.script().metadata = json!({ "jwks_uri": null });
    let people = format!("people = {{ endpoint = \"{}/user\", subject = \"id\" }}\n", party.issuer());
    let (code, judged) = judged(profiled(&people)).await;
    assert!(code == Some(0) && !has(&judged, "keys"), "{judged:#}");
}

/// Where people only sign in, nothing is renewed; where its tokens are used, they are.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_matter_where_its_tokens_are_used() {
    let party = party().await;
    let (_, leg) = judged(signing_in(party.issuer())).await;
    assert!(!has(&leg, "refresh tokens"), "{leg:#}");
    let lists = || json!({ "scopes_supported": ["openid", "offline_access"] });
    let profile =
        |more: &str| format!("[[provider]]\nname = \"corp\"\nissuers = [\"{}\"]\n{more}", party.issuer());
    let offline = profile("offline_parameters = { access_type = \"offline\" }\n");
    let asks = "scopes = [\"openid\", \"offline_access\"]\n";
    let code_alone = || json!({ "grant_types_supported": ["authorization_code"] });
    let without = profile("offline_without_consent = true\n");
    for (file, metadata, expected, words) in [
        (handing_on(party.issuer(), ""), json!({}), "ok", "by itself"),
        (handing_on(party.issuer(), ""), code_alone(), "warning", "not listed"),
        (acting(party.issuer()), code_alone(), "warning", "not listed"),
        (handing_on(party.issuer(), asks), json!({}), "ok", "the file's scopes"),
        (handing_on(party.issuer(), ""), lists(), "ok", "prompt=consent"),
        (acting(party.issuer()), lists(), "ok", "prompt=consent"),
        (handing_on(party.issuer(), &without), lists(), "ok", "asked for by offline_access"),
        (
            acting(party.issuer()),
            json!({ "scopes_supported": ["offline_access"] }),
            "ok",
            "asked for by offline_access",
        ),
        (handing_on(party.issuer(), &offline), lists(), "ok", "offline_parameters"),
    ] {
        party.script().metadata = metadata.clone();
        let (code, leg) = judged(file.clone()).await;
        assert_eq!((code, verdict(&leg, "refresh tokens")), (Some(0), expected), "{file}{metadata}");
        let all = leg["features"].as_array().unwrap();
        let found =
            all.iter().find(|one| one["feature"] == "refresh tokens").unwrap()["found"].as_str().unwrap();
        assert!(found.contains(words), "{found}: {file}{metadata}");
        assert_eq!(found.contains("consent"), words.contains("consent"), "{found}: {file}{metadata}");
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
    let (code, leg) = judged(handing_on(party.issuer(), "")).await;
    assert_eq!(code, Some(0), "{leg:#}");
    assert_eq!(leg["role"], "its tokens are handed on");
    assert_eq!((verdict(&leg, "credentials"), verdict(&leg, "refresh tokens")), ("ok", "ok"));
    let asked = party.asked("/token");
    let back = asked.iter().find_map(|asked| asked.parameters.get("redirect_uri")).unwrap();
    assert!(back.ends_with("/provider/callback"), "{back}");
    // OpenID Connect Core §11: what is asked for so that there are refresh tokens.
    party.script().metadata = json!({ "scopes_supported": ["openid", "offline_access"] });
    let (_, leg) = judged(handing_on(party.issuer(), "")).await;
    assert!(leg.to_string().contains("with prompt=consent"), "{leg:#}");
    let profile = format!(
        "[[provider]]\nname = \"ours\"\nissuers = [\"{}\"]\noffline_without_consent = true\n",
        party.issuer()
    );
    let (_, leg) = judged(format!("{}{profile}", handing_on(party.issuer(), ""))).await;
    assert!(!leg.to_string().contains("with prompt=consent"), "{leg:#}");
    party.script().metadata = json!({ "grant_types_supported": ["authorization_code"] });
    let (code, leg) = judged(handing_on(party.issuer(), "")).await;
    assert_eq!((code, verdict(&leg, "refresh tokens")), (Some(0), "warning"), "{leg:#}");
    party.script().instead_of_tokens = Some((401, json!({ "error": "invalid_client" }).to_string()));
    assert_eq!(judged(handing_on(party.issuer(), "")).await.0, Some(1));
}

/// Where servers act for people, it is asked the same way; it need not say who anybody is.
#[tokio::test(flavor = "multi_thread")]
async fn where_servers_act_the_own_leg_is_judged_too() {
    let party = party().await;
    party.script().metadata = json!({ "jwks_uri": null });
    let (code, leg) = judged(acting(party.issuer())).await;
    assert_eq!((code, &leg["role"]), (Some(0), &json!("servers act there for people")), "{leg:#}");
    assert_eq!((verdict(&leg, "credentials"), verdict(&leg, "refresh tokens")), ("ok", "ok"));
    assert!(party.asked("/token")[0].parameters["redirect_uri"].ends_with("/providers/tickets/callback"));
}

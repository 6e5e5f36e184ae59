//! `login`, `token`, `accounts` and `logout`, as one person sees them.

use std::path::Path;

use crate::program::{LoggingIn, complained, log_in, run, run_with_input, said};
use hallpass_testkit::authorization_server::Peer;
use serde_json::{Value, json};

fn files(data: &Path) -> Vec<String> {
    let names = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_shown_by_its_whole_url_and_name_until_it_is_gone() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (data, url) = (data.path(), peer.url());
    let (output, _) = log_in(data, &[&url, "--account", "work", "--token-store", "plain"]).await;
    assert_eq!(said(&output), format!("Logged in to {url} (account work) at {}.\n", peer.origin));
    let table = said(&run(data, &["accounts"]));
    assert!(table.contains(&format!("{url}  work")) && table.contains("Bearer"), "{table}");
    let json: Value = serde_json::from_str(&said(&run(data, &["accounts", "--json"]))).unwrap();
    assert_eq!((&json[0]["server"], &json[0]["token_type"]), (&json!(url), &json!("Bearer")));

    let other = said(&run(data, &["logout", &url]));
    assert!(other.contains(&format!("no login to {url};")) && other.contains("hallpass accounts"), "{other}");
    let gone = said(&run(data, &["logout", &url, "--account", "work"]));
    assert!(gone.contains(&format!("Logged out of {url} (account work)")), "{gone}");
    assert!(gone.contains("nothing of it is stored here") && gone.contains("revoked"), "{gone}");
    assert!(said(&run(data, &["accounts"])).contains("No logins"));
    // Without the option, the next write has encrypted it.
    assert_eq!(files(data), ["tokens.json", "tokens.json.key"], "no lock is left behind");
}

/// A server that was restarted knows neither the client nor the token.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_the_server_refuses_forgets_all_the_same_and_says_both() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    log_in(data.path(), &[&peer.url()]).await;
    peer.script(|script| script.revocation = Some((401, json!({"error": "invalid_client"}))));
    let gone = said(&run(data.path(), &["logout", &peer.url()]));
    for words in
        ["nothing of it is stored here any more", "were not revoked", "401 Unauthorized", "until they end"]
    {
        assert!(gone.contains(words), "{words}: {gone}");
    }
    assert!(!gone.contains("kept"), "{gone}");
    assert!(said(&run(data.path(), &["accounts"])).contains("No logins"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_named_as_such_and_a_plain_one_can_be_had() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| {
        script.token_type = "DPoP";
        script.metadata = json!({"dpop_signing_alg_values_supported": ["ES256"]});
        script.resource_metadata = json!({"dpop_signing_alg_values_supported": ["ES256"]});
    });
    let (data, url) = (data.path(), peer.url());
    log_in(data, &[&url]).await;
    assert!(said(&run(data, &["accounts"])).contains("DPoP"));
    let bound = run(data, &["token", &url]);
    let note = complained(&bound);
    assert_eq!(said(&bound).lines().count(), 1);
    assert!(note.contains("bound to a key (DPoP)") && note.contains("hallpass connect"), "{note}");
    assert!(note.contains(&format!("`hallpass login {url} --data {} --no-dpop`", data.display())), "{note}");
    assert_eq!(run(data, &["token", &url, "--header"]).status.code(), Some(1));
    let json = run(data, &["token", &url, "--json"]);
    let token: Value = serde_json::from_str(&said(&json)).unwrap();
    assert_eq!((&token["token_type"], complained(&json).as_str()), (&json!("DPoP"), ""));

    peer.script(|script| script.token_type = "Bearer");
    let (output, _) = log_in(data, &[&url, "--no-dpop"]).await;
    said(&output);
    let plain = run(data, &["token", &url, "--header"]);
    assert!(said(&plain).starts_with("Authorization: Bearer ") && complained(&plain).is_empty());
    let token: Value = serde_json::from_str(&said(&run(data, &["token", &url, "--json"]))).unwrap();
    assert_eq!(token["token_type"], "Bearer");
}

/// Without a terminal nobody can paste, and the address comes before what else there is.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_done_is_offered_and_the_address_comes_first() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| script.device = Some(vec!["authorization_pending"; 50]));
    let (_, told) = log_in(data.path(), &[&peer.url()]).await;
    assert!(!told.contains("paste"), "{told}");
    assert!(told.starts_with("No browser was opened (this is an SSH session). To log in, open"), "{told}");

    let refused = tempfile::tempdir().unwrap();
    peer.script(|script| script.authorization_endpoint = "javascript:alert(1)".into());
    let url = peer.url();
    let piped = tokio::task::spawn_blocking(move || run_with_input(refused.path(), &["login", &url], "x\n"));
    assert!(!complained(&piped.await.unwrap()).contains("paste"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_login_says_what_it_waits_for_and_takes_what_the_first_one_gets() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let mut first = LoggingIn::start(data.path(), &[&peer.url()]);
    let line = first.line_with("/authorize?").await.unwrap();
    let mut second = LoggingIn::start(data.path(), &[&peer.url()]);
    let waits = second.line_with("Another process").await.unwrap();
    assert!(waits.contains(&peer.url()), "{waits}");
    reqwest::get(&line[line.find("http://").unwrap()..]).await.unwrap();
    for login in [first, second] {
        assert!(said(&login.ended().await.0).contains("Logged in"));
    }
    assert_eq!(peer.seen().authorizations.len(), 1);
}

/// The command in a message is the one that helps.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_names_the_command_with_all_that_was_asked_for() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let url = peer.url();
    let asked = [
        "token",
        &url,
        "--account",
        "work",
        "--scope",
        "a b",
        "--client-id",
        "mine",
        "--token-store",
        "plain",
    ];
    let output = run(data.path(), &asked);
    let message = complained(&output);
    let command = format!(
        "run `hallpass login {url} --scope 'a b' --client-id mine --account work --token-store plain --data {}`",
        data.path().display()
    );
    assert!(message.contains(&command), "{message}");
    let words = [
        "login",
        &url,
        "--account",
        "work",
        "--token-store",
        "plain",
        "--scope",
        "a b",
        "--client-id",
        "mine",
    ];
    said(&log_in(data.path(), &words[1..]).await.0);
    assert_eq!(peer.seen().authorizations[0]["client_id"], "mine", "without an issuer's name");
    assert!(said(&run(data.path(), &asked)).len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_not_a_login_that_was_kept() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    for (status, words) in [(501, "Check the address"), (500, "Try again"), (403, "no way to log in")] {
        peer.script(|script| script.status = Some(status));
        for command in ["login", "token"] {
            let output = run(data.path(), &[command, &peer.url()]);
            let message = complained(&output);
            assert_eq!(output.status.code(), Some(1));
            assert!(message.contains(&status.to_string()) && message.contains(words), "{message}");
            assert!(message.contains(&peer.url()) && !message.contains("kept"), "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_in_the_browser_is_said_in_both_places() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|s| s.response = vec![("code", None), ("error", Some("access_denied".into()))]);
    let mut login = LoggingIn::start(data.path(), &[&peer.url()]);
    let line = login.line_with("/authorize?").await.unwrap();
    let page = reqwest::get(&line[line.find("http://").unwrap()..]).await.unwrap().text().await.unwrap();
    assert!(page.contains("Nothing was granted"), "{page}");
    let (output, told) = login.ended().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("did not grant access: access_denied"), "{told}");
}

/// A token is not given new scopes by asking for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_login_lacks_is_said_and_no_token_is_printed() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (data, url) = (data.path(), peer.url());
    log_in(data, &[&url]).await;
    said(&run(data, &["token", &url, "--scope", "read"]));
    let output = run(data, &["token", &url, "--scope", "read nope"]);
    let message = complained(&output);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{message}");
    for words in ["lacks a scope", "nope", "it has `read`", "hallpass login", "--scope 'read nope'"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_another_name_is_named() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (data, url) = (data.path(), peer.url());
    log_in(data, &[&url, "--account", "work"]).await;
    let message = complained(&run(data, &["token", &url]));
    assert!(message.contains("the login that is stored: --account work"), "{message}");
    let none = said(&run(data, &["logout", &url]));
    assert!(none.contains("by another name: --account work"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_names_a_server_that_is_gone_or_has_forgotten_the_login() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (data, url) = (data.path(), peer.url());
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    log_in(data, &[&url]).await;
    peer.script(|script| script.revocation = Some((401, json!({"error": "invalid_client"}))));
    let forgotten = said(&run(data, &["logout", &url]));
    assert!(forgotten.contains("the server does not know this login any more"), "{forgotten}");
    peer.script(|script| {
        script.metadata = json!({"revocation_endpoint": format!("http://{closed}/revoke")});
    });
    log_in(data, &[&url]).await;
    let gone = said(&run(data, &["logout", &url]));
    assert!(gone.contains("nothing listens there"), "{gone}");
    for said in [forgotten, gone] {
        assert!(
            !said.contains("for now") && said.contains("nothing of it is stored here any more"),
            "{said}"
        );
    }
}

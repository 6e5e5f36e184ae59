//! Modes that need no person, from the command line.

use crate::program::{complained, run, said};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

/// `login`, `token`, `accounts` and `logout` have one opinion: nothing is stored, and nothing has to be.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_prints_its_token_and_stores_nothing() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let (secret, url) = (data.path().join("secret"), peer.url());
    std::fs::write(&secret, "s3cret\n").unwrap();
    let mode = [
        "--mode",
        "client-credentials",
        "--client-id",
        "robot",
        "--authorization-server",
        &peer.origin,
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let with = |command: &str, more: &[&str]| run(data.path(), &[&[command, &url], &mode[..], more].concat());
    let granted = said(&with("login", &[]));
    assert!(granted.contains(&format!("{} has granted robot a token for {url}", peer.origin)), "{granted}");
    assert!(granted.contains("Nothing is stored") && granted.contains("\"read\""), "{granted}");
    assert!(said(&run(data.path(), &["accounts"])).contains("No logins"));

    let token = said(&with("token", &[]));
    assert_eq!(token.lines().count(), 1);
    let field = said(&with("token", &["--header"]));
    assert!(field.starts_with("Authorization: Bearer "), "{field}");
    assert!(said(&run(data.path(), &["logout", &url])).contains("no login"));
    assert_eq!(peer.seen().grants("client_credentials"), 3);
    assert!(
        !data.path().join("tokens.json").exists()
            || said(&run(data.path(), &["accounts"])).contains("No logins")
    );
}

#[test]
fn where_there_is_nothing_to_log_in_to_that_is_said() {
    let data = tempfile::tempdir().unwrap();
    let url = "https://mcp.example/mcp";
    for (args, says) in [
        (&["login", url, "--mode", "none"][..], "nothing to log in to"),
        (&["login", url, "--mode", "bearer", "--bearer-env", "PATH"], "nothing to log in to"),
        (&["token", url, "--mode", "none"], "none to print"),
        (
            &["login", url, "--client-id", "ide", "--client-secret-env", "PATH"],
            "--authorization-server ISSUER",
        ),
    ] {
        let output = run(data.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(complained(&output).contains(says), "{args:?}: {}", complained(&output));
    }
}

/// Nothing is stored, so `login --no-dpop` would change nothing: `token` itself asks for a plain one.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_a_plain_token_where_it_asks_for_one() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| {
        script.token_type = "DPoP";
        script.metadata = json!({
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "dpop_signing_alg_values_supported": ["ES256"],
        });
        script.resource_metadata = json!({"dpop_signing_alg_values_supported": ["ES256"]});
    });
    let (secret, url) = (data.path().join("secret"), peer.url());
    std::fs::write(&secret, "s3cret\n").unwrap();
    let asked = [
        "token",
        &url,
        "--mode",
        "client-credentials",
        "--client-id",
        "robot",
        "--authorization-server",
        &peer.origin,
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let with = |more: &[&str]| run(data.path(), &[&asked[..], more].concat());
    let note = complained(&with(&[]));
    assert!(note.contains("bound to a key (DPoP)"), "{note}");
    assert!(note.contains(&format!("`hallpass token {url} --mode client-credentials")), "{note}");
    assert!(note.contains(" --no-dpop`") && !note.contains("hallpass login"), "{note}");

    peer.script(|script| script.token_type = "Bearer");
    let plain = with(&["--no-dpop", "--header"]);
    assert!(said(&plain).starts_with("Authorization: Bearer "), "{}", complained(&plain));
    let seen = peer.seen();
    let asked_with_proof = |headers: &http::HeaderMap| headers.contains_key("dpop");
    assert!(asked_with_proof(&seen.token_headers[0]) && !asked_with_proof(&seen.token_headers[1]));
}

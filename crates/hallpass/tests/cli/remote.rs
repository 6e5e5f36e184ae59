//! `doctor`, and how a server is named to the commands that go to one.

use crate::program::{Serving, run, run_with_input, said};
use hallpass_testkit::authorization_server::Peer;
use hallpass_testkit::tls::{Ask, Authority};
use serde_json::{Value, json};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_doctor_finds_no_fault_with_our_own_demo() {
    let data = tempfile::tempdir().unwrap();
    let mut demo = Serving::start(data.path(), &["--demo", "--listen", "localhost:0"]);
    let endpoint = demo.value_of("MCP endpoint");
    let text = said(&run(data.path(), &["doctor", &endpoint]));
    for line in ["Without a token", "Authorization server", "RFC 9728 §3.3", " 0 faults."] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let report: Value =
        serde_json::from_str(&said(&run(data.path(), &["doctor", &endpoint, "--json"]))).unwrap();
    assert_ne!(report["verdict"], "fault");
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
        assert_ne!(report["revisions"][revision], "fault", "{revision}: {report:#}");
    }
}

#[tokio::test]
async fn a_fault_is_named_and_is_an_exit_code() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| script.metadata = json!({"code_challenge_methods_supported": ["plain"]}));
    let url = peer.url();
    let output =
        tokio::task::spawn_blocking(move || run(data.path(), &["doctor", &url, "--json"])).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "fault");
    let broken: Vec<_> =
        report["findings"].as_array().unwrap().iter().filter(|f| f["verdict"] == "fault").collect();
    assert_eq!(broken.len(), 1, "{report:#}");
    assert_eq!(broken[0]["check"], "server.pkce");
    assert!(broken[0]["change"].is_string());
}

/// Programs read it: names, members and their order stay.
#[tokio::test]
async fn the_json_of_a_report_is_stable() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| script.metadata = json!({"code_challenge_methods_supported": ["plain"]}));
    let url = peer.url();
    let output =
        tokio::task::spawn_blocking(move || run(data.path(), &["doctor", &url, "--json"])).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(&peer.origin, "http://server.example");
    insta::assert_snapshot!("doctor_json", text);
}

/// Warnings do not fail a build; one revision can be looked at alone.
#[tokio::test]
async fn one_revision_is_judged_alone() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| {
        script.resource = None;
        script.challenge = Some("Bearer".into());
    });
    let url = peer.url();
    let codes = tokio::task::spawn_blocking(move || {
        let code = |revision| run(data.path(), &["doctor", &url, "--revision", revision]).status.code();
        ["2025-03-26", "2025-06-18", "1999-01-01"].map(code)
    });
    assert_eq!(codes.await.unwrap(), [Some(0), Some(1), Some(2)]);
}

#[test]
fn what_is_missing_for_a_server_is_said_before_anything_is_sent() {
    let data = tempfile::tempdir().unwrap();
    let url = "https://127.0.0.1:1/mcp";
    for (args, code, says) in [
        (&["connect", url, "--header", "X-Key: ${HALLPASS_TEST_NOT_SET}"][..], 2, "HALLPASS_TEST_NOT_SET"),
        (&["connect", url, "--header", "no colon"], 2, "NAME:VALUE"),
        (&["connect", url, "--header-file", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (
            &["connect", url, "--client-id", "ide", "--client-secret-env", "PATH"],
            2,
            "--authorization-server ISSUER",
        ),
        (&["login", "mcp.example.com"], 2, "https://mcp.example.com"),
        (&["login", "localhost:8080/mcp"], 2, "http://localhost:8080/mcp"),
        (&["login", url, "--authorize-param", "state=x"], 3, "`state`"),
        (&["login", url, "--authorize-param", "prompt"], 2, "NAME=VALUE"),
        (&["login", url, "--authorization-endpoint", "https://as.example/a"], 2, "--authorization-server"),
        (&["login", url, "--provider-file", "/dev/null/x"], 3, "/dev/null/x"),
        (&["connect", url, "--mode", "workload-identity"], 2, "--client-id"),
        (&["connect", url, "--mode", "enterprise-managed"], 2, "--idp"),
        (&["token", url], 1, "https://127.0.0.1:1 could not be reached: the connection was refused"),
        (&["login", url], 1, "https://127.0.0.1:1 could not be reached: the connection was refused"),
        (&["connect", url, "--ca-file", "/dev/null"], 3, "certificate"),
        (&["connect", url, "--client-cert", "/nowhere/at/all"], 2, "--client-key"),
        (
            &["connect", url, "--client-cert", "/dev/null", "--client-key", "/nowhere/at/all"],
            3,
            "/nowhere/at/all",
        ),
        (
            &["connect", url, "--client-cert", "/dev/null", "--client-key", "/dev/null"],
            3,
            "client certificate",
        ),
        (&["connect", url, "--proxy", "http://p:1", "--no-proxy"], 2, "--no-proxy"),
        (&["connect", "https://mcp.example/mcp", "--proxy", "socks5://p:1"], 3, "http://HOST:PORT"),
        (&["connect", "http://mcp.example.com/mcp"], 3, "https"),
        (&["connect", url, "--timeout", "0"], 2, "seconds"),
        (
            &[
                "login",
                url,
                "--issuer",
                "https://as.example",
                "--client-id",
                "x",
                "--client-secret-env",
                "HALLPASS_TEST_NOT_SET",
            ],
            3,
            "HALLPASS_TEST_NOT_SET",
        ),
        (&["token", url, "--header", "--json"], 2, "--json"),
        (&["connect", url, "--mode", "bearer"], 2, "--bearer-env"),
        (&["connect", url, "--mode", "client-credentials"], 2, "--client-id"),
    ] {
        let output = run(data.path(), args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn fields_come_from_options_files_and_the_environment() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| script.protected = false);
    let (file, url) = (data.path().join("fields"), peer.url());
    std::fs::write(&file, "# a comment\nX-One: 1\n\nX-Two: two words\n").unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let file = file.to_str().unwrap().to_owned();
        run(data.path(), &["login", &url, "--header", "X-Path: ${PATH}", "--header-file", &file])
    });
    assert!(said(&output.await.unwrap()).contains("asks for no login"));
    let seen = peer.seen().mcp;
    assert!(!seen.is_empty());
    for (_, _, headers) in &seen {
        assert_eq!(
            (&headers["x-one"], &headers["x-two"]),
            (&"1".parse().unwrap(), &"two words".parse().unwrap())
        );
        assert_eq!(headers["x-path"], std::env::var("PATH").unwrap().as_str());
    }
}

/// A token that somebody has: nobody is asked, and nothing is discovered.
#[tokio::test]
async fn a_token_at_hand_is_used_as_it_is() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let (file, url) = (data.path().join("token"), peer.url());
    std::fs::write(&file, "s3cret\n").unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let args = ["connect", &url, "--mode", "bearer", "--bearer-file", file.to_str().unwrap()];
        run_with_input(data.path(), &args, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n")
    });
    let output = output.await.unwrap();
    let seen = peer.seen();
    assert_eq!(seen.mcp[0].2["authorization"], "Bearer s3cret");
    assert_eq!((seen.metadata_requests.len(), seen.authorizations.len()), (0, 0));
    // The peer has never issued it, and the local client is told so, without the token.
    let answer: Value = serde_json::from_str(&said(&output)).unwrap();
    assert!(answer["error"]["message"].is_string(), "{answer}");
    assert!(!answer.to_string().contains("s3cret") && !stderr(&output).contains("s3cret"));
}

/// Arguments are everyone's to read, and so is what is printed about them.
#[test]
fn a_proxys_password_is_not_taken_from_the_arguments() {
    let data = tempfile::tempdir().unwrap();
    for (named, expected) in [
        ("http://someone@127.0.0.1:1", "HTTPS_PROXY"),
        ("http://someone:canary@127.0.0.1:1", "HTTPS_PROXY"),
        ("http://someone:canary@", "HTTPS_PROXY"),
        ("canary", "http://HOST:PORT"),
    ] {
        let output = run(data.path(), &["token", "https://mcp.example/mcp", "--proxy", named]);
        assert_eq!(output.status.code(), Some(3), "{named}");
        let said = stderr(&output);
        assert!(said.contains(expected) && !said.contains("canary"), "{said}");
    }
}

/// Every command that goes to a server takes the certificate and shows it; the server lets nobody in without.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_opens_a_server_that_demands_one() {
    let (data, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let peer = Peer::start_tls(&authority, "localhost", Ask::Firmly).await;
    let own = authority.issue(&["client"]);
    let file = |name: &str, text: &str| {
        let path = data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, cert, key) =
        (file("ca.pem", &authority.pem()), file("cert.pem", &own.chain), file("key.pem", &own.key));
    let url = peer.url();
    let shown = ["doctor", &url, "--ca-file", &ca, "--client-cert", &cert, "--client-key", &key];
    assert!(said(&run(data.path(), &shown)).contains("0 faults"));
    let output = run(data.path(), &shown[..4]);
    assert_ne!(output.status.code(), Some(0));
    assert!(peer.seen().shown.iter().all(|(_, shown)| *shown));

    let seen = peer.seen().mcp.len();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    peer.script(|script| script.protected = false);
    let connect = [&["connect"], &shown[1..]].concat();
    let answered = run_with_input(data.path(), &connect, &format!("{call}\n"));
    assert!(said(&answered).contains("serverInfo"));
    assert!(peer.seen().mcp.len() > seen);
}

/// Never again, row 39: a secret comes by a file, the environment or standard input.
#[tokio::test]
async fn a_program_comes_to_its_token_with_a_secret_that_is_no_argument() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let (secret, jwt) = (data.path().join("secret"), data.path().join("jwt"));
    std::fs::write(&secret, "s3cret\n").unwrap();
    std::fs::write(&jwt, format!("e30.{}.c2ln", assertion_for(&peer.origin))).unwrap();
    let (url, origin) = (peer.url(), peer.origin.clone());
    let outputs = tokio::task::spawn_blocking(move || {
        let robot = ["connect", &url, "--client-id", "robot", "--authorization-server", &origin, "--mode"];
        let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
        let say = |rest: &[&str]| run_with_input(data.path(), &[&robot[..], rest].concat(), ping);
        [
            say(&["client-credentials", "--client-secret-file", secret.to_str().unwrap()]),
            say(&["workload-identity", "--assertion-file", jwt.to_str().unwrap()]),
            say(&["client-credentials", "--client-secret-stdin"]),
        ]
    });
    let [credentials, workload, refused] = outputs.await.unwrap();
    assert!(said(&credentials).contains("\"result\"") && said(&workload).contains("\"result\""));
    assert!(stderr(&refused).contains("standard input carries messages"), "{}", stderr(&refused));
    let seen = peer.seen();
    assert_eq!((seen.grants("client_credentials"), seen.registrations.len()), (1, 0));
    assert_eq!(seen.token_requests[0]["client_secret"], "s3cret");
    assert!(seen.token_requests[1]["grant_type"].ends_with("jwt-bearer"));
}

fn assertion_for(audience: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json!({ "aud": audience }).to_string())
}

/// `login` and `token` have one opinion.
#[tokio::test]
async fn a_wrong_path_is_named_and_an_open_server_has_no_token() {
    let (data, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    peer.script(|script| script.protected = false);
    let (open, wrong) = (peer.url(), format!("{}/nowhere", peer.origin));
    let outputs = tokio::task::spawn_blocking(move || {
        [["login", &wrong], ["token", &wrong], ["token", &open], ["login", &open]]
            .map(|args| run(data.path(), &args))
    });
    let [login, token, no_token, no_login] = outputs.await.unwrap();
    for output in [&login, &token] {
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(output).contains("404 Not Found") && stderr(output).contains("Check the path"));
    }
    assert!(stderr(&no_token).contains("asks for no login, so there is no token"), "{}", stderr(&no_token));
    assert!(said(&no_login).contains("asks for no login"));
}

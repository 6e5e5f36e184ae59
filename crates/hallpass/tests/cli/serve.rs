//! `hallpass serve`, as its command line and its configuration file say.

use std::io::Write;

use crate::program::{Serving, run_with_input, said};
use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::Value;

const NOWHERE: &str = "http://127.0.0.1:1/mcp";

async fn json(url: &str) -> Value {
    reqwest::get(url).await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_url_is_protected_without_a_file() {
    let data = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(data.path(), &["--upstream", NOWHERE, "--listen", "localhost:0"]);
    let endpoint = serving.value_of("MCP endpoint");
    assert!(endpoint.starts_with("http://localhost:") && endpoint.ends_with("/mcp"), "{endpoint}");

    let answer = reqwest::Client::new().post(&endpoint).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp"), "{challenge}");
    assert!(challenge.contains("scope=\"mcp\""), "{challenge}");
}

#[tokio::test]
async fn a_file_says_the_same_and_more() {
    let data = tempfile::tempdir().unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        file,
        r#"
        listen = "127.0.0.1:0"
        public_url = "https://mcp.example.com"
        [server]
        name = "Notes"
        path = "/notes/mcp"
        upstream = "{NOWHERE}"
        [server.scopes]
        default = ["notes:read"]
        "notes:read" = {{ says = "Read your notes" }}
        [server.tools]
        "write_*" = {{ scopes = ["notes:write"] }}
        "#
    )
    .unwrap();
    let mut serving = Serving::start(data.path(), &["--config", file.path().to_str().unwrap()]);
    assert_eq!(serving.value_of("MCP endpoint"), "https://mcp.example.com/notes/mcp");
}

/// Metadata, issuer and resource are built from the public URL, whatever the request's Host says.
#[tokio::test]
async fn identity_comes_from_the_public_url() {
    let data = tempfile::tempdir().unwrap();
    // A free port, found by asking for one.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let public = format!("http://localhost:{port}");
    let mut serving = Serving::start(data.path(), &["--upstream", NOWHERE, "--listen", &listen]);
    serving.line_with("MCP endpoint");

    let server = json(&format!("http://{listen}/.well-known/oauth-authorization-server")).await;
    assert_eq!(server["issuer"], public.as_str());
    let resource = json(&format!("http://{listen}/.well-known/oauth-protected-resource")).await;
    assert_eq!(resource["resource"], format!("{public}/mcp"));

    for path in ["/mcp", "/authorize", "/login", "/.well-known/oauth-authorization-server"] {
        let url = format!("http://{listen}{path}");
        let answer = reqwest::Client::new().get(url).header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

/// Upstream's address may hold keys, and is nobody's business.
#[tokio::test]
async fn nobody_is_told_where_upstream_is() {
    let data = tempfile::tempdir().unwrap();
    let upstream = "http://127.0.0.1:1/s/sesame/mcp?api_key=sesame";
    let mut serving = Serving::start(data.path(), &["--upstream", upstream, "--listen", "localhost:0"]);
    let endpoint = serving.value_of("MCP endpoint");
    serving.line_with("Ctrl-C");
    assert!(serving.lines_so_far().iter().all(|line| !line.contains("sesame")));
    let metadata = endpoint.replace("/mcp", "/.well-known/oauth-protected-resource");
    let metadata = json(&metadata).await.to_string();
    assert!(!metadata.contains("sesame") && !metadata.contains("127.0.0.1:1"), "{metadata}");
}

/// There is a link while there is no user, and none after.
#[tokio::test]
async fn the_first_start_offers_to_make_the_first_user() {
    let data = tempfile::tempdir().unwrap();
    let args = ["--upstream", NOWHERE, "--listen", "localhost:0"];
    let mut first = Serving::start(data.path(), &args);
    let link = first.value_of("/setup");
    let page = reqwest::get(&link).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "{link}");
    drop(first);

    let add = ["user", "add", "alice", "--password-stdin"];
    said(&run_with_input(data.path(), &add, "correct horse battery\n"));
    let mut second = Serving::start(data.path(), &args);
    assert!(!second.line_with("Ctrl-C").is_empty());
    assert!(second.lines_so_far().iter().all(|line| !line.contains("/setup")));
}

#[tokio::test]
async fn the_demo_says_how_to_log_in() {
    let data = tempfile::tempdir().unwrap();
    let mut demo = Serving::start(data.path(), &["--demo", "--listen", "localhost:0"]);
    let endpoint = demo.value_of("MCP endpoint");
    assert_eq!(demo.value_of("User"), "demo");
    assert!(demo.value_of("Password").len() >= 16);
    for client in ["Claude Code", "VS Code", "Cursor", "MCP Inspector"] {
        assert!(demo.line_with(client).contains(&endpoint), "{client}");
    }
    demo.line_with("Ctrl-C");
    assert!(demo.lines_so_far().iter().all(|line| !line.contains("/setup")));
    // Its users live in a folder of their own.
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

/// Whoever says that TLS ends in front may give the URL as hallpass itself hears it.
#[test]
fn tls_in_front_makes_a_public_url_https() {
    let data = tempfile::tempdir().unwrap();
    let public = ["--public-url", "http://mcp.example.com", "--tls-in-front"];
    let args = [&["--upstream", NOWHERE, "--listen", "localhost:0"][..], &public].concat();
    let mut serving = Serving::start(data.path(), &args);
    assert_eq!(serving.value_of("MCP endpoint"), "https://mcp.example.com/mcp");
}

#[test]
#[cfg(unix)]
fn it_ends_in_good_order_when_asked_to() {
    let data = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(data.path(), &["--upstream", NOWHERE, "--listen", "localhost:0"]);
    serving.line_with("Ctrl-C");
    assert_eq!(serving.terminate(), Some(0));
}

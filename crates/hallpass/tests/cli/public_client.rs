//! A client id that the server publishes (`docs/public-client-id.md`).

use crate::program::{Serving, run, run_with_input, said};
use hallpass_client::interaction::Browser;
use hallpass_client::{Client, Login};
use hallpass_testkit::person::Person;
use serde_json::Value;

const PASSWORD: &str = "correct horse battery";

const CONFIG: &str = r#"
listen = "localhost:0"
[server]
name = "Team Notes"
upstream = "http://127.0.0.1:1/mcp"
public_client_id = "native"
[authorization_server]
registration = "off"
"#;

async fn json(url: &str) -> Value {
    reqwest::get(url).await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

/// A person who logs in and agrees.
fn browser() -> Browser {
    let launch = |url: &hallpass_client::interaction::LaunchUrl| {
        let url = url.as_str().to_owned();
        tokio::spawn(async move {
            let login = Person::new().open(url).await;
            let consent = login.form().set("username", "alice").set("password", PASSWORD).submit().await;
            let back = consent.form().press("decision", "allow").submit().await;
            reqwest::get(back.location().unwrap()).await.unwrap();
        });
        Ok(())
    };
    Browser::new().launcher(launch).announcer(|_| {})
}

#[tokio::test]
async fn a_native_client_logs_in_with_what_is_published_and_registers_nothing() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("hallpass.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let alice = ["user", "add", "alice", "--password-stdin"];
    said(&run_with_input(data.path(), &alice, &format!("{PASSWORD}\n")));
    let add = ["client", "add", "--id", "native", "--redirect-uri", "http://127.0.0.1/callback"];
    said(&run(data.path(), &add));
    let mut serving = Serving::start(data.path(), &["--config", config.to_str().unwrap()]);
    assert!(serving.line_with("hallpass protects").contains("Team Notes"));
    let endpoint = serving.value_of("MCP endpoint");
    assert!(serving.line_with("Claude Code").contains(" team-notes "));

    let origin = endpoint.strip_suffix("/mcp").unwrap();
    let resource = json(&format!("{origin}/.well-known/oauth-protected-resource/mcp")).await;
    assert_eq!(resource["public_client_id"], serde_json::json!({ origin: "native" }));
    let server = json(&format!("{origin}/.well-known/oauth-authorization-server")).await;
    assert!(server.get("registration_endpoint").is_none(), "{server}");

    let client = Client::builder(&endpoint).unwrap().interaction(browser()).build().unwrap();
    let Login::Done(account) = client.login().await.unwrap() else { panic!("no login") };
    assert_eq!(account.client_id, "native");
    let request = reqwest::Request::new(reqwest::Method::GET, endpoint.parse().unwrap());
    let status = client.send(request).await.unwrap().status();
    assert!(status.is_server_error(), "the token is good, and nothing stands behind: {status}");

    // A person with a browser is told what this is, and no icon is made up.
    let page = reqwest::get(origin).await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(
        page.contains("Team Notes") && page.contains(&endpoint) && !page.contains("127.0.0.1:1"),
        "{page}"
    );
    assert_eq!(reqwest::get(format!("{origin}/favicon.ico")).await.unwrap().status(), 204);
}

#[test]
fn what_cannot_be_shared_is_not_published() {
    for (client, input, says) in [
        (None, "", "hallpass client add --id native"),
        (
            Some(&["--redirect-uri", "http://127.0.0.1/callback", "--secret-stdin"][..]),
            "0123456789abcdef0123\n",
            "secret",
        ),
        (
            Some(
                &[
                    "--redirect-uri",
                    "http://127.0.0.1/callback",
                    "--redirect-uri",
                    "https://app.example.com/cb",
                ][..],
            ),
            "",
            "https://app.example.com/cb",
        ),
    ] {
        let data = tempfile::tempdir().unwrap();
        let config = data.path().join("hallpass.toml");
        std::fs::write(&config, CONFIG).unwrap();
        if let Some(arguments) = client {
            said(&run_with_input(
                data.path(),
                &[&["client", "add", "--id", "native"], arguments].concat(),
                input,
            ));
        }
        let output = run(data.path(), &["serve", "--config", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("server.public_client_id") && said.contains(says), "{said}");
    }
}

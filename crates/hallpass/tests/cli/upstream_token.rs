//! `tells = "token"`: the server behind gets a token that was made for it, by hallpass's own authorization server here.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::house::free_port;
use crate::program::{Serving, complained, run, run_with_input, said};

const SECRET: &str = "0123456789abcdef0123";

fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_behind_gets_a_token_that_was_made_for_it() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let port = free_port();
    let base = format!("http://localhost:{port}");
    let (config, secret) = (folder.path().join("hallpass.toml"), folder.path().join("secret"));
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let text = format!(
        r#"
        listen = "localhost:{port}"
        public_url = "{base}"
        [servers.a]
        upstream = "{}"
        tells = "token"
        scopes."a:use" = {{}}
        [servers.a.upstream_token]
        token_endpoint = "{base}/token"
        client_id = "gateway"
        secret_file = "{}"
        resource = "{base}/b/mcp"
        scopes = ["b:read"]
        [servers.b]
        upstream = "http://127.0.0.1:1/mcp"
        scopes."b:read" = {{}}
        [[authorization_server.exchange]]
        client_id = "gateway"
        from = "{base}/a/mcp"
        to = "{base}/b/mcp"
        scopes = ["b:read"]
        "#,
        upstream.url("/mcp"),
        secret.display()
    );
    std::fs::write(&config, text).unwrap();
    let with = ["--config", config.to_str().unwrap()];
    let operator = |args: &[&str]| {
        said(&run_with_input(folder.path(), &[&with[..], args].concat(), &format!("{SECRET}\n")))
    };
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    operator(&["client", "add", "--id", "gateway", "--grant", exchange, "--secret-stdin"]);
    operator(&["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"]);
    let explained = operator(&["config", "check"]);
    assert!(
        explained.contains(&format!("a token that {base}/token makes for it (authorization)")),
        "{explained}"
    );
    let mut serving = Serving::start(folder.path(), &with);
    serving.line_with("Ctrl-C");
    let http = reqwest::Client::new();
    let token = async || {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", SECRET),
            ("resource", &format!("{base}/a/mcp")),
        ];
        let answer = http.post(format!("{base}/token")).form(&form).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let call = async |token: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let request = http.post(format!("{base}/a/mcp")).bearer_auth(token).body(body);
        request.header("content-type", "application/json").send().await.unwrap().status()
    };
    let own = token().await;
    for _ in 0..3 {
        assert_eq!(call(&own).await, StatusCode::OK);
    }
    let received = upstream.received();
    let told: Vec<&str> = received.iter().map(|one| one.headers["authorization"].to_str().unwrap()).collect();
    assert!(told.iter().all(|one| *one == told[0] && !one.contains(&own)), "one for all three");
    assert!(!received[0].headers.contains_key("x-hallpass-subject"));
    let made = claims(told[0].strip_prefix("Bearer ").unwrap());
    assert_eq!((&made["aud"], &made["sub"]), (&json!(format!("{base}/b/mcp")), &json!("robot")));
    assert_eq!((&made["scope"], &made["act"]), (&json!("b:read"), &json!({ "sub": "gateway" })));
    // Whoever may not exchange any more gets none, and nothing goes on without.
    operator(&["client", "disable", "gateway"]);
    // Within a second.
    while call(&token().await).await != StatusCode::BAD_GATEWAY {}
    let before = upstream.received().len();
    assert_eq!(call(&token().await).await, StatusCode::BAD_GATEWAY);
    assert_eq!(upstream.received().len(), before);
}

#[test]
fn what_cannot_be_exchanged_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hallpass.toml");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let token = |endpoint: &str, more: &str| {
        format!("[server.upstream_token]\ntoken_endpoint = \"{endpoint}\"\nclient_id = \"g\"\n{more}\n")
    };
    let by_secret = format!("secret_file = \"{}\"", secret.display());
    for (server, section, says) in [
        ("tells = \"token\"", String::new(), "needs both"),
        ("", token("https://idp.example/token", &by_secret), "needs both"),
        ("tells = \"token\"", token("http://idp.example/token", &by_secret), "has to be an https URL"),
        ("tells = \"token\"", token("https://idp.example/token", ""), "either secret_file or key_file"),
        (
            "tells = \"token\"\ncredentials = { api_keys = true }",
            token("https://idp.example/token", &by_secret),
            "no token that could be exchanged",
        ),
    ] {
        let text = format!("[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n{server}\n{section}");
        std::fs::write(&config, text).unwrap();
        let answer = run(folder.path(), &["config", "check", config.to_str().unwrap()]);
        let complaint = complained(&answer);
        assert!(answer.status.code() == Some(3) && complaint.contains(says), "{says}: {complaint}");
    }
}

//! `fresh`, from the challenge to the tool: through `serve`, with our own client, and an authorization server that says when
//! a person logged in.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::extract::{Form, Query};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use hallpass_client::Client;
use hallpass_client::interaction::Browser;
use hallpass_protocol::{JwkSet, Timestamp};
use hallpass_testkit::issuer::TestIssuer;
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::Serving;

#[derive(Default)]
struct Seen {
    /// What /authorize was asked with, each time. Our client looks there whether it is still known, before a person does.
    asked: Vec<HashMap<String, String>>,
    /// The `max_age` of each login that became a token.
    logins: Vec<Option<String>>,
}

/// An authorization server whose people have been logged in for an hour, unless they are asked to log in anew.
async fn login_server(seen: Arc<Mutex<Seen>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Arc::new(TestIssuer::new(&url));
    let keys = JwkSet { keys: vec![issuer.key.public_jwk()] };
    let metadata = json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "authorization_endpoint": format!("{url}/auth"),
        "token_endpoint": format!("{url}/tok"), "registration_endpoint": format!("{url}/reg"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"], "grant_types_supported": ["authorization_code"],
    });
    let register = async |Json(mut client): Json<Value>| {
        client["client_id"] = json!("native");
        (StatusCode::CREATED, Json(client))
    };
    let at_authorize = Arc::clone(&seen);
    let authorize = async move |Query(query): Query<HashMap<String, String>>| {
        let asked = &mut at_authorize.lock().unwrap().asked;
        let location = format!("{}?code={}&state={}", query["redirect_uri"], asked.len(), query["state"]);
        asked.push(query);
        Redirect::to(&location)
    };
    let token = async move |Form(form): Form<HashMap<String, String>>| {
        let mut seen = seen.lock().unwrap();
        let query = seen.asked[form["code"].parse::<usize>().unwrap()].clone();
        seen.logins.push(query.get("max_age").cloned());
        let now = Timestamp::from(SystemTime::now());
        let mut claims = issuer.claims(&form["resource"], &query["scope"], now);
        let anew = query.contains_key("max_age");
        claims["auth_time"] = json!(if anew { now } else { now.before(Duration::from_secs(3600)) });
        claims["jti"] = json!(form["code"]);
        let token = issuer.sign(&claims);
        Json(
            json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": query["scope"]}),
        )
    };
    let router = Router::new()
        .route("/.well-known/oauth-authorization-server", get(async move || Json(metadata)))
        .route("/jwks", get(async move || Json(keys)))
        .route("/reg", post(register))
        .route("/auth", get(authorize))
        .route("/tok", post(token));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_for_fresh_logins_takes_one_new_login() {
    let seen = Arc::<Mutex<Seen>>::default();
    let (issuer, upstream) = (login_server(Arc::clone(&seen)).await, Upstream::start().await);
    let data = tempfile::tempdir().unwrap();
    let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        config,
        "listen = \"127.0.0.1:0\"\n[server]\nupstream = \"{}\"\narrangement = \"external\"\n\
         [server.scopes]\ndefault = [\"notes:read\"]\n\
         [server.tools]\n\"purge\" = {{ scopes = [\"notes:read\"], fresh = \"5m\" }}\n\
         [[server.issuers]]\nissuer = \"{issuer}\"\n",
        upstream.url("/mcp"),
    )
    .unwrap();
    let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
    let endpoint = serving.value_of("MCP endpoint");

    let browser = Browser::new().launcher(|url| {
        tokio::spawn(reqwest::get(url.url().clone()));
        Ok(())
    });
    let client = Client::builder(&endpoint).unwrap().interaction(browser).build().unwrap();
    let http = reqwest::Client::new();
    let call = async |tool: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
        let request = http.post(&endpoint).json(&body).build().unwrap();
        client.execute(&http, request).await.unwrap().status()
    };
    let max_ages = || seen.lock().unwrap().logins.clone();

    assert_eq!(call("list").await, StatusCode::OK);
    assert_eq!(max_ages(), [None], "any login will do");
    assert_eq!(call("purge").await, StatusCode::OK);
    assert_eq!(max_ages(), [None, Some("300".to_owned())], "one new login");
    for tool in ["purge", "list"] {
        assert_eq!(call(tool).await, StatusCode::OK);
    }
    assert_eq!(max_ages().len(), 2, "and then no more");
}

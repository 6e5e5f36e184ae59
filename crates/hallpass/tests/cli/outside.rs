//! An authorization server of somebody else's, and a server of ours that takes its tokens.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::extract::Form;
use axum::routing::{get, post};
use axum::{Json, Router};
use hallpass_protocol::{JwkSet, Timestamp};
use hallpass_testkit::issuer::TestIssuer;
use hallpass_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::program::Serving;

/// An issuer on this machine: metadata, keys, introspection.
pub(crate) struct Outside {
    pub(crate) issuer: TestIssuer,
    /// What introspection answers, by token.
    pub(crate) opaque: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = TestIssuer::new(&url);
        let keys = JwkSet { keys: vec![issuer.key.public_jwk()] };
        let metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "introspection_endpoint": format!("{url}/introspect"),
            "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/tok"),
            "registration_endpoint": format!("{url}/reg"), "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"], "scopes_supported": ["notes:read"], "of_its_own": "kept",
        });
        let opaque: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let known = Arc::clone(&opaque);
        let introspect = async move |Form(form): Form<Vec<(String, String)>>| {
            let asked = form.into_iter().find(|(name, _)| name == "token").unwrap().1;
            let known = known.lock().unwrap();
            let found = known.iter().find(|(token, _)| *token == asked);
            Json(found.map_or(json!({"active": false}), |(_, answer)| answer.clone()))
        };
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(async move || Json(metadata)))
            .route("/jwks", get(async move || Json(keys)))
            .route("/introspect", post(introspect));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { issuer, opaque }
    }
}

/// `hallpass serve` before an upstream, which takes the tokens of an issuer outside.
pub(crate) struct House {
    pub(crate) outside: Outside,
    pub(crate) upstream: Upstream,
    /// The protected endpoint's URL.
    pub(crate) endpoint: String,
    pub(crate) serving: Serving,
    pub(crate) data: TempDir,
    pub(crate) http: reqwest::Client,
    _config: (NamedTempFile, NamedTempFile),
}

impl House {
    /// With these lines in `[server]`, and these after it.
    pub(crate) async fn with(server: &str, more: &str) -> Self {
        let (outside, upstream) = (Outside::start().await, Upstream::start().await);
        let data = tempfile::tempdir().unwrap();
        let mut secret = NamedTempFile::new().unwrap();
        write!(secret, "s3cret").unwrap();
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        write!(
            config,
            "listen = \"127.0.0.1:0\"\n[server]\nupstream = \"{}\"\n{server}\n\
             [server.scopes]\ndefault = [\"notes:read\"]\n\
             [server.tools]\n\"write_*\" = {{ scopes = [\"notes:write\"] }}\n\
             [[server.issuers]]\nissuer = \"{}\"\n\
             introspection = {{ client_id = \"rs\", secret_file = \"{}\" }}\n{more}\n",
            upstream.url("/mcp"),
            outside.issuer.issuer,
            secret.path().display(),
        )
        .unwrap();
        let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
        let endpoint = serving.value_of("MCP endpoint");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { outside, upstream, endpoint, serving, data, http, _config: (config, secret) }
    }

    /// `localhost:port`.
    pub(crate) fn authority(&self) -> &str {
        self.endpoint.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    pub(crate) fn claims(&self, scope: &str) -> Value {
        self.outside.issuer.claims(&self.endpoint, scope, self.now())
    }

    pub(crate) fn token(&self, scope: &str) -> String {
        self.outside.issuer.sign(&self.claims(scope))
    }

    /// Posts a body with that token.
    pub(crate) async fn post(&self, token: &str, body: &str) -> reqwest::Response {
        let request = self.http.post(&self.endpoint).bearer_auth(token);
        request.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Sends bytes as they are, as no library would, and says which status came back.
    pub(crate) fn raw(&self, target: &str, fields: &[(&str, &str)], body: &str) -> u16 {
        let port = self.authority().rsplit(':').next().unwrap();
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let mut head =
            format!("POST {target} HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("{target}: {text:?}"));
        status.parse().unwrap()
    }
}

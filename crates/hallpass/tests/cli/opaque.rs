//! Opaque access tokens through `hallpass serve`.

use std::io::Write;
use std::path::Path;

use hallpass_protocol::dpop::Proof;
use hallpass_protocol::{Secret, SigningKey, Timestamp};
use hallpass_testkit::database::{Cluster, DatabasePlace, TestDatabase};
use hallpass_testkit::upstream::Upstream;
use reqwest::StatusCode;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::program::{Serving, complained, run, run_with_input, said};

const SECRET: &str = "a-secret-of-20-characters-or-more";

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Servers on one database, whose tokens are opaque, before one upstream.
struct House {
    /// One or two.
    serving: Vec<Serving>,
    ports: Vec<u16>,
    upstream: Upstream,
    data: TempDir,
    config: NamedTempFile,
    http: reqwest::Client,
    _database: Option<TestDatabase>,
}

impl House {
    async fn start(replicas: usize, database: Option<TestDatabase>) -> Self {
        let upstream = Upstream::start().await;
        let ports: Vec<u16> = (0..replicas).map(|_| free_port()).collect();
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        let url = database.as_ref().map(|database| match database.place() {
            DatabasePlace::Url(url) => format!("[database]\nurl = \"{url}\"\nconnections = 3\n"),
            DatabasePlace::File(_) => String::new(),
        });
        write!(
            config,
            "public_url = \"http://localhost:{}\"\n[server]\nupstream = \"{}\"\naccess_tokens = \"opaque\"\n\
             [server.scopes]\ndefault = [\"notes:read\"]\n{}",
            ports[0],
            upstream.url("/mcp"),
            url.unwrap_or_default(),
        )
        .unwrap();
        let data = tempfile::tempdir().unwrap();
        let http = reqwest::Client::new();
        let mut house =
            Self { serving: Vec::new(), ports, upstream, data, config, http, _database: database };
        for at in 0..replicas {
            let serving = house.serve(at);
            house.serving.push(serving);
        }
        for id in ["robot", "rs"] {
            let resource = house.endpoint();
            let args = [
                "client",
                "add",
                "--id",
                id,
                "--secret-stdin",
                "--grant",
                "client_credentials",
                "--resource",
                &resource,
            ];
            let args = [&["--config", house.config()], &args[..]].concat();
            said(&run_with_input(house.data.path(), &args, &format!("{SECRET}\n")));
        }
        house
    }

    fn serve(&self, at: usize) -> Serving {
        let listen = format!("127.0.0.1:{}", self.ports[at]);
        let mut serving = Serving::start(self.data.path(), &["--config", self.config(), "--listen", &listen]);
        serving.line_with("Ctrl-C");
        serving
    }

    /// Starts it anew with JWTs.
    fn change_to_jwt(&mut self) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), config.replace("\"opaque\"", "\"jwt\"")).unwrap();
        self.serving[0].kill();
        self.serving[0] = self.serve(0);
    }

    fn config(&self) -> &str {
        self.config.path().to_str().unwrap()
    }

    fn endpoint(&self) -> String {
        format!("http://localhost:{}/mcp", self.ports[0])
    }

    /// What all of them are called.
    fn host(&self) -> String {
        format!("localhost:{}", self.ports[0])
    }

    fn url(&self, at: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[at])
    }

    /// A form to an endpoint, as that client.
    async fn post(&self, at: usize, path: &str, client: &str, form: &[(&str, &str)]) -> Value {
        let form = [&[("client_id", client), ("client_secret", SECRET)], form].concat();
        let request = self.http.post(self.url(at, path)).header("host", self.host()).form(&form);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    async fn token(&self, at: usize) -> String {
        let tokens = self.post(at, "/token", "robot", &[("grant_type", "client_credentials")]).await;
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        assert!(token.starts_with("hpa_") && token.len() == 47, "{token}");
        token
    }

    async fn call(&self, at: usize, fields: &[(&str, &str)]) -> StatusCode {
        let mut request = self.http.post(self.url(at, "/mcp")).header("host", self.host());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body("{}").send().await.unwrap().status()
    }

    async fn bearer(&self, at: usize, token: &str) -> StatusCode {
        self.call(at, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// Until it is refused; the promise is a second, and a test that waits for ever is ended and fails.
    async fn ends(&self, at: usize, token: &str) {
        while self.bearer(at, token).await != StatusCode::UNAUTHORIZED {}
    }
}

/// Row 23 of never-again, through the gateway; and what ends a token, and what does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_open_until_they_are_revoked() {
    let mut house = House::start(1, None).await;
    let token = house.token(0).await;
    assert_eq!(house.bearer(0, &token).await, StatusCode::OK);
    let received = house.upstream.received();
    let subject = received[0].headers.get("x-hallpass-subject").unwrap();
    assert_eq!(subject, "robot");
    assert!(received[0].headers.values().all(|value| !value.to_str().unwrap().contains("hpa_")));
    let mut others: Vec<String> = (1..token.len()).map(|length| token[..length].to_owned()).collect();
    others.extend(["A", "=", "-"].map(|more| format!("{token}{more}")));
    for at in 0..token.len() {
        let mut other = token.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        others.push(String::from_utf8(other).unwrap());
    }
    for other in others {
        assert_eq!(house.bearer(0, &other).await, StatusCode::UNAUTHORIZED, "{other}");
    }
    assert_eq!(house.upstream.received().len(), 1);
    // It is in the database, not in the process.
    house.serving[0].kill();
    house.serving[0] = house.serve(0);
    assert_eq!(house.bearer(0, &token).await, StatusCode::OK);
    let told = house.post(0, "/introspect", "rs", &[("token", &token)]).await;
    assert_eq!((&told["active"], &told["sub"]), (&true.into(), &"robot".into()));
    // Another process ends it.
    let sibling = house.token(0).await;
    house.post(0, "/revoke", "robot", &[("token", &sibling)]).await;
    assert_eq!(house.bearer(0, &sibling).await, StatusCode::UNAUTHORIZED, "at once where it was given back");
    assert_eq!(house.bearer(0, &token).await, StatusCode::OK);
    said(&run(house.data.path(), &["--config", house.config(), "client", "disable", "robot"]));
    house.ends(0, &token).await;
    assert!(!stored(house.data.path(), &token[4..]) && !stored(house.data.path(), &sibling[4..]));
}

fn stored(data: &Path, secret: &str) -> bool {
    let files = std::fs::read_dir(data).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let files: Vec<Vec<u8>> = files.collect();
    assert!(files.len() >= 2, "the database and its key");
    files.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
}

/// Two servers on one PostgreSQL: what one issues the other knows, and what one ends has ended in both. A bound one is its
/// holder's alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_know_each_others() {
    let house = House::start(2, Some(TestDatabase::postgres())).await;
    let token = house.token(0).await;
    for at in [0, 1] {
        assert_eq!(house.bearer(at, &token).await, StatusCode::OK);
    }
    house.post(1, "/revoke", "robot", &[("token", &token)]).await;
    for at in [0, 1] {
        house.ends(at, &token).await;
    }
    let holder = SigningKey::generate_es256().unwrap();
    let now: Timestamp = std::time::SystemTime::now().into();
    let sign = |url: &str, token: Option<&Secret>, nonce: Option<&str>, jti: &str| {
        let url = url.parse().unwrap();
        let proof = Proof { method: &reqwest::Method::POST, url: &url, access_token: token, nonce, jti, now };
        proof.sign(&holder).unwrap()
    };
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", SECRET)];
    let public = house.endpoint().replace("/mcp", "/token");
    let get = async |nonce: Option<&str>, jti: &str| {
        let request = house.http.post(house.url(0, "/token")).form(&form);
        request.header("dpop", sign(&public, None, nonce, jti)).send().await.unwrap()
    };
    let nonce = get(None, "1").await.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let tokens: Value = get(Some(&nonce), "2").await.json().await.unwrap();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    let bound = Secret::new(tokens["access_token"].as_str().unwrap());
    let authorization = format!("DPoP {}", bound.expose());
    for at in [0, 1] {
        assert_eq!(house.bearer(at, bound.expose()).await, StatusCode::UNAUTHORIZED, "without its key");
        let proof = sign(&house.endpoint(), Some(&bound), None, &format!("at {at}"));
        let fields = [("authorization", authorization.as_str()), ("dpop", &proof)];
        assert_eq!(house.call(at, &fields).await, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_issued_before_tokens_were_jwts_is_good() {
    let mut house = House::start(1, None).await;
    let token = house.token(0).await;
    house.change_to_jwt();
    assert_eq!(house.bearer(0, &token).await, StatusCode::OK);
    let other = token.chars().rev().take(43).collect::<String>();
    assert_eq!(house.bearer(0, &format!("hpa_{other}")).await, StatusCode::UNAUTHORIZED);
}

/// A stranger makes up as many as he likes. Whether the database is asked shows where it is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_can_be_none_none_is_looked_up() {
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::new_in(data.path());
    let mut house = House::start(1, Some(TestDatabase::within(&cluster))).await;
    let made_up = format!("hpa_{}", "A".repeat(43));
    cluster.crash();
    assert_eq!(house.bearer(0, &made_up).await, StatusCode::SERVICE_UNAVAILABLE);
    cluster.start();
    house.change_to_jwt();
    cluster.crash();
    assert_eq!(house.bearer(0, &made_up).await, StatusCode::UNAUTHORIZED);
}

/// A server somewhere else asks (RFC 7662).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_takes_them_by_asking() {
    let house = House::start(1, None).await;
    let mut secret = NamedTempFile::new().unwrap();
    write!(secret, "{SECRET}").unwrap();
    let mut config = NamedTempFile::with_suffix(".toml").unwrap();
    write!(
        config,
        "listen = \"127.0.0.1:0\"\n[server]\nupstream = \"{}\"\narrangement = \"external\"\n\
         [[server.issuers]]\nissuer = \"http://localhost:{}\"\naudiences = [\"{}\"]\n\
         introspection = {{ client_id = \"rs\", secret_file = \"{}\" }}\n\
         [server.scopes]\ndefault = [\"notes:read\"]\n",
        house.upstream.url("/mcp"),
        house.ports[0],
        house.endpoint(),
        secret.path().display(),
    )
    .unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut elsewhere = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
    let endpoint = elsewhere.value_of("MCP endpoint");
    let call = async |token: &str| {
        house.http.post(&endpoint).bearer_auth(token).body("{}").send().await.unwrap().status()
    };
    let token = house.token(0).await;
    assert_eq!(call(&token).await, StatusCode::OK);
    let revoked = house.token(0).await;
    house.post(0, "/revoke", "robot", &[("token", &revoked)]).await;
    assert_eq!(call(&revoked).await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&token[..46]).await, StatusCode::UNAUTHORIZED);
}

#[test]
fn who_issues_no_tokens_has_no_opaque_ones() {
    let data = tempfile::tempdir().unwrap();
    for (lines, said) in [
        (
            "access_tokens = \"opaque\"\narrangement = \"external\"\n[[server.issuers]]\nissuer = \"https://a.example\"",
            "hallpass issues no access tokens",
        ),
        ("access_tokens = \"random\"", "`jwt` or `opaque`"),
    ] {
        let mut config = NamedTempFile::with_suffix(".toml").unwrap();
        write!(config, "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n{lines}\n").unwrap();
        let output = run(data.path(), &["config", "check", config.path().to_str().unwrap()]);
        let text = complained(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(said) && (text.contains(":3:") || text.contains("line 3")), "{text}");
    }
}

//! hallpass, a server behind it that notes what arrives, and sockets to say anything at all.

use std::time::Duration;

use hallpass_testkit::upstream::Upstream;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{Serving, run_with_input, said};

const SECRET: &str = "a-secret-of-20-characters-or-more";

/// Longer than any answer; only a connection that is kept open for ever takes it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What others send carries it, so that it can be told apart.
const OTHERS: &str = "x-others";

/// A request as the server behind hallpass has seen it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) target: String,
    pub(super) body: String,
}

pub(super) struct Lab {
    endpoint: String,
    token: String,
    upstream: Upstream,
    http: reqwest::Client,
    _serving: Serving,
    _config: NamedTempFile,
    _data: TempDir,
}

impl Lab {
    /// With a rule for methods, so that bodies are looked into.
    pub(super) async fn start() -> Self {
        let (upstream, data) = (Upstream::start().await, tempfile::tempdir().unwrap());
        let config = NamedTempFile::with_suffix(".toml").unwrap();
        let text = format!(
            "[server]\nupstream = \"{}\"\n[server.scopes]\ndefault = [\"mcp:use\"]\n\
             [server.methods]\n\"forbidden/*\" = \"deny\"\n",
            upstream.url("/mcp")
        );
        std::fs::write(config.path(), text).unwrap();
        let with = ["--config", config.path().to_str().unwrap()];
        let robot = ["client", "add", "--id", "robot", "--grant", "client_credentials", "--secret-stdin"];
        said(&run_with_input(data.path(), &[&with[..], &robot].concat(), &format!("{SECRET}\n")));
        let mut serving = Serving::start(data.path(), &[&with[..], &["--listen", "localhost:0"]].concat());
        let endpoint = serving.value_of("MCP endpoint");
        let http = reqwest::Client::new();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", SECRET),
            ("resource", &endpoint),
        ];
        let asked = http.post(endpoint.replace("/mcp", "/token")).form(&form).send().await.unwrap();
        let tokens: Value = asked.error_for_status().unwrap().json().await.unwrap();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        Self { endpoint, token, upstream, http, _serving: serving, _config: config, _data: data }
    }

    /// `localhost:PORT`.
    pub(super) fn host(&self) -> &str {
        self.endpoint.trim_start_matches("http://").trim_end_matches("/mcp")
    }

    /// What a good credential says.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// The head of a request with a token: its request line and these fields.
    pub(super) fn head(&self, line: &str, fields: &[&str]) -> String {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!(
            "{line}\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{fields}",
            self.host(),
            self.token
        )
    }

    /// A request with a token and a body of that length, and these fields beside.
    pub(super) fn request(&self, fields: &[&str], body: &str) -> Vec<u8> {
        let length = format!("Content-Length: {}", body.len());
        let fields = [fields, &[&length]].concat();
        format!("{}\r\n{body}", self.head("POST /mcp HTTP/1.1", &fields)).into_bytes()
    }

    /// A connection on which this has been said.
    pub(super) async fn saying(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.host()).await.unwrap();
        // Whoever has heard enough closes before all is said.
        drop(stream.write_all(bytes).await);
        stream
    }

    /// All that hallpass answers to this until it closes the connection by itself; nothing where it keeps it open.
    pub(super) async fn until_closed(&self, bytes: &[u8]) -> Option<String> {
        let stream = TcpStream::connect(self.host()).await.unwrap();
        let (mut answers, mut says) = stream.into_split();
        let bytes = bytes.to_vec();
        let saying = tokio::spawn(async move {
            drop(says.write_all(&bytes).await);
            says
        });
        let mut answered = Vec::new();
        // What was answered before a reset is an answer.
        let read = tokio::time::timeout(PATIENCE, answers.read_to_end(&mut answered)).await;
        saying.abort();
        read.is_ok().then(|| String::from_utf8_lossy(&answered).into_owned())
    }

    /// What the server behind has seen so far, but for what others sent.
    pub(super) fn received(&self) -> Vec<Seen> {
        let received = self.upstream.received().into_iter();
        let probes = received.filter(|request| !request.headers.contains_key(OTHERS));
        probes
            .map(|request| Seen {
                target: request.target.to_string(),
                body: String::from_utf8_lossy(&request.body).into_owned(),
            })
            .collect()
    }

    /// Somebody else is served, with a token and without.
    pub(super) async fn others_are_served(&self, after: &str) {
        let request = || self.http.post(&self.endpoint).header(OTHERS, "1").body(super::corpus::PING);
        let answer = request().bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "after {after}");
        assert!(answer.text().await.unwrap().contains("result"), "after {after}");
        assert_eq!(request().send().await.unwrap().status(), 401, "after {after}");
    }
}

/// The status of each answer, in order.
pub(super) fn statuses(answered: &str) -> Vec<u16> {
    let heads = answered.match_indices("HTTP/1.1 ").map(|(at, _)| &answered[at + 9..]);
    heads.map(|head| head[..3].parse().unwrap()).collect()
}

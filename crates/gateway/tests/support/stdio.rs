//! Clients of a stdio server, and its processes.

use std::path::PathBuf;

use axum::body::Body;
use axum::response::Response;
use hallpass_gateway::StdioCommand;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Protected;

pub(crate) const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;

/// A server of the revisions that have `initialize`.
pub(crate) fn program() -> StdioCommand {
    example("echo_stdio")
}

/// A server of 2026-07-28; with `both`, `silent` or `frail`, another one.
pub(crate) fn modern(kind: &str) -> StdioCommand {
    StdioCommand { arguments: vec![kind.into()], ..example("modern_stdio") }
}

/// cargo builds examples with the tests, beside them.
fn example(name: &str) -> StdioCommand {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    StdioCommand::new(
        [PathBuf::from("examples"), name.into()].iter().fold(folder, |path, part| path.join(part)),
    )
}

/// A client within a session.
pub(crate) struct Client<'g> {
    pub(crate) gateway: &'g Protected,
    pub(crate) token: String,
    pub(crate) session: HeaderValue,
}

impl<'g> Client<'g> {
    pub(crate) async fn begin(gateway: &'g Protected) -> Self {
        Self::begin_as(gateway, "alice").await
    }

    pub(crate) async fn begin_as(gateway: &'g Protected, subject: &str) -> Self {
        Self::begin_with(gateway, gateway.token_for(subject, "notes:read")).await
    }

    pub(crate) async fn begin_with(gateway: &'g Protected, token: String) -> Self {
        let request = gateway.request_as(&token, "POST").body(INITIALIZE.into()).unwrap();
        let response = gateway.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"].clone();
        let answers = Events::of(response).rest().await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(
            (&answers[0]["id"], &answers[0]["result"]["protocolVersion"]),
            (&json!(0), &json!("2025-11-25"))
        );
        assert_eq!(answers[0]["result"]["serverInfo"]["name"], "echo");
        Self { gateway, token, session }
    }

    pub(crate) fn request(&self, method: &str) -> http::request::Builder {
        self.gateway
            .request_as(&self.token, method)
            .header("mcp-session-id", self.session.clone())
            .header("mcp-protocol-version", "2025-11-25")
    }

    pub(crate) async fn post(&self, body: &Value) -> Response {
        self.gateway.send(self.request("POST").body(body.to_string().into()).unwrap()).await
    }

    pub(crate) async fn call(&self, id: i64, method: &str, params: Value) -> Response {
        self.post(&json!({"jsonrpc":"2.0","id":id,"method":method,"params":params})).await
    }

    pub(crate) async fn result(&self, id: i64, method: &str, params: Value) -> Value {
        let mut answers = Events::of(self.call(id, method, params).await).rest().await;
        let answer = answers.pop().unwrap();
        assert_eq!(answer["id"], id);
        answer["result"].clone()
    }

    pub(crate) async fn listen(&self) -> Response {
        self.gateway.send(self.request("GET").body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn end(&self) -> Response {
        self.gateway.send(self.request("DELETE").body(Body::empty()).unwrap()).await
    }
}

/// Reads Server-Sent Events.
pub(crate) struct Events {
    pub(crate) body: Body,
    pub(crate) text: String,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body(), text: String::new() }
    }

    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                match data {
                    Some(data) => return Some(serde_json::from_str(data).unwrap()),
                    None => continue,
                }
            }
            let frame = self.body.frame().await?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    pub(crate) async fn rest(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// Whether a process is there and runs.
pub(crate) fn runs(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub(crate) async fn until_gone(pid: u64) {
    let mut turns = 0_u64;
    while runs(pid) {
        // The kernel ends a killed process in its own time; turns are counted, not seconds.
        turns += 1;
        assert!(turns < 50_000_000, "process {pid} is still there");
        tokio::task::yield_now().await;
    }
}

/// Time stands still, whatever is waited for: it goes on by [`pass`] alone. Without this, tokio's paused time runs ahead of
/// every process. For tests that begin with paused time.
pub(crate) struct Frozen(#[allow(dead_code)] std::sync::mpsc::Sender<()>);

pub(crate) fn freeze() -> Frozen {
    let (held, over) = std::sync::mpsc::channel();
    // tokio: paused time does not advance by itself while a blocking task runs.
    tokio::task::spawn_blocking(move || over.recv().is_err());
    Frozen(held)
}

pub(crate) async fn pass(time: std::time::Duration) {
    tokio::time::advance(time).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

//! What is logged and counted of requests, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use hallpass_gateway::Upstream;
use hallpass_gateway::edge::metrics::text::Text;
use hallpass_gateway::edge::{Edge, Lines, Metrics, Rotation, Sink, Watch};
use hallpass_gateway::listen::{Connections, serve};
use hallpass_gateway::upstream::told::Told;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use support::{Protected, protect, soon};
use tempfile::TempDir;
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct House {
    protected: Protected,
    url: String,
    folder: TempDir,
    lines: Lines,
    metrics: Arc<Metrics>,
    client: reqwest::Client,
}

/// Upstream says what it was told. A GET gets a stream of one event, a call of `hang` nothing.
fn upstream() -> Router {
    Router::new().fallback(async |headers: HeaderMap, method: Method, body: String| {
        if method == Method::GET {
            return ([("content-type", "text/event-stream")], Body::from("data: 1\n\n"));
        }
        if body.contains("hang") {
            std::future::pending::<()>().await;
        }
        ([("content-type", "application/json")], Body::from(told(&headers)))
    })
}

fn told(headers: &HeaderMap) -> String {
    let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    json!({ "request": told("x-hallpass-request"), "traceparent": told("traceparent") }).to_string()
}

async fn house() -> House {
    house_before(Upstream::service(upstream())).await
}

async fn house_before(upstream: Upstream) -> House {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let sink = Sink::File { path: folder.path().join("log"), rotation: Rotation::default() };
    let lines = Lines::start(sink, metrics.lost_lines(), SystemTime::now).unwrap();
    let watch = Watch {
        metrics: Arc::clone(&metrics),
        access: Some(lines.clone()),
        spans: None,
        now: SystemTime::now,
    };
    let edge = Edge::default().watched_by(watch);
    let protected = protect(upstream, true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Connections { edge, ..Connections::default() };
    tokio::spawn(serve(listener, protected.router.clone(), connections, std::future::pending()));
    House { protected, url, folder, lines, metrics, client: reqwest::Client::new() }
}

impl House {
    fn post(&self, body: &str) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}/mcp?key=canary-query", self.url));
        let request = request.header("host", "localhost:8080").header("content-type", "application/json");
        request.bearer_auth(self.protected.token("notes:read")).body(body.to_owned())
    }

    /// All lines, once there are so many.
    async fn log(&self, count: usize) -> Vec<Value> {
        loop {
            self.lines.flush();
            let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if lines.len() >= count {
                assert!(!text.contains("canary"), "{text}");
                return lines;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The text for Prometheus, once it has that line.
    async fn counted(&self, line: &str) -> String {
        loop {
            let mut text = Text::default();
            self.metrics.write(&mut text);
            let text = text.into_string();
            if text.lines().any(|other| other == line) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"x": "canary-argument"}}})
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_line_for_each_request() {
    let house = house().await;
    let answer = soon(house.post(&call("read_notes")).send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let length = answer.bytes().await.unwrap().len();
    let lines = soon(house.log(1)).await;
    let line = &lines[0];
    for (member, value) in [
        ("log", json!("access")),
        ("address", json!("127.0.0.1")),
        ("method", json!("POST")),
        ("path", json!("/mcp")),
        ("status", json!(200)),
        ("server", json!(support::RESOURCE)),
        ("subject", json!("alice")),
        ("rpc", json!("tools/call")),
        ("name", json!("read_notes")),
        ("decision", json!("permitted")),
        ("bytes", json!(length)),
    ] {
        assert_eq!(line[member], value, "{member}: {line}");
    }
    assert!(
        line["client"].is_string() && line["ms"].as_f64().unwrap() >= line["own_ms"].as_f64().unwrap(),
        "{line}"
    );
    assert_eq!((line.get("rule"), line.get("peer")), (None, None), "{line}");
}

/// Who was refused is said as far as it is known, and by which rule.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_rule_and_no_secret() {
    let house = house().await;
    let denied = house.post(&call("write_notes"));
    let bad = house.post(&call("read_notes")).header("authorization", "Bearer canary-token");
    let twice = house
        .client
        .post(format!("{}/mcp", house.url))
        .bearer_auth("canary-token")
        .header("host", "localhost:8080");
    let foreign = house.client.get(format!("{}/mcp?token=canary", house.url)).bearer_auth("canary");
    let nowhere =
        house.client.get(format!("{}/nowhere?token=canary", house.url)).header("host", "localhost:8080");
    for (at, (request, status, rule, subject)) in [
        (denied, 403, Some("insufficient_scope"), Some("alice")),
        (bad, 400, Some("several_credentials"), None),
        (twice, 401, Some("token_malformed"), None),
        (foreign, 403, Some("foreign_host"), None),
        (nowhere, 404, None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = soon(request.send()).await.unwrap();
        assert_eq!(answer.status(), status);
        drop(answer.bytes().await);
        let line = soon(house.log(at + 1)).await.remove(at);
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line.get("rule").and_then(Value::as_str), rule, "{line}");
        assert_eq!(line.get("decision").and_then(Value::as_str), rule.map(|_| "refused"), "{line}");
        assert_eq!(line.get("subject").and_then(Value::as_str), subject, "{line}");
    }
    let text = house.counted(r#"hallpass_requests_total{server="",status="4xx",decision="none"} 1"#).await;
    assert!(text.contains(r#"hallpass_refusals_total{server="",rule="foreign_host"} 1"#), "{text}");
    let denied = r#"hallpass_refusals_total{server="http://localhost:8080/mcp",rule="insufficient_scope"} 1"#;
    assert!(text.contains(denied) && !text.contains("canary"), "{text}");
}

/// The trace goes on as it came; its id names the request in the log and to upstream, whatever a client says of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_name_everywhere() {
    let house = house().await;
    let trace = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let request = house.post(&call("a")).header("traceparent", &trace).header("x-hallpass-request", "canary");
    let told: Value =
        serde_json::from_str(&soon(request.send()).await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(told, json!({ "request": TRACE, "traceparent": trace }));
    let made = house.post(&call("b")).header("x-hallpass-request", "canary");
    let told: Value = serde_json::from_str(&soon(made.send()).await.unwrap().text().await.unwrap()).unwrap();
    let lines = soon(house.log(2)).await;
    assert_eq!(lines[0]["id"], TRACE);
    assert_eq!((&lines[1]["id"], &Value::Null), (&told["request"], &told["traceparent"]));
    assert_ne!(lines[1]["id"], TRACE);
}

/// What the operator says in a field is said there alone; the request keeps its name in the log.
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_word_stands_where_the_requests_name_would() {
    let own =
        Told::default().with_own("x-hallpass-request".parse().unwrap(), HeaderValue::from_static("own"));
    let house = house_before(Upstream::service(upstream()).telling(own)).await;
    let trace = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let request = house.post(&call("a")).header("traceparent", &trace).header("x-hallpass-request", "canary");
    let told: Value =
        serde_json::from_str(&soon(request.send()).await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(told, json!({ "request": "own", "traceparent": trace }));
    assert_eq!(soon(house.log(1)).await[0]["id"], TRACE);
}

/// A client that leaves has no answer, and its request is no secret.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_early_is_logged() {
    let house = house().await;
    let asked = house.post(&call("hang")).timeout(Duration::from_millis(300)).send();
    assert!(soon(asked).await.is_err());
    let line = soon(house.log(1)).await.remove(0);
    assert_eq!(
        (&line["status"], &line["name"], &line["decision"]),
        (&Value::Null, &json!("hang"), &json!("permitted"))
    );
    let counted =
        r#"hallpass_requests_total{server="http://localhost:8080/mcp",status="none",decision="permitted"} 1"#;
    soon(house.counted(counted)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_open_until_it_ends_and_has_no_length() {
    let house = house().await;
    let listening = house.client.get(format!("{}/mcp", house.url)).header("host", "localhost:8080");
    let listening = listening.bearer_auth(house.protected.token("notes:read"));
    let answer = soon(listening.send()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "data: 1\n\n");
    soon(house.post(&call("a")).send()).await.unwrap().bytes().await.unwrap();
    let server = r#"server="http://localhost:8080/mcp""#;
    let counted = format!("hallpass_requests_total{{{server},status=\"2xx\",decision=\"permitted\"}} 2");
    let text = soon(house.counted(&counted)).await;
    assert!(text.contains(&format!("hallpass_open_streams{{{server}}} 0\n")), "{text}");
    assert!(text.contains(&format!("hallpass_request_seconds_count{{{server}}} 1\n")), "{text}");
    assert!(text.contains(&format!("hallpass_own_seconds_count{{{server}}} 2\n")), "{text}");
    assert_eq!(soon(house.log(2)).await[0]["bytes"], 9);
}

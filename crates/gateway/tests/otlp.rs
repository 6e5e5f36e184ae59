//! Spans of requests, as a collector in this process gets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hallpass_gateway::Upstream;
use hallpass_gateway::edge::spans::{Collector, Spans};
use hallpass_gateway::edge::{Edge, Metrics, Proxies, Watch};
use hallpass_gateway::listen::{Connections, serve};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use support::{Protected, protect, soon};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Status, field and value.
type Answer = (u16, &'static str, &'static str);

/// A collector: what it gets, and what it answers, in this order; after that it takes everything.
#[derive(Clone)]
struct Collects {
    got: UnboundedSender<(HeaderMap, Value)>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

async fn collect(State(collects): State<Collects>, headers: HeaderMap, body: String) -> Response {
    collects.got.send((headers, serde_json::from_str(&body).unwrap())).unwrap();
    let next = collects.answers.lock().unwrap().pop();
    let (status, after, body) = next.unwrap_or((200, "0", "{}"));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", after)], body).into_response()
}

struct House {
    protected: Protected,
    url: String,
    got: UnboundedReceiver<(HeaderMap, Value)>,
    lost: Arc<AtomicU64>,
    stop: CancellationToken,
    exports: JoinHandle<()>,
    client: reqwest::Client,
}

async fn bound(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, router, Connections::default(), std::future::pending()));
    url
}

/// What upstream is told of the trace.
fn upstream() -> Router {
    Router::new().fallback(async |headers: HeaderMap| {
        let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        json!({ "traceparent": told("traceparent"), "tracestate": told("tracestate") }).to_string()
    })
}

async fn house(ratio: f64, mut answers: Vec<Answer>) -> House {
    let (sender, got) = unbounded_channel();
    answers.reverse();
    let collects = Collects { got: sender, answers: Arc::new(Mutex::new(answers)) };
    let collector = bound(Router::new().route("/v1/traces", post(collect)).with_state(collects)).await;
    house_before(format!("{collector}/v1/traces"), ratio, got, Proxies::default()).await
}

async fn house_before(
    endpoint: String,
    ratio: f64,
    got: UnboundedReceiver<(HeaderMap, Value)>,
    proxies: Proxies,
) -> House {
    let metrics = Arc::new(Metrics::default());
    let lost = metrics.lost_spans();
    let fields = vec![("x-api-key".parse().unwrap(), "key".parse().unwrap())];
    let collector =
        Collector { endpoint: endpoint.parse().unwrap(), fields, service: "gate".to_owned(), ratio };
    let (spans, exporter) = Spans::to(collector, Arc::clone(&lost)).unwrap();
    let stop = CancellationToken::new();
    let exports = tokio::spawn(exporter.run(stop.clone()));
    let watch = Watch { metrics, access: None, spans: Some(spans), now: SystemTime::now };
    let protected = protect(Upstream::service(upstream()), true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections =
        Connections { edge: Edge::default().watched_by(watch).behind(proxies), ..Connections::default() };
    tokio::spawn(serve(listener, protected.router.clone(), connections, std::future::pending()));
    House { protected, url, got, lost, stop, exports, client: reqwest::Client::new() }
}

impl House {
    /// Calls that tool; what upstream was told, if it was asked.
    async fn call(&self, tool: &str, fields: &[(&str, &str)]) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"x": "canary-argument"}}});
        let mut request = self.client.post(format!("{}/mcp?key=canary-query", self.url));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.header("host", "localhost:8080").header("content-type", "application/json");
        let request = request.bearer_auth(self.protected.token("notes:read")).body(body.to_string());
        let answer = soon(request.send()).await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// The spans of the next document.
    async fn spans(&mut self) -> Vec<Value> {
        let (headers, document) = soon(self.got.recv()).await.unwrap();
        assert_eq!(
            (&headers["content-type"], &headers["x-api-key"]),
            (&"application/json".parse().unwrap(), &"key".parse().unwrap())
        );
        let text = document.to_string();
        assert!(!text.contains("canary") && !text.contains("alice") && !text.contains("eyJ"), "{text}");
        document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    }

    /// Ends, with what is left.
    async fn end(self) -> (Vec<Value>, u64) {
        self.stop.cancel();
        soon(self.exports).await.unwrap();
        let mut got = self.got;
        let mut spans = Vec::new();
        while let Ok((_, document)) = got.try_recv() {
            spans.extend(document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone());
        }
        (spans, self.lost.load(Ordering::Relaxed))
    }
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key);
    found.map_or(&Value::Null, |one| one["value"].as_object().unwrap().values().next().unwrap())
}

/// A client's trace goes on: its span is the parent of ours, and ours of upstream's.
#[tokio::test(flavor = "multi_thread")]
async fn a_span_is_a_child_of_the_clients_and_upstreams_of_it() {
    let mut house = house(1.0, Vec::new()).await;
    let came = format!("00-{TRACE}-{PARENT}-01");
    let told = house.call("read_notes", &[("traceparent", &came), ("tracestate", "a=1,b=2")]).await;
    let span = house.spans().await.remove(0);
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(TRACE), &json!(PARENT)), "{span}");
    let expected = format!("00-{TRACE}-{}-01", span["spanId"].as_str().unwrap());
    assert_eq!(told, json!({ "traceparent": expected, "tracestate": "a=1,b=2" }));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("url.path", "/mcp"),
        ("http.response.status_code", "200"),
        ("mcp.method.name", "tools/call"),
        ("gen_ai.tool.name", "read_notes"),
        ("hallpass.server", support::RESOURCE),
        ("hallpass.decision", "permitted"),
        ("hallpass.request_id", TRACE),
    ] {
        assert_eq!(attribute(&span, key), value, "{key}: {span}");
    }
    assert!(attribute(&span, "hallpass.own_ms").is_number() && attribute(&span, "hallpass.rule").is_null());
    assert_eq!(span["name"], "tools/call read_notes");
    house.call("write_notes", &[("traceparent", &came)]).await;
    let span = house.spans().await.remove(0);
    for (key, value) in [
        ("http.response.status_code", "403"),
        ("hallpass.decision", "refused"),
        ("hallpass.rule", "insufficient_scope"),
    ] {
        assert_eq!(attribute(&span, key), value, "{key}: {span}");
    }
}

/// What a client does not want recorded is not, and goes by as it is; one of its own mistakes is no trace.
#[tokio::test(flavor = "multi_thread")]
async fn the_ratio_decides_and_a_client_has_less_recorded_and_never_more() {
    let none = house(0.0, Vec::new()).await;
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    let told = none.call("a", &[("traceparent", &unsampled), ("tracestate", "a=1")]).await;
    assert_eq!(told, json!({ "traceparent": unsampled, "tracestate": "a=1" }));
    // What a stranger wants recorded is what everybody has of them.
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let told = none.call("a", &[("traceparent", &sampled), ("tracestate", "a=1")]).await;
    assert_eq!(told, json!({ "traceparent": sampled, "tracestate": "a=1" }), "as it is");
    let told = none.call("b", &[("tracestate", "a=1")]).await;
    let said = told["traceparent"].as_str().unwrap();
    assert!(said.ends_with("-00") && !said.contains(TRACE) && told["tracestate"].is_null(), "{told}");
    assert_eq!(none.end().await, (Vec::new(), 0));

    let all = house(1.0, Vec::new()).await;
    let told = all.call("a", &[("traceparent", &unsampled)]).await;
    assert_eq!(told["traceparent"], unsampled);
    let long = "0".repeat(8000);
    for bad in [
        &[("traceparent", "00-canary")][..],
        &[("traceparent", &long)],
        &[("traceparent", &sampled), ("traceparent", &sampled)],
    ] {
        let told = all.call("b", &[bad, &[("tracestate", "a=1")]].concat()).await;
        let said = told["traceparent"].as_str().unwrap();
        assert!(said.len() == 55 && said.ends_with("-01") && !said.contains(TRACE), "{told}");
        assert!(told["tracestate"].is_null(), "it belongs to a trace that is none: {told}");
    }
    let (spans, lost) = all.end().await;
    assert_eq!((spans.len(), lost), (3, 0));
    assert!(spans.iter().all(|span| span.get("parentSpanId").is_none()), "{spans:?}");
}

/// A listed proxy decides by itself what of its requests is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_a_listed_proxy_counts_whatever_the_ratio() {
    for (network, recorded) in [("127.0.0.0/8", 1), ("10.0.0.0/8", 0)] {
        let (sender, got) = unbounded_channel();
        let collects = Collects { got: sender, answers: Arc::default() };
        let collector = bound(Router::new().route("/v1/traces", post(collect)).with_state(collects)).await;
        let proxies = Proxies { listed: vec![network.parse().unwrap()], ..Proxies::default() };
        let house = house_before(format!("{collector}/v1/traces"), 0.0, got, proxies).await;
        house.call("a", &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
        house.call("a", &[("traceparent", &format!("00-{TRACE}-{PARENT}-00"))]).await;
        assert_eq!(house.end().await.0.len(), recorded, "{network}");
    }
}

/// OTLP 1, "Retryable Response Codes".
#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_wants_later_is_sent_again_and_what_it_never_takes_is_lost() {
    let mut house =
        house(1.0, vec![(503, "0", "busy"), (429, "0", ""), (200, "0", "{}"), (400, "0", "bad")]).await;
    house.call("a", &[]).await;
    let first = house.spans().await;
    assert_eq!(house.spans().await, first);
    assert_eq!(house.spans().await, first);
    assert_eq!(house.lost.load(Ordering::Relaxed), 0);
    house.call("b", &[]).await;
    house.spans().await;
    while house.lost.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    house.call("c", &[]).await;
    assert_eq!(house.spans().await[0]["name"], "tools/call c");
    assert_eq!(house.end().await, (Vec::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_rejects_is_lost() {
    let rejects = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}"#;
    let house = house(1.0, vec![(200, "0", rejects)]).await;
    house.call("a", &[]).await;
    let (spans, lost) = house.end().await;
    assert_eq!((spans.len(), lost), (1, 1));
}

/// A collector that is away costs nobody an answer, and the end is not waited for long.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_requests_are_answered_and_spans_are_lost() {
    let (_sender, got) = unbounded_channel();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let house = house_before(format!("http://{gone}/v1/traces"), 1.0, got, Proxies::default()).await;
    for _ in 0..3 {
        assert!(house.call("a", &[]).await["traceparent"].is_string());
    }
    assert_eq!(house.end().await, (Vec::new(), 3));
}

/// Redirects lead nowhere: the fields are for this collector.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_sends_elsewhere_gets_nothing_more() {
    let (sender, mut got_elsewhere) = unbounded_channel();
    let collects = Collects { got: sender, answers: Arc::default() };
    let elsewhere = bound(Router::new().fallback(collect).with_state(collects)).await;
    let (sender, got) = unbounded_channel();
    let leads_there = async move |headers: HeaderMap, body: String| {
        sender.send((headers, serde_json::from_str(&body).unwrap())).unwrap();
        (StatusCode::TEMPORARY_REDIRECT, [("location", elsewhere)])
    };
    let collector = bound(Router::new().route("/v1/traces", post(leads_there))).await;
    let house = house_before(format!("{collector}/v1/traces"), 1.0, got, Proxies::default()).await;
    house.call("a", &[]).await;
    let (spans, lost) = house.end().await;
    assert_eq!((spans.len(), lost), (1, 1));
    assert!(got_elsewhere.try_recv().is_err());
}

//! Spans in OTLP's JSON (OpenTelemetry Protocol 1, "JSON Protobuf Encoding"): ids are hexadecimal, numbers of 64 bits are texts,
//! enumerations are numbers. Names of attributes are OpenTelemetry's own where it has one.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::span::Span;

/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`: the parent is elsewhere.
const PARENT_IS_REMOTE: u32 = 0x300;

/// `ExportTraceServiceRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Written<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<&'a str>,
    flags: u32,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(&'a str),
    /// 64 bits are a text in JSON.
    #[serde(rename = "intValue")]
    Whole(String),
    #[serde(rename = "doubleValue")]
    Real(f64),
}

/// The document that a collector takes.
pub(super) fn document(service: &str, spans: &[Span]) -> serde_json::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let attributes = vec![text("service.name", service), text("service.version", version)];
    let scope = Scope { name: "hallpass", version };
    let scope_spans = [ScopeSpans { scope, spans: spans.iter().map(written).collect() }];
    let resource_spans = [ResourceSpans { resource: Resource { attributes }, scope_spans }];
    serde_json::to_vec(&Request { resource_spans })
}

fn written(span: &Span) -> Written<'_> {
    let context = &span.context;
    let remote = context.parent.map_or(0, |_| PARENT_IS_REMOTE);
    Written {
        trace_id: digits(&context.trace),
        span_id: digits(&context.span),
        parent_span_id: context.parent.as_ref().map(|id| digits(id)),
        flags: u32::from(context.flags) | remote,
        name: name(span),
        kind: SERVER,
        start_time_unix_nano: nanoseconds(span.began),
        end_time_unix_nano: nanoseconds(span.began + span.took),
        attributes: attributes(span),
        // "Span status: … MUST be set to Error for 5xx", and left alone below, for a server.
        status: span.status.filter(|status| *status >= 500).map(|_| Status { code: ERROR }),
    }
}

fn digits(id: &[u8]) -> &str {
    std::str::from_utf8(id).unwrap_or_default()
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// The JSON-RPC method, with the tool or prompt; of anything else HTTP's. Never what there are too many of: paths, URIs.
fn name(span: &Span) -> String {
    let Some(words) = &span.words else { return span.method.clone() };
    match words.name.as_ref().filter(|_| attribute_of(&words.method) != RESOURCE) {
        Some(name) => format!("{} {name}", words.method),
        None => words.method.clone(),
    }
}

const RESOURCE: &str = "mcp.resource.uri";

/// What a method's name is the name of.
fn attribute_of(method: &str) -> &'static str {
    match method {
        "tools/call" => "gen_ai.tool.name",
        "prompts/get" => "gen_ai.prompt.name",
        _ => RESOURCE,
    }
}

fn attributes(span: &Span) -> Vec<Attribute<'_>> {
    let words = span.words.as_ref();
    let name = words.and_then(|words| Some(text(attribute_of(&words.method), words.name.as_deref()?)));
    let more = words.filter(|words| words.more > 0).map(|words| int("hallpass.more", words.more));
    [
        Some(text("http.request.method", &span.method)),
        Some(text("url.path", &span.path)),
        span.status.map(|status| int("http.response.status_code", status)),
        words.map(|words| text("mcp.method.name", &words.method)),
        name,
        more,
        span.server.as_deref().map(|server| text("hallpass.server", server)),
        span.decision.map(|decision| text("hallpass.decision", decision)),
        span.rule.map(|rule| text("hallpass.rule", rule)),
        span.own.map(|own| Attribute { key: "hallpass.own_ms", value: Value::Real(milliseconds(own)) }),
        Some(text("hallpass.request_id", digits(&span.context.trace))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn text<'a>(key: &'static str, value: &'a str) -> Attribute<'a> {
    Attribute { key, value: Value::Text(value) }
}

fn int<'a>(key: &'static str, value: impl ToString) -> Attribute<'a> {
    Attribute { key, value: Value::Whole(value.to_string()) }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::context::Context;
    use super::*;
    use crate::edge::words::Words;

    fn span() -> Span {
        let context = Context { trace: [b'a'; 32], span: [b'b'; 16], parent: Some([b'c'; 16]), flags: 1 };
        Span {
            context,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            took: Duration::from_micros(1_500),
            own: Some(Duration::from_micros(250)),
            method: "POST".to_owned(),
            path: "/mcp".to_owned(),
            status: Some(403),
            server: Some("https://h/mcp".to_owned()),
            words: Some(Words { method: "tools/call".to_owned(), name: Some("pu\nrge".to_owned()), more: 0 }),
            decision: Some("refused"),
            rule: Some("denied"),
        }
    }

    fn one(span: Span) -> serde_json::Value {
        let document = document("gate", &[span]).unwrap();
        let mut read: serde_json::Value = serde_json::from_slice(&document).unwrap();
        read["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take()
    }

    #[test]
    fn a_document_is_as_otlp_has_it() {
        let read: serde_json::Value = serde_json::from_slice(&document("gate", &[span()]).unwrap()).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let expected = json!({ "resourceSpans": [{
            "resource": { "attributes": [text("service.name", "gate"), text("service.version", version)] },
            "scopeSpans": [{
                "scope": { "name": "hallpass", "version": version },
                "spans": [{
                    "traceId": "a".repeat(32),
                    "spanId": "b".repeat(16),
                    "parentSpanId": "c".repeat(16),
                    "flags": 0x301,
                    "name": "tools/call pu\nrge",
                    "kind": 2,
                    "startTimeUnixNano": "1800000000000000000",
                    "endTimeUnixNano": "1800000000001500000",
                    "attributes": [
                        text("http.request.method", "POST"),
                        text("url.path", "/mcp"),
                        { "key": "http.response.status_code", "value": { "intValue": "403" } },
                        text("mcp.method.name", "tools/call"),
                        text("gen_ai.tool.name", "pu\nrge"),
                        text("hallpass.server", "https://h/mcp"),
                        text("hallpass.decision", "refused"),
                        text("hallpass.rule", "denied"),
                        { "key": "hallpass.own_ms", "value": { "doubleValue": 0.25 } },
                        text("hallpass.request_id", &"a".repeat(32)),
                    ],
                }],
            }],
        }] });
        assert_eq!(read, expected);
    }

    /// Names are what spans are counted by.
    #[test]
    fn a_name_is_one_of_few() {
        for (method, name, expected) in [
            ("prompts/get", Some("greet"), "prompts/get greet"),
            ("resources/read", Some("file:///x"), "resources/read"),
            ("tools/list", None, "tools/list"),
        ] {
            let words = Words { method: method.to_owned(), name: name.map(ToOwned::to_owned), more: 2 };
            let read = one(Span { words: Some(words), ..span() });
            assert_eq!(read["name"], expected);
        }
        assert_eq!(one(Span { words: None, ..span() })["name"], "POST");
    }

    #[test]
    fn what_fails_is_an_error_and_what_is_refused_is_none() {
        for (status, code) in [(Some(500), json!(2)), (Some(499), json!(null)), (None, json!(null))] {
            assert_eq!(one(Span { status, ..span() })["status"]["code"], code, "{status:?}");
        }
        let root = Context { parent: None, ..span().context };
        let read = one(Span { context: root, ..span() });
        assert_eq!((read.get("parentSpanId"), &read["flags"]), (None, &json!(1)));
    }
}

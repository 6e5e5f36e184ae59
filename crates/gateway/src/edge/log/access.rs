//! What a line of the access log says.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::super::observed::Details;
use super::super::words::word;
use super::rfc3339;
use crate::edge::RequestId;

/// Longer paths are cut, in bytes.
const LONGEST_PATH: usize = 1024;

/// What was asked, as far as it is known when the head of a request has come.
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) peer: IpAddr,
    /// The client's, where a listed proxy has told it.
    pub(crate) address: IpAddr,
    pub(crate) method: String,
    pub(crate) path: String,
}

impl Asked {
    /// The path alone: codes, links and keys stand in queries.
    pub(crate) fn cut(path: &str) -> String {
        path.get(..path.floor_char_boundary(LONGEST_PATH)).unwrap_or_default().to_owned()
    }
}

/// What was answered.
pub(crate) struct Answered {
    /// `None`: the client was gone before.
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    pub(crate) own: Option<Duration>,
    pub(crate) bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    log: &'static str,
    id: &'a str,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    method: &'a str,
    path: &'a str,
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_ms: Option<f64>,
    bytes: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The line, as JSON.
pub(crate) fn line(asked: &Asked, details: &Details, answered: &Answered, now: SystemTime) -> String {
    let words = details.words.as_ref();
    let caller = details.caller.as_ref();
    let line = Line {
        time: rfc3339(now),
        log: "access",
        id: asked.id.as_str(),
        address: asked.address,
        peer: (asked.peer != asked.address).then_some(asked.peer),
        method: &asked.method,
        path: &asked.path,
        status: answered.status,
        server: details.server.as_ref().map(|server| server.name()),
        tenant: details.tenant.as_deref(),
        subject: caller.map(|caller| word(caller.principal())),
        client: caller.map(|caller| word(caller.client_id())),
        rpc: words.map(|words| &*words.method),
        name: words.and_then(|words| words.name.as_deref()),
        more: words.map_or(0, |words| words.more),
        decision: details.decision.word(),
        rule: details.rule,
        ms: milliseconds(answered.took),
        own_ms: answered.own.map(milliseconds),
        bytes: answered.bytes,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// To the microsecond.
fn milliseconds(took: Duration) -> f64 {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::super::observed::Decision;
    use super::*;
    use crate::edge::words::Words;

    #[test]
    fn a_line_says_what_is_known_and_no_more() {
        let mut headers = HeaderMap::new();
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert("traceparent", trace.parse().unwrap());
        let asked = Asked {
            id: RequestId::of(&headers),
            peer: [10, 0, 0, 5].into(),
            address: [203, 0, 113, 9].into(),
            method: "POST".to_owned(),
            path: "/mcp".to_owned(),
        };
        let words = Words { method: "tools/call".to_owned(), name: Some("pu\nrge".to_owned()), more: 0 };
        let details = Details {
            decision: Decision::Refused,
            rule: Some("denied"),
            words: Some(words),
            ..Details::default()
        };
        let (took, own) = (Duration::from_micros(1_234), Some(Duration::from_micros(99)));
        let answered = Answered { status: Some(403), took, own, bytes: 77 };
        let text = line(&asked, &details, &answered, SystemTime::UNIX_EPOCH);
        assert_eq!(
            text,
            r#"{"time":"1970-01-01T00:00:00.000Z","log":"access","id":"4bf92f3577b34da6a3ce929d0e0e4736","address":"203.0.113.9","peer":"10.0.0.5","method":"POST","path":"/mcp","status":403,"rpc":"tools/call","name":"pu\nrge","decision":"refused","rule":"denied","ms":1.234,"own_ms":0.099,"bytes":77}"#
        );
        let gone = Answered { status: None, took, own: None, bytes: 0 };
        let asked = Asked { peer: asked.address, ..asked };
        let text = line(&asked, &Details::default(), &gone, SystemTime::UNIX_EPOCH);
        assert!(text.contains(r#""status":null"#) && !text.contains("peer") && !text.contains("decision"));
        assert_eq!(Asked::cut(&"é".repeat(2000)).len(), LONGEST_PATH);
    }
}

//! An MCP server's side of the wire, as cheap as it can be: an answer to each POST, a stream of events for each GET.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a tool answers.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 111\r\n\r\n\
{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"three notes were found\"}],\"isError\":false}}";

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
transfer-encoding: chunked\r\n\r\n";

/// What is in it.
pub(crate) const FOUND: &str = "three notes were found";

/// What the call of our own clients begins with.
const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call""#;

/// Of a stream with this in its request, an event comes every few milliseconds; of others, none.
pub(crate) const WITH_EVENTS: &str = "last-event-id: 0";
/// Before each event.
const PAUSE: Duration = Duration::from_millis(7);
/// Events of a stream.
pub(crate) const EVENTS: usize = 10;

/// Nanoseconds on the clock that both sides read.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Until the program ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move { drop(connection(stream).await) });
    }
}

async fn connection(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 2048];
    let mut filled = 0;
    loop {
        let length = loop {
            if let Some(length) = whole(&buffer[..filled])? {
                break length;
            }
            if filled == buffer.len() {
                buffer.resize(filled * 2, 0);
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        if buffer.starts_with(b"GET") {
            let lively = String::from_utf8_lossy(&buffer[..length]).to_lowercase().contains(WITH_EVENTS);
            return events(stream, lively).await;
        }
        match conversed(&buffer[..length]) {
            None => stream.write_all(ANSWER).await?,
            Some(answer) => stream.write_all(&answer).await?,
        }
        buffer.copy_within(length..filled, 0);
        filled -= length;
    }
}

/// The answer to all that is not the call of our own clients: a proxy that speaks MCP itself begins a conversation, and calls by
/// ids of its own.
fn conversed(request: &[u8]) -> Option<Vec<u8>> {
    let body = &request[request.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |end| end + 4)..];
    if body.starts_with(CALL) {
        return None;
    }
    let asked: Value = serde_json::from_slice(body).ok()?;
    let Some(id) = asked.get("id") else {
        return Some(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec());
    };
    let method = asked["method"].as_str().unwrap_or_default();
    let (tool, object) = ("search_notes", json!({ "type": "object" }));
    let result = match method {
        "initialize" => Some(json!({
            "protocolVersion": asked["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "load", "version": "1" },
        })),
        "tools/list" => Some(json!({ "tools": [{ "name": tool, "inputSchema": object }] })),
        "tools/call" => Some(json!({ "content": [{ "type": "text", "text": FOUND }], "isError": false })),
        "ping" => Some(json!({})),
        _ => None,
    };
    let answer = match result {
        Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        None => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "there is no such method" } })
        }
    };
    let body = answer.to_string();
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    Some([head, body].concat().into_bytes())
}

/// How long the first request is, once all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = request.parse(bytes)? else { return Ok(None) };
    let mut body = 0;
    for field in request.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            body = std::str::from_utf8(field.value)?.parse().context("a length")?;
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("this upstream reads no chunks");
        }
    }
    Ok((bytes.len() >= head + body).then_some(head + body))
}

/// Each event says when it was sent. The stream stays open until the client leaves.
async fn events(mut stream: TcpStream, lively: bool) -> Result<()> {
    stream.write_all(STREAM).await?;
    for _ in 0..if lively { EVENTS } else { 0 } {
        tokio::time::sleep(PAUSE).await;
        let event = format!("data: {:020}\n\n", now());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Option<String> {
        let request = format!("POST /mcp HTTP/1.1\r\nhost: x\r\n\r\n{body}");
        conversed(request.as_bytes()).map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn who_speaks_mcp_is_answered_by_its_own_ids() {
        assert_eq!(asked(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#), None);
        let answer = asked(
            r#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#,
        );
        let answer = answer.unwrap();
        assert!(answer.contains(r#""id":7"#) && answer.contains("2025-11-25"), "{answer}");
        assert!(
            asked(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap().contains(" 202 ")
        );
        assert!(asked(r#"{"jsonrpc":"2.0","id":8,"method":"server/discover"}"#).unwrap().contains("-32601"));
    }
}

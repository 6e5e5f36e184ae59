//! A tool that has changed wants other header fields (MCP 2026-07-28, "Custom Headers from Tool Parameters").

use hallpass_client::connect::Options;
use hallpass_testkit::upstream::{Upstream, plain};
use http::StatusCode;
use serde_json::{Value, json};

use crate::connect::Local;

fn start(upstream: &Upstream) -> Local {
    let client = hallpass_client::Client::builder(upstream.url("/mcp").as_str()).unwrap();
    Local::start_with(client, Options::default())
}

fn answers<const N: usize>(upstream: &Upstream, answers: [(StatusCode, String); N]) {
    for (status, text) in answers {
        upstream.answer(plain(status, text));
    }
}

fn call() -> Value {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 9});
    let params = json!({"name": "pay", "arguments": {"region": "eu"}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})
}

fn mismatch() -> (StatusCode, String) {
    let error = json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32020, "message": "Header mismatch"}});
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn page(tool: &str, mark: Option<&str>, next: Option<&str>) -> (StatusCode, String) {
    let mut region = json!({"type": "string"});
    if let Some(mark) = mark {
        region["x-mcp-header"] = json!(mark);
    }
    let schema = json!({"type": "object", "properties": {"region": region}});
    let mut result = json!({"tools": [{"name": tool, "inputSchema": schema}]});
    if let Some(next) = next {
        result["nextCursor"] = json!(next);
    }
    (StatusCode::OK, json!({"jsonrpc": "2.0", "id": "x", "result": result}).to_string())
}

fn done() -> (StatusCode, String) {
    (StatusCode::OK, json!({"jsonrpc": "2.0", "id": 7, "result": {"paid": true}}).to_string())
}

#[tokio::test]
async fn the_tools_are_listed_again_and_the_call_goes_once_more() {
    let upstream = Upstream::start().await;
    answers(
        &upstream,
        [mismatch(), page("other", None, Some("2")), page("pay", Some("Region"), None), done()],
    );
    let mut local = start(&upstream);
    local.say(&call()).await;
    assert_eq!(local.hear().await["result"]["paid"], true);
    assert!(local.close().await.is_empty(), "the list is nobody's to see");
    let received = upstream.received();
    let fields: Vec<_> = received.iter().map(|r| r.headers.get("mcp-param-region")).collect();
    assert_eq!(fields[..3], [None, None, None]);
    assert_eq!(fields[3].unwrap(), "eu");
    let listed: Value = serde_json::from_slice(&received[2].body).unwrap();
    assert_eq!((&listed["method"], &listed["params"]["cursor"]), (&json!("tools/list"), &json!("2")));
    assert!(listed["params"]["_meta"].get("progressToken").is_none());
    assert_eq!(received[1].headers["mcp-method"], "tools/list");
}

#[tokio::test]
async fn a_tool_that_has_not_changed_is_not_called_again_and_none_is_called_for_ever() {
    let upstream = Upstream::start().await;
    answers(&upstream, [mismatch(), page("pay", None, None)]);
    let mut local = start(&upstream);
    local.say(&call()).await;
    assert_eq!(local.hear().await["error"]["code"], -32020, "the server's own word");
    assert_eq!(upstream.received().len(), 2);

    answers(&upstream, [mismatch(), page("pay", Some("Region"), None), mismatch()]);
    local.say(&call()).await;
    assert_eq!(local.hear().await["error"]["code"], -32020);
    local.close().await;
    assert_eq!(upstream.received().len(), 5);
}

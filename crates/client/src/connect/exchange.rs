//! One message to the server, and everything that comes back for it.

use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Response;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    Bridge, Transport,
    events::{Position, is_event_stream},
    legacy::Legacy,
    limit,
    message::{Message, error_line},
    refusal::Refusal,
    session,
    underway::Expected,
};

/// JSON-RPC reserves -32000 to -32099 for the implementation.
const NOT_DELIVERED: i32 = -32000;
const NOT_AUTHORIZED: i32 = -32001;

/// MCP 2026-07-28, "Server Validation".
const HEADER_MISMATCH: i64 = -32020;

/// JSON-RPC 2.0 §5.1: invalid params, which is what MCP servers answer for an unknown tool.
const HIDDEN_TOOL: i32 = -32602;

/// How often a broken stream is sought again before its request is given up.
const ATTEMPTS: u32 = 5;

/// Carries a message, and delivers the answers; each awaited id is answered in the end, if only by an error.
pub(super) async fn run(bridge: &Bridge, message: Message) {
    let expected = bridge.underway.expect(&message.ids);
    tokio::select! {
        () = carry(bridge, &message, &expected) => {}
        // The answer may have come on another stream than its own.
        () = expected.over() => {}
    }
}

async fn carry(bridge: &Bridge, message: &Message, expected: &Expected<'_>) {
    let mut awaited = Awaited::new(message, expected);
    if let Some(tool) = bridge.tools.refused(message) {
        return awaited.fail(bridge, HIDDEN_TOOL, &format!("the tool {tool} is not offered here")).await;
    }
    if bridge.transport() == Transport::Sse {
        return bridge.legacy.run(message).await;
    }
    let sent = bridge.session.mirrored(message);
    match post(bridge, message).await {
        Ok(response) if response.status() == StatusCode::BAD_REQUEST && !sent.is_empty() => {
            awaited.mismatched(bridge, message, &sent, response).await;
        }
        Ok(response) if response.status().is_success() => {
            if message.is_initialize() && bridge.transport() == Transport::Auto {
                bridge.settle(Transport::Http);
            }
            awaited.receive(bridge, response).await;
        }
        Ok(response) if is_older(bridge, message, &response) => {
            // Only a stream that names its endpoint shows that the server is of that time.
            match bridge.legacy.send(message).await {
                Ok(()) => bridge.settle(Transport::Sse),
                Err(_) => awaited.refused(bridge, response).await,
            }
        }
        Ok(response) => awaited.refused(bridge, response).await,
        Err(error) => awaited.failed(bridge, &error).await,
    }
}

/// Whether the server may be one of 2024-11-05 (MCP 2025-11-25, "Backwards Compatibility").
fn is_older(bridge: &Bridge, message: &Message, response: &Response) -> bool {
    let may_be = bridge.transport() == Transport::Auto && message.is_initialize();
    may_be && Legacy::is_likely(response.status())
}

/// Once more in a new session, where the server has forgotten the one that the message was sent in.
async fn post(bridge: &Bridge, message: &Message) -> Result<Response, crate::Error> {
    let session = bridge.session.id().filter(|_| !message.is_initialize());
    let response = bridge.session.post(message).await?;
    match session {
        Some(lost) if response.status() == StatusCode::NOT_FOUND && bridge.session.reopen(&lost).await => {
            bridge.session.post(message).await
        }
        _ => Ok(response),
    }
}

fn is_about_login(error: &crate::Error) -> bool {
    !matches!(
        error,
        crate::Error::Http(_) | crate::Error::ThroughProxy { .. } | crate::Error::Transient { .. }
    )
}

/// The answers that are still missing.
struct Awaited<'a> {
    expected: &'a Expected<'a>,
    is_initialize: bool,
    /// The session that the answer to `initialize` opens.
    offered: Option<HeaderValue>,
    is_stateless: bool,
    /// Of a stateless revision, in which tools say what goes into headers.
    is_list_of_tools: bool,
    /// In any revision, or a batch that may hold such a request.
    may_list_tools: bool,
}

impl<'a> Awaited<'a> {
    fn new(message: &Message, expected: &'a Expected<'a>) -> Self {
        Self {
            expected,
            is_initialize: message.is_initialize(),
            offered: None,
            is_stateless: message.is_stateless(),
            is_list_of_tools: message.is_stateless() && message.method.as_deref() == Some("tools/list"),
            may_list_tools: message.method.as_deref().is_none_or(|method| method == "tools/list"),
        }
    }

    /// Where the very first answer is a stranger's, the address is most likely wrong.
    fn hint(&self) -> &'static str {
        if self.is_initialize {
            ". Check the address and the path: MCP servers often answer at /mcp"
        } else {
            ""
        }
    }

    async fn receive(&mut self, bridge: &Bridge, response: Response) {
        self.offered = session::offered(&response);
        if is_event_stream(&response) {
            return self.follow(bridge, response).await;
        }
        let why = match limit::body(response).await {
            // 202 Accepted, for notifications and responses.
            Ok(body) if body.trim_ascii().is_empty() => {
                "the server took the request and answered nothing".into()
            }
            Ok(body) if serde_json::from_slice::<IgnoredAny>(&body).is_ok() => {
                bridge.deliver_with(|| self.pass(bridge, body)).await;
                format!("the server answered something else{}", self.hint())
            }
            Ok(_) => format!("the server's answer is neither JSON nor an event stream{}", self.hint()),
            Err(error) => error.to_string(),
        };
        self.fail(bridge, NOT_DELIVERED, &why).await;
    }

    /// Follows the answer's stream; where the connection is lost before the answer came, takes it up again
    /// (MCP 2025-11-25, "Resumability and Redelivery").
    async fn follow(&mut self, bridge: &Bridge, response: Response) {
        let mut position = Position::default();
        let mut stream = Some(response);
        let mut failures = 0;
        while failures < ATTEMPTS {
            failures += 1;
            if let Some(response) = stream.take() {
                // To close a stream and be asked again is how a server lets a client poll.
                failures = 0;
                if position.follow(bridge, response, |message| self.pass(bridge, message)).await {
                    return;
                }
            }
            if self.expected.is_over() || self.is_stateless || position.last_id.is_none() {
                break;
            }
            tokio::time::sleep(position.wait()).await;
            let again = bridge.session.get(position.last_id.as_deref()).await;
            stream = again.ok().filter(|answer| answer.status().is_success() && is_event_stream(answer));
        }
        self.fail(bridge, NOT_DELIVERED, "the connection to the server was lost before it answered").await;
    }

    /// Looks at a message on its way to the local client, and strikes what it answers. Also: whether nothing is missing
    /// any more.
    fn pass(&mut self, bridge: &Bridge, message: Vec<u8>) -> (Vec<u8>, bool) {
        for answer in bridge.underway.strike(&message) {
            if self.is_initialize && self.expected.is_over() {
                bridge.session.negotiated(&answer, self.offered.clone());
            }
        }
        let message = if self.is_list_of_tools { bridge.session.tools.learn(message) } else { message };
        let message = if self.may_list_tools { bridge.tools.shown(message) } else { message };
        (message, self.expected.is_over())
    }

    /// MCP 2026-07-28, "Client Behavior" of "Custom Headers from Tool Parameters": a tool that has changed wants other
    /// fields. Sent once more with those, if there are any.
    async fn mismatched(&mut self, bridge: &Bridge, call: &Message, sent: &HeaderMap, response: Response) {
        let refusal = Refusal::read(response).await;
        let is_mismatch =
            refusal.json.pointer("/error/code").and_then(Value::as_i64) == Some(HEADER_MISMATCH);
        if !is_mismatch || !bridge.session.relist(call, sent).await {
            return self.tell(bridge, &refusal).await;
        }
        match bridge.session.post(call).await {
            Ok(response) if response.status().is_success() => self.receive(bridge, response).await,
            Ok(response) => self.refused(bridge, response).await,
            Err(error) => self.failed(bridge, &error).await,
        }
    }

    async fn failed(&mut self, bridge: &Bridge, error: &crate::Error) {
        let code = if is_about_login(error) { NOT_AUTHORIZED } else { NOT_DELIVERED };
        self.fail(bridge, code, &error.to_string()).await;
    }

    async fn refused(&mut self, bridge: &Bridge, response: Response) {
        self.tell(bridge, &Refusal::read(response).await).await;
    }

    /// An HTTP error: the server's own JSON-RPC error if it sent one, else one that says what happened.
    async fn tell(&mut self, bridge: &Bridge, refusal: &Refusal) {
        let Some(error) = refusal.error() else {
            return self.fail(bridge, NOT_DELIVERED, &refusal.explain()).await;
        };
        for id in self.expected.give_up() {
            let answer = serde_json::json!({"jsonrpc": "2.0", "id": id, "error": error});
            bridge.deliver(answer.to_string().into_bytes()).await;
        }
    }

    async fn fail(&mut self, bridge: &Bridge, code: i32, why: &str) {
        if self.expected.is_over() {
            tracing::debug!(why, "a notification or response was not delivered");
        }
        for id in self.expected.give_up() {
            bridge.deliver(error_line(&id, code, why)).await;
        }
    }
}

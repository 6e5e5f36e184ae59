//! One message to the server, and everything that comes back for it.

use http::{StatusCode, header};
use reqwest::Response;
use serde_json::Value;

use super::{
    Bridge,
    events::Position,
    message::{Message, error_line},
};

/// JSON-RPC reserves -32000 to -32099 for the implementation.
const NOT_DELIVERED: i32 = -32000;
const NOT_AUTHORIZED: i32 = -32001;

/// How often a broken stream is sought again before its request is given up.
const ATTEMPTS: u32 = 5;

/// Carries a message, and delivers the answers; each awaited id is answered in the end, if only by an error.
pub(super) async fn run(bridge: &Bridge, message: Message) {
    let mut awaited = Awaited::new(&message);
    match bridge.session.post(&message).await {
        Ok(response) if response.status().is_success() => awaited.receive(bridge, response).await,
        Ok(response) => awaited.refused(bridge, response).await,
        Err(error) => {
            let code = if is_about_login(&error) { NOT_AUTHORIZED } else { NOT_DELIVERED };
            awaited.fail(bridge, code, &error.to_string()).await;
        }
    }
}

fn is_about_login(error: &crate::Error) -> bool {
    !matches!(error, crate::Error::Http(_) | crate::Error::Transient { .. })
}

pub(super) fn is_event_stream(response: &Response) -> bool {
    content_type(response).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

fn content_type(response: &Response) -> Option<&str> {
    let value = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// The answers that are still missing.
struct Awaited {
    ids: Vec<Value>,
    is_initialize: bool,
    is_stateless: bool,
}

impl Awaited {
    fn new(message: &Message) -> Self {
        Self {
            ids: message.ids.clone(),
            is_initialize: message.is_initialize(),
            is_stateless: message.stateless_version.is_some(),
        }
    }

    async fn receive(&mut self, bridge: &Bridge, response: Response) {
        if is_event_stream(&response) {
            return self.follow(bridge, response).await;
        }
        // 202 Accepted, for notifications and responses.
        match response.bytes().await {
            Ok(body) if body.trim_ascii().is_empty() => {}
            Ok(body) if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() => {
                self.note(bridge, &body);
                bridge.deliver(body.into()).await;
            }
            Ok(_) => {
                self.fail(bridge, NOT_DELIVERED, "the server's answer is neither JSON nor an event stream")
                    .await
            }
            Err(error) => self.fail(bridge, NOT_DELIVERED, &format!("the answer broke off: {error}")).await,
        }
    }

    /// Follows the answer's stream; where the connection is lost before the answer came, takes it up again
    /// (MCP 2025-11-25, "Resumability and Redelivery").
    async fn follow(&mut self, bridge: &Bridge, response: Response) {
        let mut position = Position::default();
        let mut response = Some(response);
        for _ in 0..ATTEMPTS {
            if let Some(stream) = response.take()
                && position.follow(bridge, stream, |data| self.note(bridge, data)).await
            {
                return;
            }
            if self.ids.is_empty() || self.is_stateless || position.last_id.is_none() {
                break;
            }
            tokio::time::sleep(position.wait()).await;
            let again = bridge.session.get(position.last_id.as_deref()).await;
            response = again.ok().filter(|answer| answer.status().is_success() && is_event_stream(answer));
        }
        self.fail(bridge, NOT_DELIVERED, "the connection to the server was lost before it answered").await;
    }

    /// Strikes what `data` answers; `true` when nothing is missing any more.
    fn note(&mut self, bridge: &Bridge, data: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return false };
        let single = std::slice::from_ref(&value);
        for item in value.as_array().map_or(single, Vec::as_slice) {
            let is_answer = item.get("method").is_none();
            if let Some(at) = self.ids.iter().position(|id| is_answer && item.get("id") == Some(id)) {
                self.ids.swap_remove(at);
                if self.is_initialize {
                    bridge.session.negotiated(data);
                }
            }
        }
        self.ids.is_empty()
    }

    /// An HTTP error: the server's own JSON-RPC error if it sent one, else one that says what happened.
    async fn refused(&mut self, bridge: &Bridge, response: Response) {
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        let error = body.get("error").filter(|error| error.get("code").is_some_and(Value::is_i64));
        match (error, self.ids.as_slice()) {
            (Some(error), [id]) => {
                let answer = serde_json::json!({"jsonrpc": "2.0", "id": id, "error": error});
                bridge.deliver(answer.to_string().into_bytes()).await;
            }
            _ => self.fail(bridge, NOT_DELIVERED, &explain(status)).await,
        }
    }

    async fn fail(&mut self, bridge: &Bridge, code: i32, why: &str) {
        if self.ids.is_empty() {
            tracing::debug!(why, "a notification or response was not delivered");
        }
        for id in self.ids.drain(..) {
            bridge.deliver(error_line(&id, code, why)).await;
        }
    }
}

fn explain(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => {
            "the server answered 404: its URL is wrong, or the session has ended there; connect again".into()
        }
        status => format!("the server answered {status}"),
    }
}

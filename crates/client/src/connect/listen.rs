//! What the server says by itself (MCP 2025-11-25, "Listening for Messages from the Server").

use http::StatusCode;

use super::{
    Bridge,
    events::{Position, is_event_stream},
};

/// Follows the server's own stream, where it has one, for as long as the session lasts.
pub(super) async fn run(bridge: &Bridge) {
    if !bridge.session.is_negotiated() || bridge.transport() == super::Transport::Sse {
        return;
    }
    let mut position = Position::default();
    loop {
        let session = bridge.session.id();
        match bridge.session.get(position.last_id.as_deref()).await {
            Ok(response) if response.status().is_success() && is_event_stream(&response) => {
                position.follow(bridge, response, |message| (message, false)).await;
            }
            // The session is lost, or this is how a server says that it has no such stream.
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                bridge.session.reopened(session.as_ref()).await;
                continue;
            }
            // 405 is how a server says that it has no such stream; no other refusal changes by itself either.
            Ok(response) if !is_passing(response.status()) => return,
            // The network, or the server, is away for a while.
            _ => {}
        }
        tokio::time::sleep(position.wait()).await;
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
}

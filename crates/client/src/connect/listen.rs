//! What the server says by itself (MCP 2025-11-25, "Listening for Messages from the Server").

use std::{pin::pin, time::Duration};

use http::StatusCode;
use reqwest::Response;
use tokio::sync::watch;

use super::{
    Bridge,
    events::{Position, is_event_stream},
};
use crate::Error;

/// How long the first messages wait for the stream. Some servers answer only when they have something to say.
const HEAD_START: Duration = Duration::from_millis(500);

/// Follows the server's own stream, where it has one, for as long as the session lasts. The stream comes before the
/// first messages, which wait for `shut` to be dropped: what those cause is to be heard.
pub(super) async fn run(bridge: &Bridge, shut: watch::Sender<()>) {
    let mut shut = Some(shut);
    if !bridge.session.is_negotiated() || bridge.transport() == super::Transport::Sse {
        return;
    }
    let mut position = Position::default();
    loop {
        let session = bridge.session.id();
        let asked = bridge.session.get(position.last_id.as_deref());
        match opened(asked, shut.take()).await {
            Ok(response) if response.status().is_success() && is_event_stream(&response) => {
                let pass = |message: Vec<u8>| {
                    bridge.underway.strike(&message);
                    (bridge.tools.shown(message), false)
                };
                position.follow(bridge, response, pass).await;
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

/// The stream's answer. `shut` is dropped when it comes, or has not come for a while.
async fn opened(
    asked: impl Future<Output = Result<Response, Error>>,
    shut: Option<watch::Sender<()>>,
) -> Result<Response, Error> {
    let mut asked = pin!(asked);
    if shut.is_some()
        && let Ok(answer) = tokio::time::timeout(HEAD_START, asked.as_mut()).await
    {
        return answer;
    }
    drop(shut);
    asked.await
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_holds_nobody_up() {
        let (shut, mut gate) = watch::channel(());
        tokio::select! {
            _ = opened(std::future::pending(), Some(shut)) => unreachable!("nothing is said"),
            opened = tokio::time::timeout(Duration::from_secs(3600), gate.changed()) => {
                assert!(opened.expect("the gate opens").is_err());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_messages_wait_for_the_stream() {
        let ((shut, mut gate), (answer, asked)) = (watch::channel(()), oneshot::channel());
        let asked = async {
            let _ = asked.await;
            Err(Error::Interrupted)
        };
        let mut opened = pin!(opened(asked, Some(shut)));
        assert!(opened.as_mut().now_or_never().is_none() && gate.changed().now_or_never().is_none());
        answer.send(()).unwrap();
        assert!(opened.await.is_err() && gate.changed().now_or_never().is_some());
    }
}

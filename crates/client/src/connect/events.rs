//! Reading an event stream, and finding it again when the connection is lost.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use reqwest::Response;
use serde_json::Value;
use sse_stream::SseStream;

use super::{
    Bridge,
    limit::{self, Pending},
};

/// How long to wait before a lost stream is sought again, unless the server says.
const RETRY: Duration = Duration::from_secs(1);

/// What a server may ask for: neither a storm of requests, nor silence for ever.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The last event's id: without one, a stream cannot be taken up again.
    pub(super) last_id: Option<String>,
    retry: Option<u64>,
}

impl Position {
    /// How long to wait before the next try.
    pub(super) fn wait(&self) -> Duration {
        self.retry.map_or(RETRY, Duration::from_millis).clamp(SHORTEST, LONGEST)
    }

    /// Delivers events until the connection ends, or `pass` says that nothing more is awaited. `true` if it
    /// said so. What it returns is what is delivered.
    pub(super) async fn follow(
        &mut self,
        bridge: &Bridge,
        response: Response,
        mut pass: impl FnMut(Vec<u8>) -> (Vec<u8>, bool),
    ) -> bool {
        let pending = Pending::default();
        let mut events =
            SseStream::from_bytes_stream(Box::pin(by_line(pending.limit(response.bytes_stream()))));
        // A stream that breaks, that says too much at once, or that is no event stream, has ended.
        while let Some(Ok(event)) = events.next().await {
            pending.clear();
            self.last_id = event.id.or(self.last_id.take());
            self.retry = event.retry.or(self.retry);
            let is_message = event.event.as_deref().is_none_or(|kind| kind == "message");
            let Some(data) = event.data.filter(|data| is_message && !data.trim().is_empty()) else {
                continue;
            };
            match bridge.deliver_with(|| pass(data.into_bytes())).await {
                Some(false) => {}
                // Nothing more is awaited, or the local client is gone.
                Some(true) | None => return true,
            }
        }
        false
    }
}

/// The answer to a request for which nothing else is awaited, from JSON or from an event stream.
pub(crate) async fn first_answer(response: Response) -> Option<Value> {
    if !response.status().is_success() {
        return None;
    }
    if !is_event_stream(&response) {
        return limit::body(response).await.ok().and_then(|body| serde_json::from_slice(&body).ok());
    }
    let pending = Pending::default();
    let mut events = SseStream::from_bytes_stream(Box::pin(by_line(pending.limit(response.bytes_stream()))));
    while let Some(Ok(event)) = events.next().await {
        pending.clear();
        let message: Option<Value> = event.data.and_then(|data| serde_json::from_str(&data).ok());
        if let Some(answer) =
            message.filter(|message| message.get("result").or(message.get("error")).is_some())
        {
            return Some(answer);
        }
    }
    None
}

/// The same bytes, no more than one line at a time: of a piece that holds a line which cannot be read, the reader gives
/// nothing, not even the events before it.
fn by_line<E>(pieces: impl Stream<Item = Result<Bytes, E>>) -> impl Stream<Item = Result<Bytes, E>> {
    pieces.flat_map(|piece| {
        let lines = match piece {
            Ok(piece) => piece
                .split_inclusive(|byte| matches!(byte, b'\n' | b'\r'))
                .map(|line| Ok(piece.slice_ref(line)))
                .collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(lines)
    })
}

pub(super) fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_refusal_is_an_answer_too() {
        let refusal = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}\n\n";
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(refusal)]);
        let endless = reqwest::Body::wrap_stream(first.chain(futures_util::stream::pending()));
        let response = http::Response::builder().header(CONTENT_TYPE, "text/event-stream").body(endless);
        let heard = first_answer(response.unwrap().into()).now_or_never();
        assert_eq!(heard.expect("nothing more is awaited").unwrap()["error"]["code"], -1);
    }

    #[test]
    fn what_came_before_a_line_that_cannot_be_read_counts() {
        let body = "data: {\"result\":1}\n\nthis is no field\n\n";
        let response = http::Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body);
        let heard = first_answer(response.unwrap().into()).now_or_never().unwrap();
        assert_eq!(heard.unwrap()["result"], 1);
    }

    #[test]
    fn a_server_asks_for_a_wait_within_limits() {
        let wait = |retry| Position { last_id: None, retry }.wait();
        assert_eq!(wait(None), RETRY);
        assert_eq!(wait(Some(0)), SHORTEST);
        assert_eq!(wait(Some(2500)), Duration::from_millis(2500));
        assert_eq!(wait(Some(u64::MAX)), LONGEST);
    }
}

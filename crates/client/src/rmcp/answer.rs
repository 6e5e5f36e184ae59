//! What a server answers, as rmcp takes it.

use ::rmcp::{
    model::{ClientJsonRpcMessage, ClientRequest, ErrorData, ServerJsonRpcMessage},
    transport::streamable_http_client::{
        HttpStatusError, SseError, StreamableHttpError, StreamableHttpPostResponse,
    },
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::BoxStream};
use http::{
    StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use reqwest::Response;
use sse_stream::{Sse, SseStream};

use super::{Failure, SESSION};
use crate::{Error, error::printable};

/// The bounds that rmcp names for those who implement its trait.
const LONGEST_ANSWER: usize = 16 << 20;
const LONGEST_REFUSAL: usize = 64 << 10;

/// The answer to a posted message (MCP 2025-11-25, "Sending Messages to the Server").
pub(super) async fn to_post(
    message: &ClientJsonRpcMessage,
    in_session: bool,
    response: Response,
    longest: usize,
) -> Result<StreamableHttpPostResponse, Failure> {
    let status = response.status();
    if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Ok(StreamableHttpPostResponse::Accepted);
    }
    // "Session Management": the session is gone, and rmcp begins another.
    if status == StatusCode::NOT_FOUND && in_session {
        return Err(StreamableHttpError::SessionExpired);
    }
    if !status.is_success() {
        return refused(message, in_session, response).await;
    }
    let session = response.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let is_awaited = matches!(message, ClientJsonRpcMessage::Request(_));
    if is(&response, "text/event-stream") {
        return Ok(StreamableHttpPostResponse::Sse(to_stream(response, longest)?, session));
    }
    if !is_awaited {
        // 202 it should be; some servers say 200, with nothing or anything in it.
        return Ok(StreamableHttpPostResponse::Accepted);
    }
    if !is(&response, "application/json") {
        return Err(StreamableHttpError::UnexpectedContentType(content_type(&response).map(str::to_owned)));
    }
    let body = body(response, LONGEST_ANSWER).await?;
    let answer = serde_json::from_slice(&body).map_err(|error| {
        let start = printable(&String::from_utf8_lossy(&body[..body.len().min(256)]));
        StreamableHttpError::UnexpectedServerResponse(
            format!("no JSON-RPC message ({error}): {start}").into(),
        )
    })?;
    Ok(StreamableHttpPostResponse::Json(answer, session))
}

/// An answer that says no, and is not about authorization: a JSON-RPC error where there is one in it.
async fn refused(
    message: &ClientJsonRpcMessage,
    in_session: bool,
    response: Response,
) -> Result<StreamableHttpPostResponse, Failure> {
    let (status, failure, is_json) =
        (response.status(), failed(&response), is(&response, "application/json"));
    let may_speak =
        !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    if !may_speak {
        return Err(failure);
    }
    let body = body(response, LONGEST_REFUSAL).await.unwrap_or_default();
    let error = match serde_json::from_slice(&body) {
        Ok(ServerJsonRpcMessage::Error(error)) => Some(error),
        _ => None,
    };
    // A server of before 2026-07-28 does not know `server/discover`, and what refuses it may not know JSON-RPC.
    // rmcp goes on with `initialize`, if it gets an error with the request's own id.
    if let ClientJsonRpcMessage::Request(request) = message
        && matches!(request.request, ClientRequest::DiscoverRequest(_))
        && status.is_client_error()
        && !in_session
    {
        let refused = || ErrorData::invalid_request(format!("the server answered {status}"), None);
        let error = error.map_or_else(refused, |error| error.error);
        let error = ServerJsonRpcMessage::error(error, Some(request.id.clone()));
        return Ok(StreamableHttpPostResponse::Json(error, None));
    }
    match error.filter(|_| is_json) {
        Some(error) => Ok(StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(error), None)),
        None => Err(failure),
    }
}

/// A status that ends the matter.
pub(super) fn failed(response: &Response) -> Failure {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        return HttpStatusError::new(status.as_u16(), after.map(str::to_owned)).into();
    }
    StreamableHttpError::UnexpectedServerResponse(format!("the server answered {status}").into())
}

/// An event stream, none of whose events is longer than so many bytes.
pub(super) fn to_stream(
    response: Response,
    longest: usize,
) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
    if !is(&response, "text/event-stream") {
        return Err(StreamableHttpError::UnexpectedContentType(content_type(&response).map(str::to_owned)));
    }
    let mut event = EventLength::default();
    let chunks = response.bytes_stream().map(move |chunk| {
        let chunk: Bytes = chunk.map_err(|error| Broken::Off(error.without_url()))?;
        if event.after(&chunk) > longest { Err(Broken::TooLong(longest)) } else { Ok(chunk) }
    });
    Ok(SseStream::from_bytes_stream(chunks).boxed())
}

/// Why an event stream ended early.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("an event is longer than {0} bytes, and was not read")]
    TooLong(usize),
    #[error("the stream broke off: {0}")]
    Off(reqwest::Error),
}

/// How much of an event has come that is not whole yet. An empty line ends it (HTML §9.2.5).
#[derive(Default)]
struct EventLength {
    bytes: usize,
    line_is_empty: bool,
    after_return: bool,
}

impl EventLength {
    /// The length of the longest event that these bytes belong to.
    fn after(&mut self, chunk: &[u8]) -> usize {
        let mut longest = self.bytes;
        for byte in chunk {
            self.bytes += 1;
            longest = longest.max(self.bytes);
            match byte {
                // The second half of a line's end.
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    if std::mem::replace(&mut self.line_is_empty, true) {
                        self.bytes = 0;
                    }
                }
                _ => (self.line_is_empty, self.after_return) = (false, false),
            }
        }
        longest
    }
}

async fn body(response: Response, longest: usize) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    let mut chunks = std::pin::pin!(response.bytes_stream());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| StreamableHttpError::Client(Error::from(error)))?;
        if whole.len() + chunk.len() > longest {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: longest });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn is(response: &Response, media_type: &str) -> bool {
    let kind = content_type(response).and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(media_type))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_ends_with_an_empty_line_however_lines_end() {
        for (text, longest) in [
            ("data: a\n\ndata: b\n\n", 9),
            ("data: a\r\n\r\ndata: b\r\n\r\n", 10),
            ("data: a\r\rdata: b\r\r", 9),
            ("data: a\ndata: b\n", 16),
        ] {
            assert!(EventLength::default().after(text.as_bytes()).abs_diff(longest) <= 1, "{text:?}");
        }
    }

    proptest! {
        /// Where the bytes are cut must not matter.
        #[test]
        fn cuts_change_nothing(text in "[ab\r\n]{0,60}", cut in 0usize..60) {
            let (whole, mut parts) = (EventLength::default().after(text.as_bytes()), EventLength::default());
            let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
            prop_assert_eq!(parts.after(first).max(parts.after(second)), whole);
        }
    }
}

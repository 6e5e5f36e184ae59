//! Streams of events live no longer than the login that opened them.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use hallpass_protocol::jose::JoseError;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::refusal::Refusal;
use crate::server::ResourceServer;
use crate::verify::Verified;

/// What the type of a stream of events begins with.
const EVENTS: &[u8] = b"text/event-stream";
/// How long a stream may outlive its login.
const RECHECK: Duration = Duration::from_secs(1);

/// What becomes of a stream of events when the token that opened it expires. Revocation ends every stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtExpiry {
    /// The stream of a GET ends, and its client asks again with a newer token. The answer to a POST goes on: it may take
    /// longer than a token lives, and was permitted when it was asked for.
    #[default]
    EndListening,
    /// Every stream ends.
    EndAll,
    /// Every stream goes on.
    GoOn,
}

impl ResourceServer {
    /// The answer to a request that was permitted. If it is a stream of events, it ends with the login: its credential is
    /// [checked again](ResourceServer::recheck) each second. `listening` says that the request was a GET, which nothing
    /// answers but what happens later. [`ResourceServer::layer`] does this by itself.
    #[must_use]
    pub fn ends_with_the_login(&self, response: Response, verified: Verified, listening: bool) -> Response {
        let media = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let begins = media.and_then(|media| media.get(..EVENTS.len()));
        if !begins.is_some_and(|begins| begins.eq_ignore_ascii_case(EVENTS)) {
            return response;
        }
        let server = self.clone();
        let over = async move {
            loop {
                tokio::time::sleep(RECHECK).await;
                if let Err(refusal) = server.recheck(&verified).await
                    && ends(&refusal, listening, server.settings().streams)
                {
                    return;
                }
            }
        };
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(over))))
    }
}

/// Whether a refusal ends a stream.
fn ends(refusal: &Refusal, listening: bool, at_expiry: AtExpiry) -> bool {
    match refusal {
        Refusal::Token(JoseError::Expired) => match at_expiry {
            AtExpiry::EndListening => listening,
            AtExpiry::EndAll => true,
            AtExpiry::GoOn => false,
        },
        // Nobody knows at this moment: nothing new is told, and what was asked for in time is answered.
        Refusal::RevocationsUnavailable
        | Refusal::IntrospectionUnavailable
        | Refusal::AccountsUnavailable => listening,
        _ => true,
    }
}

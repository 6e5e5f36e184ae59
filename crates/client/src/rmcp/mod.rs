//! The HTTP client of an [rmcp] client: it logs in, refreshes and steps up by itself.
//!
//! [`Client`] implements rmcp's [`StreamableHttpClient`], each request of a session by itself: its token, its proof
//! of possession (RFC 9449), its refusal and what cures it. rmcp's own `AuthClient` has no part in it.
//!
//! ```no_run
//! # async fn example(client: hallpass_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use rmcp::ServiceExt as _;
//!
//! let session = ().serve(hallpass_client::rmcp::transport(client)).await?; // logs in if the server asks for it
//! println!("{:?}", session.list_all_tools().await?);
//! # Ok(()) }
//! ```
//!
//! Posted messages may send a person to a browser, unless the client is [in the background](Client::in_background);
//! the stream that a server speaks on unasked, and the end of a session, never do. `auth_header` of rmcp's
//! configuration is not used: the client's [`Mode::Bearer`](crate::Mode::Bearer) is the same.
//!
//! rmcp's `ClientLifecycleMode::Auto` waits ten seconds for its first answer, which is little for a person: there, let
//! them [log in](Client::login) before.
//!
//! [rmcp]: https://docs.rs/rmcp

mod answer;

use std::{collections::HashMap, sync::Arc};

use ::rmcp::{
    model::ClientJsonRpcMessage,
    service::{ClientInitializeError, ServiceError},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{
            SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
            StreamableHttpPostResponse,
        },
    },
};
use futures_util::stream::BoxStream;
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use reqwest::{Request, Response};
use sse_stream::Sse;
use url::Url;

use crate::{Client, Error, Rule, Step};

type Failure = StreamableHttpError<Error>;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// What this transport sets itself (MCP 2025-11-25, "Streamable HTTP").
const OWN: [HeaderName; 3] = [ACCEPT, SESSION, LAST_EVENT];

/// rmcp's bound on one event, unless its configuration names another.
const LONGEST_EVENT: usize = 16 << 20;

/// A transport to the client's server, for rmcp's `serve`. For other settings of rmcp's, give the client to
/// [`StreamableHttpClientTransport::with_client`] and its URL to the configuration.
#[must_use]
pub fn transport(client: Client) -> StreamableHttpClientTransport<Client> {
    let config = StreamableHttpClientTransportConfig::with_uri(client.server().as_str());
    StreamableHttpClientTransport::with_client(client, config)
}

/// This crate's reason in an error of rmcp's, if it is one: which of rmcp's it is in depends on when it happened.
#[must_use]
pub fn reason<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    if let Some(StreamableHttpError::Client(reason)) = error.downcast_ref::<Failure>() {
        return Some(reason);
    }
    // Not all of rmcp's errors name what is in them as their source.
    match error.downcast_ref::<ClientInitializeError>() {
        Some(ClientInitializeError::TransportError { error, .. }) => reason(&*error.error),
        Some(ClientInitializeError::LegacyFallbackFailed { fallback, .. }) => reason(&**fallback),
        None => match error.downcast_ref::<ServiceError>() {
            Some(ServiceError::TransportSend(error)) => reason(&*error.error),
            _ => error.source().and_then(reason),
        },
        Some(_) => None,
    }
}

impl Client {
    /// Sends one request of a session.
    async fn exchange(
        &self,
        operation: &str,
        mut request: Request,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Response, Failure> {
        for (name, value) in custom {
            if OWN.contains(&name) {
                return Err(StreamableHttpError::ReservedHeaderConflict(name.to_string()));
            }
            request.headers_mut().insert(name, value);
        }
        self.send_operation(operation, request).await.map_err(StreamableHttpError::Client)
    }
}

fn request(method: Method, uri: &str, session: Option<&str>) -> Result<Request, Failure> {
    let url = Url::parse(uri).map_err(|error| malformed(error.to_string()))?;
    let mut request = Request::new(method, url);
    if let Some(session) = session {
        request.headers_mut().insert(SESSION, field(session)?);
    }
    Ok(request)
}

fn field(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|error| malformed(error.to_string()))
}

fn malformed(what: String) -> Failure {
    let (step, url) = (Step::Send, String::new());
    StreamableHttpError::Client(Error::Misconfigured { step, url, rule: Rule::Malformed(what) })
}

/// What a step-up is counted for: the tool, where one is called.
fn operation(message: &ClientJsonRpcMessage) -> String {
    use ::rmcp::model::ClientRequest;
    match message {
        ClientJsonRpcMessage::Request(request) => match &request.request {
            ClientRequest::CallToolRequest(call) => format!("tools/call {}", call.params.name),
            other => other.method().to_owned(),
        },
        _ => "message".to_owned(),
    }
}

impl StreamableHttpClient for Client {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        self.post_message_with_max_sse_event_size(uri, message, session, token, custom, LONGEST_EVENT).await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
        longest: usize,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let mut request = request(Method::POST, &uri, session.as_deref())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(serde_json::to_vec(&message)?.into());
        let response = self.exchange(&operation(&message), request, custom).await?;
        answer::to_post(&message, session.is_some(), response, longest).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let request = request(Method::DELETE, &uri, Some(&session))?;
        let response = self.in_background().exchange("end of session", request, custom).await?;
        match response.status() {
            // MCP 2025-11-25, "Session Management": a server need not let clients end sessions.
            StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(answer::failed(&response)),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        self.get_stream_with_max_sse_event_size(uri, session, last_event, token, custom, LONGEST_EVENT).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
        longest: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let mut request = request(Method::GET, &uri, session.as_deref())?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last_event) = last_event {
            request.headers_mut().insert(LAST_EVENT, field(&last_event)?);
        }
        let response = self.in_background().exchange("stream", request, custom).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportSse),
            status if status.is_success() => answer::to_stream(response, longest),
            _ => Err(answer::failed(&response)),
        }
    }
}

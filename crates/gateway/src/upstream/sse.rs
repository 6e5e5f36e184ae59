//! An upstream that speaks HTTP+SSE (MCP 2024-11-05, transports, "HTTP with SSE").
//!
//! A GET opens the stream on which the server says everything; its event `endpoint` names where messages are to be posted. Clients
//! are told an address of the gateway instead, under a name that only the caller who opened the stream can use, so every message
//! is judged as any other request is.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, BodyDataStream};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hallpass_resource_server::Caller;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use url::{Position, Url};

use super::answer::bad_gateway;
use super::headers::keep_fields;
use super::http::HttpUpstream;
use super::onward::Onward;
use crate::listing::events::{Buffer, field, lines};
use crate::listing::without_mark;
use crate::owner::Owner;

/// The parameter that names a stream, as the official SDKs call theirs.
const NAME: &str = "sessionId";
/// The longest event, in bytes. Answers hold files.
const LONGEST: usize = 16 * 1024 * 1024;

/// The server, and the streams that are open.
#[derive(Clone, Debug)]
pub(super) struct SseUpstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: HttpUpstream,
    url: Url,
    open: Mutex<HashMap<String, Open>>,
}

/// A stream that is open: whose it is, and where its messages go.
#[derive(Clone, Debug)]
struct Open {
    owner: Owner,
    /// Path and query, once the server has said them.
    endpoint: Option<String>,
}

/// Why a stream is not passed on.
#[derive(Debug, thiserror::Error)]
enum Endpoint {
    #[error("the endpoint that the server names is no URL")]
    NoUrl,
    /// What is posted there says who is calling, and holds credentials of hallpass's own.
    #[error("the endpoint that the server names is not where the server is, but at {0}")]
    Foreign(String),
    #[error("an event of the server is too long")]
    TooLong,
}

impl SseUpstream {
    pub(super) fn new(http: HttpUpstream, url: Url) -> Self {
        Self(Arc::new(Inner { http, url, open: Mutex::default() }))
    }

    pub(super) async fn forward(
        &self,
        request: Request<Body>,
        fields: Onward<'_>,
        caller: &Caller,
    ) -> Response {
        match *request.method() {
            Method::GET => self.listen(request, fields, caller).await,
            Method::POST => self.post(request, fields, caller).await,
            _ => not_allowed(),
        }
    }

    async fn listen(&self, request: Request<Body>, fields: Onward<'_>, caller: &Caller) -> Response {
        let path = request.uri().path().to_owned();
        // The stream is read on its way; and what a client asks of hallpass is not the server's business.
        let fields = fields.without(&ACCEPT_ENCODING);
        let stream = self.0.url[Position::BeforePath..Position::AfterQuery].to_owned();
        let response = self.0.http.forward_to(&stream, request, fields).await;
        if !response.status().is_success() {
            return response;
        }
        // What cannot be read may name any endpoint.
        if !is_a_plain_stream(response.headers()) {
            tracing::error!(
                "the upstream server does not answer a GET with a stream of events that can be read"
            );
            return bad_gateway(
                "the MCP server behind this gateway does not answer with a stream of events; its operator has to mend that",
            );
        }
        let opened = Opened { upstream: self.clone(), name: new_name() };
        self.open().insert(opened.name.clone(), Open { owner: caller.into(), endpoint: None });
        let (mut parts, body) = response.into_parts();
        keep_fields(&mut parts.headers, |name| *name != CONTENT_LENGTH);
        let events =
            Events { body: body.into_data_stream(), buffer: Buffer::default(), path, opened, over: false };
        let events = stream::unfold(events, async |mut events| Some((events.next().await?, events)));
        Response::from_parts(parts, Body::from_stream(events))
    }

    async fn post(&self, request: Request<Body>, fields: Onward<'_>, caller: &Caller) -> Response {
        // What newer clients try first; they then open a stream (2025-11-25, transports, "Backwards Compatibility").
        let Some(name) = name_of(request.uri().query()) else { return not_allowed() };
        let open = self.open().get(&name).filter(|open| open.owner.is(caller)).cloned();
        match open.and_then(|open| open.endpoint) {
            Some(endpoint) => self.0.http.forward_to(&endpoint, request, fields).await,
            None => (StatusCode::NOT_FOUND, "there is no such stream; open one by a GET\n").into_response(),
        }
    }

    /// Where an event says that messages go: a place of the server itself.
    fn endpoint(&self, said: &str) -> Result<String, Endpoint> {
        let url = self.0.url.join(said).map_err(|_| Endpoint::NoUrl)?;
        let plain = url.username().is_empty() && url.password().is_none();
        if url.origin() != self.0.url.origin() || !plain {
            return Err(Endpoint::Foreign(url.origin().ascii_serialization()));
        }
        Ok(url[Position::BeforePath..Position::AfterQuery].to_owned())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is open; not any more when this is dropped.
struct Opened {
    upstream: SseUpstream,
    name: String,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.upstream.open().remove(&self.name);
    }
}

/// The events of a stream, one by one.
struct Events {
    body: BodyDataStream,
    buffer: Buffer,
    /// Of the gateway's own endpoint.
    path: String,
    opened: Opened,
    over: bool,
}

impl Events {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(event) = self.buffer.event() {
                return Some(self.said(event).inspect_err(|_| self.over = true));
            }
            if self.buffer.bytes.len() > LONGEST {
                return Some(Err(self.given_up(Endpoint::TooLong)));
            }
            match self.body.next().await {
                Some(Ok(chunk)) => self.buffer.bytes.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    self.over = true;
                    return Some(Err(error));
                }
                // Half an event is none.
                None => self.over = true,
            }
        }
    }

    /// An event as clients are told it.
    fn said(&mut self, event: Bytes) -> Result<Bytes, axum::Error> {
        let Some(endpoint) = endpoint_in(&event) else { return Ok(event) };
        let Opened { upstream, name } = &self.opened;
        let endpoint = match upstream.endpoint(&endpoint) {
            Ok(endpoint) => endpoint,
            Err(error) => return Err(self.given_up(error)),
        };
        if let Some(open) = upstream.open().get_mut(name) {
            open.endpoint = Some(endpoint);
        }
        Ok(format!("event: endpoint\ndata: {}?{NAME}={name}\n\n", self.path).into())
    }

    fn given_up(&mut self, error: Endpoint) -> axum::Error {
        tracing::error!(%error, "the upstream server's stream is not passed on");
        self.over = true;
        axum::Error::new(error)
    }
}

/// What an event says where messages go; `None` where it is about something else.
fn endpoint_in(event: &[u8]) -> Option<String> {
    let text = without_mark(event);
    let kind = lines(text).filter_map(|line| field(line, b"event")).last();
    let data: Vec<_> = lines(text).filter_map(|line| field(line, b"data")).collect();
    (kind == Some(b"endpoint")).then(|| String::from_utf8_lossy(&data.join(&b'\n')).into_owned())
}

/// The one stream that a query names.
fn name_of(query: Option<&str>) -> Option<String> {
    let mut names = url::form_urlencoded::parse(query?.as_bytes()).filter(|(name, _)| name == NAME);
    let (_, first) = names.next()?;
    names.next().is_none().then(|| first.into_owned())
}

/// Of events, and not compressed.
fn is_a_plain_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(|media| media.as_bytes().to_ascii_lowercase());
    let of_events = media.is_some_and(|media| media.starts_with(b"text/event-stream"));
    of_events && headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity")
}

fn not_allowed() -> Response {
    let how = "this server speaks HTTP+SSE (MCP 2024-11-05): open a stream by a GET\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")], how).into_response()
}

/// 256 random bits: whoever has the name has half the key.
fn new_name() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut name, byte| {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

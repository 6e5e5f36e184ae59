//! The sessions, and what POST, GET and DELETE do.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hallpass_resource_server::Caller;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::events::Messages;
use super::message::{self, Kind, Message, Posted};
use super::process;
use super::refused::Refused;
use super::session::Session;
use super::{Limits, StdioCommand};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// A stdio server behind HTTP. Clones share everything.
#[derive(Clone)]
pub(crate) struct StdioServer(Arc<Inner>);

struct Inner {
    command: StdioCommand,
    limits: Limits,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// One place for each process that may run.
    places: Arc<Semaphore>,
    processes: TaskTracker,
    closing: CancellationToken,
}

impl std::fmt::Debug for StdioServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StdioServer").field(&self.0.command).finish()
    }
}

impl StdioServer {
    pub(crate) fn new(command: StdioCommand, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            command,
            places: Arc::new(Semaphore::new(limits.sessions)),
            limits,
            sessions: Mutex::default(),
            processes: TaskTracker::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// Answers one request of streamable HTTP.
    pub(crate) async fn forward(&self, request: Request<Body>, caller: &Caller) -> Response {
        let (parts, body) = request.into_parts();
        let answer = match parts.method {
            Method::POST => self.post(&parts.headers, body, caller).await,
            Method::GET => self.listen(&parts.headers, caller),
            _ => self.end(&parts.headers, caller),
        };
        answer.unwrap_or_else(IntoResponse::into_response)
    }

    /// Ends all sessions, and waits until every process is gone.
    pub(crate) async fn close(&self) {
        self.0.closing.cancel();
        self.0.processes.close();
        self.0.processes.wait().await;
    }

    /// "Sending Messages to the Server".
    async fn post(&self, headers: &HeaderMap, body: Body, caller: &Caller) -> Result<Response, Refused> {
        let events = Accepts::of(headers).for_post()?;
        let posted = message::read(&self.read(body).await?)?;
        let (session, begun, unanswered) = match self.session(headers, caller)? {
            Some(session) if posted.messages.iter().all(|message| !is_initialize(message)) => {
                (session, None, None)
            }
            Some(_) => return Err(Refused::InitializeWithin),
            None => {
                begins_a_session(&posted)?;
                let (id, session) = self.begin(caller)?;
                let unanswered = session.end.clone().drop_guard();
                (session, Some(id), Some(unanswered))
            }
        };
        let Posted { messages, batch } = posted;
        let mut answers = session.post(&messages, events)?;
        // Whoever leaves before the session's id has reached them will never end the session.
        if let (Some(answers), Some(unanswered)) = (&mut answers, unanswered) {
            answers.unless_answered(unanswered);
        }
        let mut response = match answers {
            None => StatusCode::ACCEPTED.into_response(),
            Some(answers) if events => answers.into_response(),
            Some(answers) => one_document(answers, batch).await,
        };
        if let Some(id) = begun.and_then(|id| HeaderValue::try_from(id).ok()) {
            response.headers_mut().insert(SESSION_ID, id);
        }
        Ok(response)
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refused> {
        let limit = self.0.limits.message;
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLong(limit)),
            Err(_) => Err(Refused::Unreadable),
        }
    }

    /// "Listening for Messages from the Server".
    fn listen(&self, headers: &HeaderMap, caller: &Caller) -> Result<Response, Refused> {
        Accepts::of(headers).for_get()?;
        let session = self.session(headers, caller)?;
        let session = session.ok_or(Refused::NoSession { id: None, discover: false })?;
        Ok(session.listen()?.into_response())
    }

    /// "Session Management", 5.
    fn end(&self, headers: &HeaderMap, caller: &Caller) -> Result<Response, Refused> {
        let session = self.session(headers, caller)?;
        let session = session.ok_or(Refused::NoSession { id: None, discover: false })?;
        session.end.cancel();
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// The caller's session that the request names, if it names one.
    fn session(&self, headers: &HeaderMap, caller: &Caller) -> Result<Option<Arc<Session>>, Refused> {
        let mut ids = headers.get_all(SESSION_ID).iter();
        let Some(id) = ids.next() else { return Ok(None) };
        let id = id.to_str().ok().filter(|_| ids.next().is_none());
        let session = id.and_then(|id| self.sessions().get(id).cloned());
        let session = session.filter(|session| session.owner == caller.into() && !session.end.is_cancelled());
        session.map(Some).ok_or(Refused::UnknownSession)
    }

    /// Starts a process, and a session with it.
    fn begin(&self, caller: &Caller) -> Result<(String, Arc<Session>), Refused> {
        let Inner { command, limits, places, processes, closing, .. } = &*self.0;
        if closing.is_cancelled() {
            return Err(Refused::Closing);
        }
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| Refused::TooManySessions)?;
        let (session, lines) = Session::new(caller.into(), limits, closing.child_token());
        let session = Arc::new(session);
        let id = new_id();
        self.keep(&id, &session)?;
        let process = process::start(command, caller).map_err(|error| {
            tracing::error!(program = ?command.program, %error, "the MCP server does not start");
            self.sessions().remove(&id);
            Refused::NotStarted
        })?;
        let (server, limits) = (self.clone(), limits.clone());
        let (key, running) = (id.clone(), Arc::clone(&session));
        processes.spawn(async move {
            // Whoever knows a session's id is half way in: the log gets its beginning only.
            let name = key.get(..8).unwrap_or_default().to_owned();
            process.run(running, lines, limits, name).await;
            server.sessions().remove(&key);
            drop(place);
        });
        Ok((id, session))
    }

    /// Keeps a session, within what its user may have.
    fn keep(&self, id: &str, session: &Arc<Session>) -> Result<(), Refused> {
        let limits = &self.0.limits;
        let mut sessions = self.sessions();
        let of_user = sessions.values().filter(|other| other.owner.is_same_user(&session.owner));
        if of_user.count() >= limits.sessions_of_a_user {
            return Err(Refused::TooManyOfYours);
        }
        let own = |other: &&Arc<Session>| other.owner == session.owner && !other.end.is_cancelled();
        if sessions.values().filter(own).count() >= limits.sessions_of_a_client {
            let unused = sessions.values().filter(own).min_by_key(|other| other.last_used());
            if let Some(unused) = unused {
                tracing::info!("a user's session is ended, since the same client begins another one");
                unused.end.cancel();
            }
        }
        sessions.insert(id.to_owned(), Arc::clone(session));
        Ok(())
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_initialize(message: &Message) -> bool {
    matches!(&message.kind, Kind::Request { method, .. } if method == "initialize")
}

/// Without a session there is only one thing to say.
fn begins_a_session(posted: &Posted) -> Result<(), Refused> {
    match posted.messages.as_slice() {
        [message] if is_initialize(message) => Ok(()),
        messages if messages.iter().any(is_initialize) => Err(Refused::InitializeWithin),
        messages => {
            let mut requests = messages.iter().filter_map(|message| match &message.kind {
                Kind::Request { id, method, .. } => Some((id.clone(), method == "server/discover")),
                _ => None,
            });
            let (id, discover) = requests.next().map_or((None, false), |(id, discover)| (Some(id), discover));
            Err(Refused::NoSession { id, discover })
        }
    }
}

/// 256 random bits (transports, "Session Management": cryptographically secure).
fn new_id() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut id, byte| {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// For a client that takes no stream: all answers, once they are there.
async fn one_document(mut answers: Messages, batch: bool) -> Response {
    let mut all = Vec::new();
    while let Some(answer) = answers.next().await {
        all.push(answer);
    }
    // All of them were cancelled.
    if all.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    let body = if batch {
        let mut body = b"[".to_vec();
        body.extend_from_slice(&all.join(&b',').to_vec());
        body.push(b']');
        Bytes::from(body)
    } else {
        all.pop().unwrap_or_default()
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// What a client can read.
struct Accepts {
    events: bool,
    json: bool,
}

impl Accepts {
    fn of(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        // Without the field, everything (RFC 9110 §12.5.1).
        let all = fields.peek().is_none();
        let mut accepts = Self { events: false, json: all };
        for range in fields.flat_map(|field| field.split(',')) {
            let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            accepts.events |= matches!(&*range, "text/event-stream" | "text/*");
            accepts.json |= matches!(&*range, "application/json" | "application/*" | "*/*");
        }
        accepts
    }

    /// Whether to answer with events.
    fn for_post(&self) -> Result<bool, Refused> {
        if self.events || self.json { Ok(self.events) } else { Err(Refused::NotAcceptable) }
    }

    fn for_get(&self) -> Result<(), Refused> {
        if self.events { Ok(()) } else { Err(Refused::NotAcceptable) }
    }
}

//! What POST, GET and DELETE do.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hallpass_resource_server::Caller;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::accepts::Accepts;
use super::era::Era;
use super::events::Messages;
use super::house::House;
use super::message::{self, Kind, Message, Posted};
use super::refused::Refused;
use super::session::{Session, TOO_LONG};
use super::sessions::{SESSION_ID, Sessions};
use super::stateless::{self, Alone, Stateless};
use super::{Lent, Limits, ProcessFor, StdioCommand};
use crate::owner::Owner;

/// A stdio server behind HTTP. Clones share everything.
#[derive(Clone)]
pub(crate) struct StdioServer(Arc<Sessions>);

impl std::fmt::Debug for StdioServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StdioServer").field(&self.0.house.command).finish()
    }
}

impl StdioServer {
    pub(crate) fn new(command: StdioCommand, limits: Limits) -> Self {
        Self(Arc::new(Sessions::new(House::new(command, limits))))
    }

    /// Answers one request of streamable HTTP.
    pub(crate) async fn forward(&self, request: Request<Body>, caller: &Caller, lent: &Lent) -> Response {
        let (parts, body) = request.into_parts();
        let nothing = Lent::default();
        let lent = if self.is_everybodys() { &nothing } else { lent };
        let owner = lent.owner(caller);
        let answer = match parts.method {
            Method::POST => self.post(&parts.headers, body, caller, lent).await,
            Method::GET => self.listen(&parts.headers, &owner),
            _ => self.end(&parts.headers, &owner),
        };
        answer.unwrap_or_else(IntoResponse::into_response)
    }

    /// Whether there is one process for everybody.
    pub(crate) fn is_everybodys(&self) -> bool {
        self.0.house.command.process == ProcessFor::Shared
    }

    /// Ends what has tokens of third parties of this user's in it.
    pub(crate) fn take_back(&self, caller: &Caller) {
        self.0.take_back(caller);
    }

    /// Ends all sessions, and waits until every process is gone.
    pub(crate) async fn close(&self) {
        self.0.house.close().await;
    }

    /// "Sending Messages to the Server".
    async fn post(
        &self,
        headers: &HeaderMap,
        body: Body,
        caller: &Caller,
        lent: &Lent,
    ) -> Result<Response, Refused> {
        let events = Accepts::of(headers).for_post()?;
        let posted = message::read(&self.read(body).await?)?;
        match Alone::of(headers, &posted)? {
            Alone::No => {}
            // The end of a stream is what cancels.
            Alone::Notification => return Ok(StatusCode::ACCEPTED.into_response()),
            Alone::Request(request) => {
                return self.answer(request, headers, &posted.messages, caller, lent).await;
            }
        }
        let (mut session, mut begun, mut unanswered) = match self.0.of(headers, &lent.owner(caller))? {
            Some(session) if posted.messages.iter().all(|message| !is_initialize(message)) => {
                session.lend(lent);
                (session, None, None)
            }
            Some(_) => return Err(Refused::InitializeWithin),
            None => {
                begins_a_session(&posted)?;
                let (id, session) = self.0.begin(caller, lent).await?;
                let unanswered = session.end.clone().drop_guard();
                (session, Some(id), Some(unanswered))
            }
        };
        let Posted { messages, batch } = posted;
        let mut answers = session.post(&messages, events)?;
        let eras = begun.as_ref().and_then(|_| self.0.is_to_be_seen(caller, lent));
        if let Some((first, eras)) = answers.as_mut().zip(eras) {
            if first.begins_with_a_result().await {
                eras.learn(Era::Legacy, true);
            } else if let Some((id, other)) = self.0.begin_otherwise(caller, lent).await {
                // The first one ends with its guard.
                unanswered = Some(other.end.clone().drop_guard());
                answers = other.post(&messages, events)?;
                (session, begun) = (other, Some(id));
            }
        }
        // Whoever leaves before the session's id has reached them will never end the session.
        if let (Some(answers), Some(unanswered)) = (&mut answers, unanswered) {
            answers.unless_answered(unanswered);
        }
        drop(session);
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

    /// A request that stands alone is a session of its own, which ends with its answer or with its stream.
    async fn answer(
        &self,
        Stateless { id, method, level }: Stateless,
        headers: &HeaderMap,
        messages: &[Message],
        caller: &Caller,
        lent: &Lent,
    ) -> Result<Response, Refused> {
        let House { limits, closing, tasks, .. } = &*self.0.house;
        let mut switch = self.0.for_requests(caller, lent).await?;
        let owner = lent.owner(caller);
        let other = switch.alone_of(&owner);
        let (session, mut inputs) = Session::alone(owner, limits, closing.child_token(), other.as_deref());
        if switch.under_way(&session.owner) >= limits.requests {
            return Err(Refused::Busy(Some(id)));
        }
        if let [call] = messages
            && method == "tools/call"
        {
            match timeout(limits.start, switch.agrees(headers, &call.line)).await {
                Ok(true) => {}
                Ok(false) => return Err(Refused::Mirror(id, "Mcp-Param-… of an argument")),
                // It does not say what its tools are.
                Err(_) => return Err(Refused::Busy(Some(id))),
            }
        }
        session.standing().level = level;
        let session = Arc::new(session);
        let Some(mut answers) = session.post(messages, true)? else { return Err(Refused::UnknownSession) };
        answers.ends(session.end.clone().drop_guard());
        while let Ok(input) = inputs.try_recv() {
            let mut next = switch.forward(&session, input);
            while let Some(input) = next {
                switch = self.0.for_requests(caller, lent).await?;
                next = switch.forward(&session, input);
            }
        }
        let longest = limits.call.filter(|_| method != "subscriptions/listen").unwrap_or(Duration::MAX);
        tasks.spawn(async move {
            if timeout(longest, session.end.cancelled()).await.is_err() {
                session.fail(&id, TOO_LONG);
            }
            switch.leave(&session);
        });
        Ok(stateless::respond(answers).await)
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refused> {
        let limit = self.0.house.limits.message;
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLong(limit)),
            Err(_) => Err(Refused::Unreadable),
        }
    }

    /// "Listening for Messages from the Server".
    fn listen(&self, headers: &HeaderMap, owner: &Owner) -> Result<Response, Refused> {
        Accepts::of(headers).for_get()?;
        let session = self.0.of(headers, owner)?;
        let session = session.ok_or(Refused::NoSession { id: None, discover: false })?;
        Ok(session.listen()?.into_response())
    }

    /// "Session Management", 5.
    fn end(&self, headers: &HeaderMap, owner: &Owner) -> Result<Response, Refused> {
        let session = self.0.named(headers, owner)?;
        let session = session.ok_or(Refused::NoSession { id: None, discover: false })?;
        session.end.cancel();
        Ok(StatusCode::NO_CONTENT.into_response())
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

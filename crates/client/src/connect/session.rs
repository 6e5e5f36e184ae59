//! What earlier answers decided about later requests.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};

use super::{
    events,
    headers::{METHOD, NAME, PROTOCOL_VERSION, SESSION_ID, encode},
    message::Message,
    tool_headers::ToolHeaders,
};
use crate::{Client, Error};

/// One MCP session, from `initialize` on; or none, in a stateless revision.
pub(super) struct Session {
    client: Client,
    learned: RwLock<Learned>,
    /// The local client's own `initialize`, to open a new session with.
    opening: RwLock<Option<Vec<u8>>>,
    /// Held while a lost session is opened anew, so that one of many requests does it.
    reopening: Mutex<()>,
    reopened: Notify,
    /// Held while tools are listed again, so that one of many calls does it.
    relisting: Mutex<()>,
    /// What listed tools want to see in headers; stateless revisions only.
    pub(super) tools: ToolHeaders,
}

#[derive(Clone, Default)]
struct Learned {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

/// How many pages of tools are looked through for the one that has changed.
const MOST_PAGES: usize = 50;

/// How long all of them may take.
const LONGEST_LISTING: Duration = Duration::from_secs(30);

/// A request for the list of tools, in the name of whoever made `call`.
fn list_tools(call: &Message, cursor: Option<&Value>) -> Option<Message> {
    let call: Value = serde_json::from_slice(&call.body).ok()?;
    let mut meta = call.pointer("/params/_meta")?.clone();
    // What a progress token is for is the call.
    meta.as_object_mut()?.retain(|name, _| name.starts_with("io.modelcontextprotocol/"));
    let mut params = json!({ "_meta": meta });
    if let Some(cursor) = cursor {
        params["cursor"] = cursor.clone();
    }
    let list = json!({"jsonrpc": "2.0", "id": "hallpass-tools", "method": "tools/list", "params": params});
    Message::parse(list.to_string().into_bytes()).ok()
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            learned: RwLock::default(),
            opening: RwLock::default(),
            reopening: Mutex::default(),
            reopened: Notify::default(),
            relisting: Mutex::default(),
            tools: ToolHeaders::default(),
        }
    }

    fn learned(&self) -> Learned {
        self.learned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session's id, where the server gave one.
    pub(super) fn id(&self) -> Option<HeaderValue> {
        self.learned().id
    }

    /// Whether the server keeps a session, and so may have something to say by itself.
    pub(super) fn is_negotiated(&self) -> bool {
        self.learned().version.is_some()
    }

    /// Carries a message to the server. May ask the person to log in.
    pub(super) async fn post(&self, message: &Message) -> Result<Response, Error> {
        self.post_by(&self.client, message).await
    }

    async fn post_by(&self, client: &Client, message: &Message) -> Result<Response, Error> {
        let mut request = self.request(Method::POST, "application/json, text/event-stream");
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if message.is_initialize() {
            // A new session, whatever was before.
            headers.remove(SESSION_ID);
            headers.remove(PROTOCOL_VERSION);
        }
        self.mirror(message, headers);
        *request.body_mut() = Some(message.body.clone().into());
        let response = client.send_operation(&message.operation(), request).await?;
        if message.is_initialize() && response.status().is_success() {
            *self.opening.write().unwrap_or_else(PoisonError::into_inner) = Some(message.body.clone());
        }
        Ok(response)
    }

    /// Opens, or takes up again, a stream of the server's. In the background: nobody asked for it just now, so
    /// nobody is asked to log in.
    pub(super) async fn get(&self, last_event_id: Option<&str>) -> Result<Response, Error> {
        let mut request = self.request(Method::GET, "text/event-stream");
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            request.headers_mut().insert(super::headers::LAST_EVENT_ID, id);
        }
        self.client.in_background().send_operation("the event stream", request).await
    }

    /// Tells the server that the session is over (MCP 2025-11-25, "Session Management"). It may not care.
    pub(super) async fn end(&self) {
        if self.learned().id.is_some() {
            let request = self.request(Method::DELETE, "application/json");
            let client = self.client.in_background();
            let told = client.send_operation("the end of the session", request);
            let _ = tokio::time::timeout(Duration::from_secs(5), told).await;
        }
    }

    /// Opens a new session in place of `lost`, which the server does not know any more (MCP 2025-11-25, "Session
    /// Management": 404 means to initialize again). The local client notices nothing. Whether that succeeded.
    pub(super) async fn reopen(&self, lost: &HeaderValue) -> bool {
        let _one = self.reopening.lock().await;
        if self.id().as_ref() != Some(lost) {
            return true;
        }
        let opening = self.opening.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Ok(initialize)) = opening.map(Message::parse) else { return false };
        let Ok(response) = self.post(&initialize).await else { return false };
        let id = offered(&response);
        let Some(answer) = events::first_answer(response).await else { return false };
        // Until then the lost id stays, so that the next message finds the session lost, and tries again.
        if !self.negotiated(&answer, id) {
            return false;
        }
        let initialized = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec();
        let Ok(initialized) = Message::parse(initialized) else { return false };
        let told = self.post(&initialized).await.is_ok_and(|response| response.status().is_success());
        self.reopened.notify_waiters();
        told
    }

    /// Waits until the session `lost` is opened anew; not at all where that has happened meanwhile.
    pub(super) async fn reopened(&self, lost: Option<&HeaderValue>) {
        let mut reopened = std::pin::pin!(self.reopened.notified());
        reopened.as_mut().enable();
        if self.id().as_ref() == lost {
            reopened.await;
        }
    }

    /// Takes the negotiated revision from the answer to `initialize`, and the session's `id` with it. Whether the
    /// server agreed: an error changes nothing.
    pub(super) fn negotiated(&self, answer: &Value, id: Option<HeaderValue>) -> bool {
        let Some(result) = answer.get("result") else { return false };
        let version = result.get("protocolVersion").and_then(Value::as_str);
        let version = version.and_then(|version| HeaderValue::from_str(version).ok());
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = Learned { id, version };
        true
    }

    /// The fields that a message is sent with, where it says so itself.
    pub(super) fn mirrored(&self, message: &Message) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.mirror(message, &mut headers);
        headers
    }

    /// Lists the tools again, since the fields that `call` was sent with did not fit. Whether it now has others
    /// (MCP 2026-07-28, "Client Behavior" of "Custom Headers from Tool Parameters"). In the background, and not for ever:
    /// other calls wait for it.
    pub(super) async fn relist(&self, call: &Message, sent: &HeaderMap) -> bool {
        tokio::time::timeout(LONGEST_LISTING, self.listed_anew(call, sent)).await.unwrap_or(false)
    }

    async fn listed_anew(&self, call: &Message, sent: &HeaderMap) -> bool {
        if call.method.as_deref() != Some("tools/call") {
            return false;
        }
        let _one = self.relisting.lock().await;
        let client = self.client.in_background();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            if self.mirrored(call) != *sent {
                return true;
            }
            let Some(list) = list_tools(call, cursor.as_ref()) else { return false };
            let Ok(response) = self.post_by(&client, &list).await else { return false };
            let Some(answer) = events::first_answer(response).await else { return false };
            self.tools.learn(answer.to_string().into_bytes());
            cursor = answer.pointer("/result/nextCursor").filter(|next| next.is_string()).cloned();
            if cursor.is_none() {
                break;
            }
        }
        self.mirrored(call) != *sent
    }

    fn request(&self, method: Method, accept: &'static str) -> Request {
        let mut request = Request::new(method, self.client.server().url().clone());
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        let Learned { id, version } = self.learned();
        headers.extend(id.map(|id| (SESSION_ID, id)));
        headers.extend(version.map(|version| (PROTOCOL_VERSION, version)));
        request
    }

    /// MCP 2026-07-28: the message's own version, method, name and marked parameters, as headers.
    fn mirror(&self, message: &Message, headers: &mut HeaderMap) {
        let Some(version) = message.stateless_version.as_deref().and_then(encode) else { return };
        headers.insert(PROTOCOL_VERSION, version);
        headers.extend(message.method.as_deref().and_then(encode).map(|method| (METHOD, method)));
        headers.extend(message.name.as_deref().and_then(encode).map(|name| (NAME, name)));
        if let (Some("tools/call"), Some(tool)) = (message.method.as_deref(), &message.name) {
            self.tools.mirror(tool, &message.body, headers);
        }
    }
}

/// The id of the session that an answer to `initialize` opens, where the server keeps sessions.
pub(super) fn offered(response: &Response) -> Option<HeaderValue> {
    response.headers().get(SESSION_ID).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session() -> Session {
        Session::new(Client::builder("https://mcp.example/mcp").unwrap().build().unwrap())
    }

    fn id(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    #[test]
    fn only_an_agreement_changes_the_session() {
        let session = session();
        assert!(session.negotiated(&json!({"result": {"protocolVersion": "2025-11-25"}}), Some(id("old"))));
        assert!(!session.negotiated(&json!({"error": {"code": -32603, "message": "not now"}}), None));
        assert_eq!((session.id(), session.is_negotiated()), (Some(id("old")), true));
    }

    fn call() -> Message {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "_meta": meta}});
        Message::parse(call.to_string().into_bytes()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_never_comes_is_not_awaited_for_ever() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", silent.local_addr().unwrap());
        let session = Session::new(Client::builder(&url).unwrap().build().unwrap());
        let call = call();
        let sent = session.mirrored(&call);
        let listed = tokio::time::timeout(Duration::from_secs(3600), session.relist(&call, &sent)).await;
        assert!(!listed.expect("the wait ends"));
    }

    /// Nobody has asked for the list of tools.
    #[tokio::test]
    async fn a_list_of_tools_asks_nobody_to_log_in() {
        let peer = hallpass_testkit::authorization_server::Peer::start().await;
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = std::sync::Arc::clone(&asked);
        let browser = crate::interaction::Browser::new().announcer(|_| {}).launcher(move |url| {
            told.store(true, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(reqwest::get(url.as_str().to_owned()));
            Ok(())
        });
        let client = Client::builder(&peer.url()).unwrap().interaction(browser).build().unwrap();
        let (session, call) = (Session::new(client), call());
        let sent = session.mirrored(&call);
        assert!(!session.relist(&call, &sent).await);
        assert!(!peer.seen().mcp.is_empty() && !asked.load(std::sync::atomic::Ordering::SeqCst));
    }

    #[tokio::test]
    async fn what_was_opened_anew_before_its_loss_was_read_is_not_waited_for() {
        let session = session();
        session.negotiated(&json!({"result": {}}), Some(id("new")));
        let waiting = tokio::time::timeout(Duration::from_secs(20), async {
            session.reopened(Some(&id("old"))).await;
        });
        waiting.await.expect("the session is open already");
    }
}

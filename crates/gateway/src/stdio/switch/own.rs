//! What is said to a process on behalf of all its sessions, and what is answered to a session on behalf of the process.

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::room::Held;
use super::super::session::{Session, level_at, place_of};
use super::{Asked, METHOD_NOT_FOUND, Switch};

impl Switch {
    /// Asks something by itself; `None` when the process ends before it answers.
    pub(in crate::stdio) async fn ask(&self, method: &str, params: &Value) -> Option<Bytes> {
        let (sender, answer) = oneshot::channel();
        self.ask_for(method, params, sender);
        answer.await.ok()
    }

    fn ask_for(&self, method: &str, params: &Value, waits: oneshot::Sender<Bytes>) {
        let mut state = self.state();
        if state.over {
            return;
        }
        let id = state.next;
        state.next += 1;
        state.asked.insert(id, Asked::Own(waits));
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.say(line.to_string().into());
    }

    /// Asks something whose answer changes nothing here.
    fn ask_and_go_on(&self, method: &str, params: &Value) {
        self.ask_for(method, params, oneshot::channel().0);
    }

    /// Notifies the process of something.
    pub(in crate::stdio) fn tell(&self, method: &str) {
        self.say(json!({ "jsonrpc": "2.0", "method": method }).to_string().into());
    }

    /// A process that reads nothing of what it caused loses some of it.
    pub(super) fn say(&self, line: Bytes) {
        match self.room.try_hold(std::iter::once(&line)).and_then(|mut held: Vec<Held>| held.pop()) {
            Some(line) => self.send(line),
            None => tracing::warn!("the MCP server does not read what it is told"),
        }
    }

    /// Whether a request was answered without the process.
    pub(super) fn answered_here(&self, session: &Arc<Session>, id: &Id, method: &str, line: &Bytes) -> bool {
        match method {
            "initialize" => {
                session.standing().capabilities = capabilities(line);
                let asked = rewrite::text_of(line, "protocolVersion").unwrap_or_default();
                match self.opened.get() {
                    Some(opened) => self.reply(session, id, opened.for_client(&asked)),
                    None => session.fail(id, "the MCP server has not begun"),
                }
                true
            }
            "logging/setLevel" if self.offers("logging") => {
                let level = rewrite::text_of(line, "level");
                match level.as_deref().and_then(place_of) {
                    Some(level) => {
                        session.standing().level = Some(level);
                        self.set_level();
                        self.reply(session, id, json!({}));
                    }
                    None => self.refuse(session, id, super::INVALID_PARAMS, "there is no such level"),
                }
                true
            }
            "resources/subscribe" => {
                // Answered by the process, which knows whether there is such a resource.
                if let Some(uri) = rewrite::text_of(line, "uri") {
                    session.standing().subscriptions.insert(uri);
                }
                false
            }
            "resources/unsubscribe" => {
                let Some(uri) = rewrite::text_of(line, "uri") else { return false };
                session.standing().subscriptions.remove(&uri);
                if !self.somebody_wants(&uri) {
                    return false;
                }
                self.reply(session, id, json!({}));
                true
            }
            _ if method.starts_with("tasks/") => {
                let why = "tasks are not offered by a server that several sessions share";
                self.refuse(session, id, METHOD_NOT_FOUND, why);
                true
            }
            _ => false,
        }
    }

    fn reply(&self, session: &Session, id: &Id, result: Value) {
        let line = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into();
        session.hand(Message { kind: Kind::Response(Some(id.clone())), line });
    }

    fn offers(&self, capability: &str) -> bool {
        self.opened.get().is_some_and(|opened| opened.offers(capability))
    }

    /// What a session has said to a process that is gone by now.
    pub(super) fn say_again(&self, session: &Session) {
        let subscriptions: Vec<String> = session.standing().subscriptions.iter().cloned().collect();
        for uri in subscriptions {
            self.ask_and_go_on("resources/subscribe", &json!({ "uri": uri }));
        }
        if session.standing().level.is_some() {
            self.set_level();
        }
    }

    /// The process says as much as the most curious session wants to hear.
    fn set_level(&self) {
        let sessions: Vec<_> = self.state().sessions.values().cloned().collect();
        let least = sessions.iter().filter_map(|session| session.standing().level).min();
        if let Some(level) = least.and_then(level_at) {
            self.ask_and_go_on("logging/setLevel", &json!({ "level": level }));
        }
    }

    pub(super) fn forget_subscriptions(&self, session: &Session) {
        let subscriptions: Vec<String> = session.standing().subscriptions.iter().cloned().collect();
        for uri in subscriptions.into_iter().filter(|uri| !self.somebody_wants(uri)) {
            self.ask_and_go_on("resources/unsubscribe", &json!({ "uri": uri }));
        }
    }

    fn somebody_wants(&self, uri: &str) -> bool {
        let sessions: Vec<_> = self.state().sessions.values().cloned().collect();
        sessions.iter().any(|session| session.standing().subscriptions.contains(uri))
    }
}

/// The names of the capabilities that a client declares (lifecycle, "Capability Negotiation").
fn capabilities(initialize: &[u8]) -> std::collections::HashSet<String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Initialize {
        params: Params,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Params {
        capabilities: std::collections::HashMap<String, serde::de::IgnoredAny>,
    }
    let read: Initialize = serde_json::from_slice(initialize).unwrap_or_default();
    read.params.capabilities.into_keys().collect()
}

//! What is said to a process on behalf of all its sessions, and what is answered to a session on behalf of the process.

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::era::Era;
use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::room::Held;
use super::super::session::{Session, level_at, place_of};
use super::{Asked, METHOD_NOT_FOUND, State, Switch};

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
        let (id, line) = state.next_of_own(method, params);
        // Where there is no room, nobody will answer.
        if self.is_said(line) {
            state.asked.insert(id, Asked::Own(waits));
        }
    }

    /// Asks something whose answer changes nothing here: nobody waits for it.
    pub(super) fn ask_and_go_on(&self, method: &str, params: &Value) {
        let mut state = self.state();
        if !state.over {
            let (_, line) = state.next_of_own(method, params);
            self.say(line);
        }
    }

    /// Notifies the process of something.
    pub(in crate::stdio) fn tell(&self, method: &str) {
        self.say(json!({ "jsonrpc": "2.0", "method": method }).to_string().into());
    }

    /// A process that reads nothing of what it caused loses some of it.
    pub(super) fn say(&self, line: Bytes) {
        self.is_said(line);
    }

    /// Says it, where there is room.
    pub(super) fn is_said(&self, line: Bytes) -> bool {
        match self.room.try_hold(std::iter::once(&line)).and_then(|mut held: Vec<Held>| held.pop()) {
            Some(line) => {
                self.send(line);
                true
            }
            None => {
                tracing::warn!("the MCP server does not read what it is told");
                false
            }
        }
    }

    /// Whether a request was answered without the process.
    pub(super) fn answered_here(&self, session: &Arc<Session>, id: &Id, method: &str, line: &Bytes) -> bool {
        match method {
            "initialize" => {
                session.standing().introduce(line);
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
            "resources/subscribe" => self.refuses_to_subscribe(session, id, line),
            "resources/unsubscribe" => self.unsubscribes_here(session, id, line),
            _ if method.starts_with("tasks/") => {
                let why = "tasks are not offered by a server that several sessions share";
                self.refuse(session, id, METHOD_NOT_FOUND, why);
                true
            }
            _ => false,
        }
    }

    pub(super) fn reply(&self, session: &Session, id: &Id, result: Value) {
        let line = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into();
        session.hand(Message { kind: Kind::Response(Some(id.clone())), line });
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.opened.get().is_some_and(|opened| opened.offers(capability))
    }

    /// What a session has said to a process that is gone by now.
    pub(super) fn say_again(&self, session: &Arc<Session>) {
        if self.era() == Era::Modern {
            return self.listen_again(session);
        }
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
        if !self.offers("logging") {
            return;
        }
        let sessions: Vec<_> = self.state().sessions.values().cloned().collect();
        let least = sessions.iter().filter_map(|session| session.standing().level).min();
        if let Some(level) = least.and_then(level_at) {
            self.ask_and_go_on("logging/setLevel", &json!({ "level": level }));
        }
    }
}

impl State {
    /// A request of hallpass's own, and its number.
    pub(super) fn next_of_own(&mut self, method: &str, params: &Value) -> (i64, Bytes) {
        let id = self.next;
        self.next += 1;
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        (id, line.to_string().into())
    }
}

//! A server that knows 2026-07-28, and clients that do: their messages pass as they are, under other ids.
//!
//! Over stdio, what is heard by listening comes on one channel for all. It names the request that listens, and goes to whoever
//! sent that; what names none is nobody's (basic/patterns/subscriptions).

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::session::Session;
use super::super::stateless::{CAPABILITIES, REVISIONS, SUBSCRIPTION};
use super::earlier::refused_to_tell;
use super::{Asked, Becomes, METHOD_NOT_FOUND, Switch, bridge};
use crate::members::Members;

/// SEP-2663.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What the answer to a method becomes.
pub(super) fn becomes(method: &str) -> Becomes {
    match method {
        "subscriptions/listen" => Becomes::Listened,
        "server/discover" => Becomes::Discovered,
        "tools/list" => Becomes::Listed,
        _ => Becomes::Itself,
    }
}

impl Switch {
    /// Whether a request is refused here. Whose a task is, a server that everybody shares cannot know (SEP-2663, "Auth
    /// binding").
    pub(super) fn refused_here(&self, session: &Session, id: &Id, method: &str) -> bool {
        let refused = self.everybodys && method.starts_with("tasks/");
        if refused {
            let why = "tasks are not offered by a server that several share";
            self.refuse(session, id, METHOD_NOT_FOUND, why);
        }
        refused
    }

    /// Whether a notification was of a kind that is heard by listening only. It went to whoever listens by the request that
    /// it names, or to nobody.
    pub(super) fn heard_by_listening(&self, method: &str, line: &Bytes) -> bool {
        let Some(number) = rewrite::listener_of(line) else {
            return matches!(
                method,
                "notifications/subscriptions/acknowledged"
                    | "notifications/tools/list_changed"
                    | "notifications/prompts/list_changed"
                    | "notifications/resources/list_changed"
                    | "notifications/resources/updated"
            );
        };
        if matches!(self.state().asked.get(&number), Some(Asked::Hears { .. })) {
            self.told(number, method, line);
            return true;
        }
        let listener = match self.state().asked.get(&number) {
            Some(Asked::Session { session, id, becomes: Becomes::Listened, .. }) => {
                Some((Arc::clone(session), id.clone()))
            }
            _ => None,
        };
        match listener {
            Some((session, id)) => {
                let line = rewrite::in_meta(line, "params", SUBSCRIPTION, &json!(id).to_string());
                session.hand(Message { kind: Kind::Notification(method.to_owned()), line });
            }
            None => tracing::debug!(method, "a notification of the server is for nobody"),
        }
        true
    }

    /// The server "MUST send notifications/cancelled" when it ends a subscription (basic/patterns/cancellation): over HTTP, its
    /// stream ends.
    pub(super) fn no_longer_listens(&self, id: &Id) {
        let Id::Number(number) = id else { return };
        let mut state = self.state();
        if let Some(Asked::Hears { .. }) = state.asked.get(number)
            && let Some(Asked::Hears { session, uri, waits }) = state.asked.remove(number)
        {
            drop(state);
            if let Some(uri) = uri {
                session.standing().subscriptions.remove(&uri);
            }
            // It was never agreed to: whoever asked for it would wait for ever.
            if let Some(id) = waits {
                let line = refused_to_tell(&id);
                session.hand(Message { kind: Kind::Response(Some(id)), line });
            }
            return;
        }
        if !matches!(state.asked.get(number), Some(Asked::Session { becomes: Becomes::Listened, .. })) {
            return;
        }
        if let Some(Asked::Session { session, id, .. }) = state.asked.remove(number) {
            drop(state);
            let line = bridge::listened(&id);
            session.hand(Message { kind: Kind::Response(Some(id)), line });
        }
    }
}

/// The end of a subscription, with the name that its client gave it.
pub(super) fn listened(line: &Bytes, id: &Id) -> Bytes {
    rewrite::in_meta(line, "result", SUBSCRIPTION, &json!(id).to_string())
}

/// What a client may choose from is what passes here: `initialize` is answered as well, later revisions are not.
pub(super) fn discovered(line: &Bytes, everybodys: bool) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let result = |result: &RawValue| {
        let members = Members::read(result)?;
        Some(members.written(|name, value| {
            Some(match name {
                "supportedVersions" => json!(REVISIONS).to_string(),
                "capabilities" if everybodys => no_tasks(value),
                _ => value.get().to_owned(),
            })
        }))
    };
    message
        .written(|name, value| {
            let result = (name == "result").then(|| result(value)).flatten();
            Some(result.unwrap_or_else(|| value.get().to_owned()))
        })
        .into()
}

/// A request of a client that knows no tasks, and listens for none.
pub(super) fn without_tasks(line: &Bytes) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let object = |value: &RawValue, member: &str, changed: &dyn Fn(&RawValue) -> String| {
        let members = Members::read(value)?;
        Some(members.written(|name, value| {
            Some(if name == member { changed(value) } else { value.get().to_owned() })
        }))
    };
    let no_ids = |filter: &RawValue| match Members::read(filter) {
        Some(filter) => filter.written(|name, value| (name != "taskIds").then(|| value.get().to_owned())),
        None => filter.get().to_owned(),
    };
    let params = |params: &RawValue| {
        let members = Members::read(params)?;
        Some(members.written(|name, value| {
            let changed = match name {
                "_meta" => object(value, CAPABILITIES, &no_tasks),
                "notifications" => Some(no_ids(value)),
                _ => None,
            };
            Some(changed.unwrap_or_else(|| value.get().to_owned()))
        }))
    };
    message
        .written(|name, value| {
            let params = (name == "params").then(|| params(value)).flatten();
            Some(params.unwrap_or_else(|| value.get().to_owned()))
        })
        .into()
}

/// Capabilities without the extension.
fn no_tasks(capabilities: &RawValue) -> String {
    let mut all: Value = serde_json::from_str(capabilities.get()).unwrap_or_default();
    if let Some(extensions) = all.get_mut("extensions").and_then(Value::as_object_mut) {
        extensions.remove(TASKS);
    }
    all.to_string()
}

//! A server that knows `initialize`, and clients of 2026-07-28 that do not.
//!
//! | the client sends | the server hears |
//! |---|---|
//! | `server/discover` | nothing: hallpass answers from what the server said to `initialize` |
//! | a request | the same without what `_meta` says of revision, client and log level |
//! | `subscriptions/listen` | `resources/subscribe` for each resource |
//! | the end of its stream | `notifications/cancelled` |
//!
//! | the server sends | the client hears |
//! |---|---|
//! | a result | the same with `resultType`, `ttlMs` and `cacheScope`, and who the server is |
//! | an error of an earlier revision | the code of this one |
//! | what is heard of by listening | the same with `subscriptionId` |
//! | a question: sampling, elicitation, roots | nothing: the server gets an error |

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::session::{Listening, Session};
use super::super::stateless::{CAPABILITIES, CLIENT, LEVEL, SERVER, SUBSCRIPTION, VERSION};
use super::{METHOD_NOT_FOUND, Switch, subscriptions};
use crate::members::{Members, push};

/// What `_meta` of a request says to a server of this revision alone.
pub(super) const OF_A_REQUEST: [&str; 4] = [VERSION, CLIENT, CAPABILITIES, LEVEL];
/// Not found, and a URL to be opened: codes that this revision must not send (basic, "Error Codes").
const FORMER: [(i64, i64); 2] = [(-32002, -32602), (-32042, -32603)];

/// Whether results of a method say for how long they hold (server/utilities/caching).
fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" | "resources/read"
    )
}

impl Switch {
    /// Whether a request of a client of this revision was answered without the process.
    pub(super) fn answered_here_now(
        &self,
        session: &Arc<Session>,
        id: &Id,
        method: &str,
        line: &Bytes,
    ) -> bool {
        match method {
            "server/discover" => {
                let result = self.opened.get().map(|opened| opened.discovered());
                self.reply(session, id, result.unwrap_or_default());
            }
            "subscriptions/listen" => self.listen(session, id, line),
            // The server has them, and the revision has not.
            "initialize" | "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
                self.refuse(session, id, METHOD_NOT_FOUND, "there is no such method in this revision");
            }
            _ if method.starts_with("tasks/") => {
                self.refuse(
                    session,
                    id,
                    METHOD_NOT_FOUND,
                    "tasks are not offered by a server that several share",
                );
            }
            _ => return false,
        }
        true
    }

    /// basic/patterns/subscriptions. The request is answered when the process ends.
    fn listen(&self, session: &Arc<Session>, id: &Id, line: &Bytes) {
        let asked: Value = rewrite::read(line)
            .and_then(|message| rewrite::read(message.get("params")?.get().as_bytes())?.get("notifications"))
            .and_then(|filter| serde_json::from_str(filter.get()).ok())
            .unwrap_or_default();
        let wants = |kind: &str, capability: &str, member: &str| {
            asked.get(kind).and_then(Value::as_bool) == Some(true) && self.can_notify(capability, member)
        };
        let resources: Vec<String> = match asked.get("resourceSubscriptions").and_then(Value::as_array) {
            Some(uris) if self.can_notify("resources", "subscribe") => {
                let uris =
                    uris.iter().filter_map(Value::as_str).filter(|uri| uri.len() <= subscriptions::LONGEST);
                let left = subscriptions::MOST.saturating_sub(self.listened_for(session));
                uris.take(left).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let listening = Listening {
            id: id.clone(),
            tools: wants("toolsListChanged", "tools", "listChanged"),
            prompts: wants("promptsListChanged", "prompts", "listChanged"),
            resources: wants("resourcesListChanged", "resources", "listChanged"),
        };
        let mut agreed = serde_json::Map::new();
        for (member, wanted) in [
            ("toolsListChanged", listening.tools),
            ("promptsListChanged", listening.prompts),
            ("resourcesListChanged", listening.resources),
        ] {
            if wanted {
                agreed.insert(member.to_owned(), true.into());
            }
        }
        if !resources.is_empty() {
            agreed.insert("resourceSubscriptions".to_owned(), json!(resources));
        }
        let acknowledged = "notifications/subscriptions/acknowledged";
        let params = json!({ "_meta": { SUBSCRIPTION: id }, "notifications": agreed });
        let line = json!({ "jsonrpc": "2.0", "method": acknowledged, "params": params }).to_string().into();
        session.hand(Message { kind: Kind::Notification(acknowledged.to_owned()), line });
        let new: Vec<String> = resources.iter().filter(|uri| !self.somebody_wants(uri)).cloned().collect();
        {
            let mut standing = session.standing();
            standing.listening = Some(listening);
            standing.subscriptions.extend(resources);
        }
        for uri in new {
            self.ask_and_go_on("resources/subscribe", &json!({ "uri": uri }));
        }
    }

    fn can_notify(&self, capability: &str, member: &str) -> bool {
        self.opened.get().is_some_and(|opened| opened.has(capability, member))
    }

    /// An answer as this revision has it.
    pub(super) fn now(&self, line: &Bytes, method: &str) -> Bytes {
        let Some(message) = rewrite::read(line) else { return line.clone() };
        let server = self.opened.get().map(|opened| opened.server().to_string());
        message
            .written(|name, value| {
                Some(match name {
                    "result" => result_now(value, method, server.as_deref()),
                    "error" => error_now(value),
                    _ => value.get().to_owned(),
                })
            })
            .into()
    }
}

/// A request without what only a server of this revision understands.
pub(super) fn request_before(line: &Bytes) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let without = |meta: &RawValue| {
        let members = Members::read(meta)?;
        Some(members.written(|name, value| (!OF_A_REQUEST.contains(&name)).then(|| value.get().to_owned())))
    };
    let params = message.get("params").and_then(Members::read).map(|params| {
        params.written(|name, value| {
            let meta = (name == "_meta").then(|| without(value)).flatten();
            Some(meta.unwrap_or_else(|| value.get().to_owned()))
        })
    });
    message
        .written(|name, value| {
            let params = params.clone().filter(|_| name == "params");
            Some(params.unwrap_or_else(|| value.get().to_owned()))
        })
        .into()
}

/// What is heard of by listening, with the name of the request that listens.
pub(super) fn for_subscription(line: &Bytes, id: &Id) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let id = json!(id).to_string();
    let params = message.get("params").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let params = with_meta(&params, SUBSCRIPTION, &id);
    let mut text = message.written(|name, value| (name != "params").then(|| value.get().to_owned()));
    text.pop();
    push(&mut text, "params", &params);
    text.push('}');
    text.into()
}

/// "Graceful Closure": the request that listened is answered.
pub(super) fn listened(id: &Id) -> Bytes {
    let result = json!({ "resultType": "complete", "_meta": { SUBSCRIPTION: id } });
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into()
}

fn result_now(result: &RawValue, method: &str, server: Option<&str>) -> String {
    let Some(members) = Members::read(result) else { return result.get().to_owned() };
    let mut text = match server {
        Some(server) => with_meta(&members, SERVER, server),
        None => members.written(|_, value| Some(value.get().to_owned())),
    };
    text.pop();
    let mut add = |name: &str, value: &str| {
        if members.get(name).is_none() {
            push(&mut text, name, value);
        }
    };
    add("resultType", r#""complete""#);
    if is_cacheable(method) {
        add("ttlMs", "0");
        add("cacheScope", r#""private""#);
    }
    text.push('}');
    text
}

fn error_now(error: &RawValue) -> String {
    let Some(members) = Members::read(error) else { return error.get().to_owned() };
    members.written(|name, value| {
        let code = || FORMER.iter().find(|(former, _)| value.get() == former.to_string());
        let code = (name == "code").then(code).flatten();
        Some(code.map_or_else(|| value.get().to_owned(), |(_, now)| now.to_string()))
    })
}

/// An object whose `_meta` says one thing more, unless it says it already.
fn with_meta(object: &Members<'_>, name: &str, value: &str) -> String {
    let meta = object.get("_meta").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let mut text = meta.written(|_, value| Some(value.get().to_owned()));
    if meta.get(name).is_none() {
        text.pop();
        push(&mut text, name, value);
        text.push('}');
    }
    let mut whole = object.written(|name, value| (name != "_meta").then(|| value.get().to_owned()));
    whole.pop();
    push(&mut whole, "_meta", &text);
    whole.push('}');
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_request_loses_what_only_this_revision_has() {
        let line = Bytes::from(
            r#"{"id":1,"method":"m","params":{"a":1e400,"_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"x":1}}}"#,
        );
        let before = r#"{"id":1,"method":"m","params":{"a":1e400,"_meta":{"progressToken":1,"x":1}}}"#;
        assert_eq!(request_before(&line), before);
        let plain = Bytes::from(r#"{"id":1,"method":"m"}"#);
        assert_eq!(request_before(&plain), plain);
    }

    #[test]
    fn a_result_says_what_this_revision_wants_to_hear() {
        let server = Some(r#"{"name":"s"}"#);
        for (method, before, now) in [
            (
                "tools/call",
                r#"{"content":[]}"#,
                r#"{"content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}},"resultType":"complete"}"#,
            ),
            (
                "tools/list",
                r#"{ "_meta":{"x":1},"tools":[], "ttlMs":5 }"#,
                r#"{"tools":[],"ttlMs":5,"_meta":{"x":1,"io.modelcontextprotocol/serverInfo":{"name":"s"}},"resultType":"complete","cacheScope":"private"}"#,
            ),
            ("m", "7", "7"),
        ] {
            assert_eq!(result_now(&raw(before), method, server), now);
        }
        assert_eq!(result_now(&raw("{} "), "m", None), r#"{"resultType":"complete"}"#);
    }

    #[test]
    fn codes_that_this_revision_has_not_are_its_own() {
        for (before, now) in [("-32002", "-32602"), ("-32042", "-32603"), ("-32601", "-32601"), ("1", "1")] {
            let error = raw(&format!(r#"{{"code":{before},"message":"m"}}"#));
            assert_eq!(error_now(&error), format!(r#"{{"code":{now},"message":"m"}}"#));
        }
    }

    #[test]
    fn what_is_heard_names_who_listens() {
        let id = Id::Text("l".to_owned());
        for (line, named) in [
            (
                r#"{"method":"n"}"#,
                r#"{"method":"n","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
            ),
            (
                r#"{"method":"n","params":{"uri":"a"}}"#,
                r#"{"method":"n","params":{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
            ),
        ] {
            assert_eq!(for_subscription(&Bytes::from(line), &id), named);
        }
    }
}

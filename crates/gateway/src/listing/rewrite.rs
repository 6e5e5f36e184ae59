//! One message: the answer to a request for a list, or anything else.

use hallpass_resource_server::json_rpc::Id;
use hallpass_resource_server::policy::{Asked, Item, List};
use hallpass_resource_server::{Caller, ResourceServer};
use serde_json::json;
use serde_json::value::RawValue;

use crate::members::{Members, push};

/// What ChatGPT, and clients that learned from it, read before they call a tool.
const SCHEMES: &str = "securitySchemes";

/// A text without the byte order mark that it may begin with.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

pub(super) struct Rewrite {
    /// The requests whose answers have not come yet.
    pub(super) asked: Vec<Asked>,
    pub(super) hide: bool,
    pub(super) server: ResourceServer,
    pub(super) caller: Caller,
}

impl Rewrite {
    /// Whether more is to be rewritten.
    pub(super) fn is_over(&self) -> bool {
        self.asked.is_empty()
    }

    /// The message rewritten; `None` where it stays as it is. A batch is gone through item by item.
    ///
    /// It is read as clients read it (WHATWG Encoding, "UTF-8 decode"): without a mark at its beginning, and with U+FFFD
    /// for what is no UTF-8. Else an answer would go by as it is that a client can read.
    pub(super) fn message(&mut self, text: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(without_mark(text));
        let message: &RawValue = serde_json::from_str(&text).ok()?;
        if let Ok(batch) = serde_json::from_str::<Vec<&RawValue>>(message.get()) {
            let mut changed = false;
            let items: Vec<String> = batch
                .into_iter()
                .map(|item| {
                    let rewritten = self.one(item);
                    changed |= rewritten.is_some();
                    rewritten.unwrap_or_else(|| item.get().to_owned())
                })
                .collect();
            return changed.then(|| format!("[{}]", items.join(",")));
        }
        self.one(message)
    }

    fn one(&mut self, message: &RawValue) -> Option<String> {
        let members = Members::read(message)?;
        if members.get("method").is_some() {
            return None;
        }
        let id: Id = serde_json::from_str(members.get("id")?.get()).ok()?;
        let at = self.asked.iter().position(|asked| asked.id == id)?;
        // With neither it is no answer (JSON-RPC 2.0 §5), and the answer is still to come.
        members.get("result").or_else(|| members.get("error"))?;
        let list = self.asked.swap_remove(at).list;
        members.get("result")?;
        Some(members.written(|name, value| match name {
            "result" => Some(self.result(value, list)),
            _ => Some(value.get().to_owned()),
        }))
    }

    fn result(&self, result: &RawValue, list: List) -> String {
        let Some(members) = Members::read(result) else { return result.get().to_owned() };
        members.written(|name, value| {
            if name != list.member() {
                return Some(value.get().to_owned());
            }
            let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
                // What cannot be read cannot be hidden in part.
                return (!self.hide).then(|| value.get().to_owned());
            };
            let items: Vec<String> = items.into_iter().filter_map(|item| self.item(item, list)).collect();
            Some(format!("[{}]", items.join(",")))
        })
    }

    /// One thing on a list; `None` if it is hidden.
    fn item(&self, item: &RawValue, list: List) -> Option<String> {
        let named = Members::read(item).and_then(|members| Some((members.text(list.key())?, members)));
        let Some((name, members)) = named else {
            return (!self.hide).then(|| item.get().to_owned());
        };
        let Item { scopes, denied, within_reach } = self.server.item(list, &name, &self.caller);
        if self.hide && !within_reach {
            return None;
        }
        // What upstream said of its own schemes does not hold here.
        let mut text = members.written(|name, value| (name != SCHEMES).then(|| value.get().to_owned()));
        if denied {
            return Some(text);
        }
        text.pop();
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        push(&mut text, SCHEMES, &json!([{ "type": "oauth2", "scopes": scopes }]).to_string());
        text.push('}');
        Some(text)
    }
}

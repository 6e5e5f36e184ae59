//! What a process that several sessions share has to know of each.

use std::collections::HashSet;

use hallpass_resource_server::json_rpc::Id;
use serde_json::{Map, Value, json};

use super::super::stateless::{CAPABILITIES, CLIENT, LEVEL, REVISION, VERSION};

/// Levels of log messages, from all to few (MCP 2025-11-25, server/utilities/logging; RFC 5424).
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What a session has said about itself. A process that is started anew is told again.
#[derive(Debug, Default)]
pub(in crate::stdio) struct Standing {
    /// Whether its client speaks 2026-07-28: then it stands for one request.
    pub(in crate::stdio) stands_alone: bool,
    /// The request by which such a client listens.
    pub(in crate::stdio) listening: Option<Listening>,
    /// Whether its client has sent `initialize`.
    pub(in crate::stdio) is_introduced: bool,
    /// Who its client says it is.
    client: Option<Value>,
    /// The capabilities that its client has declared.
    capabilities: Map<String, Value>,
    /// The resources that it wants to hear of, as far as a process said yes.
    pub(in crate::stdio) subscriptions: HashSet<String>,
    /// Its `logging/setLevel`, as a place in the list of levels.
    pub(in crate::stdio) level: Option<usize>,
}

/// What a client of 2026-07-28 has asked to hear of, beside resources (basic/patterns/subscriptions).
#[derive(Clone, Debug)]
pub(in crate::stdio) struct Listening {
    pub(in crate::stdio) id: Id,
    pub(in crate::stdio) tools: bool,
    pub(in crate::stdio) prompts: bool,
    pub(in crate::stdio) resources: bool,
}

/// How much of what a client says of itself is kept, in bytes.
const MOST: usize = 4096;
/// What a client can be asked for.
const ASKED_FOR: [&str; 3] = ["elicitation", "roots", "sampling"];

impl Standing {
    /// Keeps what a client says of itself in `initialize`: who it is, what it can be asked for, and its extensions.
    pub(in crate::stdio) fn introduce(&mut self, initialize: &[u8]) {
        let message: Value = serde_json::from_slice(initialize).unwrap_or_default();
        let is_short = |value: &&Value| value.to_string().len() <= MOST;
        self.is_introduced = true;
        self.client =
            message["params"].get("clientInfo").filter(|it| it.is_object()).filter(is_short).cloned();
        self.capabilities = Map::new();
        for (name, value) in message["params"]["capabilities"].as_object().into_iter().flatten() {
            let value = if is_short(&value) { value.clone() } else { json!({}) };
            if ASKED_FOR.contains(&&**name) {
                self.capabilities.insert(name.clone(), value);
            } else if name == "extensions" && value.is_object() {
                let mut extensions = value;
                extensions.as_object_mut().map(|all| all.remove("io.modelcontextprotocol/tasks"));
                self.capabilities.insert(name.clone(), extensions);
            }
        }
    }

    /// What a request of its says of it to a server of 2026-07-28 ("Per-request protocol fields").
    pub(in crate::stdio) fn meta(&self) -> Map<String, Value> {
        let mut meta = Map::new();
        meta.insert(VERSION.to_owned(), REVISION.into());
        if let Some(client) = &self.client {
            meta.insert(CLIENT.to_owned(), client.clone());
        }
        meta.insert(CAPABILITIES.to_owned(), self.capabilities.clone().into());
        if let Some(level) = self.level.and_then(level_at) {
            meta.insert(LEVEL.to_owned(), level.into());
        }
        meta
    }

    /// Whether it hears of changes of a list.
    pub(in crate::stdio) fn hears_of(&self, list_changed: &str) -> bool {
        let Some(listening) = &self.listening else { return !self.stands_alone };
        match list_changed {
            "notifications/tools/list_changed" => listening.tools,
            "notifications/prompts/list_changed" => listening.prompts,
            _ => listening.resources,
        }
    }

    /// Whether its client can answer a request of the server's.
    pub(in crate::stdio) fn can(&self, method: &str) -> bool {
        let capability = method.split('/').next().unwrap_or_default();
        self.capabilities.contains_key(capability)
    }

    /// Whether it wants to hear of a resource: also of what is part of one that it subscribed to ("this might be a
    /// sub-resource", schema of 2025-11-25, `ResourceUpdatedNotificationParams`).
    pub(in crate::stdio) fn wants(&self, uri: &str) -> bool {
        self.subscriptions.contains(uri) || self.subscriptions.iter().any(|whole| is_part(uri, whole))
    }

    /// Whether it wants to hear log messages of that level. A session that said nothing hears what there is; a
    /// request that stands alone then hears nothing (2026-07-28, server/utilities/logging).
    pub(in crate::stdio) fn hears(&self, level: Option<&Value>) -> bool {
        if self.stands_alone && self.level.is_none() {
            return false;
        }
        let level = level.and_then(Value::as_str).and_then(place_of);
        self.level.zip(level).is_none_or(|(least, level)| level >= least)
    }
}

/// Whether a resource is part of another one. What names a scheme and nothing in it is no resource that has parts: all
/// there is would be part of it.
fn is_part(uri: &str, whole: &str) -> bool {
    let Some(rest) = uri.strip_prefix(whole) else { return false };
    let named = whole.split_once(':').map_or(whole, |(_, rest)| rest);
    named.contains(|letter| letter != '/') && (whole.ends_with('/') || rest.starts_with(['/', '#', '?']))
}

/// The place of a level in the list of levels.
pub(in crate::stdio) fn place_of(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

/// The level at that place.
pub(in crate::stdio) fn level_at(place: usize) -> Option<&'static str> {
    LEVELS.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_client_says_of_itself_so_much_is_kept() {
        let long = "x".repeat(MOST);
        let mut standing = Standing::default();
        let capabilities = json!({"sampling":{"long":long},"roots":{"listChanged":true},"other":{},
            "extensions":{"io.modelcontextprotocol/tasks":{},"a":{}}});
        let params = json!({"clientInfo":{"name":long},"capabilities":capabilities});
        standing.introduce(json!({"params":params}).to_string().as_bytes());
        assert_eq!(
            Value::from(standing.meta()),
            json!({VERSION:"2026-07-28",CAPABILITIES:{"sampling":{},"roots":{"listChanged":true},"extensions":{"a":{}}}})
        );
        assert!(standing.can("sampling/createMessage") && !standing.can("elicitation/create"));
        for nothing in ["[]", r#"{"params":[]}"#, r#"{"params":"x"}"#, r#"{"params":{"capabilities":[]}}"#] {
            standing.introduce(nothing.as_bytes());
            assert_eq!(Value::from(standing.meta()), json!({VERSION:"2026-07-28",CAPABILITIES:{}}));
        }
    }

    #[test]
    fn a_part_of_what_was_subscribed_to_is_heard_of_and_no_neighbour() {
        let standing = Standing {
            subscriptions: ["notes://a".to_owned(), "file:///b/".to_owned()].into(),
            ..Standing::default()
        };
        for uri in ["notes://a", "notes://a/1", "notes://a#x", "file:///b/c"] {
            assert!(standing.wants(uri), "{uri}");
        }
        for uri in ["notes://ab", "notes://", "file:///b", "file:///c"] {
            assert!(!standing.wants(uri), "{uri}");
        }
    }

    #[test]
    fn a_scheme_is_no_resource_that_has_parts() {
        for whole in ["notes:", "notes:/", "notes://", "notes:///", "/", ""] {
            let standing = Standing { subscriptions: [whole.to_owned()].into(), ..Standing::default() };
            assert!(standing.wants(whole));
            for uri in ["notes://a", "notes:///a", "/a", "?a"] {
                assert!(!standing.wants(uri), "{whole} {uri}");
            }
        }
    }

    #[test]
    fn a_level_is_the_least_that_is_heard() {
        let mut standing = Standing::default();
        assert!(standing.hears(Some(&json!("debug"))));
        standing.level = place_of("warning");
        for (level, heard) in [("info", false), ("warning", true), ("emergency", true), ("loud", true)] {
            assert_eq!(standing.hears(Some(&json!(level))), heard, "{level}");
        }
    }
}

//! How a process that several sessions share begins.

use serde_json::{Map, Value, json};

use super::Switch;

/// The revision that a shared process is asked for: the last one that has `initialize`.
const LATEST: &str = "2025-11-25";
/// The revisions that have `initialize`. What each added are members and notifications that the ones before pass over.
const KNOWN: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LATEST];

/// What the server said at the beginning.
#[derive(Clone, Debug)]
pub(in crate::stdio) struct Opened {
    /// The result of `initialize`.
    result: Value,
    revision: String,
}

/// Why a process is of no use.
#[derive(Debug, thiserror::Error)]
pub(in crate::stdio) enum NotOpened {
    /// It ended.
    #[error("it ended before it answered initialize")]
    Ended,
    /// It did not answer in [`Limits::start`](crate::Limits::start).
    #[error("it did not answer initialize in time")]
    Late,
    /// It answered something else than a result.
    #[error("it answered initialize with {0}")]
    Answer(String),
}

impl Switch {
    /// Begins: what it answers holds for all sessions. Declared is what can be brought to a client that can do it; where
    /// the one that is served can't, the server hears so when it asks.
    pub(in crate::stdio) async fn open(&self) -> Result<(), NotOpened> {
        let params = json!({
            "protocolVersion": LATEST,
            "capabilities": { "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } },
            "clientInfo": { "name": "hallpass", "version": env!("CARGO_PKG_VERSION") },
        });
        let answer = self.ask("initialize", &params).await.ok_or(NotOpened::Ended)?;
        let opened = Opened::read(&answer)?;
        // Nobody else opens it.
        drop(self.opened.set(opened));
        self.tell("notifications/initialized");
        Ok(())
    }
}

impl Opened {
    pub(super) fn read(answer: &[u8]) -> Result<Self, NotOpened> {
        let mut answer: Map<String, Value> = serde_json::from_slice(answer).unwrap_or_default();
        let mut result = answer.remove("result").unwrap_or_default();
        let Some(revision) = result.get("protocolVersion").and_then(Value::as_str).map(str::to_owned) else {
            let code = answer.get("error").and_then(|error| error.get("code"));
            return Err(NotOpened::Answer(
                code.map_or_else(|| "no result".to_owned(), |code| format!("error {code}")),
            ));
        };
        if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
            capabilities.remove("tasks");
        }
        Ok(Self { result, revision })
    }

    /// What a client hears that asks for that revision: it gets that one, where the server's own is the same or later.
    pub(super) fn for_client(&self, asked: &str) -> Value {
        let mut result = self.result.clone();
        let place = |revision: &str| KNOWN.iter().position(|known| *known == revision);
        if place(asked).zip(place(&self.revision)).is_some_and(|(asked, own)| asked <= own) {
            result["protocolVersion"] = asked.into();
        }
        result
    }

    /// What `server/discover` of 2026-07-28 answers.
    pub(super) fn discovered(&self, revisions: &[&str]) -> Value {
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": revisions,
            "capabilities": self.result.get("capabilities").cloned().unwrap_or_else(|| json!({})),
            "_meta": { "io.modelcontextprotocol/serverInfo": self.server() },
            "ttlMs": 0,
            "cacheScope": "private",
        });
        if let Some(instructions) = self.result.get("instructions") {
            result["instructions"] = instructions.clone();
        }
        result
    }

    /// Who the server says it is.
    pub(super) fn server(&self) -> Value {
        let nameless = || json!({ "name": "unknown", "version": "unknown" });
        self.result.get("serverInfo").cloned().unwrap_or_else(nameless)
    }

    /// Whether a capability has a member that is true.
    pub(super) fn has(&self, capability: &str, member: &str) -> bool {
        let capabilities = self.result.get("capabilities");
        capabilities.and_then(|all| all.get(capability)?.get(member)) == Some(&Value::Bool(true))
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.result["capabilities"].get(capability).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_hears_the_revision_that_fits() {
        let opened = |revision: &str| {
            let answer =
                json!({"id":1,"result":{"protocolVersion":revision,"capabilities":{"tasks":{},"tools":{}}}});
            Opened::read(answer.to_string().as_bytes()).unwrap()
        };
        for (own, asked, heard) in [
            ("2025-11-25", "2025-11-25", "2025-11-25"),
            ("2025-11-25", "2024-11-05", "2024-11-05"),
            ("2025-03-26", "2025-06-18", "2025-03-26"),
            ("2025-06-18", "1999-01-01", "2025-06-18"),
            ("2099-01-01", "2025-06-18", "2099-01-01"),
        ] {
            let heard_of = opened(own).for_client(asked);
            assert_eq!(heard_of["protocolVersion"], heard, "{own} {asked}");
            assert_eq!(heard_of["capabilities"], json!({"tools":{}}));
        }
    }

    #[test]
    fn what_is_no_result_opens_nothing() {
        for answer in [r#"{"id":1,"error":{"code":-32601}}"#, r#"{"id":1,"result":{}}"#, "[]"] {
            assert!(matches!(Opened::read(answer.as_bytes()), Err(NotOpened::Answer(_))), "{answer}");
        }
    }
}

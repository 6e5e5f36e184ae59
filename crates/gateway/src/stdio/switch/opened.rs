//! How a process that several sessions share begins, and what the server said then.

use std::pin::pin;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::super::era::{Era, Eras};
use super::super::stateless::{CAPABILITIES, CLIENT, REVISION, REVISIONS, SERVER, VERSION};
use super::Switch;
use super::native::TASKS;

/// The revision that a shared process is asked for: the last one that has `initialize`.
const LATEST: &str = "2025-11-25";
/// The revisions that have `initialize`. What each added are members and notifications that the ones before pass over.
const KNOWN: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LATEST];

/// What the server said at the beginning.
#[derive(Clone, Debug)]
pub(in crate::stdio) struct Opened {
    pub(super) era: Era,
    /// The result of `initialize`, or of `server/discover`.
    result: Value,
    /// Of `initialize`.
    revision: String,
}

/// Why a process is of no use.
#[derive(Debug, thiserror::Error)]
pub(in crate::stdio) enum NotOpened {
    /// It ended.
    #[error("it ended before it answered {0}")]
    Ended(&'static str),
    /// It did not answer in [`Limits::start`](crate::Limits::start).
    #[error("it did not answer in time")]
    Late,
    /// It answered something else than a result.
    #[error("it answered {0} with {1}")]
    Answer(&'static str, String),
}

impl Switch {
    /// Begins, as clients of that kind do if the server can: what it answers holds for all sessions.
    pub(in crate::stdio) async fn open(&self, era: Era, eras: &Eras) -> Result<(), NotOpened> {
        let first = eras.first(era);
        let opened = match first {
            Era::Modern if eras.knows(first).is_none() => self.probe(eras).await,
            _ => self.begin(first).await,
        };
        let opened = match opened {
            Err(NotOpened::Answer(..)) => {
                let opened = self.begin(first.other()).await?;
                eras.learn(first, false);
                opened
            }
            opened => opened?,
        };
        eras.learn(opened.era, true);
        if opened.era == Era::Legacy {
            self.tell("notifications/initialized");
        }
        // Nobody else opens it.
        drop(self.opened.set(opened));
        Ok(())
    }

    /// Asks for `server/discover`, and after some time for `initialize` as well: whichever is answered.
    async fn probe(&self, eras: &Eras) -> Result<Opened, NotOpened> {
        let mut discover = pin!(self.begin(Era::Modern));
        if let Ok(opened) = timeout(eras.patience(), &mut discover).await {
            return opened;
        }
        let mut initialize = pin!(self.begin(Era::Legacy));
        tokio::select! {
            biased;
            discovered = &mut discover => match discovered {
                Ok(opened) => Ok(opened),
                Err(_) => {
                    let opened = initialize.await?;
                    eras.learn(Era::Modern, false);
                    Ok(opened)
                }
            },
            initialized = &mut initialize => match initialized {
                Ok(opened) => {
                    // What came first is not answered.
                    eras.is_silent();
                    eras.learn(Era::Modern, false);
                    Ok(opened)
                }
                Err(_) => discover.await,
            },
        }
    }

    /// Declared is what can be brought to a client that can do it; where the one that is served can't, the server hears so
    /// when it asks.
    async fn begin(&self, era: Era) -> Result<Opened, NotOpened> {
        let (method, params) = match era {
            Era::Legacy => {
                let can = json!({ "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } });
                let params =
                    json!({ "protocolVersion": LATEST, "capabilities": can, "clientInfo": client() });
                ("initialize", params)
            }
            Era::Modern => ("server/discover", json!({ "_meta": own_meta() })),
        };
        let answer = self.ask(method, &params).await.ok_or(NotOpened::Ended(method))?;
        Opened::read(era, &answer).map_err(|what| NotOpened::Answer(method, what))
    }
}

fn client() -> Value {
    json!({ "name": "hallpass", "version": env!("CARGO_PKG_VERSION") })
}

/// What a request of hallpass's own says of itself ("Per-request protocol fields").
pub(super) fn own_meta() -> Value {
    json!({ VERSION: REVISION, CLIENT: client(), CAPABILITIES: {} })
}

impl Opened {
    /// Reads the answer; or says what it is in place of a result.
    pub(super) fn read(era: Era, answer: &[u8]) -> Result<Self, String> {
        let mut answer: Map<String, Value> = serde_json::from_slice(answer).unwrap_or_default();
        let mut result = answer.remove("result").unwrap_or_default();
        let no_result = || {
            let code = answer.get("error").and_then(|error| error.get("code"));
            code.map_or_else(|| "no result".to_owned(), |code| format!("error {code}"))
        };
        let revision = match era {
            Era::Legacy => result.get("protocolVersion").and_then(Value::as_str),
            Era::Modern => {
                let all = result.get("supportedVersions").and_then(Value::as_array);
                let all: Vec<&str> = all.into_iter().flatten().filter_map(Value::as_str).collect();
                if !all.is_empty() && !all.contains(&REVISION) {
                    return Err(format!("the revisions {all:?}, of which hallpass speaks none"));
                }
                all.into_iter().find(|version| *version == REVISION)
            }
        };
        let revision = revision.map(str::to_owned).ok_or_else(no_result)?;
        if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
            capabilities.remove("tasks");
        }
        Ok(Self { era, result, revision })
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

    /// The same, where the server knows no such revision: what it says of itself is the same in all.
    pub(super) fn initialized(&self, asked: &str) -> Value {
        let revision = if KNOWN.contains(&asked) { asked } else { LATEST };
        let mut capabilities = self.result.get("capabilities").cloned().unwrap_or_else(|| json!({}));
        if let Some(extensions) = capabilities.get_mut("extensions").and_then(Value::as_object_mut) {
            extensions.remove(TASKS);
        }
        let server = self.server();
        let mut result =
            json!({ "protocolVersion": revision, "capabilities": capabilities, "serverInfo": server });
        if let Some(instructions) = self.result.get("instructions") {
            result["instructions"] = instructions.clone();
        }
        result
    }

    /// What `server/discover` of 2026-07-28 answers.
    pub(super) fn discovered(&self) -> Value {
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": REVISIONS,
            "capabilities": self.result.get("capabilities").cloned().unwrap_or_else(|| json!({})),
            "_meta": { SERVER: self.server() },
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
        let named = match self.era {
            Era::Legacy => self.result.get("serverInfo"),
            Era::Modern => self.result.get("_meta").and_then(|meta| meta.get(SERVER)),
        };
        named.cloned().unwrap_or_else(nameless)
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
            Opened::read(Era::Legacy, answer.to_string().as_bytes()).unwrap()
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
            for era in [Era::Legacy, Era::Modern] {
                assert!(Opened::read(era, answer.as_bytes()).is_err(), "{answer}");
            }
        }
        let later = json!({"id":1,"result":{"supportedVersions":["2099-01-01"],"capabilities":{}}});
        assert!(Opened::read(Era::Modern, later.to_string().as_bytes()).unwrap_err().contains("2099-01-01"));
    }
}

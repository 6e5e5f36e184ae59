//! Which fields the tools of a process have their callers send: it is asked once, and listened to when it lists them to others.

use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use super::super::era::Era;
use super::super::mirrors::Mirrors;
use super::super::rewrite;
use super::Switch;
use super::opened::own_meta;

/// The longest list, in pages. What is beyond is not compared.
const PAGES: usize = 100;

/// What is known of the tools.
#[derive(Debug, Default)]
pub(super) struct Listed {
    mirrors: Mirrors,
    /// Whether that is all of them.
    whole: bool,
}

impl Switch {
    /// Whether the fields of a call say what its arguments say.
    pub(in crate::stdio) async fn agrees(&self, headers: &HeaderMap, line: &[u8]) -> bool {
        let Some(tool) = rewrite::text_of(line, "name").filter(|_| self.offers("tools")) else { return true };
        self.list_tools().await;
        self.listed().mirrors.agree(&tool, headers, line)
    }

    /// Asks for all tools, where they are not known.
    async fn list_tools(&self) {
        let _asking = self.asks_for_tools.lock().await;
        let mut cursor = None;
        for _ in 0..PAGES {
            if self.listed().whole {
                return;
            }
            let mut params = json!({});
            if self.era() == Era::Modern {
                params["_meta"] = own_meta();
            }
            if let Some(cursor) = cursor.take() {
                params["cursor"] = String::into(cursor);
            }
            let Some(answer) = self.ask("tools/list", &params).await else { return };
            cursor = self.listed().mirrors.learn(&answer);
            self.listed().whole = cursor.is_none();
        }
        self.listed().whole = true;
    }

    /// The process has listed tools to somebody.
    pub(super) fn hear_tools(&self, answer: &Bytes) {
        self.listed().mirrors.learn(answer);
    }

    /// It has others by now.
    pub(super) fn tools_changed(&self) {
        self.listed().whole = false;
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

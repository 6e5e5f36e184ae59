//! The sample server's tools, written on rmcp as any server would be.
//!
//! It knows nothing of OAuth: who is calling stands in the headers that the gateway sets.

use std::sync::Arc;

use http::request::Parts;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::notes::Notes;

/// The scope that reading notes asks for.
pub(crate) const READ: &str = "notes:read";
/// The scope that writing notes asks for.
pub(crate) const WRITE: &str = "notes:write";

/// The sample server as a tower service; `authority` is the host that the gateway was reached by.
pub(crate) fn service(stop: CancellationToken) -> StreamableHttpService<Notebook, LocalSessionManager> {
    let notes = Notes::default();
    let mut config = StreamableHttpServerConfig::default();
    // The gateway in front has judged Host and Origin already.
    config.allowed_hosts = Vec::new();
    config.cancellation_token = stop;
    StreamableHttpService::new(
        move || Ok(Notebook { notes: notes.clone() }),
        Arc::new(LocalSessionManager::default()),
        config,
    )
}

/// A notebook for each person.
#[derive(Clone, Debug)]
pub(crate) struct Notebook {
    notes: Notes,
}

/// What `write_note` is given.
#[derive(Debug, Deserialize, JsonSchema)]
struct NewNote {
    /// The note to keep
    text: String,
}

#[tool_router]
impl Notebook {
    #[tool(description = "Say who is calling, through which client and with which scopes")]
    fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::structured(serde_json::json!({
            "subject": told(&parts, "x-hallpass-subject")?,
            "client": told(&parts, "x-hallpass-client")?,
            "scope": told(&parts, "x-hallpass-scope")?,
        })))
    }

    #[tool(description = "List your notes, oldest first")]
    fn list_notes(&self, Extension(parts): Extension<Parts>) -> Result<CallToolResult, ErrorData> {
        let notes = self.notes.of(told(&parts, "x-hallpass-subject")?);
        Ok(CallToolResult::structured(serde_json::json!({ "notes": notes })))
    }

    #[tool(description = "Keep a note")]
    fn write_note(
        &self,
        Parameters(note): Parameters<NewNote>,
        Extension(parts): Extension<Parts>,
    ) -> Result<CallToolResult, ErrorData> {
        let subject = told(&parts, "x-hallpass-subject")?;
        Ok(match self.notes.add(subject, note.text) {
            Some(count) => CallToolResult::structured(serde_json::json!({ "count": count })),
            None => CallToolResult::error(vec![ContentBlock::text("the notebook is full")]),
        })
    }
}

#[tool_handler(name = "hallpass demo")]
impl ServerHandler for Notebook {}

/// What the gateway says of the caller.
fn told<'a>(parts: &'a Parts, header: &str) -> Result<&'a str, ErrorData> {
    parts
        .headers
        .get(header)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| ErrorData::internal_error(format!("the gateway set no {header}"), None))
}

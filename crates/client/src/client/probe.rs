//! Whether a server wants a login, asked without doing anything there.

use hallpass_protocol::challenge::Challenge;
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::Response;

use super::Client;
use crate::{
    discover::Refusal,
    error::{Error, Rule, Step},
    fetched,
};

/// What a server says to a stranger.
#[derive(Debug)]
pub(super) enum Probed {
    /// 401: come back with a token.
    Refused(Option<Challenge>),
    /// Strangers are let in.
    Open,
}

/// Two requests that do nothing. Servers that protect everything refuse the first; those that let some messages
/// through are asked for the list of tools.
const MESSAGES: [&str; 2] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
];

impl Client {
    /// Whether the server asks strangers for a login. One or two requests that do nothing there, without a token.
    ///
    /// # Errors
    /// Where it cannot be reached, or what is there is no MCP server.
    pub async fn asks_for_login(&self) -> Result<bool, Error> {
        self.probe().await.map(|probed| matches!(probed, Probed::Refused(_)))
    }

    /// The same, with the challenge.
    pub(super) async fn probe(&self) -> Result<Probed, Error> {
        for message in MESSAGES {
            let answer = self.ask(Method::POST, Some(message)).await?;
            // HTTP+SSE of 2024-11-05: there a stream comes first, and messages go elsewhere.
            let answer = match answer.status() {
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                    let stream = self.ask(Method::GET, None).await?;
                    let is_stream = content_type(&stream).starts_with("text/event-stream");
                    let counts = stream.status() == StatusCode::UNAUTHORIZED
                        || stream.status().is_success() && is_stream;
                    if counts { stream } else { answer }
                }
                _ => answer,
            };
            if let Probed::Refused(challenge) = self.meaning(&answer)? {
                return Ok(Probed::Refused(challenge));
            }
        }
        Ok(Probed::Open)
    }

    async fn ask(&self, method: Method, message: Option<&'static str>) -> Result<Response, Error> {
        let mut request = reqwest::Request::new(method, self.inner.server.url().clone());
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = message.map(Into::into);
        self.inner.http.execute(request).await.map_err(|error| self.inner.unreached(error))
    }

    /// What an answer says of logins.
    fn meaning(&self, answer: &Response) -> Result<Probed, Error> {
        let status = answer.status();
        let url = self.inner.server.as_str();
        let no_server = |why: &str| {
            let rule = Rule::NotAnMcpServer(format!("the server answered {status} to an MCP message{why}"));
            Err(Error::Misconfigured { step: Step::Send, url: url.to_owned(), rule })
        };
        match Refusal::of(status, answer.headers()) {
            Some(Refusal::Unauthorized(challenge)) => return Ok(Probed::Refused(challenge)),
            Some(Refusal::InsufficientScope(challenge)) => return Ok(Probed::Refused(Some(challenge))),
            None => {}
        }
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
                no_server(". Check the path: MCP servers often answer at /mcp")
            }
            StatusCode::UNAUTHORIZED => no_server(
                " and asks for something else than a token (see `WWW-Authenticate`), which no login can bring; --header may",
            ),
            StatusCode::FORBIDDEN => no_server(" and names no way to log in"),
            _ if status.is_redirection() => {
                no_server(", and sends on to another place. Give the URL of that")
            }
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => no_server(
                ", which says nothing of a login: what is there does not take MCP messages. Check the address and the path",
            ),
            _ if fetched::is_transient(status) => Err(Error::Transient {
                step: Step::Send,
                url: url.to_owned(),
                detail: format!("the server answered {status}, so it could not be asked about a login"),
                retry_after: fetched::retry_after(answer.headers()),
            }),
            _ if status.is_success() && content_type(answer).starts_with("text/html") => {
                no_server(", with a page for people. Check the path: MCP servers often answer at /mcp")
            }
            // 400 and the like: it wants a session first, or another revision. It was no refusal.
            _ => Ok(Probed::Open),
        }
    }
}

fn content_type(answer: &Response) -> &str {
    answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

//! Requests of reqwest: over the client's own connection, or over one that the caller has.

use http::{HeaderMap, Method, StatusCode};
use reqwest::{Request, Response};
use url::Url;

use super::{
    Client, Inner,
    exchange::{Credentials, Exchange},
};
use crate::error::Error;

/// A request over an HTTP client.
struct OverHttp<'a> {
    http: &'a reqwest::Client,
    /// Whose connection it is: the client's own.
    own: Option<&'a Inner>,
    /// The next time that it is sent; `None` once it was, and its body is a stream.
    next: Option<Request>,
}

impl Exchange for OverHttp<'_> {
    type Answer = Response;
    type Error = Error;

    fn target(&self) -> Option<(&Method, &Url)> {
        self.next.as_ref().map(|request| (request.method(), request.url()))
    }

    async fn send(&mut self, credentials: Option<Credentials>) -> Result<Response, Error> {
        let mut request = self.next.take().ok_or(Error::NotRepeatable)?;
        self.next = request.try_clone();
        if let Some(credentials) = credentials {
            credentials.put_into(request.headers_mut());
        }
        let answer = self.http.execute(request).await;
        answer.map_err(|error| match self.own {
            Some(own) => own.unreached(error),
            None => error.into(),
        })
    }

    fn head(answer: &Response) -> (StatusCode, &HeaderMap) {
        (answer.status(), answer.headers())
    }
}

impl Client {
    /// Sends a request to the MCP server with a token, if one is known; on 401 and on 403 `insufficient_scope`
    /// obtains one and sends the request again. A server that asks for nothing gets nothing.
    ///
    /// # Errors
    /// See [`Error`]. Every answer of the server that is not about authorization is returned as it is.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let operation = operation(&request);
        self.send_operation(&operation, request).await
    }

    /// The same, with a name for what is done: step-ups are counted for each name apart.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_operation(&self, operation: &str, request: Request) -> Result<Response, Error> {
        self.carry(
            operation,
            &mut OverHttp { http: &self.inner.http, own: Some(&self.inner), next: Some(request) },
        )
        .await
    }

    /// As [`send`](Self::send), over an HTTP client of the caller's: its pool, proxies, certificates and time limits.
    ///
    /// - A body that is a stream is sent once. Where the server wants a (newer) token for it, the token is obtained,
    ///   and [`Error::NotRepeatable`] asks the caller to send the request again.
    /// - The HTTP client must not follow redirects to other origins: the token is for this server. A proof of
    ///   possession (RFC 9449 §4.2) is for one URL, and is refused behind any redirect.
    /// - Discovery, registration and token requests do not go over it; [`Builder`](crate::Builder) says how they go.
    ///
    /// ```no_run
    /// # async fn example(client: hallpass_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    /// let request = http.get("https://mcp.example.com/mcp").header("accept", "text/event-stream").build()?;
    /// let response = client.execute(&http, request).await?;
    /// # drop(response); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn execute(&self, http: &reqwest::Client, request: Request) -> Result<Response, Error> {
        let operation = operation(&request);
        self.carry(&operation, &mut OverHttp { http, own: None, next: Some(request) }).await
    }
}

fn operation(request: &Request) -> String {
    format!("{} {}", request.method(), request.url().path())
}

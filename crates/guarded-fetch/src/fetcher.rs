use std::error::Error;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::ways::Ways;
use crate::{FetchError, Policy};

/// Fetches under one [`Policy`]. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Fetcher {
    ways: Arc<Ways>,
    policy: Arc<Policy>,
    shows_identity: bool,
}

/// What came back: any status, a 3xx among them.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Fetched {
    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`FetchError::Json`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, FetchError> {
        serde_json::from_slice(&self.body).map_err(|error| FetchError::Json(error.to_string()))
    }
}

impl Fetcher {
    /// A fetcher for that policy.
    ///
    /// # Errors
    /// [`FetchError::Setup`].
    pub fn new(policy: Policy) -> Result<Self, FetchError> {
        let policy = Arc::new(policy);
        Ok(Self { ways: Arc::new(Ways::of(&policy)?), policy, shows_identity: false })
    }

    /// The same fetcher, which shows [`Policy::identity`] to everyone that it fetches from: for servers that are
    /// meant to see it.
    #[must_use]
    pub fn showing_identity(&self) -> Self {
        Self { shows_identity: true, ..self.clone() }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// GET, with an `Accept` field.
    ///
    /// # Errors
    /// [`FetchError`], one variant for each rule. A status that is no success is none.
    pub async fn get(&self, url: &Url, accept: &str) -> Result<Fetched, FetchError> {
        let accept = HeaderValue::from_str(accept).map_err(|error| FetchError::Request(error.to_string()))?;
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        self.send(url, Method::GET, headers, |request| request).await
    }

    /// POST of a form; the answer is expected in JSON.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        headers: HeaderMap,
    ) -> Result<Fetched, FetchError> {
        self.send(url, Method::POST, accept_json(headers), |request| request.form(form)).await
    }

    /// POST of JSON; the answer is expected in JSON.
    ///
    /// # Errors
    /// As [`Fetcher::get`], and [`FetchError::Request`].
    pub async fn post_json(
        &self,
        url: &Url,
        body: &impl Serialize,
        headers: HeaderMap,
    ) -> Result<Fetched, FetchError> {
        let body = serde_json::to_vec(body).map_err(|error| FetchError::Request(error.to_string()))?;
        let mut headers = accept_json(headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(url, Method::POST, headers, |request| request.body(body)).await
    }

    /// Any method without a body, with these fields: for whoever wants to see how a server answers it.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn request(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Fetched, FetchError> {
        self.send(url, method, headers, |request| request).await
    }

    async fn send(
        &self,
        url: &Url,
        method: Method,
        headers: HeaderMap,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Fetched, FetchError> {
        self.policy.check(url)?;
        let shows = self.shows_identity || self.policy.identity_origins.contains(&url.origin());
        let (client, proxy) = self.ways.to(url, &self.policy, shows)?;
        let request = fill(client.request(method, url.clone()).headers(headers));
        let limit = self.policy.timeout;
        match tokio::time::timeout(limit, self.receive(url, request)).await {
            Ok(fetched) => fetched.map_err(|error| through(error, proxy)),
            Err(_) => Err(FetchError::Timeout { host: host(url), limit }),
        }
    }

    async fn receive(&self, url: &Url, request: RequestBuilder) -> Result<Fetched, FetchError> {
        let mut response = request.send().await.map_err(|error| classify(url, &error))?;
        let body = self.body(url, &mut response).await?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Fetched { status: response.status(), headers, body })
    }

    /// Reads up to the limit. A length that is announced too large is not even begun.
    async fn body(&self, url: &Url, response: &mut Response) -> Result<Bytes, FetchError> {
        let limit = self.policy.max_body;
        let too_large = || FetchError::TooLarge { host: host(url), limit };
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |announced| announced > limit) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(url, &error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn accept_json(mut headers: HeaderMap) -> HeaderMap {
    headers.entry(header::ACCEPT).or_insert_with(|| HeaderValue::from_static("application/json"));
    headers
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Finds the resolver's refusal among the causes.
fn classify(url: &Url, error: &reqwest::Error) -> FetchError {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<FetchError>() {
            return refusal.clone();
        }
        cause = current.source();
    }
    FetchError::Unreachable { host: host(url), reason: reason(error) }
}

/// A proxy's refusal looks like the server's, so it is named.
fn through(error: FetchError, proxy: Option<String>) -> FetchError {
    match (error, proxy) {
        (FetchError::Unreachable { host, reason }, Some(proxy)) => {
            FetchError::Unreachable { host, reason: format!("{reason} (through the proxy {proxy})") }
        }
        (error, _) => error,
    }
}

/// The innermost cause. reqwest's own message holds the URL, whose query may hold a secret.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let is_own = innermost.downcast_ref::<reqwest::Error>().is_some();
    if is_own { "the request failed".to_owned() } else { innermost.to_string() }
}

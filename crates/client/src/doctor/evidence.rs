//! What is asked, once, before anything is judged.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    challenge::{Challenge, parse_challenges},
    issuer::Issuer,
    resource::ResourceIdentifier,
    resource_metadata::ProtectedResourceMetadata,
    server_metadata::AuthorizationServerMetadata,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Request;
use serde::de::DeserializeOwned;
use url::Url;

use super::answer::{Answer, Outcome, ask, fetched, shown};
use crate::Client;

/// Where the MCP Inspector runs: the browser client that people try first.
pub(super) const ORIGIN: &str = "http://localhost:6274";

/// Of several authorization servers, more than these are not asked.
const MOST_SERVERS: usize = 4;

/// A token that no server has issued.
const GARBAGE: &str = "hallpass-doctor-not-a-token";

/// Everything that was asked and answered.
pub(super) struct Evidence {
    pub(super) server: ResourceIdentifier,
    /// A message without a token: the first that was refused, else the last.
    pub(super) bare: Outcome,
    pub(super) challenges: Vec<Challenge>,
    pub(super) garbage: Outcome,
    /// The same URL with a slash at its end, or without.
    pub(super) other_slash: Outcome,
    pub(super) get: Outcome,
    pub(super) head: Outcome,
    pub(super) preflight: Outcome,
    /// A message without a token, as a page sends it.
    pub(super) from_page: Outcome,
    pub(super) resource: Vec<Sought<ProtectedResourceMetadata>>,
    pub(super) resource_from_page: Option<Outcome>,
    pub(super) servers: Vec<Server>,
    /// MCP 2025-03-26: metadata at the MCP server's own origin.
    pub(super) origin: Vec<Sought<AuthorizationServerMetadata>>,
    /// MCP 2025-03-26: `/authorize` at the origin, where no metadata is.
    pub(super) default_authorize: Option<Outcome>,
}

/// A document at one place.
pub(super) struct Sought<T> {
    /// How the place came about.
    pub(super) place: &'static str,
    pub(super) url: Url,
    pub(super) outcome: Outcome,
    pub(super) document: Option<T>,
}

impl<T> Sought<T> {
    /// The place, fit to be shown.
    pub(super) fn at(&self) -> String {
        shown(&self.url)
    }
}

/// One authorization server.
pub(super) struct Server {
    /// As the resource metadata spells it.
    pub(super) named: String,
    pub(super) is_issuer: bool,
    pub(super) documents: Vec<Sought<AuthorizationServerMetadata>>,
    pub(super) keys: Option<Outcome>,
    pub(super) metadata_from_page: Option<Outcome>,
    pub(super) token_preflight: Option<Outcome>,
}

impl Evidence {
    /// Asks everything else.
    pub(super) async fn gather(client: &Client, bare: Outcome) -> Self {
        let (server, fetcher) = (client.server().clone(), client.fetcher());
        let refused = bare.as_ref().ok().filter(|answer| answer.status == StatusCode::UNAUTHORIZED);
        let challenges = refused.map(|answer| parse_challenges(&answer.headers)).unwrap_or_default();
        let resource = resource(fetcher, &server, &challenges).await;
        let mut servers = Vec::new();
        let chosen = resource.iter().find_map(|sought| sought.document.as_ref());
        for named in chosen.map(|d| d.authorization_servers.as_slice()).unwrap_or_default() {
            if servers.len() < MOST_SERVERS {
                servers.push(Server::gather(fetcher, named).await);
            }
        }
        let origin_issuer = Issuer::parse(&server.url().origin().ascii_serialization()).ok();
        let origin = match &origin_issuer {
            Some(issuer) => documents(fetcher, issuer).await,
            None => Vec::new(),
        };
        let default_authorize = match server.url().join("/authorize") {
            Ok(url) if origin.iter().all(|sought| sought.document.is_none()) => {
                Some(fetched(fetcher.get(&url, "text/html").await))
            }
            _ => None,
        };
        let found = resource.iter().find(|s| s.document.is_some()).map(|s| s.url.clone());
        let resource_from_page = match found {
            Some(url) => Some(from_page(fetcher, Method::GET, &url).await),
            None => None,
        };
        let url = server.url();
        Self {
            garbage: ask(client, with_token(message(url, PING), GARBAGE)).await,
            other_slash: ask(client, message(&other_slash(url), PING)).await,
            get: ask(client, plain(Method::GET, url)).await,
            head: ask(client, plain(Method::HEAD, url)).await,
            preflight: ask(client, preflight(url, "authorization, content-type, mcp-protocol-version")).await,
            from_page: ask(client, page(message(url, PING))).await,
            server,
            bare,
            challenges,
            resource,
            resource_from_page,
            servers,
            origin,
            default_authorize,
        }
    }

    /// Whether a message without a token is refused.
    pub(super) fn is_protected(&self) -> bool {
        self.bare.as_ref().is_ok_and(|answer| answer.status == StatusCode::UNAUTHORIZED)
    }

    /// The Bearer challenge that clients follow.
    pub(super) fn bearer(&self) -> Option<&Challenge> {
        let bearer = || self.challenges.iter().filter(|challenge| challenge.is("Bearer"));
        bearer().find(|challenge| challenge.resource_metadata().is_some()).or_else(|| bearer().next())
    }

    /// The resource metadata that clients use: the first that is found.
    pub(super) fn metadata(&self) -> Option<&ProtectedResourceMetadata> {
        self.resource.iter().find_map(|sought| sought.document.as_ref())
    }
}

impl Server {
    pub(super) async fn gather(fetcher: &Fetcher, named: &str) -> Self {
        let issuer = Issuer::parse(named).ok();
        let documents = match &issuer {
            Some(issuer) => documents(fetcher, issuer).await,
            None => Vec::new(),
        };
        let found = documents.iter().find(|sought| sought.document.is_some());
        let place = found.map(|sought| sought.url.clone());
        let member = |read: fn(&AuthorizationServerMetadata) -> Option<&String>| {
            let text = found.and_then(|sought| sought.document.as_ref()).and_then(read)?;
            Url::parse(text).ok()
        };
        let (keys, token) = (member(|m| m.jwks_uri.as_ref()), member(|m| m.token_endpoint.as_ref()));
        Self {
            named: named.to_owned(),
            is_issuer: issuer.is_some(),
            keys: match keys {
                Some(url) => Some(fetched(fetcher.get(&url, "application/json").await)),
                None => None,
            },
            metadata_from_page: match place {
                Some(url) => Some(from_page(fetcher, Method::GET, &url).await),
                None => None,
            },
            token_preflight: match token {
                Some(url) => Some(from_page(fetcher, Method::OPTIONS, &url).await),
                None => None,
            },
            documents,
        }
    }

    /// The metadata that clients use: the first that is found.
    pub(super) fn metadata(&self) -> Option<&AuthorizationServerMetadata> {
        self.documents.iter().find_map(|sought| sought.document.as_ref())
    }
}

pub(super) const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// A message as an MCP client sends it.
pub(super) fn message(url: &Url, body: &str) -> Request {
    let mut request = plain(Method::POST, url);
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(body.to_owned().into());
    request
}

pub(super) fn plain(method: Method, url: &Url) -> Request {
    let mut request = Request::new(method, url.clone());
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    request
}

fn with_token(mut request: Request, token: &'static str) -> Request {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    request.headers_mut().extend(value.ok().map(|value| (header::AUTHORIZATION, value)));
    request
}

fn page(mut request: Request) -> Request {
    request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(ORIGIN));
    request
}

fn preflight(url: &Url, fields: &'static str) -> Request {
    let mut request = page(Request::new(Method::OPTIONS, url.clone()));
    request.headers_mut().extend(asking(fields));
    request
}

fn asking(fields: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (header::ORIGIN, HeaderValue::from_static(ORIGIN)),
        (header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST")),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static(fields)),
    ])
}

async fn from_page(fetcher: &Fetcher, method: Method, url: &Url) -> Outcome {
    let mut headers = asking("content-type");
    if method == Method::GET {
        headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(ORIGIN))]);
    }
    fetched(fetcher.request(method, url, headers).await)
}

/// The same URL with a slash at its end, or without.
fn other_slash(url: &Url) -> Url {
    let mut other = url.clone();
    match url.path().strip_suffix('/') {
        Some(path) if !path.is_empty() => other.set_path(path),
        _ => other.set_path(&format!("{}/", url.path())),
    }
    other
}

async fn resource(
    fetcher: &Fetcher,
    server: &ResourceIdentifier,
    challenges: &[Challenge],
) -> Vec<Sought<ProtectedResourceMetadata>> {
    let named = challenges.iter().find_map(Challenge::resource_metadata).and_then(|url| Url::parse(url).ok());
    let places = [
        ("the challenge", named),
        ("the path form", Some(server.metadata_url())),
        ("the root form", Some(server.root_metadata_url())),
    ];
    let mut sought: Vec<Sought<_>> = Vec::new();
    for (place, url) in places {
        let Some(url) = url else { continue };
        match sought.iter().position(|earlier| earlier.url == url) {
            // Two ways to one place: no second request.
            Some(at) => {
                let (outcome, document) = (sought[at].outcome.clone(), sought[at].document.clone());
                sought.push(Sought { place, url, outcome, document });
            }
            None => sought.push(look(fetcher, place, &url).await),
        }
    }
    sought
}

async fn documents(fetcher: &Fetcher, issuer: &Issuer) -> Vec<Sought<AuthorizationServerMetadata>> {
    let mut sought = Vec::new();
    for url in issuer.metadata_urls() {
        let is_oauth = url.path().contains("oauth-authorization-server");
        let place = if is_oauth { "RFC 8414" } else { "OpenID Connect Discovery" };
        sought.push(look(fetcher, place, &url).await);
    }
    sought
}

async fn look<T: DeserializeOwned>(fetcher: &Fetcher, place: &'static str, url: &Url) -> Sought<T> {
    let outcome = fetched(fetcher.get(url, "application/json").await);
    let read = |answer: &Answer| serde_json::from_slice(&answer.body).ok();
    let document = outcome.as_ref().ok().filter(|answer| answer.status.is_success()).and_then(read);
    Sought { place, url: url.clone(), outcome, document }
}

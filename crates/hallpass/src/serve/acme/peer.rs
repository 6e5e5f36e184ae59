//! HTTP to the authority, and to nobody else: its directory names the places that are asked, and all of them are at its own
//! origin.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::redirect;
use url::{Origin, Url};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes: chains of certificates are some KiB.
const LONGEST: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
enum PeerFault {
    #[error(
        "the authority's directory leads to {0}, which is not where the directory is; nothing was sent there"
    )]
    Elsewhere(String),
    #[error("the authority's answer is longer than a MiB")]
    Long,
}

/// The authority.
#[derive(Clone)]
pub(super) struct Peer {
    client: reqwest::Client,
    origin: Origin,
}

impl Peer {
    /// Where that directory is. Its certificate is issued by those that the system trusts, or by these.
    pub(super) fn at(directory: &Url, trusted: &[reqwest::Certificate]) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_certs_merge(trusted.iter().cloned())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, origin: directory.origin() })
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let url = Url::parse(&url)
            .ok()
            .filter(|url| url.origin() == self.origin)
            .ok_or_else(|| other(PeerFault::Elsewhere(url)))?;
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(other)?;
        let mut said = Vec::new();
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        while let Some(piece) = answer.chunk().await.map_err(other)? {
            said.extend_from_slice(&piece);
            if said.len() > LONGEST {
                return Err(other(PeerFault::Long));
            }
        }
        let mut response = Response::new(Full::new(Bytes::from(said)));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(BytesResponse::from(response))
    }
}

impl HttpClient for Peer {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().ask(request))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

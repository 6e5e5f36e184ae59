//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-02 and -00; MCP 2026-07-28,
//! basic/authorization/client-registration): the client id is a URL, and the client's description is there.

mod freshness;
mod metadata;

use std::time::Duration;

use hallpass_guarded_fetch::FetchError;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::redirect::RedirectUriError;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

use super::{Client, Methods};
use crate::server::Inner;
use freshness::freshness;
pub(super) use metadata::read;

/// CIMD-02 §8.6 recommends a limit of 5 KB.
const LONGEST_DOCUMENT: usize = 5 * 1024;

/// Why a document describes no client.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// It cannot be fetched. Why is for the log alone: whoever asks is a stranger, and would learn which names exist
    /// inside the network and where they lead.
    #[error("it cannot be fetched; the server's log says why")]
    Fetch(#[source] FetchError),
    /// Too many documents are being fetched.
    #[error("too many documents are being fetched at this moment; try again in a few seconds")]
    Busy,
    /// Another answer than 200.
    #[error("its server answered {0} instead of 200")]
    Status(u16),
    /// CIMD-02 §4: JSON, and said to be JSON. Else any file that a site lets strangers upload could be a client.
    #[error("its server does not call it application/json")]
    NotJson,
    /// More than 5 KB.
    #[error("it is longer than {LONGEST_DOCUMENT} bytes")]
    TooLong,
    /// No JSON object, or a member of a wrong type.
    #[error("it is not a JSON object of client metadata ({0})")]
    NotMetadata(String),
    /// CIMD-02 §4.1: `client_id` is the URL, by simple string comparison.
    #[error("its client_id is not the URL that it was fetched from")]
    OtherClientId,
    /// MCP 2026-07-28: `client_name` is required.
    #[error("it has no client_name")]
    NoName,
    /// MCP 2026-07-28: `redirect_uris` is required.
    #[error("it has no redirect_uris, or too many")]
    RedirectUris,
    /// A redirect URI that nobody may use.
    #[error("it has a redirect URI that is not allowed: {0}")]
    RedirectUri(#[from] RedirectUriError),
    /// CIMD-02 §4.1: no `client_secret`, in whatever form.
    #[error("it holds a client secret, which everyone could read")]
    Secret,
    /// CIMD-02 §4.1: nothing that needs a shared secret.
    #[error(
        "it asks for the client authentication {asked:?}; a client with a metadata document uses {supported} here"
    )]
    AuthMethod {
        /// What it asks for.
        asked: String,
        /// What there is.
        supported: String,
    },
    /// RFC 7591 §2: the method needs keys, in one place.
    #[error("it asks for {0}, which needs either jwks or jwks_uri, and not both")]
    Keys(&'static str),
    /// RFC 8705 §2.1.2: one name, which a certificate could have.
    #[error(
        "it asks for tls_client_auth, which needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email"
    )]
    CertificateName,
    /// The client does not use the one grant that begins here.
    #[error("its grant_types do not name authorization_code")]
    GrantTypes,
    /// The client does not use the one response type that there is.
    #[error("its response_types do not name code")]
    ResponseTypes,
}

impl DocumentError {
    /// Whether the document is the client's own, and says of it what cannot be here. All else may pass: a server that is down, a
    /// page in its place.
    pub(crate) fn is_about_the_client(&self) -> bool {
        use DocumentError::{
            AuthMethod, CertificateName, GrantTypes, Keys, RedirectUri, RedirectUris, ResponseTypes, Secret,
        };
        matches!(
            self,
            RedirectUris
                | RedirectUri(_)
                | Secret
                | AuthMethod { .. }
                | Keys(_)
                | CertificateName
                | GrantTypes
                | ResponseTypes
        )
    }
}

/// Whether a client id is meant to be fetched: https, a path, no user, no fragment, no dot segments
/// (CIMD-02 §3). While the server itself is plain http on loopback, in development, so may the client be;
/// the fetch has its own guard.
pub(crate) fn is_document_url(id: &str, issuer: &Issuer) -> bool {
    let Ok(url) = Url::parse(id) else {
        return false;
    };
    let development =
        issuer.url().scheme() == "http" && url.scheme() == "http" && hallpass_protocol::is_loopback(&url);
    (url.scheme() == "https" || development)
        // The same text after parsing: no dot segments, no odd spellings of the host, no control characters.
        && url.as_str() == id
        && url.path() != "/"
        && url.username().is_empty()
        && url.password().is_none()
        && !id.contains(['#', '@'])
}

/// Fetches and checks a document. Says how long it counts, too.
pub(crate) async fn fetch(server: &Inner, id: &str) -> Result<(Client, Duration), DocumentError> {
    let url = Url::parse(id).map_err(|_| DocumentError::OtherClientId)?;
    let fetched = server.fetcher.get(&url, "application/json").await.map_err(|error| {
        tracing::warn!(client_id = id, %error, "a client's metadata document cannot be fetched");
        DocumentError::Fetch(error)
    })?;
    if fetched.status.as_u16() != 200 {
        return Err(DocumentError::Status(fetched.status.as_u16()));
    }
    check_media_type(&fetched.headers)?;
    let methods = Methods::of(server.settings.mutual_tls.as_ref());
    let client = read(id, &url, &fetched.body, methods)?;
    Ok((client, freshness(&fetched.headers)))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), DocumentError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    json.then_some(()).ok_or(DocumentError::NotJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "https://app.example/client.json";

    #[test]
    fn only_a_plain_https_url_with_a_path_is_fetched() {
        let issuer = Issuer::parse("https://auth.example").unwrap();
        assert!(is_document_url(ID, &issuer));
        for id in [
            "https://app.example",
            "https://app.example/",
            "http://app.example/client.json",
            "http://127.0.0.1/client.json",
            "https://user@app.example/client.json",
            "https://app.example/client.json#x",
            "https://app.example/a/../client.json",
            "https://app.example/./client.json",
            "https://APP.example/client.json",
            "https://app.example\\client.json",
            "https://app.example/cli\tent.json",
            "ftp://app.example/client.json",
            "client",
        ] {
            assert!(!is_document_url(id, &issuer), "{id}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_in_development() {
        let issuer = Issuer::parse("http://localhost:8080").unwrap();
        assert!(is_document_url("http://localhost:3000/client.json", &issuer));
        assert!(!is_document_url("http://app.example/client.json", &issuer));
    }

    #[test]
    fn only_what_is_called_json_is_read() {
        let check = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            check_media_type(&headers).is_ok()
        };
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/cimd+json"] {
            assert!(check(kind), "{kind}");
        }
        for kind in ["text/html", "text/plain", "application/octet-stream", "image/svg+xml", "x/y+json", ""] {
            assert!(!check(kind), "{kind}");
        }
        assert!(check_media_type(&HeaderMap::new()).is_err());
    }
}

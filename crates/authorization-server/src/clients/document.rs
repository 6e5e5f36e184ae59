//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-02 and -00; MCP 2026-07-28,
//! basic/authorization/client-registration): the client id is a URL, and the client's description is there.

use std::time::Duration;

use hallpass_guarded_fetch::FetchError;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::JwkSet;
use hallpass_protocol::json;
use hallpass_protocol::redirect::{RedirectUri, RedirectUriError};
use hallpass_protocol::registration::ClientMetadata;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;
use url::Url;

use super::client::{AUTHORIZATION_CODE, REFRESH_TOKEN};
use super::client::{KeySource, PRIVATE_KEY_JWT};
use super::{Authentication, Client, ClientDetails, ClientKind};
use crate::server::Inner;

/// CIMD-02 §8.6 recommends a limit of 5 KB.
const LONGEST_DOCUMENT: usize = 5 * 1024;
const MOST_REDIRECT_URIS: usize = 50;

/// How long a document counts where its server says nothing, and between which bounds it may say something.
const FRESH: Duration = Duration::from_secs(5 * 60);
const FRESH_AT_LEAST: Duration = Duration::from_secs(60);
const FRESH_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

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
        "it asks for the client authentication {0:?}; a client with a metadata document uses \"none\" or \"private_key_jwt\" here"
    )]
    AuthMethod(String),
    /// RFC 7591 §2: `private_key_jwt` needs keys, in one place.
    #[error("it asks for private_key_jwt, which needs either jwks or jwks_uri, and not both")]
    Keys,
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
        use DocumentError::{AuthMethod, GrantTypes, Keys, RedirectUri, RedirectUris, ResponseTypes, Secret};
        matches!(
            self,
            RedirectUris | RedirectUri(_) | Secret | AuthMethod(_) | Keys | GrantTypes | ResponseTypes
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
    let client = read(id, &url, &fetched.body)?;
    Ok((client, freshness(&fetched.headers)))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), DocumentError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    json.then_some(()).ok_or(DocumentError::NotJson)
}

pub(super) fn read(id: &str, url: &Url, body: &[u8]) -> Result<Client, DocumentError> {
    if body.len() > LONGEST_DOCUMENT {
        return Err(DocumentError::TooLong);
    }
    let value =
        json::from_slice_unique(body).map_err(|error| DocumentError::NotMetadata(error.to_string()))?;
    check_client_id(id, &value)?;
    check_no_secret(&value)?;
    let metadata: ClientMetadata =
        serde_json::from_value(value).map_err(|error| DocumentError::NotMetadata(error.to_string()))?;
    check_grant_types(&metadata)?;
    check_response_types(&metadata)?;
    Ok(Client {
        id: id.to_owned(),
        redirect_uris: redirect_uris(&metadata)?,
        kind: ClientKind::Document { domain: url.host_str().unwrap_or_default().to_owned() },
        authentication: authentication(&metadata)?,
        grant_types: metadata.grant_types.clone().unwrap_or_default(),
        own_grant: String::new(),
        details: ClientDetails {
            dpop_bound_access_tokens: flag(&metadata, "dpop_bound_access_tokens"),
            require_pushed_authorization_requests: flag(&metadata, "require_pushed_authorization_requests"),
            ..ClientDetails::default()
        },
        may_refresh: metadata
            .grant_types
            .as_ref()
            .is_none_or(|grants| grants.iter().any(|grant| grant == REFRESH_TOKEN)),
        scopes: None,
        name: Some(metadata.client_name.filter(|name| !name.trim().is_empty()).ok_or(DocumentError::NoName)?),
    })
}

fn check_client_id(id: &str, document: &Value) -> Result<(), DocumentError> {
    let same = document.get("client_id").and_then(Value::as_str) == Some(id);
    same.then_some(()).ok_or(DocumentError::OtherClientId)
}

fn check_no_secret(document: &Value) -> Result<(), DocumentError> {
    let secret =
        ["client_secret", "client_secret_expires_at"].iter().any(|member| document.get(member).is_some());
    (!secret).then_some(()).ok_or(DocumentError::Secret)
}

/// RFC 7591's default, client_secret_basic, cannot be meant here (CIMD-02 §4.1), so absent is `none`.
fn authentication(metadata: &ClientMetadata) -> Result<Authentication, DocumentError> {
    match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("none") => Ok(Authentication::None),
        Some(PRIVATE_KEY_JWT) => {
            key_source(metadata).map(Authentication::PrivateKey).ok_or(DocumentError::Keys)
        }
        Some(other) => Err(DocumentError::AuthMethod(other.to_owned())),
    }
}

/// RFC 7591 §2: `jwks` or `jwks_uri`, not both. Keys that are none, or of no use here, count as none.
pub(super) fn key_source(metadata: &ClientMetadata) -> Option<KeySource> {
    match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(jwks), None) => {
            let keys: JwkSet = serde_json::from_value(jwks.clone()).ok()?;
            (!keys.keys.is_empty()).then_some(KeySource::Value(keys))
        }
        (None, Some(uri)) => Some(KeySource::Uri(uri.clone())),
        _ => None,
    }
}

pub(super) fn flag(metadata: &ClientMetadata, name: &str) -> bool {
    metadata.other.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn check_grant_types(metadata: &ClientMetadata) -> Result<(), DocumentError> {
    let named = names(metadata.grant_types.as_ref(), AUTHORIZATION_CODE);
    named.then_some(()).ok_or(DocumentError::GrantTypes)
}

fn check_response_types(metadata: &ClientMetadata) -> Result<(), DocumentError> {
    let named = names(metadata.response_types.as_ref(), "code");
    named.then_some(()).ok_or(DocumentError::ResponseTypes)
}

fn names(list: Option<&Vec<String>>, name: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|item| item == name))
}

fn redirect_uris(metadata: &ClientMetadata) -> Result<Vec<RedirectUri>, DocumentError> {
    let uris = &metadata.redirect_uris;
    if uris.is_empty() || uris.len() > MOST_REDIRECT_URIS {
        return Err(DocumentError::RedirectUris);
    }
    Ok(uris.iter().map(|uri| RedirectUri::parse_claimed(uri)).collect::<Result<_, _>>()?)
}

/// RFC 9111 §5.2.2: `no-store` and `no-cache` mean the least, which still spares the client's server one
/// fetch for each step of a login; `max-age` counts within bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let mut fresh = FRESH;
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    for directive in directives {
        if directive == "no-store" || directive == "no-cache" {
            return FRESH_AT_LEAST;
        }
        if let Some(seconds) =
            directive.strip_prefix("max-age=").and_then(|seconds| seconds.trim_matches('"').parse().ok())
        {
            fresh = Duration::from_secs(seconds);
        }
    }
    fresh.clamp(FRESH_AT_LEAST, FRESH_AT_MOST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "https://app.example/client.json";

    fn document() -> Value {
        json!({
            "client_id": ID,
            "client_name": "An app",
            "redirect_uris": ["http://127.0.0.1:3000/callback"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "none"
        })
    }

    fn read_with(member: &str, value: Value) -> Result<Client, DocumentError> {
        let mut document = document();
        document[member] = value;
        read(ID, &Url::parse(ID).unwrap(), document.to_string().as_bytes())
    }

    #[test]
    fn a_whole_document_describes_a_public_client_of_its_domain() {
        let client = read(ID, &Url::parse(ID).unwrap(), document().to_string().as_bytes()).unwrap();
        assert_eq!(client.kind, ClientKind::Document { domain: "app.example".to_owned() });
        assert!(client.is_public());
        assert!(!client.may_refresh, "grant_types do not name refresh_token");
    }

    #[test]
    fn the_client_id_is_the_url_exactly() {
        for other in ["https://app.example/client.json/", "https://APP.example/client.json", ""] {
            let error = read_with("client_id", json!(other)).unwrap_err();
            assert!(matches!(error, DocumentError::OtherClientId));
        }
    }

    #[test]
    fn shared_secrets_are_refused() {
        let error = read_with("client_secret", json!("s")).unwrap_err();
        assert!(matches!(error, DocumentError::Secret));
        for method in ["client_secret_basic", "client_secret_post", "tls_client_auth"] {
            let error = read_with("token_endpoint_auth_method", json!(method)).unwrap_err();
            assert!(matches!(error, DocumentError::AuthMethod(named) if named == method));
        }
    }

    #[test]
    fn keys_are_in_one_place() {
        let error = read_with("token_endpoint_auth_method", json!("private_key_jwt")).unwrap_err();
        assert!(matches!(error, DocumentError::Keys));
        let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap().public_jwk();
        let read = |members: &[(&str, Value)]| {
            let mut document = document();
            document["token_endpoint_auth_method"] = json!("private_key_jwt");
            for (member, value) in members {
                document[member] = value.clone();
            }
            super::read(ID, &Url::parse(ID).unwrap(), document.to_string().as_bytes())
        };
        let jwks = ("jwks", json!({"keys": [key]}));
        let uri = ("jwks_uri", json!("https://app.example/jwks"));
        assert!(!read(std::slice::from_ref(&jwks)).unwrap().is_public());
        assert!(!read(std::slice::from_ref(&uri)).unwrap().is_public());
        for wrong in [vec![jwks, uri], vec![("jwks", json!({"keys": [{"kty": "oct", "k": "AA"}]}))]] {
            assert!(matches!(read(&wrong), Err(DocumentError::Keys)));
        }
    }

    #[test]
    fn name_and_redirect_uris_are_required() {
        assert!(matches!(read_with("client_name", json!(" ")), Err(DocumentError::NoName)));
        assert!(matches!(read_with("redirect_uris", json!([])), Err(DocumentError::RedirectUris)));
        let error = read_with("redirect_uris", json!(["http://evil.example/"])).unwrap_err();
        assert!(matches!(error, DocumentError::RedirectUri(_)));
    }

    #[test]
    fn a_scheme_that_any_app_could_have_is_refused() {
        let error = read_with("redirect_uris", json!(["evilapp://claude.ai/cb"])).unwrap_err();
        assert!(matches!(error, DocumentError::RedirectUri(RedirectUriError::UnknownScheme(_))));
        assert!(read_with("redirect_uris", json!(["cursor://anysphere.cursor-mcp/cb"])).is_ok());
    }

    #[test]
    fn other_flows_are_refused() {
        let error = read_with("grant_types", json!(["client_credentials"])).unwrap_err();
        assert!(matches!(error, DocumentError::GrantTypes));
        let error = read_with("response_types", json!(["token"])).unwrap_err();
        assert!(matches!(error, DocumentError::ResponseTypes));
    }

    #[test]
    fn a_long_document_is_not_read() {
        let error = read_with("client_uri", json!("x".repeat(LONGEST_DOCUMENT))).unwrap_err();
        assert!(matches!(error, DocumentError::TooLong));
    }

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

    #[test]
    fn freshness_is_what_the_server_says_within_bounds() {
        let fresh = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            freshness(&headers).as_secs()
        };
        assert_eq!(freshness(&HeaderMap::new()), FRESH);
        assert_eq!(fresh("public, max-age=600"), 600);
        assert_eq!(fresh("max-age=1"), 60);
        assert_eq!(fresh("max-age=99999999999"), 86_400);
        assert_eq!(fresh("no-store, max-age=600"), 60);
        assert_eq!(fresh("max-age=x"), 300);
    }
}

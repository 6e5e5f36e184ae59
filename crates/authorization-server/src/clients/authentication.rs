//! Client authentication (OAuth 2.1 §2.4): `none`, `client_secret_basic`, `client_secret_post`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::secret::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::{Client, ClientSecret, is_document_url};
use crate::server::Inner;
use crate::store::StoreError;

/// The credentials that a request carries, believed or not.
#[derive(Debug)]
pub(crate) struct Presented {
    id: String,
    secret: Option<Secret>,
    /// Whether they came in the `Authorization` header, where a refusal has to name the scheme.
    pub(crate) in_header: bool,
}

/// A client that has shown what it has to show. Only [`authenticate`] makes one.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient(String);

impl AuthenticatedClient {
    pub(crate) fn id(&self) -> &str {
        &self.0
    }
}

/// Why a client is not believed.
#[derive(Debug)]
pub(crate) enum NotAuthenticated {
    Refused(OAuthError),
    Store(StoreError),
}

impl From<StoreError> for NotAuthenticated {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Presented {
    /// Finds the credentials. One method a request (OAuth 2.1 §2.4): both header and body is an error.
    pub(crate) fn find(headers: &HeaderMap, form: &Parameters) -> Result<Self, OAuthError> {
        let in_form = |name| form.get(name).ok().flatten();
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(Self {
                id: in_form("client_id").ok_or_else(|| refused("no client_id was sent"))?.to_owned(),
                secret: in_form("client_secret").map(Secret::new),
                in_header: false,
            }),
            (Some(_), Some(_)) => Err(invalid_request("the Authorization header is there twice")),
            (Some(field), None) => {
                if in_form("client_secret").is_some() {
                    return Err(invalid_request(
                        "client credentials came both in the Authorization header and in the body; send them once",
                    ));
                }
                let (id, secret) = field
                    .to_str()
                    .ok()
                    .and_then(basic)
                    .ok_or_else(|| refused("the Authorization header holds no Basic credentials"))?;
                if in_form("client_id").is_some_and(|other| other != id) {
                    return Err(invalid_request(
                        "client_id in the body is not the one in the Authorization header",
                    ));
                }
                Ok(Self {
                    id,
                    secret: Some(secret).filter(|secret| !secret.expose().is_empty()),
                    in_header: true,
                })
            }
        }
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded each, then joined, then base64.
fn basic(field: &str) -> Option<(String, Secret)> {
    let (scheme, credentials) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id)?, Secret::new(form_decoded(secret)?)))
}

fn form_decoded(text: &str) -> Option<String> {
    let parameters = Parameters::parse(&format!("value={}", text.replace('&', "%26"))).ok()?;
    Some(parameters.get("value").ok()?.unwrap_or_default().to_owned())
}

/// Believes a client, or says why not. A client with a metadata document is public: what protects its codes and
/// tokens is that they are bound to its id and need their own proof, so its document is not fetched again here,
/// and no refresh fails because the client's web server is down.
pub(crate) async fn authenticate(
    server: &Inner,
    presented: &Presented,
) -> Result<AuthenticatedClient, NotAuthenticated> {
    let secret = match server.store.find_client(&presented.id).await? {
        Some(row) => Client::from_row(row)?.secret,
        None if is_document_url(&presented.id, &server.settings.issuer) => ClientSecret::None,
        None => {
            return Err(NotAuthenticated::Refused(refused(
                "no client with this id is known here; it may have been removed: register again",
            )));
        }
    };
    match (&secret, &presented.secret) {
        (ClientSecret::None, None) => {}
        (ClientSecret::Hashed(hash), Some(secret)) if is_secret(server, hash, secret) => {}
        (ClientSecret::Hashed(_), Some(_)) => {
            return Err(NotAuthenticated::Refused(refused("the client secret is wrong")));
        }
        (ClientSecret::Hashed(_), None) => {
            return Err(NotAuthenticated::Refused(refused("this client has a secret, and none was sent")));
        }
        (ClientSecret::None, Some(_)) => {
            return Err(NotAuthenticated::Refused(refused(
                "this client is public and has no secret, but one was sent",
            )));
        }
    }
    Ok(AuthenticatedClient(presented.id.clone()))
}

fn is_secret(server: &Inner, hash: &str, secret: &Secret) -> bool {
    let presented = server.store.key().client_secret_hash(secret.expose());
    presented.as_bytes().ct_eq(hash.as_bytes()).into()
}

fn refused(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, why)
}

fn invalid_request(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(authorization: &[&str], form: &str) -> Result<(String, Option<String>), ErrorCode> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Presented::find(&headers, &Parameters::parse(form).unwrap())
            .map(|found| (found.id, found.secret.map(|secret| secret.expose().to_owned())))
            .map_err(|error| error.error)
    }

    fn header(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn takes_each_method() {
        assert_eq!(find(&[], "client_id=a"), Ok(("a".to_owned(), None)));
        let post = find(&[], "client_id=a&client_secret=s");
        assert_eq!(post, Ok(("a".to_owned(), Some("s".to_owned()))));
        let basic = find(&[&header("a%3Ab:s%2B+%26&")], "client_id=a%3Ab");
        assert_eq!(basic, Ok(("a:b".to_owned(), Some("s+ &&".to_owned()))));
    }

    #[test]
    fn takes_one_method_a_request() {
        let both = find(&[&header("a:s")], "client_id=a&client_secret=s");
        assert_eq!(both, Err(ErrorCode::InvalidRequest));
        let other = find(&[&header("a:s")], "client_id=b");
        assert_eq!(other, Err(ErrorCode::InvalidRequest));
        let twice = find(&[&header("a:s"), &header("a:s")], "");
        assert_eq!(twice, Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn refuses_what_names_no_client() {
        for (authorization, form) in [
            (vec![], ""),
            (vec!["Bearer x"], "client_id=a"),
            (vec!["Basic !"], "client_id=a"),
            (vec!["Basic"], "client_id=a"),
        ] {
            assert_eq!(find(&authorization, form), Err(ErrorCode::InvalidClient));
        }
    }
}

//! Client authentication (OAuth 2.1 §2.4): `none`, `client_secret_basic`, `client_secret_post`, `private_key_jwt`,
//! `tls_client_auth`, `self_signed_tls_client_auth`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::client_assertion::{ASSERTION_TYPE, ExpectedAssertion, UnverifiedClientAssertion};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::secret::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rustls_pki_types::CertificateDer;
use subtle::ConstantTimeEq;

use super::by_certificate::{by_certificate, check_certificate, check_certificate_key};
use super::client::KeySource;
use super::{Authentication, Client, LookUp, Unresolved, is_document_url, resolve, stored};
use crate::server::Inner;
use crate::store::{SeenBy, StoreError};

/// RFC 6749 §2.3.1: what `Authorization: Basic` carries is form-encoded first, which `curl -u` and others leave out.
const WRONG_SECRET: &str =
    "the client secret is wrong; in Authorization: Basic, id and secret are form-encoded first (a + is %2B)";

/// How far a client's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// The credentials that a request carries, believed or not.
#[derive(Debug)]
pub(crate) struct Presented {
    id: String,
    credential: Credential,
    /// Whether they came in the `Authorization` header, where a refusal has to name the scheme.
    pub(crate) in_header: bool,
}

#[derive(Debug)]
enum Credential {
    /// An id alone.
    None,
    Secret(Secret),
    /// RFC 7523 §2.2.
    Assertion(Secret),
}

/// A client that has shown what it has to show. Only [`authenticate`] makes one.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient {
    id: String,
    client: Option<Arc<Client>>,
    is_proven: bool,
}

impl AuthenticatedClient {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The whole client. Of a public one with a metadata document nothing but the id is looked at here: what protects
    /// its codes and tokens is that they are bound to its id and need their own proof. So no refresh fails because the
    /// client's web server is down.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    /// Whether it has shown more than its id. What was granted to a client that does is never given to one that does
    /// not: a document that cannot be fetched, or has changed, must not turn a confidential client into a public one.
    pub(crate) fn is_proven(&self) -> bool {
        self.is_proven
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
    /// Finds the credentials. One method a request (OAuth 2.1 §2.4): several are an error.
    pub(crate) fn find(headers: &HeaderMap, form: &Parameters) -> Result<Self, OAuthError> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let field = match (fields.next(), fields.next()) {
            (Some(_), Some(_)) => return Err(invalid_request("the Authorization header is there twice")),
            (field, _) => field,
        };
        let sent = [field.is_some(), form.is_present("client_secret"), form.is_present("client_assertion")];
        if sent.into_iter().filter(|sent| *sent).count() > 1 {
            return Err(invalid_request("client credentials came in more than one way; send them once"));
        }
        match field {
            Some(field) => Self::in_header(field.to_str().ok(), form),
            None if form.is_present("client_assertion") => Self::assertion(form),
            None => Ok(Self {
                id: in_form(form, "client_id").ok_or_else(|| refused("no client_id was sent"))?.to_owned(),
                credential: in_form(form, "client_secret")
                    .map_or(Credential::None, |secret| Credential::Secret(Secret::new(secret))),
                in_header: false,
            }),
        }
    }

    /// An id that something else than the client's credentials names, and nothing shown.
    pub(crate) fn named(id: String) -> Self {
        Self { id, credential: Credential::None, in_header: false }
    }

    /// The client that it is said to be.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn in_header(field: Option<&str>, form: &Parameters) -> Result<Self, OAuthError> {
        let (id, secret) = field
            .and_then(basic)
            .ok_or_else(|| refused("the Authorization header holds no Basic credentials"))?;
        if in_form(form, "client_id").is_some_and(|other| other != id) {
            return Err(invalid_request("client_id in the body is not the one in the Authorization header"));
        }
        let credential = match secret.expose().is_empty() {
            true => Credential::None,
            false => Credential::Secret(secret),
        };
        Ok(Self { id, credential, in_header: true })
    }

    /// RFC 7521 §4.2: `client_id` may be left out, since the assertion names the client; where it is sent it is the same.
    fn assertion(form: &Parameters) -> Result<Self, OAuthError> {
        if in_form(form, "client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(invalid_request(&format!("client_assertion_type has to be '{ASSERTION_TYPE}'")));
        }
        let assertion = Secret::new(in_form(form, "client_assertion").unwrap_or_default());
        let id = UnverifiedClientAssertion::parse(assertion.expose())
            .map_err(|error| refused(&error.to_string()))?
            .client_id()
            .map(str::to_owned)
            .ok_or_else(|| refused("the client assertion has no sub"))?;
        if in_form(form, "client_id").is_some_and(|other| other != id) {
            return Err(refused("client_id is not the sub of the client assertion"));
        }
        Ok(Self { id, credential: Credential::Assertion(assertion), in_header: false })
    }
}

#[cfg(feature = "fuzzing")]
impl Presented {
    /// The id, and the secret or assertion.
    pub(super) fn parts(&self) -> (&str, Option<&Secret>) {
        match &self.credential {
            Credential::None => (&self.id, None),
            Credential::Secret(shown) | Credential::Assertion(shown) => (&self.id, Some(shown)),
        }
    }
}

fn in_form<'a>(form: &'a Parameters, name: &str) -> Option<&'a str> {
    form.get(name).ok().flatten()
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

/// Believes a client, or says why not.
pub(crate) async fn authenticate(
    server: &Inner,
    presented: &Presented,
    certificate: Option<&CertificateDer<'static>>,
    look_up: LookUp,
) -> Result<AuthenticatedClient, NotAuthenticated> {
    let Some(client) = find(server, presented, look_up, certificate.is_some()).await? else {
        return Ok(AuthenticatedClient { id: presented.id.clone(), client: None, is_proven: false });
    };
    let is_proven = match (&client.authentication, &presented.credential) {
        (Authentication::None, Credential::None) => false,
        (Authentication::Secret(hash), Credential::Secret(secret)) if is_secret(server, hash, secret) => true,
        (Authentication::PrivateKey(keys), Credential::Assertion(assertion)) => {
            verify_assertion(server, &client, keys, assertion).await?;
            true
        }
        (Authentication::Certificate(name), Credential::None) => {
            check_certificate(server, name, certificate)?;
            true
        }
        (Authentication::CertificateKey(keys), Credential::None) => {
            check_certificate_key(server, keys, certificate).await?;
            true
        }
        (Authentication::Certificate(_) | Authentication::CertificateKey(_), _) => {
            return Err(no(
                "this client shows itself by its certificate alone, but a secret or assertion was sent",
            ));
        }
        (Authentication::Secret(_), Credential::Secret(_)) => return Err(no(WRONG_SECRET)),
        (Authentication::Secret(_), _) => {
            return Err(no("this client has a secret, and none was sent"));
        }
        (Authentication::PrivateKey(_), _) => {
            return Err(no("this client shows itself by private_key_jwt, and no client_assertion was sent"));
        }
        (Authentication::None, _) => {
            return Err(no("this client is public and has no secret or key, but one was sent"));
        }
    };
    Ok(AuthenticatedClient { id: presented.id.clone(), client: Some(client), is_proven })
}

/// The client that is named. `None` is a metadata document of which nothing needs to be known.
async fn find(
    server: &Inner,
    presented: &Presented,
    look_up: LookUp,
    has_certificate: bool,
) -> Result<Option<Arc<Client>>, NotAuthenticated> {
    match stored(server, &presented.id, look_up).await {
        Ok(Some(client)) => return Ok(Some(client)),
        Ok(None) => {}
        Err(Unresolved::Store(error)) => return Err(error.into()),
        Err(_) => return Err(no("this client is switched off; the operator can switch it on again")),
    }
    if !is_document_url(&presented.id, &server.settings.issuer) {
        return Err(no(
            "no client with this id is known here; it may have been removed: register it again, or have the operator add it",
        ));
    }
    server.settings.document_domains.check(&presented.id).map_err(|refused| no(&refused.to_string()))?;
    match &presented.credential {
        Credential::None if has_certificate => by_certificate(server, &presented.id).await,
        Credential::None => Ok(None),
        Credential::Secret(_) => Err(no("a client with a metadata document has no secret, but one was sent")),
        Credential::Assertion(_) => match resolve(server, &presented.id).await {
            Ok(client) => Ok(Some(Arc::new(client))),
            Err(Unresolved::Store(error)) => Err(error.into()),
            Err(unresolved) => Err(no(&unresolved.to_string())),
        },
    }
}

/// RFC 7523 §3. The id is remembered last: an assertion that breaks a rule must not use up that of a good one.
async fn verify_assertion(
    server: &Inner,
    client: &Client,
    keys: &KeySource,
    assertion: &Secret,
) -> Result<(), NotAuthenticated> {
    let now = server.store.now();
    let assertion =
        UnverifiedClientAssertion::parse(assertion.expose()).map_err(|error| no(&error.to_string()))?;
    let wanted = (assertion.kid(), assertion.algorithm());
    let keys = server.client_keys.find(&server.fetcher, keys, wanted, now).await;
    let keys = keys.map_err(|error| no(&format!("the client assertion cannot be checked: {error}")))?;
    let expected =
        ExpectedAssertion { client_id: &client.id, issuer: &server.settings.issuer, now, leeway: LEEWAY };
    let verified = assertion.verify(&keys, &expected).map_err(|error| no(&error.to_string()))?;
    let until = verified.expires_at().after(LEEWAY);
    match server.store.see_id(SeenBy::ClientAssertion, &client.id, verified.id(), until).await? {
        true => Ok(()),
        false => Err(no(
            "this client assertion was used before; make a new one, with another jti, for each request",
        )),
    }
}

pub(super) fn no(why: &str) -> NotAuthenticated {
    NotAuthenticated::Refused(refused(why))
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
            .map(|found| match found.credential {
                Credential::Secret(secret) => (found.id, Some(secret.expose().to_owned())),
                _ => (found.id, None),
            })
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

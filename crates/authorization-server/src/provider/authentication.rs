//! How this server shows who it is at a provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::client_assertion::{ASSERTION_TYPE, ClientAssertion, TYP};
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use url::form_urlencoded;

use super::{Discovered, ProviderCredentials, ProviderError, ProviderSettings};
use crate::random::id;

/// What a request to an endpoint for clients carries beside its own parameters.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) parameters: Vec<(&'static str, Secret)>,
    pub(super) headers: HeaderMap,
}

/// RFC 6749 §2.3.1, RFC 7521 §4.2.
pub(super) fn show(
    settings: &ProviderSettings,
    discovered: &Discovered,
    now: Timestamp,
) -> Result<Shown, ProviderError> {
    let id = ("client_id", Secret::new(settings.client_id.as_str()));
    Ok(match &settings.credentials {
        ProviderCredentials::None => Shown { parameters: vec![id], ..Shown::default() },
        ProviderCredentials::Basic(secret) => basic(&settings.client_id, secret),
        ProviderCredentials::Secret(secret) if wants_basic(discovered) => basic(&settings.client_id, secret),
        ProviderCredentials::Secret(secret) | ProviderCredentials::Post(secret) => {
            Shown { parameters: vec![id, ("client_secret", secret.clone())], ..Shown::default() }
        }
        ProviderCredentials::PrivateKey(key) => Shown {
            parameters: vec![
                id,
                ("client_assertion_type", Secret::new(ASSERTION_TYPE)),
                ("client_assertion", assertion(settings, discovered, key, now)?),
            ],
            ..Shown::default()
        },
    })
}

/// RFC 8414 §2: without a list it is Basic.
fn wants_basic(discovered: &Discovered) -> bool {
    let listed = discovered.metadata().token_endpoint_auth_methods_supported.as_deref();
    listed.is_none_or(|listed| listed.iter().any(|method| method == "client_secret_basic"))
}

/// RFC 6749 §2.3.1: both parts are encoded as in a form.
fn basic(client_id: &str, secret: &Secret) -> Shown {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    let mut headers = HeaderMap::new();
    // Base64 is what a header can carry.
    if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Shown { parameters: Vec::new(), headers }
}

/// For the issuer and nobody else (rfc7523bis §4).
fn assertion(
    settings: &ProviderSettings,
    discovered: &Discovered,
    key: &SigningKey,
    now: Timestamp,
) -> Result<Secret, ProviderError> {
    let claims = ClientAssertion::new(&settings.client_id, discovered.issuer(), id(), now);
    key.sign(TYP, &claims).map(Secret::new).map_err(ProviderError::Assertion)
}

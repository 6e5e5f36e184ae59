//! What a client that registers itself may say (RFC 7591 §2): a table of small checks, the same when it registers and
//! each time it changes something (RFC 7592 §2.2).

use hallpass_protocol::jose::JwkSet;
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::redirect::{RedirectUri, RedirectUriError};
use hallpass_protocol::registration::ClientMetadata;
use serde_json::Value;
use url::Url;

use super::client::KeySource;
use super::methods::{Unsaid, flag, shown_by};
use super::{AUTHORIZATION_CODE, Authentication, ClientDetails, DEVICE_CODE, Methods, REFRESH_TOKEN};
use crate::hosts::RedirectPattern;

const MOST_REDIRECT_URIS: usize = 20;
/// Names are cut when they are shown; this only bounds the row.
const LONGEST_NAME: usize = 200;

/// Why a description is not taken, one variant a rule.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationFault {
    /// RFC 7591 §3.1: a JSON object of client metadata.
    #[error("the body is not client metadata in JSON: {0}")]
    NotMetadata(String),
    /// No value of client metadata has a use for them, and one database cannot store them.
    #[error("a value holds a control character")]
    ControlCharacter,
    /// RFC 7591 §2: required for the grants that redirect.
    #[error("redirect_uris is missing or empty")]
    NoRedirectUri,
    /// More than anyone needs.
    #[error("there are more than {MOST_REDIRECT_URIS} redirect_uris")]
    ManyRedirectUris,
    /// A redirect URI that nobody may use.
    #[error("{uri}: {source}")]
    RedirectUri { uri: String, source: RedirectUriError },
    /// A redirect URI that the operator has not listed.
    #[error("{0}: the operator of this server takes redirect URIs to listed hosts alone")]
    UnlistedRedirectUri(String),
    /// RFC 7591 §2: a method that there is.
    #[error("token_endpoint_auth_method '{asked}' is not supported; use one of {supported}")]
    AuthMethod { asked: String, supported: String },
    /// RFC 8705 §2.1.2: one name, which a certificate could have.
    #[error(
        "tls_client_auth needs exactly one of tls_client_auth_subject_dn, tls_client_auth_san_dns, tls_client_auth_san_uri, tls_client_auth_san_ip and tls_client_auth_san_email, with a name that a certificate can have"
    )]
    CertificateName,
    /// RFC 7591 §2: `private_key_jwt` and `self_signed_tls_client_auth` need keys, in one place.
    #[error(
        "private_key_jwt and self_signed_tls_client_auth need either jwks, with at least one ES256, EdDSA, RS256 or PS256 key and public halves only, or jwks_uri, and not both"
    )]
    Keys,
    /// RFC 7591 §2: `jwks_uri` is fetched over TLS.
    #[error("jwks_uri has to be an https URL")]
    KeysUri,
    /// A client that could never begin.
    #[error(
        "grant_types has to name authorization_code or {DEVICE_CODE}, the grants that a client which registers itself can begin with"
    )]
    GrantTypes,
    /// The one response type.
    #[error("response_types has to name code, the one response type there is")]
    ResponseTypes,
}

impl RegistrationFault {
    /// RFC 7591 §3.2.2.
    pub(crate) fn to_oauth(&self) -> OAuthError {
        let code = match self {
            Self::NoRedirectUri
            | Self::ManyRedirectUris
            | Self::RedirectUri { .. }
            | Self::UnlistedRedirectUri(_) => ErrorCode::InvalidRedirectUri,
            _ => ErrorCode::InvalidClientMetadata,
        };
        OAuthError::new(code, self.to_string())
    }
}

/// A description that has passed every check. Only [`Described::check`] makes one.
#[derive(Debug)]
pub(crate) struct Described {
    name: Option<String>,
    redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    method: &'static str,
    details: ClientDetails,
    application_type: Option<String>,
}

/// Reads a body: metadata, and what else stands beside it.
pub(crate) fn read(body: &[u8]) -> Result<ClientMetadata, RegistrationFault> {
    let not_metadata = |error: serde_json::Error| RegistrationFault::NotMetadata(error.to_string());
    let value = from_slice_unique(body).map_err(not_metadata)?;
    check_characters(&value)?;
    serde_json::from_value(value).map_err(not_metadata)
}

impl Described {
    /// All the rules. `listed` is where codes may go; anywhere, where the list is empty. The methods are those that are
    /// switched on here.
    pub(crate) fn check(
        asked: &ClientMetadata,
        listed: &[RedirectPattern],
        methods: Methods,
    ) -> Result<Self, RegistrationFault> {
        let grant_types = grant_types(asked)?;
        check_redirect_uris(asked, &grant_types, listed)?;
        check_response_types(asked)?;
        let method = auth_method(asked, methods)?;
        Ok(Self {
            name: asked.client_name.as_deref().map(cut),
            redirect_uris: asked.redirect_uris.clone(),
            details: details(asked, method, methods)?,
            application_type: asked.application_type.as_deref().map(cut),
            grant_types,
            method,
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn redirect_uris(&self) -> &[String] {
        &self.redirect_uris
    }

    pub(crate) fn grant_types(&self) -> &[String] {
        &self.grant_types
    }

    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// Whether the client shows itself by a secret.
    pub(crate) fn has_secret(&self) -> bool {
        self.method.starts_with("client_secret_")
    }

    pub(crate) fn details(&self) -> &ClientDetails {
        &self.details
    }

    /// What the client says it is: said back, and of no other use here.
    pub(crate) fn application_type(&self) -> Option<&str> {
        self.application_type.as_deref()
    }
}

fn check_characters(value: &Value) -> Result<(), RegistrationFault> {
    let plain = |text: &str| match text.chars().any(char::is_control) {
        true => Err(RegistrationFault::ControlCharacter),
        false => Ok(()),
    };
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().try_for_each(check_characters),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            plain(name)?;
            check_characters(value)
        }),
        _ => Ok(()),
    }
}

fn check_redirect_uris(
    asked: &ClientMetadata,
    grant_types: &[String],
    listed: &[RedirectPattern],
) -> Result<(), RegistrationFault> {
    if asked.redirect_uris.is_empty() && grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
        return Err(RegistrationFault::NoRedirectUri);
    }
    if asked.redirect_uris.len() > MOST_REDIRECT_URIS {
        return Err(RegistrationFault::ManyRedirectUris);
    }
    for uri in &asked.redirect_uris {
        let parsed = RedirectUri::parse_claimed(uri)
            .map_err(|source| RegistrationFault::RedirectUri { uri: uri.clone(), source })?;
        if !listed.is_empty() && !listed.iter().any(|pattern| pattern.matches(&parsed)) {
            return Err(RegistrationFault::UnlistedRedirectUri(uri.clone()));
        }
    }
    Ok(())
}

/// RFC 7591 §2: the default is `client_secret_basic`.
fn auth_method(asked: &ClientMetadata, methods: Methods) -> Result<&'static str, RegistrationFault> {
    let asked = asked.token_endpoint_auth_method.as_deref().unwrap_or("client_secret_basic");
    methods.find(asked).ok_or_else(|| RegistrationFault::AuthMethod {
        asked: asked.to_owned(),
        supported: methods.names().join(", "),
    })
}

/// RFC 7591 §2 lets the server leave out what it does not have: clients list others in passing. Where nothing is said,
/// the grants of the code flow are given.
fn grant_types(asked: &ClientMetadata) -> Result<Vec<String>, RegistrationFault> {
    let Some(asked) = &asked.grant_types else {
        return Ok([AUTHORIZATION_CODE, REFRESH_TOKEN].map(str::to_owned).to_vec());
    };
    let kept: Vec<String> = [AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE]
        .into_iter()
        .filter(|grant| asked.iter().any(|name| name == grant))
        .map(str::to_owned)
        .collect();
    let begins = kept.iter().any(|grant| grant != REFRESH_TOKEN);
    begins.then_some(kept).ok_or(RegistrationFault::GrantTypes)
}

fn check_response_types(asked: &ClientMetadata) -> Result<(), RegistrationFault> {
    let named = asked.response_types.as_ref().is_none_or(|types| types.iter().any(|name| name == "code"));
    named.then_some(()).ok_or(RegistrationFault::ResponseTypes)
}

/// What a client shows itself by is kept with it. The URL of a key set is a stranger's choice: fetched with the guard, when
/// it is needed for the first time.
fn details(
    asked: &ClientMetadata,
    method: &str,
    methods: Methods,
) -> Result<ClientDetails, RegistrationFault> {
    let mut details = ClientDetails {
        dpop_bound_access_tokens: flag(asked, "dpop_bound_access_tokens"),
        require_pushed_authorization_requests: flag(asked, "require_pushed_authorization_requests"),
        tls_client_certificate_bound_access_tokens: methods.bind(asked),
        ..ClientDetails::default()
    };
    let shown = shown_by(asked, method).map_err(|unsaid| match unsaid {
        Unsaid::Keys => RegistrationFault::Keys,
        Unsaid::CertificateName => RegistrationFault::CertificateName,
    })?;
    details.self_signed_tls_client_auth = matches!(shown, Authentication::CertificateKey(_));
    match shown {
        Authentication::None | Authentication::Secret(_) => {}
        Authentication::Certificate(name) => details.tls_client_auth = Some(name),
        Authentication::PrivateKey(keys) | Authentication::CertificateKey(keys) => match keys {
            KeySource::Value(keys) => details.jwks = Some(public(keys)?),
            KeySource::Uri(uri) => {
                let https = Url::parse(&uri).is_ok_and(|url| url.scheme() == "https");
                details.jwks_uri = Some(https.then_some(uri).ok_or(RegistrationFault::KeysUri)?);
            }
        },
    }
    Ok(details)
}

/// Only keys that can verify are kept, so one of them has to be left.
fn public(keys: JwkSet) -> Result<JwkSet, RegistrationFault> {
    let usable = keys.keys.iter().any(hallpass_protocol::jose::Jwk::is_for_verifying);
    usable.then_some(keys).ok_or(RegistrationFault::Keys)
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(member: &str, value: Value) -> Result<Described, RegistrationFault> {
        let mut metadata = json!({
            "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
        });
        metadata[member] = value;
        Described::check(&read(metadata.to_string().as_bytes())?, &[], Methods::default())
    }

    #[test]
    fn control_characters_are_refused_wherever_they_stand() {
        for (member, value) in [
            ("client_name", json!("a\u{0}b")),
            ("client_name", json!("a\nb")),
            ("redirect_uris", json!(["http://127.0.0.1/\u{0}"])),
            ("grant_types", json!(["authorization_code", "\u{7f}"])),
            ("jwks", json!({"keys": [{"kid": "\u{0}"}]})),
            ("a\u{0}b", json!(1)),
        ] {
            let refused = check(member, value.clone());
            assert!(matches!(refused, Err(RegistrationFault::ControlCharacter)), "{member} {value}");
        }
    }

    #[test]
    fn a_client_that_signs_has_its_keys_in_one_place() {
        let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap().public_jwk();
        let with = |members: Value| {
            let mut metadata = json!({
                "redirect_uris": ["https://app.example/callback"],
                "token_endpoint_auth_method": "private_key_jwt",
            });
            for (name, value) in members.as_object().unwrap() {
                metadata[name] = value.clone();
            }
            Described::check(&read(metadata.to_string().as_bytes()).unwrap(), &[], Methods::default())
        };
        let mut private = serde_json::to_value(&key).unwrap();
        private["d"] = json!("AAAA");
        let uri = "https://app.example/jwks";
        assert!(with(json!({"jwks": {"keys": [key]}})).unwrap().details().jwks.is_some());
        assert_eq!(with(json!({"jwks_uri": uri})).unwrap().details().jwks_uri.as_deref(), Some(uri));
        for wrong in [
            json!({}),
            json!({"jwks": {"keys": []}}),
            json!({"jwks": {"keys": [private]}}),
            json!({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}),
            json!({"jwks": {"keys": [key]}, "jwks_uri": uri}),
        ] {
            assert!(matches!(with(wrong.clone()), Err(RegistrationFault::Keys)), "{wrong}");
        }
        for wrong in ["http://app.example/jwks", "file:///etc/passwd", "jwks"] {
            assert!(matches!(with(json!({"jwks_uri": wrong})), Err(RegistrationFault::KeysUri)), "{wrong}");
        }
    }

    #[test]
    fn codes_go_to_listed_hosts_alone() {
        let listed: Vec<RedirectPattern> =
            ["*.example.com", "localhost", "cursor:"].iter().map(|text| text.parse().unwrap()).collect();
        let check = |uri: &str| {
            let metadata = json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"});
            Described::check(&read(metadata.to_string().as_bytes()).unwrap(), &listed, Methods::default())
        };
        for good in ["https://a.example.com/cb", "http://localhost:1/cb", "cursor://x/cb"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for wrong in ["https://example.com/cb", "http://127.0.0.1/cb", "vscode://a.example.com/cb"] {
            assert!(matches!(check(wrong), Err(RegistrationFault::UnlistedRedirectUri(_))), "{wrong}");
        }
    }

    #[test]
    fn each_other_rule_refuses() {
        let refused = |member, value| check(member, value).unwrap_err();
        assert!(matches!(refused("redirect_uris", json!([])), RegistrationFault::NoRedirectUri));
        let many = json!(vec!["https://a.example/cb"; MOST_REDIRECT_URIS + 1]);
        assert!(matches!(refused("redirect_uris", many), RegistrationFault::ManyRedirectUris));
        let method = refused("token_endpoint_auth_method", json!("tls_client_auth"));
        assert!(matches!(method, RegistrationFault::AuthMethod { .. }));
        assert!(matches!(refused("grant_types", json!(["password"])), RegistrationFault::GrantTypes));
        assert!(matches!(refused("response_types", json!(["token"])), RegistrationFault::ResponseTypes));
    }
}

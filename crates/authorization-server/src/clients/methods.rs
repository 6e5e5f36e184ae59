//! How clients can show here who they are: one table, for the metadata of this server, and for what clients say in theirs
//! (RFC 7591 §2, RFC 8705 §2).

use hallpass_protocol::jose::JwkSet;
use hallpass_protocol::registration::ClientMetadata;
use serde_json::Value;

use super::client::{KeySource, PRIVATE_KEY_JWT, SELF_SIGNED_TLS, TLS};
use super::{Authentication, CertificateName};
use crate::settings::MutualTls;

/// Which methods are switched on beside those that always are.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Methods {
    tls: bool,
    self_signed_tls: bool,
}

impl Methods {
    pub(crate) fn of(mutual_tls: Option<&MutualTls>) -> Self {
        Self {
            tls: mutual_tls.is_some_and(|settings| !settings.authorities.is_empty()),
            self_signed_tls: mutual_tls.is_some_and(|settings| settings.self_signed),
        }
    }

    /// Their names, `none` first.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let mut names = vec!["none", "client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT];
        names.extend(self.tls.then_some(TLS));
        names.extend(self.self_signed_tls.then_some(SELF_SIGNED_TLS));
        names
    }

    /// The method of that name.
    pub(super) fn find(self, name: &str) -> Option<&'static str> {
        self.names().into_iter().find(|known| *known == name)
    }

    /// The names of those that work without a shared secret.
    pub(super) fn without_secret(self) -> Vec<&'static str> {
        self.names().into_iter().filter(|name| !name.starts_with("client_secret_")).collect()
    }

    /// Whether tokens can be bound to certificates (RFC 8705 §3).
    pub(super) fn bind(self, metadata: &ClientMetadata) -> bool {
        (self.tls || self.self_signed_tls) && flag(metadata, "tls_client_certificate_bound_access_tokens")
    }
}

/// What metadata leave open about how a client shows itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// RFC 7591 §2: the method needs keys, in one place.
    Keys,
    /// RFC 8705 §2.1.2: exactly one name, which a certificate could have.
    CertificateName,
}

/// What a client shows that has no secret, by one of [`Methods::without_secret`].
pub(super) fn shown_by(metadata: &ClientMetadata, method: &str) -> Result<Authentication, Unsaid> {
    let keys = || key_source(metadata).ok_or(Unsaid::Keys);
    match method {
        PRIVATE_KEY_JWT => keys().map(Authentication::PrivateKey),
        SELF_SIGNED_TLS => keys().map(Authentication::CertificateKey),
        TLS => {
            let name = CertificateName::of_metadata(&metadata.other).ok_or(Unsaid::CertificateName)?;
            Ok(Authentication::Certificate(name))
        }
        _ => Ok(Authentication::None),
    }
}

/// RFC 7591 §2: `jwks` or `jwks_uri`, not both. Keys that are none, or of no use here, count as none.
fn key_source(metadata: &ClientMetadata) -> Option<KeySource> {
    match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(jwks), None) => {
            let keys: JwkSet = serde_json::from_value(jwks.clone()).ok()?;
            (!keys.keys.is_empty()).then_some(KeySource::Value(keys))
        }
        (None, Some(uri)) => Some(KeySource::Uri(uri.clone())),
        _ => None,
    }
}

/// A member that is true or false; false, where it is anything else.
pub(super) fn flag(metadata: &ClientMetadata, name: &str) -> bool {
    metadata.other.get(name).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_is_no_method() {
        let settings = |authorities: usize, self_signed| MutualTls {
            authorities: vec![Vec::new().into(); authorities],
            self_signed,
            ..MutualTls::default()
        };
        for (settings, tls, self_signed) in [
            (None, false, false),
            (Some(settings(0, false)), false, false),
            (Some(settings(1, false)), true, false),
            (Some(settings(0, true)), false, true),
        ] {
            let methods = Methods::of(settings.as_ref());
            assert_eq!(methods.find(TLS).is_some(), tls);
            assert_eq!(methods.find(SELF_SIGNED_TLS).is_some(), self_signed);
            assert_eq!(methods.find("client_secret_jwt"), None);
        }
        assert_eq!(Methods::default().without_secret(), ["none", PRIVATE_KEY_JWT]);
    }
}

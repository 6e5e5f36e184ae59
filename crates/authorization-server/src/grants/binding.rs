//! What a token is bound to: a key that its sender has to show (RFC 7800 `cnf`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clients::ClientDetails;

/// The keys of whoever asks for a token, one at least. Only [`Sender::bind`](super::Sender::bind) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// A DPoP key, by its thumbprint (RFC 9449 §6.1).
    key: Option<String>,
    /// A client certificate, by its thumbprint (RFC 8705 §3.1).
    certificate: Option<String>,
}

impl Binding {
    pub(super) fn of(key: Option<String>, certificate: Option<String>) -> Option<Self> {
        (key.is_some() || certificate.is_some()).then_some(Self { key, certificate })
    }

    /// The member of an access token's claims, and of an introspection answer.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let mut cnf = Map::new();
        cnf.extend(self.key.iter().map(|key| ("jkt".to_owned(), json!(key))));
        let certificate = self.certificate.iter();
        cnf.extend(certificate.map(|thumbprint| ("x5t#S256".to_owned(), json!(thumbprint))));
        Map::from_iter([("cnf".to_owned(), Value::Object(cnf))])
    }

    /// RFC 9449 §5: `DPoP`; a token that is bound in another way is a bearer token still (RFC 8705 §3).
    pub(crate) fn token_type(binding: Option<&Self>) -> &'static str {
        match binding {
            Some(Self { key: Some(_), .. }) => hallpass_protocol::dpop::SCHEME,
            _ => "Bearer",
        }
    }
}

/// What a client's tokens have to be bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MustBind {
    /// To a DPoP key (RFC 9449 §5.2).
    pub(crate) dpop: bool,
    /// To the client's certificate (RFC 8705 §3.4).
    pub(crate) certificate: bool,
}

impl MustBind {
    /// What the client has said of itself.
    pub(crate) fn of(details: &ClientDetails) -> Self {
        Self {
            dpop: details.dpop_bound_access_tokens,
            certificate: details.tls_client_certificate_bound_access_tokens,
        }
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self { dpop: self.dpop || other.dpop, certificate: self.certificate || other.certificate }
    }

    /// The text that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match (self.dpop, self.certificate) {
            (false, false) => "",
            (true, false) => "dpop",
            (false, true) => "certificate",
            (true, true) => "dpop certificate",
        }
    }

    pub(crate) fn read(text: &str) -> Self {
        let has = |word: &str| text.split(' ').any(|one| one == word);
        Self { dpop: has("dpop"), certificate: has("certificate") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        for (dpop, certificate) in [(false, false), (true, false), (false, true), (true, true)] {
            let must = MustBind { dpop, certificate };
            assert_eq!(MustBind::read(must.as_str()), must);
        }
    }
}

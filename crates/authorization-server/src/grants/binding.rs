//! What a token is bound to: a key that its sender has to show (RFC 7800 `cnf`).

use serde_json::{Map, Value, json};

/// The key of whoever asks for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// A DPoP key, by its thumbprint (RFC 9449 §6.1).
    Key(String),
}

impl Binding {
    /// The member of an access token's claims, and of an introspection answer.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let cnf = match self {
            Self::Key(thumbprint) => json!({ "jkt": thumbprint }),
        };
        Map::from_iter([("cnf".to_owned(), cnf)])
    }

    /// RFC 9449 §5: `DPoP`; a token that is bound in another way is a bearer token still (RFC 8705 §3).
    pub(crate) fn token_type(binding: Option<&Self>) -> &'static str {
        match binding {
            Some(Self::Key(_)) => hallpass_protocol::dpop::SCHEME,
            None => "Bearer",
        }
    }

    /// The text that is stored.
    pub(crate) fn as_text(&self) -> &str {
        match self {
            Self::Key(thumbprint) => thumbprint,
        }
    }
}

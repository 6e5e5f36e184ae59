//! The form of a rule.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The parameters of a request.
pub type Form = HashMap<String, String>;

/// The members of a document.
pub type Members = Map<String, Value>;

/// One thing that a provider does otherwise than clients expect, and who says so.
#[derive(Debug)]
pub struct Quirk {
    /// What it is called.
    pub name: &'static str,
    /// The document or thread that shows it.
    pub source: &'static str,
    /// What the peer does.
    pub rule: Rule,
}

/// Where a quirk shows.
#[derive(Debug)]
pub enum Rule {
    /// In the metadata. The text is the origin.
    Metadata(fn(&mut Members, &str)),
    /// An authorization request is refused.
    Authorization(fn(&Form) -> Option<Refused>),
    /// A token request is refused.
    Token(fn(&Form) -> Option<Refused>),
    /// A registration is refused.
    Registration(fn(&Value) -> Option<Refused>),
    /// In the claims of an access token.
    Claims(fn(&Grant<'_>, &mut Members)),
    /// The access token of such a grant is opaque.
    Opaque(fn(&Grant<'_>) -> bool),
    /// In the answer of the token endpoint.
    Answer(fn(&Grant<'_>, &mut Members)),
    /// The answer of the token endpoint is a form, unless JSON is asked for.
    FormEncoded,
    /// Every refusal of the token endpoint has the status 200.
    RefusesWith200,
    /// What the token endpoint calls a refusal, of such a request.
    Calls(fn(Refused, &Form) -> Refused),
    /// A refresh token is good until it is revoked, and a refresh brings no other one.
    KeepsRefreshTokens,
    /// A token request needs the client's secret.
    NeedsSecret,
    /// A redirect URI is compared with its port, on loopback, too.
    ExactPort,
}

/// What was granted.
#[derive(Debug)]
pub struct Grant<'a> {
    /// The authorization request.
    pub request: &'a Form,
    /// The issuer.
    pub issuer: &'a str,
    /// The server's own origin.
    pub origin: &'a str,
}

impl Grant<'_> {
    /// A parameter of the authorization request; empty where it is missing.
    #[must_use]
    pub fn asked(&self, name: &str) -> &str {
        self.request.get(name).map_or("", String::as_str)
    }

    /// Whether a scope was asked for.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.asked("scope").split(' ').any(|word| word == scope)
    }
}

/// RFC 6749 §4.1.2.1, §5.2.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// The code.
    pub error: &'static str,
    /// In the provider's words, or nearly.
    pub says: &'static str,
}

/// A refusal, where something holds.
#[must_use]
pub(super) fn refused(holds: bool, error: &'static str, says: &'static str) -> Option<Refused> {
    holds.then_some(Refused { error, says })
}

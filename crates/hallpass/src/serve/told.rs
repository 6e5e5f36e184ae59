//! What the server behind is told, as planned.

use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use hallpass_authorization_server::{AuthorizationServer, Signer};
use hallpass_gateway::upstream::told::{ASSERTION_TYPE, AssertionClaims, Assertions, Told};
use hallpass_protocol::jose::{Jwk, JwkSet, SigningKey};
use http::{HeaderName, HeaderValue};
use url::Url;

use super::credentials::{CredentialFault, read, read_key};
use super::upstream::Upstream;
use super::upstream_token::ExchangePlan;
use crate::config::{Assertion, FieldName, Section, Server, Tells};
use crate::data::system_clock;

/// Where the public halves of keys for assertions are.
const KEYS: &str = "/.well-known/hallpass-assertions";

const FIELD: HeaderName = HeaderName::from_static("x-hallpass-assertion");
const LIFETIME: Duration = Duration::from_secs(60);
/// A word about a moment. Longer, it would outlive what it says.
const LONGEST: Duration = Duration::from_secs(600);

/// What is told.
#[derive(Debug, Default)]
pub(crate) struct ToldPlan {
    caller: Caller,
    own: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Default)]
enum Caller {
    #[default]
    Fields,
    Nothing,
    Assertion(AssertionPlan),
    Token(ExchangePlan),
}

#[derive(Debug)]
struct AssertionPlan {
    field: HeaderName,
    audience: String,
    lifetime: Duration,
    /// The authorization server's own, where there is none.
    key: Option<SigningKey>,
}

impl ToldPlan {
    /// What the file comes to.
    pub(super) fn of(
        server: &Server,
        section: Section<'_>,
        upstream: &Upstream,
        issues: bool,
    ) -> Result<Self, CredentialFault> {
        let fault = |setting, what: &str| {
            Err(CredentialFault::Value { place: section.place(&[setting]), what: what.to_owned() })
        };
        let is_told = !server.upstream_fields.is_empty() || server.tells != Tells::Fields;
        let own_origin = match upstream {
            Upstream::Http(url) => Some(url.origin().ascii_serialization()),
            _ => None,
        };
        if !matches!(upstream, Upstream::Http(_) | Upstream::Chosen { .. }) {
            let setting = if server.upstream_fields.is_empty() { "tells" } else { "upstream_fields" };
            return match is_told {
                true => {
                    fault(setting, "only a server that speaks HTTP is told so; a program has `environment`")
                }
                false => Ok(Self::default()),
            };
        }
        if server.assertion.is_some() && server.tells != Tells::Assertion {
            return fault(
                "assertion",
                "nobody is told this; add `tells = \"assertion\"` to the server, or take it out",
            );
        }
        if server.upstream_token.is_some() != (server.tells == Tells::Token) {
            return fault(
                "upstream_token",
                "a token that is made for the server needs both, `tells = \"token\"` and where it is had: add the other one",
            );
        }
        let caller = match server.tells {
            Tells::Fields => Caller::Fields,
            Tells::Token => Caller::Token(exchange(server, section)?),
            Tells::Nothing => Caller::Nothing,
            Tells::Assertion => {
                let place = if server.assertion.is_some() { "assertion" } else { "tells" };
                let said = server.assertion.clone().unwrap_or_default();
                let Some(audience) = said.audience.clone().or(own_origin) else {
                    return fault(place, "whom the assertion is for is told by no one host: say `audience`");
                };
                Caller::Assertion(assertion(&said, section, place, audience, issues)?)
            }
        };
        let taken = match &caller {
            Caller::Assertion(planned) => Some(&planned.field),
            Caller::Token(planned) => Some(&planned.field),
            Caller::Fields | Caller::Nothing => None,
        };
        if server.upstream_fields.keys().any(|name| name.name().as_ref() == taken && taken.is_some()) {
            return fault(
                "upstream_fields",
                "the assertion or the token goes in that field; put one of them elsewhere, with `assertion.field` or \
                 `upstream_token.field`",
            );
        }
        let own = server.upstream_fields.iter();
        let own = own.map(|(name, said)| own_field(section, name, &said.file)).collect::<Result<_, _>>()?;
        Ok(Self { caller, own })
    }

    /// Whom assertions are for.
    pub(super) fn audience(&self) -> Option<&str> {
        self.assertion().map(|(_, audience)| audience)
    }

    /// The field of assertions, and whom they are for.
    pub(super) fn assertion(&self) -> Option<(&str, &str)> {
        match &self.caller {
            Caller::Assertion(planned) => Some((planned.field.as_str(), &planned.audience)),
            Caller::Fields | Caller::Nothing | Caller::Token(_) => None,
        }
    }

    /// Where tokens for the server are had, and the field that they are in.
    pub(super) fn exchange(&self) -> Option<(&Url, &str)> {
        match &self.caller {
            Caller::Token(planned) => Some((planned.endpoint(), planned.field.as_str())),
            Caller::Fields | Caller::Nothing | Caller::Assertion(_) => None,
        }
    }

    /// Whether nothing is told about who is calling.
    pub(super) fn is_told_nothing(&self) -> bool {
        matches!(self.caller, Caller::Nothing)
    }

    /// The fields with credentials of hallpass's own.
    pub(super) fn own_fields(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|(name, _)| name.as_str())
    }

    /// The public half of a key of its own.
    fn public_key(&self) -> Option<Jwk> {
        match &self.caller {
            Caller::Assertion(planned) => planned.key.as_ref().map(SigningKey::public_jwk),
            Caller::Fields | Caller::Nothing | Caller::Token(_) => None,
        }
    }

    /// Ready to tell, as `issuer`.
    pub(super) fn ready(&self, issuer: &str, issues: Option<&AuthorizationServer>) -> Told {
        let told = match &self.caller {
            Caller::Fields => Told::fields(),
            Caller::Nothing => Told::nothing(),
            Caller::Token(planned) => Told::token(planned.exchanges()),
            Caller::Assertion(planned) => {
                let between = (issuer.to_owned(), planned.audience.clone());
                let sign = signer(planned.key.clone(), issues.map(AuthorizationServer::signer));
                let (field, lifetime) = (planned.field.clone(), planned.lifetime);
                Told::assertion(Assertions::new(field, between, lifetime, system_clock(), sign))
            }
        };
        let own = self.own.iter().cloned();
        own.fold(told, |told, (name, value)| told.with_own(name, value))
    }
}

/// Where upstreams find the keys of assertions; nothing where the authorization server's sign them.
pub(super) fn keys<'a>(plans: impl Iterator<Item = &'a ToldPlan>) -> Router {
    let keys: Vec<Jwk> = plans.filter_map(ToldPlan::public_key).collect();
    if keys.is_empty() {
        return Router::new();
    }
    let set = JwkSet { keys };
    Router::new().route(KEYS, get(async move || Json(set)))
}

fn signer(
    key: Option<SigningKey>,
    issues: Option<Signer>,
) -> impl Fn(&AssertionClaims<'_>) -> Option<String> + Send + Sync + 'static {
    move |claims| match (&key, &issues) {
        (Some(key), _) => key.sign(ASSERTION_TYPE, claims).ok(),
        (None, Some(issues)) => issues.sign(ASSERTION_TYPE, claims),
        (None, None) => None,
    }
}

fn assertion(
    said: &Assertion,
    section: Section<'_>,
    place: &str,
    audience: String,
    issues: bool,
) -> Result<AssertionPlan, CredentialFault> {
    let place = section.place(&[place]);
    let fault = |what: &str| CredentialFault::Value { place: place.clone(), what: what.to_owned() };
    let lifetime = said.lifetime.map_or(LIFETIME, |span| span.0);
    if lifetime.as_secs() < 2 || lifetime > LONGEST {
        return Err(fault("an assertion lives between two seconds and ten minutes; a minute is usual"));
    }
    let key = said.key_file.as_ref().map(|file| read_key(file, said.kid.clone(), &place)).transpose()?;
    if key.is_none() && !issues {
        return Err(fault(
            "hallpass issues no tokens for this server, so it has no key to sign with; name one with `key_file`",
        ));
    }
    let field = said.field.as_ref().and_then(FieldName::name).unwrap_or(FIELD);
    Ok(AssertionPlan { field, audience, lifetime, key })
}

/// A token is made for whoever has shown one.
fn exchange(server: &Server, section: Section<'_>) -> Result<ExchangePlan, CredentialFault> {
    let fault =
        |what: &str| CredentialFault::Value { place: section.place(&["tells"]), what: what.to_owned() };
    let ways = &server.credentials;
    if ways.api_keys || ways.basic || !ways.digest.is_empty() || !ways.certificates.is_empty() {
        return Err(fault(
            "an API key, a password or a certificate alone is no token that could be exchanged: take them out of \
             `credentials`, or tell the server something else",
        ));
    }
    let said = server.upstream_token.as_ref().map(|said| ExchangePlan::of(said, section));
    said.unwrap_or_else(|| Err(fault("add [server.upstream_token]: where tokens are had")))
}

fn own_field(
    section: Section<'_>,
    name: &FieldName,
    file: &std::path::Path,
) -> Result<(HeaderName, HeaderValue), CredentialFault> {
    let place = section.place(&["upstream_fields"]);
    let text = read(file, &place)?;
    let value = HeaderValue::from_str(text.trim()).ok().filter(|value| !value.is_empty());
    let wrong = || CredentialFault::Content {
        place: place.clone(),
        file: file.display().to_string(),
        what: "does not hold what a field can say: one line of visible characters".to_owned(),
    };
    name.name().zip(value).ok_or_else(wrong)
}

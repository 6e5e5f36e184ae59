//! Tokens that only the holder of a key can use (RFC 9449, SEP-1932): the key, the servers' nonces, and when
//! it is done.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::{
    challenge::Challenge,
    dpop::{self, Proof},
    jose::{Algorithm, SigningKey},
    secret::Secret,
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, Method};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::{
    discover::Discovery,
    error::{Error, Rule, Step},
};

/// Whether tokens are bound to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopUse {
    /// Where the MCP server asks for it, in its metadata or in its challenge, and the authorization server can.
    #[default]
    WhenAsked,
    /// Always: an authorization server that cannot is refused, and so is a token that is not bound.
    Always,
    /// Never: a server that takes bound tokens alone is refused. Later logins keep to it, unless the server asks for more,
    /// until the login is ended.
    Never,
}

/// A key that tokens are bound to: made for one login, kept beside its tokens, and of no use without them.
#[derive(Clone, Debug)]
pub struct DpopKey(SigningKey);

impl DpopKey {
    /// A new key, for ES256: the one algorithm that every server must know (SEP-1932).
    pub(crate) fn generate() -> Result<Self, Rule> {
        SigningKey::generate_es256().map(Self).map_err(|error| Rule::NotSigned(error.to_string()))
    }

    /// What a code is bound to (RFC 9449 §10).
    pub(crate) fn thumbprint(&self) -> String {
        self.0.thumbprint()
    }

    /// The field for one request.
    pub(crate) fn prove(
        &self,
        method: &Method,
        url: &Url,
        access_token: Option<&Secret>,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<HeaderValue, Rule> {
        let jti = jti();
        let proof = Proof { method, url, access_token, nonce, jti: &jti, now }.sign(&self.0);
        let not_signed = |detail: String| Rule::NotSigned(detail);
        let proof = proof.map_err(|error| not_signed(error.to_string()))?;
        HeaderValue::try_from(proof).map_err(|error| not_signed(error.to_string()))
    }
}

impl PartialEq for DpopKey {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint() == other.thumbprint()
    }
}

/// As PKCS#8 in base64url: only ever into a store that keeps secrets.
impl Serialize for DpopKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0.to_pkcs8().expose())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DpopKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::deserialize(deserializer)?;
        let unusable = || de::Error::custom("the DPoP key is not a usable ES256 key");
        let pkcs8 = URL_SAFE_NO_PAD.decode(text.expose()).map_err(|_| unusable())?;
        SigningKey::from_pkcs8("", &pkcs8, Algorithm::ES256).map(Self).map_err(|_| unusable())
    }
}

/// Unique to one proof or assertion.
pub(crate) fn jti() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// More endpoints than one client ever speaks to.
const MAX_ENDPOINTS: usize = 64;

/// The newest nonce of each endpoint (RFC 9449 §8.2). In memory alone: a server that forgot one hands out another.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    /// The nonce to use at that URL.
    pub(crate) fn of(&self, url: &Url) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&dpop::htu(url)).cloned()
    }

    /// Takes up the nonce of an answer from that URL, and returns it.
    pub(crate) fn learn(&self, url: &Url, headers: &HeaderMap) -> Option<String> {
        let nonce = dpop::nonce_of(headers)?.to_owned();
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MAX_ENDPOINTS {
            nonces.clear();
        }
        nonces.insert(dpop::htu(url), nonce.clone());
        Some(nonce)
    }
}

/// Whether a login binds its tokens, and whether it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Plain bearer tokens.
    None,
    /// Bound tokens, or, if the authorization server prefers, plain ones.
    Offered,
    /// Bound tokens or none.
    Required,
}

/// What the caller, the MCP server and the authorization server come to (SEP-1932).
pub(crate) fn binding(
    wanted: DpopUse,
    found: &Discovery,
    challenge: Option<&Challenge>,
) -> Result<Binding, Error> {
    let metadata = found.authorization_server.metadata();
    let known = |names: &[String]| names.iter().any(|name| name == Algorithm::ES256.name());
    let supported = metadata.dpop_signing_alg_values_supported.as_deref().map(known);
    let challenged = challenge.is_some_and(|challenge| challenge.is(dpop::SCHEME));
    let required = wanted == DpopUse::Always || found.dpop_required;
    let asked = challenged || found.dpop_algorithms.as_deref().is_some_and(known);
    match (wanted, required, asked, supported) {
        (DpopUse::Never, ..) if found.dpop_required => Err(Error::Misconfigured {
            step: Step::Discover,
            url: found.resource.clone(),
            rule: Rule::DpopDemanded,
        }),
        (DpopUse::Never, ..) => Ok(Binding::None),
        (_, true, _, Some(true)) => Ok(Binding::Required),
        (_, true, ..) => Err(Error::Misconfigured {
            step: Step::Discover,
            url: metadata.issuer.clone(),
            rule: Rule::DpopUnsupported,
        }),
        (_, false, true, Some(true)) => Ok(Binding::Offered),
        _ => Ok(Binding::None),
    }
}

impl Binding {
    /// A new key, where tokens are to be bound.
    pub(crate) fn key(self) -> Result<Option<DpopKey>, Rule> {
        (self != Self::None).then(DpopKey::generate).transpose()
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::dpop::NONCE;

    use super::*;

    #[test]
    fn a_key_survives_the_store_and_is_never_shown() {
        let key = DpopKey::generate().unwrap();
        let stored = serde_json::to_string(&key).unwrap();
        let back: DpopKey = serde_json::from_str(&stored).unwrap();
        assert_eq!(back, key);
        let shown = format!("{key:?} {back:?}");
        assert!(!shown.contains(stored.trim_matches('"')), "{shown}");
        for damaged in ["\"\"", "\"AAAA\"", "\"***\"", "1"] {
            assert!(serde_json::from_str::<DpopKey>(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn each_endpoint_has_its_own_nonce_and_the_newest_counts() {
        let nonces = Nonces::default();
        let url = |text: &str| Url::parse(text).unwrap();
        let answer = |nonce| HeaderMap::from_iter([(NONCE, HeaderValue::from_static(nonce))]);
        assert_eq!(nonces.of(&url("https://as.example/token")), None);
        nonces.learn(&url("https://as.example/token"), &answer("one"));
        nonces.learn(&url("https://mcp.example/mcp?session=1"), &answer("two"));
        nonces.learn(&url("https://as.example/token"), &answer("three"));
        nonces.learn(&url("https://as.example/token"), &HeaderMap::new());
        assert_eq!(nonces.of(&url("https://as.example/token")).as_deref(), Some("three"));
        assert_eq!(nonces.of(&url("https://mcp.example/mcp?session=2")).as_deref(), Some("two"));
        for n in 0..1000 {
            nonces.learn(&url(&format!("https://mcp.example/{n}")), &answer("n"));
        }
        assert!(nonces.0.lock().unwrap().len() <= MAX_ENDPOINTS);
    }
}

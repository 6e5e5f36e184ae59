//! A token for the server behind, from an authorization server that exchanges the caller's own for it (RFC 8693).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hallpass_gateway::upstream::told::{Exchanged, Exchanges};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::client_assertion::{self, ClientAssertion};
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::{Issuer, Scope};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use url::Url;

use super::credentials::{CredentialFault, read, read_key};
use crate::config::{FieldName, Section, UpstreamToken};
use crate::data::system_clock;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// How tokens for the server behind are had.
#[derive(Clone, Debug)]
pub(super) struct ExchangePlan {
    asked: Arc<Asked>,
    pub(super) field: HeaderName,
}

/// What is asked for, and as whom.
#[derive(Debug)]
struct Asked {
    endpoint: Url,
    client: Client,
    form: Vec<(&'static str, String)>,
    fetcher: Fetcher,
}

/// How this server authenticates (RFC 6749 §2.3.1, RFC 7523 §2.2).
#[derive(Debug)]
enum Client {
    Secret { id: String, secret: Secret },
    Key { id: String, key: SigningKey, issuer: Issuer },
}

impl ExchangePlan {
    /// What the file comes to.
    pub(super) fn of(said: &UpstreamToken, section: Section<'_>) -> Result<Self, CredentialFault> {
        let place = section.place(&["upstream_token"]);
        let fault = |what: String| CredentialFault::Value { place: place.clone(), what };
        let https = said.token_endpoint.scheme() == "https";
        if !https && !is_loopback(&said.token_endpoint) {
            return Err(fault(
                "token_endpoint has to be an https URL: callers' tokens are sent there".to_owned(),
            ));
        }
        let mut form = vec![
            ("grant_type", GRANT.to_owned()),
            ("subject_token_type", ACCESS_TOKEN.to_owned()),
            ("requested_token_type", ACCESS_TOKEN.to_owned()),
        ];
        form.extend(said.resource.iter().map(|resource| ("resource", resource.clone())));
        form.extend(said.audience.iter().map(|audience| ("audience", audience.clone())));
        if let Some(wrong) = said.scopes.iter().find(|scope| Scope::parse(scope).is_err()) {
            return Err(fault(format!("`{wrong}` can't be a scope")));
        }
        if !said.scopes.is_empty() {
            form.push(("scope", said.scopes.join(" ")));
        }
        let policy = Policy {
            allow_loopback: true,
            opened_hosts: said.token_endpoint.host_str().map(str::to_owned).into_iter().collect(),
            ..Policy::default()
        };
        let fetcher = Fetcher::new(policy).map_err(|error| fault(error.to_string()))?;
        let asked =
            Asked { endpoint: said.token_endpoint.clone(), client: client(said, &place)?, form, fetcher };
        let field = said.field.as_ref().and_then(FieldName::name).unwrap_or(AUTHORIZATION);
        Ok(Self { asked: Arc::new(asked), field })
    }

    /// Ready to ask.
    pub(super) fn exchanges(&self) -> Exchanges {
        let asked = Arc::clone(&self.asked);
        Exchanges::new(self.field.clone(), system_clock(), move |token| {
            let asked = Arc::clone(&asked);
            async move { asked.exchange(&token).await }
        })
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.asked.endpoint
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn client(said: &UpstreamToken, place: &str) -> Result<Client, CredentialFault> {
    let id = said.client_id.clone();
    let fault = |what: &str| CredentialFault::Value { place: place.to_owned(), what: what.to_owned() };
    match (&said.secret_file, &said.key_file) {
        (Some(file), None) => Ok(Client::Secret { id, secret: Secret::new(read(file, place)?.trim()) }),
        (None, Some(file)) => {
            let issuer = said.issuer.as_deref().and_then(|issuer| Issuer::parse(issuer).ok());
            let issuer = issuer.ok_or_else(|| {
                fault("with key_file, say the authorization server's `issuer`: what is signed is for it")
            })?;
            Ok(Client::Key { id, key: read_key(file, None, place)?, issuer })
        }
        _ => Err(fault("say either secret_file or key_file: whoever exchanges tokens shows who it is")),
    }
}

impl Asked {
    /// RFC 8693 §2.1, §2.2. What goes wrong is for the log, and holds no token.
    async fn exchange(&self, token: &Secret) -> Result<Exchanged, String> {
        let mut headers = HeaderMap::new();
        let mut form: Vec<(&str, &str)> =
            self.form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        form.push(("subject_token", token.expose()));
        let assertion;
        match &self.client {
            Client::Secret { id, secret } => {
                headers.insert(AUTHORIZATION, basic(id, secret).ok_or("the client secret cannot be sent")?);
            }
            Client::Key { id, key, issuer } => {
                let jti = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
                let claims = ClientAssertion::new(id, issuer, jti, system_clock().now());
                assertion = key.sign(client_assertion::TYP, &claims).map_err(|error| error.to_string())?;
                form.push(("client_id", id));
                form.push(("client_assertion_type", client_assertion::ASSERTION_TYPE));
                form.push(("client_assertion", &assertion));
            }
        }
        let answer = self.fetcher.post_form(&self.endpoint, &form, headers).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let said = from_slice_unique(&answer.body).unwrap_or(Value::Null);
        match answer.status {
            StatusCode::OK => made(&said),
            status => {
                let error = said["error"].as_str().unwrap_or("without saying why");
                Err(format!("{} answers {status}, {error}", self.endpoint))
            }
        }
    }
}

/// RFC 8693 §2.2.1: a token that can be sent as a bearer's.
fn made(said: &Value) -> Result<Exchanged, String> {
    let issued = said["issued_token_type"].as_str().unwrap_or_default();
    if ![ACCESS_TOKEN, JWT].contains(&issued) {
        return Err(format!("what was issued is no access token but '{issued}'"));
    }
    let kind = said["token_type"].as_str().unwrap_or_default();
    if !["bearer", "n_a"].iter().any(|fine| kind.eq_ignore_ascii_case(fine)) {
        return Err(format!("the token is bound to a key, or of a kind that cannot be sent on: '{kind}'"));
    }
    let token = said["access_token"].as_str().filter(|token| !token.is_empty());
    Ok(Exchanged {
        token: Secret::new(token.ok_or("there is no access_token in the answer")?),
        lives: said["expires_in"].as_u64().map(Duration::from_secs),
    })
}

/// RFC 6749 §2.3.1: both parts form-encoded first.
fn basic(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_bearers_access_token_is_sent_on() {
        let good = json!({
            "access_token": "t", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60,
        });
        let exchanged = made(&good).unwrap();
        assert_eq!((exchanged.token.expose(), exchanged.lives), ("t", Some(Duration::from_secs(60))));
        for (name, value, says) in [
            ("access_token", json!(""), "no access_token"),
            ("access_token", json!(7), "no access_token"),
            ("issued_token_type", json!("urn:ietf:params:oauth:token-type:refresh_token"), "no access token"),
            ("issued_token_type", Value::Null, "no access token"),
            ("token_type", json!("DPoP"), "bound to a key"),
            ("token_type", Value::Null, "bound to a key"),
        ] {
            let mut other = good.clone();
            other[name] = value;
            let refused = made(&other).unwrap_err();
            assert!(refused.contains(says), "{name}: {refused}");
        }
    }
}

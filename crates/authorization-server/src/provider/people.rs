//! Who somebody is, by asking with the access token: UserInfo (OpenID Connect Core §5.3), and what stands in for ID tokens
//! where there are none.

use hallpass_guarded_fetch::Fetched;
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::profile::People;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::discovery::in_trouble;
use super::{Identity, Provider, ProviderError};

impl Provider {
    /// Adds what the ID token does not say. What it says counts.
    pub(super) async fn add_user_info(
        &self,
        identity: &mut Identity,
        tokens: &TokenResponse,
        now: Timestamp,
    ) -> Result<(), ProviderError> {
        let discovered = self.discovered(now).await?;
        let Some(endpoint) = &discovered.metadata().userinfo_endpoint else { return Ok(()) };
        let url = discovered.endpoint(self.settings(), "userinfo_endpoint", Some(endpoint))?;
        let answer = self.ask(&url, tokens).await?;
        // A token for another API opens no UserInfo. What is not said grants nothing.
        let Some(Value::Object(said)) = object(&answer) else {
            tracing::warn!(issuer = %discovered.issuer(), status = %answer.status, "the provider's UserInfo says nothing");
            return Ok(());
        };
        if said.get("sub").and_then(Value::as_str) != Some(identity.subject()) {
            return Err(ProviderError::OtherSubject);
        }
        // `email_verified` is about the address beside it (OpenID Connect Core §5.1), and about no other.
        let addresses = ["email", "email_verified"];
        let has_address = addresses.iter().any(|name| identity.claims.contains_key(*name));
        let same_address = identity.claims.get("email") == said.get("email");
        for (name, value) in said {
            if has_address && !same_address && addresses.contains(&name.as_str()) {
                continue;
            }
            identity.claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// A person of a provider without ID tokens.
    pub(super) async fn person(
        &self,
        people: &People,
        tokens: &TokenResponse,
        now: Timestamp,
    ) -> Result<Identity, ProviderError> {
        let discovered = self.discovered(now).await?;
        let place = |text: &String| discovered.endpoint(self.settings(), "profile's endpoint", Some(text));
        let answer = self.ask(&place(&people.endpoint)?, tokens).await?;
        let said = object(&answer).ok_or(ProviderError::Nobody("its answer is no JSON object"))?;
        let subject = match said.get(&people.subject) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(ProviderError::Nobody("the member that names a person is not there")),
        };
        let mut claims = Map::new();
        if let Some(name) = people.name.as_ref().and_then(|name| said.get(name)) {
            claims.insert("preferred_username".to_owned(), name.clone());
        }
        if let Some(emails) = &people.emails {
            let answer = self.ask(&place(emails)?, tokens).await?;
            // Without the scope for it the list is refused: then nothing is known.
            if let Some(email) = primary(&answer) {
                claims.insert("email".to_owned(), Value::String(email));
                claims.insert("email_verified".to_owned(), Value::Bool(true));
            }
        }
        Ok(Identity { issuer: discovered.issuer().to_string(), subject, claims })
    }

    /// GET with the access token, in a header (RFC 6750 §2.1).
    async fn ask(&self, url: &Url, tokens: &TokenResponse) -> Result<Fetched, ProviderError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let token = HeaderValue::try_from(format!("Bearer {}", tokens.access_token.expose()));
        let mut token = token.map_err(|_| ProviderError::TokenCharacters)?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        let answer = self.settings().fetcher.request(Method::GET, url, headers).await?;
        match in_trouble(answer.status) {
            true => Err(ProviderError::InTrouble(answer.status.as_u16())),
            false => Ok(answer),
        }
    }
}

fn object(answer: &Fetched) -> Option<Value> {
    let document = from_slice_unique(&answer.body).ok().filter(|_| answer.status == StatusCode::OK)?;
    document.is_object().then_some(document)
}

/// The one address that is primary and verified.
fn primary(answer: &Fetched) -> Option<String> {
    let list = from_slice_unique(&answer.body).ok().filter(|_| answer.status == StatusCode::OK)?;
    let is = |entry: &Value, what: &str| entry.get(what) == Some(&Value::Bool(true));
    let found = list.as_array()?.iter().find(|entry| is(entry, "primary") && is(entry, "verified"))?;
    found.get("email")?.as_str().map(str::to_owned)
}

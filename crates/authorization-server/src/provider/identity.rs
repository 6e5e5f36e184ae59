//! Who somebody is, as a provider says it.

use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde_json::{Map, Value};

use super::{Provider, ProviderError};

/// A person of a provider's: what it said was verified. Only [`Provider::identity`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
}

impl Provider {
    /// Who the tokens are of: by the ID token (OpenID Connect Core §3.1.3.7), with whatever of `wanted` is missing in it
    /// from UserInfo (§5.3); or by asking, where the provider has no ID tokens. Such a one never says when the person logged
    /// in, so `max_age` cannot be proven there.
    ///
    /// # Errors
    /// One variant of [`ProviderError`] for each rule that is broken.
    pub async fn identity(
        &self,
        tokens: &TokenResponse,
        nonce: &str,
        max_age: Option<u64>,
        wanted: &[&str],
        now: Timestamp,
    ) -> Result<Identity, ProviderError> {
        if let Some(people) = &self.settings().profile.people {
            if max_age.is_some() {
                return Err(ProviderError::LongAgo);
            }
            return self.person(people, tokens, now).await;
        }
        let mut identity = self.id_token(tokens, nonce, max_age, now).await?;
        if wanted.iter().any(|claim| !identity.claims.contains_key(*claim)) {
            self.add_user_info(&mut identity, tokens, now).await?;
        }
        Ok(identity)
    }
}

impl Identity {
    /// Whose word it is. With the subject it names one person for good.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The provider's own name for the person.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// A claim, which may be a path with dots.
    #[must_use]
    pub fn claim(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.claims.get(path) {
            return Some(value);
        }
        let mut names = path.split('.');
        let first = self.claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    /// The address that the provider has verified to be the person's (OpenID Connect Core §5.1).
    #[must_use]
    pub fn verified_email(&self) -> Option<&str> {
        let is_verified = self.claims.get("email_verified") == Some(&Value::Bool(true));
        self.claims.get("email").and_then(Value::as_str).filter(|_| is_verified)
    }

    /// The words of a claim: a list of texts, or one text. A text with spaces is one word, unless the provider writes its lists
    /// so: a group may be called `Domain Admins of nowhere`.
    #[must_use]
    pub fn words(&self, path: &str, lists_as_text: bool) -> Vec<&str> {
        match self.claim(path) {
            Some(Value::String(text)) if lists_as_text => {
                text.split(' ').filter(|word| !word.is_empty()).collect()
            }
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(claims: Value) -> Identity {
        let Value::Object(claims) = claims else { panic!("an object") };
        Identity { issuer: String::new(), subject: String::new(), claims }
    }

    #[test]
    fn an_address_counts_where_it_is_verified() {
        let email = |claims| identity(claims).verified_email().map(str::to_owned);
        assert_eq!(
            email(json!({"email": "a@b.example", "email_verified": true})).as_deref(),
            Some("a@b.example")
        );
        for other in [json!(null), json!(false), json!("true"), json!(1)] {
            assert_eq!(email(json!({"email": "a@b.example", "email_verified": other})), None);
        }
        assert_eq!(email(json!({"email": "a@b.example"})), None);
    }

    #[test]
    fn words_of_a_claim_are_found_by_name_or_path() {
        let one = identity(json!({"groups": ["a", 1, "b c"], "scope": "x  y",
            "realm_access": {"roles": ["staff"]}, "https://x.example/roles": ["admin"]}));
        assert_eq!(one.words("groups", true), ["a", "b c"]);
        assert_eq!(one.words("scope", true), ["x", "y"]);
        assert_eq!(one.words("scope", false), ["x  y"]);
        assert_eq!(one.words("realm_access.roles", false), ["staff"]);
        assert_eq!(one.words("https://x.example/roles", false), ["admin"]);
        assert!(one.words("nothing.there", true).is_empty());
    }
}

//! What the provider gave: judged before anybody gets it, and sealed under what its client gets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::jose::Audience;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

use super::ProxiedResource;
use crate::checks::OFFLINE_ACCESS;
use crate::keys::SealingKey;
use crate::random::digest;
use crate::store::StoreError;

/// What a provider gave that was found right. Only [`Given::of`] makes one, and [`Given::open`] what was sealed of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Given {
    access_token: Secret,
    /// As the provider said.
    ends: Option<Timestamp>,
    scopes: ScopeSet,
    /// The provider's own. It stays here.
    pub(super) refresh_token: Option<Secret>,
}

/// A rule that the provider's answer broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotGiven {
    /// RFC 9068 §4, MCP "Token Passthrough": a token is for whom it names.
    #[error(
        "the provider's access token is for {said}, and not for this server; the operator sets what it is called there: {setting}"
    )]
    Audience {
        /// Whom it names.
        said: String,
        /// Where an operator says who that is to be.
        setting: String,
    },
    /// RFC 6749 §5.1: an answer without `scope` would mean that all of it was granted.
    #[error(
        "the provider granted none of the scopes that were asked for ({asked}); the operator says what they are called there, or \
         grants them to everybody whom the provider knows (`grants`): {setting}"
    )]
    Scopes {
        /// What was asked for.
        asked: ScopeSet,
        /// Where an operator describes the provider.
        setting: String,
    },
}

impl NotGiven {
    /// For the client: it has done nothing wrong. What the operator has set is for the log alone.
    pub(crate) fn to_oauth(&self) -> OAuthError {
        tracing::error!(rule = %self, "the provider's answer is not handed on");
        let says = match self {
            Self::Audience { .. } => "the provider's access token is not for this server",
            Self::Scopes { .. } => "the provider granted none of the scopes that were asked for",
        };
        OAuthError::new(ErrorCode::ServerError, format!("{says}; the operator finds the setting in the log"))
    }
}

impl Given {
    /// Judges an answer to a request for these scopes.
    pub(super) fn of(
        tokens: TokenResponse,
        asked: &ScopeSet,
        resource: &ProxiedResource,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Self, NotGiven> {
        check_audience(&tokens.access_token, resource)?;
        Ok(Self {
            scopes: granted(tokens.scope.as_ref(), asked, resource, profile)?,
            ends: tokens.expires_in.map(|seconds| now.after(Duration::from_secs(seconds))),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
        })
    }

    /// What its client may do here.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The token that the client gets, by its hash, and when it ends.
    pub(super) fn access_token(&self) -> (String, Option<Timestamp>) {
        (digest(self.access_token.expose()), self.ends)
    }

    /// The answer to the client (RFC 6749 §5.1): the provider's token, with the lifetime and the scopes that it has.
    pub(super) fn answer(self, refresh_token: Option<Secret>, now: Timestamp) -> TokenResponse {
        TokenResponse {
            expires_in: self.ends.map(|ends| now.until(ends).as_secs()),
            refresh_token,
            scope: (!self.scopes.is_empty()).then_some(self.scopes),
            ..TokenResponse::bearer(self.access_token)
        }
    }

    /// Sealed under a key that only this code yields.
    pub(super) fn seal(&self, code: &Secret) -> Result<String, StoreError> {
        let text = serde_json::to_vec(self).map_err(|_| StoreError::Sealed)?;
        Ok(key(code).seal(&digest(code.expose()), &text)?)
    }

    /// What was sealed under this code.
    pub(super) fn open(code: &Secret, sealed: &str) -> Result<Self, StoreError> {
        let text = key(code).open(&digest(code.expose()), sealed)?;
        serde_json::from_slice(&text).map_err(|_| StoreError::Sealed)
    }
}

fn key(code: &Secret) -> SealingKey {
    SealingKey::derive(code.expose().as_bytes(), "what a provider gave")
}

/// A JWT is read by nobody here but for whom it is; who verifies it is the resource server. An opaque token says nothing, and
/// the resource server asks the provider about it.
fn check_audience(token: &Secret, resource: &ProxiedResource) -> Result<(), NotGiven> {
    let Some(claims) = claims(token) else { return Ok(()) };
    let audience = claims.get("aud").cloned().and_then(|said| serde_json::from_value(said).ok());
    let audience: Audience = audience.unwrap_or_default();
    let ours =
        |name: &str| name == resource.identifier.as_str() || resource.audiences.iter().any(|one| one == name);
    if audience.iter().any(ours) {
        return Ok(());
    }
    let said: Vec<&str> = audience.iter().collect();
    let said = if said.is_empty() { "nobody".to_owned() } else { said.join(" ") };
    Err(NotGiven::Audience { said, setting: resource.setting.clone() })
}

/// The claims of what is built like a JWT, whatever its signature is worth.
pub(super) fn claims(token: &Secret) -> Option<Map<String, Value>> {
    let parts: Vec<&str> = token.expose().split('.').collect();
    let [_, claims, _] = parts.as_slice() else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// What was granted, as it is called here. RFC 6749 §5.1: without a word of it, what was asked for.
fn granted(
    said: Option<&ScopeSet>,
    asked: &ScopeSet,
    resource: &ProxiedResource,
    profile: &Profile,
) -> Result<ScopeSet, NotGiven> {
    let Some(said) = said else { return Ok(asked.clone()) };
    let is_granted = |scope: &&hallpass_protocol::scope::Scope| {
        scope.as_str() == OFFLINE_ACCESS
            || said.contains(scope)
            || resource.grants.contains(scope)
            || resource.at_provider(scope, profile).is_some_and(|name| said.contains(name))
    };
    let granted: ScopeSet = asked.iter().filter(is_granted).cloned().collect();
    let some = |scopes: &ScopeSet| scopes.iter().any(|scope| scope.as_str() != OFFLINE_ACCESS);
    match some(asked) && !some(&granted) {
        true => Err(NotGiven::Scopes { asked: asked.clone(), setting: resource.setting.clone() }),
        false => Ok(granted),
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::resource::ResourceIdentifier;
    use hallpass_protocol::scope::Scope;
    use serde_json::json;

    use super::*;

    fn resource() -> ProxiedResource {
        ProxiedResource {
            identifier: ResourceIdentifier::parse("https://mcp.example/mcp").unwrap(),
            called: "api://notes".to_owned(),
            audiences: vec!["api://notes".to_owned()],
            scopes: vec![(Scope::parse("read").unwrap(), "https://api.example/Notes.Read".to_owned())],
            grants: ScopeSet::default(),
            parameters: Vec::new(),
            setting: "[[server.issuers]] audiences".to_owned(),
        }
    }

    fn jwt(claims: &Value) -> Secret {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Secret::new(format!("{}.{}.c2ln", part(&json!({"alg": "HS256"})), part(claims)))
    }

    #[test]
    fn a_jwt_is_for_this_server_or_is_not_handed_on() {
        for aud in [json!("api://notes"), json!(["x", "api://notes"]), json!("https://mcp.example/mcp")] {
            assert_eq!(check_audience(&jwt(&json!({ "aud": aud })), &resource()), Ok(()));
        }
        let foreign = [
            json!("https://graph.example"),
            json!([]),
            json!(["x"]),
            json!(7),
            json!(null),
            json!("https://mcp.example/mcp/"),
            json!("api://notes2"),
        ];
        for aud in foreign {
            let refused = check_audience(&jwt(&json!({ "aud": aud })), &resource()).unwrap_err().to_string();
            assert!(refused.contains("[[server.issuers]] audiences"), "{refused}");
        }
        assert!(check_audience(&jwt(&json!({ "sub": "x" })), &resource()).is_err(), "no audience at all");
        assert_eq!(check_audience(&Secret::new("opaque"), &resource()), Ok(()));
        assert_eq!(check_audience(&Secret::new("ya29.a.b"), &resource()), Ok(()));
    }

    #[test]
    fn scopes_are_called_as_they_are_here() {
        let set = |text: &str| ScopeSet::parse(text).unwrap();
        let by = |said: Option<&str>, asked: &str, resource: &ProxiedResource, profile: &Profile| {
            let said = said.map(set);
            granted(said.as_ref(), &set(asked), resource, profile).map(|granted| granted.to_string())
        };
        let plain = |said, asked| by(said, asked, &resource(), &Profile::default());
        assert_eq!(plain(Some("openid https://api.example/Notes.Read"), "read write").unwrap(), "read");
        assert_eq!(plain(Some("write"), "read write offline_access").unwrap(), "write offline_access");
        assert_eq!(plain(None, "read write").unwrap(), "read write");
        assert!(matches!(plain(Some("openid"), "read"), Err(NotGiven::Scopes { .. })));
        assert_eq!(plain(Some("openid"), "offline_access").unwrap(), "offline_access");
        let granting = ProxiedResource { grants: set("read"), ..resource() };
        assert_eq!(by(Some("openid"), "read write", &granting, &Profile::default()).unwrap(), "read");
        let entra = Profile { resource_in_scopes: true, ..Profile::default() };
        let said = Some("api://notes/Notes.Write");
        assert_eq!(by(said, "Notes.Write", &resource(), &entra).unwrap(), "Notes.Write");
    }

    #[test]
    fn what_was_given_is_read_by_whoever_has_the_code() {
        let tokens = TokenResponse {
            expires_in: Some(60),
            refresh_token: Some(Secret::new("theirs")),
            ..TokenResponse::bearer(Secret::new("access"))
        };
        let now = Timestamp::from_unix(1_000);
        let asked = ScopeSet::parse("read").unwrap();
        let given = Given::of(tokens, &asked, &resource(), &Profile::default(), now).unwrap();
        let code = Secret::new("a code");
        let sealed = given.seal(&code).unwrap();
        assert!(Given::open(&Secret::new("another"), &sealed).is_err());
        let answer = Given::open(&code, &sealed).unwrap().answer(None, Timestamp::from_unix(1_010));
        assert_eq!((answer.access_token.expose(), answer.expires_in), ("access", Some(50)));
        assert_eq!(answer.refresh_token, None, "the provider's own stays");
        assert_eq!(answer.scope.unwrap(), asked);
        assert!(!format!("{given:?}").contains("theirs"));
    }
}

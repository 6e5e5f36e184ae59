//! What the provider gave: judged before anybody gets it, and sealed under what its client gets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::jose::Audience;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

use super::{NotTaken, ProxiedResource};
use crate::checks::OFFLINE_ACCESS;
use crate::keys::SealingKey;
use crate::random::digest;
use crate::store::StoreError;

/// Resource servers allow for clocks that differ, so a token may be alive there for a little longer.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// What a provider gave that was found right. Only [`Given::of`] makes one, and [`Given::open`] what was sealed of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Given {
    access_token: Secret,
    /// As the provider said.
    ends: Option<Timestamp>,
    scopes: ScopeSet,
    /// What bounds the token here: those, and what was agreed to that a provider is not asked for, such as roles.
    #[serde(default)]
    agreed: ScopeSet,
    /// The provider's own. It stays here.
    pub(super) refresh_token: Option<Secret>,
}

/// A rule that the provider's answer broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotGiven {
    /// RFC 9068 §4, MCP "Token Passthrough": a token is for whom it names.
    #[error(
        "the provider's access token is for {said}, and not for this server; the operator sets what it is called there: \
         `audiences` of {table}"
    )]
    Audience {
        /// Whom it names.
        said: String,
        /// Where an operator says who that is to be.
        table: String,
    },
    /// RFC 7662 §2.2, MCP "Token Passthrough": what says nothing has to be asked about.
    #[error(
        "the provider's access token is opaque, and nobody here can ask whom it is for; the operator adds `introspection` to \
         {table}, or has the provider write JWTs"
    )]
    Opaque {
        /// Where an operator says who is asked.
        table: String,
    },
    /// The same: it was asked about.
    #[error(
        "the provider's access token would be refused here, by its own introspection: {why}; see {table}"
    )]
    Inactive {
        /// What the resource server says.
        why: String,
        /// Where an operator says whom its tokens are for.
        table: String,
    },
    /// What it is cannot be known at this moment.
    #[error("the provider cannot be asked what its access token is for; try again")]
    Unknown,
    /// MCP "Confused Deputy Problem": what one client may do must not be what another one was agreed to.
    #[error(
        "the provider gave the very token that another client has, or this one for something else, and nobody could tell the two \
         apart by it"
    )]
    Shared,
    /// RFC 6749 §5.1: an answer without `scope` would mean that all of it was granted.
    #[error(
        "the provider granted none of the scopes that were asked for ({asked}); the operator says what they are called there, or \
         grants them to everybody whom the provider knows (`grants`): {table}"
    )]
    Scopes {
        /// What was asked for.
        asked: ScopeSet,
        /// Where an operator describes the provider.
        table: String,
    },
}

impl NotGiven {
    /// For the client: it has done nothing wrong. What the operator has set is for the log alone.
    pub(crate) fn to_oauth(&self) -> OAuthError {
        tracing::error!(rule = %self, "the provider's answer is not handed on");
        let says = match self {
            Self::Audience { .. } => "the provider's access token is not for this server",
            Self::Opaque { .. } => {
                "the provider's access token is opaque, and nobody here can ask what it is for"
            }
            Self::Inactive { .. } => "the provider's access token would be refused here",
            Self::Unknown => {
                let says = "the provider cannot be asked what its access token is for; try again";
                return OAuthError::new(ErrorCode::TemporarilyUnavailable, says);
            }
            Self::Shared => "the provider gave the very token that another client has",
            Self::Scopes { .. } => "the provider granted none of the scopes that were asked for",
        };
        OAuthError::new(ErrorCode::ServerError, format!("{says}; the operator finds the cause in the log"))
    }
}

impl Given {
    /// Judges an answer to a request for these scopes.
    pub(super) async fn of(
        tokens: TokenResponse,
        asked: &ScopeSet,
        resource: &ProxiedResource,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Self, NotGiven> {
        check_taken(&tokens.access_token, resource).await?;
        let scopes = granted(tokens.scope.as_ref(), asked, resource, profile)?;
        let not_asked_for = asked.iter().filter(|scope| resource.at_provider(scope, profile).is_none());
        Ok(Self {
            agreed: scopes.union(&not_asked_for.cloned().collect()),
            scopes,
            ends: tokens.expires_in.map(|seconds| now.after(Duration::from_secs(seconds))),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
        })
    }

    /// What its client may do here, as the provider says it.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// What its client may do here at most, whatever its tokens say.
    pub(super) fn agreed(&self) -> &ScopeSet {
        &self.agreed
    }

    /// What there is of it within these bounds. Something, where there was something (RFC 6749 §5.1).
    pub(super) fn within(mut self, bounds: &ScopeSet) -> Result<Self, NotGiven> {
        let left: ScopeSet =
            self.scopes.iter().filter(|scope| bounds.contains(scope) || is_offline(scope)).cloned().collect();
        if self.scopes.iter().any(|scope| !is_offline(scope)) && left.iter().all(is_offline) {
            return Err(NotGiven::Shared);
        }
        (self.scopes, self.agreed) = (left, self.agreed.intersection(bounds));
        Ok(self)
    }

    /// The token that the client gets, by its hash, and when nobody takes it any more.
    pub(super) fn access_token(&self) -> (String, Option<Timestamp>) {
        let claims = claims(&self.access_token);
        let exp = claims.and_then(|claims| claims.get("exp")?.as_i64()).map(Timestamp::from_unix);
        let ends = self.ends.max(exp).map(|ends| ends.after(LEEWAY));
        (digest(self.access_token.expose()), ends)
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

fn is_offline(scope: &Scope) -> bool {
    scope.as_str() == OFFLINE_ACCESS
}

fn key(code: &Secret) -> SealingKey {
    SealingKey::derive(code.expose().as_bytes(), "what a provider gave")
}

/// A JWT is read by nobody here but for whom it is; who verifies it is the resource server. An opaque token says nothing, and
/// its provider is asked, as the resource server will.
async fn check_taken(token: &Secret, resource: &ProxiedResource) -> Result<(), NotGiven> {
    let table = || resource.table.clone();
    if let Some(claims) = claims(token) {
        return check_audience(&claims, resource);
    }
    let introspect = resource.introspect.as_ref().ok_or_else(|| NotGiven::Opaque { table: table() })?;
    introspect.ask(token).await.map_err(|not_taken| match not_taken {
        NotTaken::Refused(why) => NotGiven::Inactive { why, table: table() },
        NotTaken::Unknown => NotGiven::Unknown,
    })
}

fn check_audience(claims: &Map<String, Value>, resource: &ProxiedResource) -> Result<(), NotGiven> {
    let audience = claims.get("aud").cloned().and_then(|said| serde_json::from_value(said).ok());
    let audience: Audience = audience.unwrap_or_default();
    let ours =
        |name: &str| name == resource.identifier.as_str() || resource.audiences.iter().any(|one| one == name);
    if audience.iter().any(ours) {
        return Ok(());
    }
    let said: Vec<&str> = audience.iter().collect();
    let said = if said.is_empty() { "nobody".to_owned() } else { said.join(" ") };
    Err(NotGiven::Audience { said, table: resource.table.clone() })
}

/// The claims of what is built like a JWT, whatever its signature is worth.
pub(super) fn claims(token: &Secret) -> Option<Map<String, Value>> {
    let parts: Vec<&str> = token.expose().split('.').collect();
    let [_, claims, _] = parts.as_slice() else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// What was granted, as it is called here. RFC 6749 §5.1: without a word of it, what was asked for, and nothing else.
fn granted(
    said: Option<&ScopeSet>,
    asked: &ScopeSet,
    resource: &ProxiedResource,
    profile: &Profile,
) -> Result<ScopeSet, NotGiven> {
    let is_granted = |scope: &&Scope| {
        let there = resource.at_provider(scope, profile);
        let is_said = match said {
            Some(said) => said.contains(scope) || there.is_some_and(|there| said.contains(there)),
            None => there.is_some(),
        };
        is_said || scope.as_str() == OFFLINE_ACCESS || resource.grants.contains(scope)
    };
    let granted: ScopeSet = asked.iter().filter(is_granted).cloned().collect();
    let some = |scopes: &ScopeSet| scopes.iter().any(|scope| scope.as_str() != OFFLINE_ACCESS);
    match some(asked) && !some(&granted) {
        true => Err(NotGiven::Scopes { asked: asked.clone(), table: resource.table.clone() }),
        false => Ok(granted),
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::resource::ResourceIdentifier;
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
            introspect: None,
            table: "[[server.issuers]]".to_owned(),
        }
    }

    fn jwt(claims: &Value) -> Secret {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Secret::new(format!("{}.{}.c2ln", part(&json!({"alg": "HS256"})), part(claims)))
    }

    #[tokio::test]
    async fn a_jwt_is_for_this_server_or_is_not_handed_on() {
        for aud in [json!("api://notes"), json!(["x", "api://notes"]), json!("https://mcp.example/mcp")] {
            assert_eq!(check_taken(&jwt(&json!({ "aud": aud })), &resource()).await, Ok(()));
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
            let refused =
                check_taken(&jwt(&json!({ "aud": aud })), &resource()).await.unwrap_err().to_string();
            assert!(refused.contains("`audiences` of [[server.issuers]]"), "{refused}");
        }
        assert!(check_taken(&jwt(&json!({ "sub": "x" })), &resource()).await.is_err(), "no audience at all");
    }

    #[tokio::test]
    async fn an_opaque_token_is_asked_about_before_anybody_has_it() {
        let by = |answer: Option<Result<(), NotTaken>>| ProxiedResource {
            introspect: answer
                .map(|answer| super::super::Introspect::new(move |_| std::future::ready(answer.clone()))),
            ..resource()
        };
        let table = "[[server.issuers]]".to_owned();
        let refused = || NotTaken::Refused("of another server".to_owned());
        for opaque in ["opaque", "ya29.a.b"] {
            let taken = async |answer| check_taken(&Secret::new(opaque), &by(answer)).await;
            assert_eq!(taken(Some(Ok(()))).await, Ok(()));
            assert_eq!(taken(None).await, Err(NotGiven::Opaque { table: table.clone() }));
            assert_eq!(taken(Some(Err(NotTaken::Unknown))).await, Err(NotGiven::Unknown));
            let inactive = NotGiven::Inactive { why: "of another server".to_owned(), table: table.clone() };
            assert_eq!(taken(Some(Err(refused()))).await, Err(inactive));
        }
        assert_eq!(NotGiven::Unknown.to_oauth().error, ErrorCode::TemporarilyUnavailable);
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
        // What the provider was not asked for, it has not granted by saying nothing.
        let roles =
            ProxiedResource { scopes: vec![(Scope::parse("admin").unwrap(), String::new())], ..resource() };
        assert_eq!(by(None, "read admin", &roles, &Profile::default()).unwrap(), "read");
        assert!(by(None, "admin", &roles, &Profile::default()).is_err());
    }

    #[tokio::test]
    async fn what_bounds_a_token_is_what_was_agreed_to_and_granted_or_not_asked_for() {
        let roles = ProxiedResource {
            scopes: vec![(Scope::parse("admin").unwrap(), String::new())],
            grants: ScopeSet::parse("read").unwrap(),
            ..resource()
        };
        let said = ScopeSet::parse("openid write more admin").unwrap();
        let token = jwt(&json!({ "aud": "api://notes", "exp": 5_000 }));
        let answer =
            TokenResponse { scope: Some(said), expires_in: Some(60), ..TokenResponse::bearer(token) };
        let (asked, now) = (ScopeSet::parse("read write admin delete").unwrap(), Timestamp::from_unix(1_000));
        let given = Given::of(answer, &asked, &roles, &Profile::default(), now).await.unwrap();
        assert_eq!(given.agreed().to_string(), "read write admin");
        let ends = given.access_token().1.unwrap();
        assert_eq!(ends, Timestamp::from_unix(5_000).after(LEEWAY), "for as long as anybody takes it");
    }

    #[tokio::test]
    async fn what_was_given_is_read_by_whoever_has_the_code() {
        let tokens = TokenResponse {
            expires_in: Some(60),
            refresh_token: Some(Secret::new("theirs")),
            ..TokenResponse::bearer(jwt(&json!({ "aud": "api://notes" })))
        };
        let access = tokens.access_token.clone();
        let now = Timestamp::from_unix(1_000);
        let asked = ScopeSet::parse("read").unwrap();
        let given = Given::of(tokens, &asked, &resource(), &Profile::default(), now).await.unwrap();
        let code = Secret::new("a code");
        let sealed = given.seal(&code).unwrap();
        assert!(Given::open(&Secret::new("another"), &sealed).is_err());
        let answer = Given::open(&code, &sealed).unwrap().answer(None, Timestamp::from_unix(1_010));
        assert_eq!((&answer.access_token, answer.expires_in), (&access, Some(50)));
        assert_eq!(answer.refresh_token, None, "the provider's own stays");
        assert_eq!(answer.scope.unwrap(), asked);
        assert!(!format!("{given:?}").contains("theirs"));
    }
}

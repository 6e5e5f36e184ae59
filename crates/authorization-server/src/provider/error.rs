//! Why a provider was of no use.

use hallpass_guarded_fetch::FetchError;
use hallpass_protocol::authorization::AuthorizationResponseError;
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::oauth_error::OAuthError;
use hallpass_protocol::server_metadata::WrongIssuer;

use crate::clients::NoKeys;

/// The rule that was broken. Messages are for the log: some quote what the provider said.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    /// Nothing came back.
    #[error("the provider does not answer: {0}")]
    Unreachable(#[from] FetchError),
    /// It has not answered in time.
    #[error("the provider has not answered in time")]
    Slow,
    /// It is in trouble, and may answer later (RFC 9110 §15.6, RFC 6585 §4).
    #[error("the provider answered {0}; it may be better later")]
    InTrouble(u16),
    /// RFC 8414 §3, OpenID Connect Discovery §4: nothing at any of the places.
    #[error("the provider publishes no metadata ({0}); name its endpoints in a profile")]
    NoMetadata(String),
    /// RFC 8414 §3.3.
    #[error(transparent)]
    WrongIssuer(#[from] WrongIssuer),
    /// RFC 8414 §2: what is needed is not there.
    #[error("the provider's metadata has no {0}")]
    NoEndpoint(&'static str),
    /// An endpoint that nobody may be sent to.
    #[error("the provider's {0} is a URL that is not followed: {1}")]
    BadEndpoint(&'static str, String),
    /// RFC 6749 §5.2: the provider refuses, and not because of the person's session.
    #[error("the provider refuses: {0}")]
    Refused(OAuthError),
    /// RFC 6749 §5.2: the refresh token is dead, and so is the session that it stood for.
    #[error("the provider has ended the session: {0}")]
    SessionEnded(OAuthError),
    /// RFC 6749 §5.1: neither tokens nor an error.
    #[error("the provider's answer is no token response (RFC 6749 §5.1)")]
    NoTokens,
    /// RFC 6749 §7.1: tokens of another kind than is known here.
    #[error("the provider's token is of the type {0:?}, which is not known here")]
    TokenType(String),
    /// RFC 6749 A.12: characters that no header could carry.
    #[error("the provider's token holds characters that no token has (RFC 6749 appendix A.12)")]
    TokenCharacters,
    /// A client assertion could not be signed.
    #[error("the client assertion cannot be signed: {0}")]
    Assertion(JoseError),
    /// RFC 6749 §4.1.2, RFC 9207 §2.4: the answer is not one to what was asked.
    #[error(transparent)]
    Answer(#[from] AuthorizationResponseError),
    /// RFC 6749 §4.1.2.1: the provider, or the person there, said no.
    #[error("the provider answered: {0}")]
    Denied(OAuthError),
    /// OpenID Connect Core §3.1.3.3: asked for with `openid`.
    #[error("the provider gave no ID token; is `openid` among the scopes?")]
    NoIdToken,
    /// OpenID Connect Core §3.1.3.7.
    #[error("the provider's ID token is not taken: {0}")]
    IdToken(JoseError),
    /// What it is signed with cannot be had.
    #[error("the provider's keys cannot be had: {0}")]
    Keys(NoKeysReason),
    /// OpenID Connect Core §3.1.3.7, rules 4 and 5: several audiences, or another authorized party.
    #[error(
        "the ID token is for others as well, and does not name this client as its authorized party (azp)"
    )]
    AuthorizedParty,
    /// OpenID Connect Core §3.1.3.7, rule 11.
    #[error("the ID token has another nonce, or none: it is not of this login")]
    Nonce,
    /// OpenID Connect Core §3.1.3.7, rule 13: `max_age` was asked for.
    #[error("the person has not logged in at the provider as recently as was asked for (auth_time)")]
    LongAgo,
    /// A tenant that is not listed, where one name stands for all of them.
    #[error("the ID token is of a tenant that is not listed")]
    Tenant,
    /// OpenID Connect Core §5.3.2: `sub` of both is the same.
    #[error("the provider's UserInfo speaks of somebody else than the ID token")]
    OtherSubject,
    /// What it answers about a person cannot be used.
    #[error("the provider does not say who the person is: {0}")]
    Nobody(&'static str),
}

/// Why there are no keys.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoKeysReason(pub(super) String);

impl From<NoKeys> for ProviderError {
    fn from(error: NoKeys) -> Self {
        Self::Keys(NoKeysReason(error.to_string()))
    }
}

impl ProviderError {
    /// Whether the session at the provider is over. Only this ends a session here.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self, Self::SessionEnded(_))
    }

    /// Whether the same may succeed later: nothing is known of the person's session.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Slow | Self::InTrouble(_) | Self::Keys(_))
    }
}

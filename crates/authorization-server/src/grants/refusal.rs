//! Why no token is given, one variant a rule.

use hallpass_protocol::jose::JoseError;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::pkce::PkceError;
use url::Url;

use crate::proxied::NotGiven;
use crate::store::StoreError;

/// A rule that a token request broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// OAuth 2.1 §4.1.3: `code` is required.
    #[error("code is missing")]
    NoCode,
    /// The code was never issued, or is long gone.
    #[error("this code is not known; it may have been mistyped, or issued by another server")]
    UnknownCode,
    /// OAuth 2.1 §4.1.3: a code is bound to its client.
    #[error("this code was issued to another client")]
    OtherClientsCode,
    /// OAuth 2.1 §4.1.2: a code is used once; a second time ends all that came from it.
    #[error("this code was used before; all tokens that came from it are revoked")]
    CodeReplayed,
    /// OAuth 2.1 §4.1.2.
    #[error("this code has expired; codes live for a minute")]
    CodeExpired,
    /// OAuth 2.1 §10.2: where it is sent, it is the one of the authorization request.
    #[error("redirect_uri is not the one of the authorization request")]
    OtherRedirectUri,
    /// RFC 7636 §4.5: `code_verifier` is required.
    #[error("code_verifier is missing")]
    NoVerifier,
    /// RFC 7636 §4.1.
    #[error("{0}")]
    MalformedVerifier(PkceError),
    /// RFC 7636 §4.6.
    #[error("code_verifier does not fit the code_challenge of the authorization request")]
    WrongVerifier,
    /// RFC 8707 §2.2: only what was granted.
    #[error("the resource '{0}' is not the one that was granted")]
    OtherResource(String),
    /// OAuth 2.1 §4.3.1: `refresh_token` is required.
    #[error("refresh_token is missing")]
    NoRefreshToken,
    /// The token was never issued, or is long gone.
    #[error("this refresh token is not known here")]
    UnknownRefreshToken,
    /// OAuth 2.1 §4.3.1: a refresh token is bound to its client.
    #[error("this refresh token was issued to another client")]
    OtherClientsRefreshToken,
    /// OAuth 2.1 §4.3.1: rotation; replay ends the family.
    #[error("this refresh token was used before; for safety the whole grant is revoked: log in again")]
    RefreshTokenReplayed,
    /// Not used for too long, or the grant's time is over.
    #[error("this refresh token has expired: log in again")]
    RefreshTokenExpired,
    /// It began while this server's arrangement was another one: what would be given for it is not what was granted.
    #[error("this was granted while people logged in here in another way: log in again")]
    OtherArrangement,
    /// RFC 6749 §5.2: the provider's word.
    #[error("the provider behind this server has ended the session: log in again")]
    ProviderEnded,
    /// What the server does for the person at a third party it can do no more, or not yet.
    #[error(
        "the person's account at {party} is not linked, or its session there has ended: log in again and link it, or link it at {link}"
    )]
    NotLinked {
        /// What people call the third party.
        party: String,
        /// The page where people link their account, whoever they are.
        link: Url,
    },
    /// What the server does for the person at a third party they were not told when they agreed.
    #[error(
        "this server acts at {0} for people by now, or with more rights there than when this app was allowed in: log in again, \
         and allow it that"
    )]
    NotAgreed(String),
    /// Nothing is known of the session there.
    #[error("the provider behind this server does not answer as it should; nothing is lost: try again")]
    ProviderAway,
    /// What the provider gave is not handed on.
    #[error(transparent)]
    NotGiven(NotGiven),
    /// The grant was revoked.
    #[error("the grant was revoked: log in again")]
    Revoked,
    /// OAuth 2.1 §4.3.1: no scope beyond what was granted.
    #[error("the scope '{0}' was not granted")]
    ScopeBeyondGrant(String),
    /// The scope cannot be read.
    #[error("{0}")]
    MalformedScope(String),
    /// The account was disabled or removed.
    #[error("the account cannot be used any more")]
    UserGone,
    /// RFC 7523 §2.1: `assertion` is required.
    #[error("assertion is missing")]
    NoAssertion,
    /// RFC 7523 §3, RFC 8693 §2.1: form, signature, or a claim.
    #[error("the token that was sent is not taken: {0}")]
    Assertion(JoseError),
    /// RFC 8693 §2.1: an opaque token that is not stored here.
    #[error("the token that was sent is not known here, or has ended long ago")]
    UnknownToken,
    /// RFC 7523 §3, rule 1.
    #[error("the assertion is of nobody who is trusted here")]
    UntrustedIssuer,
    /// The issuer's keys cannot be had.
    #[error("the keys of the assertion's issuer cannot be had right now; try again")]
    IssuerUnreachable,
    /// RFC 7523 §3, rule 4.
    #[error("the assertion lives too long: {hours} hours at most")]
    LongAssertion {
        /// How long it may.
        hours: u64,
    },
    /// ID-JAG §4.4.
    #[error("the assertion was issued to another client, or this client has not shown who it is")]
    OtherClientsAssertion,
    /// RFC 7523 §3, rule 7.
    #[error("the assertion has no jti")]
    AssertionWithoutId,
    /// RFC 7523 §3, rule 7.
    #[error("this assertion was used before; get a new one")]
    AssertionReplayed,
    /// ID-JAG §4.4.1, RFC 9396.
    #[error(
        "the assertion says what it grants in authorization_details, of which no type is known here; it has to say scope"
    )]
    AuthorizationDetails,
    /// ID-JAG §3.1: an address that two people here have tells nobody apart.
    #[error("two accounts here have this person's address; the operator of this server links one of them")]
    SharedAddress,
    /// ID-JAG §3.1, §6: an address can become somebody else's; issuer and subject cannot.
    #[error(
        "the account with this person's address is another person's of this issuer; its owner can unlink it there"
    )]
    AnothersAddress,
    /// ID-JAG §3.1: whoever it names is nobody here, and the operator has not said that accounts are made.
    #[error("this person has no account here; the operator of this server adds one")]
    NoAccount,
    /// Nothing is exchanged that the operator has not listed.
    #[error("the operator of this server has not listed this exchange")]
    NotListed,
    /// RFC 8693 §2.1.
    #[error("{0}")]
    Exchange(&'static str),
    /// RFC 8628 §3.4: `device_code` is required.
    #[error("device_code is missing")]
    NoDeviceCode,
    /// The device code was never issued, or is long gone.
    #[error("this device code is not known here: begin again")]
    UnknownDeviceCode,
    /// RFC 8628 §3.5.
    #[error("nobody has decided yet; ask again after the interval")]
    AuthorizationPending,
    /// RFC 8628 §3.5.
    #[error("asked too soon; wait five seconds longer from now on")]
    SlowDown,
    /// RFC 8628 §3.5.
    #[error("the device code has expired: begin again")]
    DeviceCodeExpired,
    /// RFC 8628 §3.5.
    #[error("the person has denied the request")]
    AccessDenied,
    /// OAuth 2.1 §3.2.4: the client is not registered for the grant.
    #[error("this client may not use the grant '{0}'")]
    GrantNotAllowed(&'static str),
    /// What the client's metadata document says by now.
    #[error("this client's metadata document has changed: {0}; log in again once it is right")]
    ClientChanged(String),
    /// RFC 7592 §2.2: the client has changed its redirect URIs.
    #[error("the redirect URI that this code was sent to is not registered for this client any more")]
    RedirectUriGone,
    /// RFC 8707 §2: the resource is gone, or is not for this client any more.
    #[error("the resource '{0}' is not known here any more, or not for this client: log in again")]
    ResourceGone(String),
    /// RFC 6749 §5.1: an answer without `scope` means all that was asked for.
    #[error("none of the scopes that were granted can be given any more: log in again")]
    NothingLeft,
    /// The client showed more than its id when it was granted something.
    #[error("what this client was granted needs its authentication, and none was sent")]
    NotProven,
    /// RFC 9449 §5.2: the client always uses DPoP.
    #[error("this client gets tokens that are bound to a DPoP key only, and the request has no DPoP proof")]
    NoProof,
    /// RFC 9449 §11.1: each proof counts once.
    #[error("this DPoP proof was used before; make a new one, with another jti, for each request")]
    ReplayedProof,
    /// RFC 8705 §3.4: the client always binds.
    #[error(
        "this client gets tokens that are bound to its certificate only, and none was shown on this connection"
    )]
    NoCertificate,
    /// RFC 9449 §5, §10: bound to a key.
    #[error("this was issued to the holder of another key or certificate, or the request shows none")]
    OtherKey,
    /// A rule that authorization requests have too.
    #[error("{0}")]
    Request(OAuthError),
    /// A token could not be signed.
    #[error("the token could not be signed")]
    Signing(#[from] JoseError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The error as OAuth says it. What went wrong inside stays inside.
    pub(crate) fn to_oauth(&self) -> OAuthError {
        let code = match self {
            Self::NoCode
            | Self::NoVerifier
            | Self::NoRefreshToken
            | Self::NoDeviceCode
            | Self::NoAssertion
            | Self::Exchange(_) => ErrorCode::InvalidRequest,
            Self::IssuerUnreachable | Self::ProviderAway => ErrorCode::TemporarilyUnavailable,
            Self::NotGiven(refused) => return refused.to_oauth(),
            Self::OtherResource(_) | Self::ResourceGone(_) => ErrorCode::InvalidTarget,
            Self::AuthorizationPending => ErrorCode::from("authorization_pending"),
            Self::SlowDown => ErrorCode::from("slow_down"),
            Self::DeviceCodeExpired => ErrorCode::from("expired_token"),
            // A code of another status than 400 would not be understood here (RFC 8628 §3.5).
            Self::AccessDenied => ErrorCode::Other("access_denied".to_owned()),
            Self::GrantNotAllowed(_) => ErrorCode::UnauthorizedClient,
            Self::NotProven => ErrorCode::InvalidClient,
            Self::NoProof | Self::ReplayedProof => ErrorCode::from("invalid_dpop_proof"),
            Self::NoCertificate => ErrorCode::InvalidRequest,
            Self::Request(error) => return error.clone(),
            Self::ScopeBeyondGrant(_) | Self::MalformedScope(_) => ErrorCode::InvalidScope,
            Self::Signing(error) => {
                tracing::error!(%error, "an access token could not be signed");
                return OAuthError::new(ErrorCode::ServerError, "the token could not be signed");
            }
            Self::Store(error) => {
                tracing::error!(%error, "the store failed");
                return storage();
            }
            _ => ErrorCode::InvalidGrant,
        };
        OAuthError::new(code, self.to_string())
    }
}

/// The answer of every endpoint while the store fails.
pub(crate) fn storage() -> OAuthError {
    OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "the server's database does not answer; nothing was done, try again",
    )
}

//! Every reason why a request does not pass.

use std::time::Duration;

use hallpass_protocol::digest::DigestError;
use hallpass_protocol::dpop::ProofError;
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::scope::ScopeSet;

use crate::json_rpc::{Id, PeekError};

/// A rule that a request broke. [`ResourceServer::refuse`](crate::ResourceServer::refuse) makes it an
/// answer.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// RFC 9110 §7.2: a request names one host.
    #[error("the request must name its host exactly once")]
    AmbiguousHost,
    /// The request is meant for another host: DNS rebinding (never-again 42).
    #[error("this server does not answer for that host; use its public URL")]
    ForeignHost,
    /// A web page of another origin sent the request (MCP 2025-03-26 and later, transports,
    /// "Security Warning").
    #[error(
        "web pages of that origin may not call this server; its operator can add the origin to allowed_origins"
    )]
    ForeignOrigin,
    /// RFC 6750 §3: no credential at all.
    #[error(
        "this server needs an access token; log in at the authorization server that resource_metadata names"
    )]
    NoCredential,
    /// A scheme that this server does not offer.
    #[error(
        "this server does not take that kind of credential; send an access token as Authorization: Bearer, or what else WWW-Authenticate offers"
    )]
    OtherScheme,
    /// Several `Authorization` fields (never-again 36).
    #[error("the request holds more than one credential (Authorization, X-API-Key); send exactly one")]
    SeveralCredentials,
    /// RFC 6750 §2.1: one token of the allowed characters.
    #[error("the credential is malformed: the field must hold exactly one, in its scheme's own form")]
    MalformedCredential,
    /// RFC 6750 §2.3, MCP "Token Requirements".
    #[error("access tokens must not be sent in the URL; send Authorization: Bearer instead")]
    TokenInQuery,
    /// The token is not what it must be; the inner error says which rule.
    #[error("{0}")]
    Token(#[from] JoseError),
    /// RFC 9068 §4: the issuer is none of the trusted ones.
    #[error("the token was issued by a server that this one does not trust; log in again")]
    UntrustedIssuer,
    /// The issuer signs for several tenants, and this one's tokens are not taken.
    #[error("the token is of a tenant that this server does not take tokens of; log in with another account")]
    UntrustedTenant,
    /// RFC 7662 §2.2: the issuer does not know the token, or it is not for here and now.
    #[error("the token is not active here; log in again")]
    Inactive,
    /// MCP "Confused Deputy Problem": a provider's token that no client here was given, so that nobody has agreed to it.
    #[error("the token was not given to a client by this server's own authorization server; log in there")]
    NotHandedOn,
    /// RFC 7800 §3.1: what binds the token is not understood.
    #[error("the token is bound to a key in a way that this server does not know")]
    UnknownBinding,
    /// RFC 9449 §7.2: a bound token as Bearer would be good in a thief's hands.
    #[error("the token is bound to a DPoP key; send it as Authorization: DPoP, with a proof")]
    SentAsBearer,
    /// RFC 9449 §7.1: the scheme is for bound tokens.
    #[error("the token is bound to no DPoP key; send it as Authorization: Bearer")]
    NotBound,
    /// The operator takes bound tokens only.
    #[error("this server takes only tokens that are bound to a DPoP key")]
    BoundOnly,
    /// RFC 9449 §7.1.
    #[error("the request has no DPoP proof")]
    NoProof,
    /// RFC 9449 §4.3.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// RFC 9449 §4.3, rule 12.
    #[error("the DPoP proof is by another key than the token is bound to")]
    OtherKey,
    /// RFC 9449 §9.
    #[error("the DPoP proof must hold this server's nonce; it comes with this answer")]
    NonceNeeded,
    /// RFC 9449 §11.1.
    #[error("the DPoP proof was there before; make a new one for each request")]
    ReplayedProof,
    /// RFC 8705 §3.
    #[error("the token is bound to a client certificate that this connection does not show")]
    OtherCertificate,
    /// RFC 9440 §2.2.
    #[error("the Client-Cert field does not hold one certificate")]
    MalformedCertificate,
    /// A certificate that stands for nobody here.
    #[error("the client certificate is none that this server knows")]
    UnknownCertificate,
    /// An API key that is not in the list, has expired or was revoked.
    #[error("the API key is not known, has expired or was revoked")]
    UnknownKey,
    /// User name or password, and no word about which.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// Right or wrong, the password was not looked at.
    #[error("too many wrong passwords for that user name or from that address; try again in {} second{}", wait.as_secs(), if wait.as_secs() == 1 { "" } else { "s" })]
    TooManyGuesses {
        /// Until the next attempt.
        wait: Duration,
    },
    /// RFC 7617 §4: the password itself is sent.
    #[error("passwords are not taken over plain http; use https")]
    PlainPassword,
    /// RFC 7616 §3.4.
    #[error("{0}")]
    Digest(DigestError),
    /// RFC 7616 §3.4.6.
    #[error("the Digest credentials are for another URL")]
    OtherTarget,
    /// RFC 7616 §3.3, `stale`.
    #[error("the Digest nonce is used up or too old; take the new one")]
    StaleNonce,
    /// The authorization server is not to be reached: nobody's fault who calls.
    #[error("the token's issuer cannot be asked at this moment; try again shortly")]
    IntrospectionUnavailable,
    /// The list of accounts cannot be read: nobody's fault who calls.
    #[error("the list of accounts cannot be read at this moment; try again shortly")]
    AccountsUnavailable,
    /// The memory of what was there before cannot be asked: nobody's fault who calls.
    #[error("it cannot be told at this moment whether the credential was used before; try again shortly")]
    ReplaysUnavailable,
    /// Too much at once.
    #[error("too many credentials are being checked at once; try again shortly")]
    Busy,
    /// The token, or the grant behind it, was revoked.
    #[error("the token was revoked; log in again")]
    Revoked,
    /// No key to verify with: nobody's fault who calls.
    #[error("the keys of the token's issuer are not at hand; try again shortly")]
    KeysUnavailable,
    /// It is not known which tokens were revoked: nobody's fault who calls.
    #[error("it is not known at this moment which tokens were revoked; try again shortly")]
    RevocationsUnavailable,
    /// RFC 6750 §3.1: the token does not reach that far.
    #[error("the operation needs the scopes \"{needed}\"; this token lacks \"{missing}\"")]
    InsufficientScope {
        /// All that the operation needs.
        needed: ScopeSet,
        /// What of it the token does not have.
        missing: ScopeSet,
        /// What to ask for: all that is needed and all that the token has.
        ask: ScopeSet,
    },
    /// The body must be read, and is too long for that.
    #[error("the body is longer than {limit} bytes, the most that this server reads")]
    BodyTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The connection broke, or the body's framing did.
    #[error("the body could not be read to its end")]
    BodyUnreadable,
    /// Only UTF-8 as it is can be judged: another encoding might say something else upstream.
    #[error("the body must be UTF-8 without Content-Encoding")]
    BodyEncoding,
    /// The body is not JSON-RPC that can be judged.
    #[error("{0}")]
    Body(#[from] PeekError),
    /// An operation without the name of what it is for: no rule can be found for it.
    #[error("the request must name its {kind} in {member}")]
    Nameless {
        /// `tool`, `prompt`, `resource`.
        kind: &'static str,
        /// Where the name belongs.
        member: &'static str,
        /// Of the request.
        id: Option<Id>,
    },
    /// A rule denies it to everybody.
    #[error("{what} is closed by this server's policy; no login opens it")]
    Denied {
        /// What was asked for.
        what: String,
        /// Of the request.
        id: Option<Id>,
    },
    /// A rule asks for a claim or a tenant that the caller does not have.
    #[error("{what} is not for this account; ask the server's operator for access")]
    OutOfReach {
        /// What was asked for.
        what: String,
        /// Of the request.
        id: Option<Id>,
    },
    /// The rules allow it, or would after a login; the policies in Cedar do not.
    #[error(
        "{what} is not permitted to this account by this server's policies; ask the server's operator for access"
    )]
    Unpermitted {
        /// What was asked for.
        what: String,
        /// Of the request.
        id: Option<Id>,
    },
    /// The caller's verified words choose a server behind, and lead to none that the operator has listed.
    #[error("there is no server behind this endpoint for this account; ask its operator for access")]
    NothingBehind,
    /// The server behind works at third parties for the caller, who has no account linked there, or not any more.
    #[error(
        "this server works at {parties} for you, and your account there is not linked; log in again to link it"
    )]
    NotLinked {
        /// Where there is no account.
        parties: String,
        /// The scopes that stand for such accounts; none where every login is to link them.
        missing: ScopeSet,
        /// What to ask for: these, and all that the token has.
        ask: ScopeSet,
    },
    /// The server behind works at a third party for the caller, who was not told so when they allowed the app in.
    #[error(
        "this server works at {party} for you by now, or with more rights there, and you were not told when you allowed this app \
         in; log in again to allow it that"
    )]
    NotAgreed {
        /// Where.
        party: String,
    },
    /// A third party, or what is kept of the caller's account there: nobody's fault who calls.
    #[error("your account at {party} cannot be used at this moment; try again shortly")]
    ThirdPartyUnavailable {
        /// Where.
        party: String,
    },
    /// RFC 9470 §3: the operation needs a login that is fresher.
    #[error("the operation needs a login of the last {} seconds; log in again", max_age.as_secs())]
    LoginTooOld {
        /// How old a login may be.
        max_age: Duration,
        /// The scopes to ask for.
        ask: ScopeSet,
    },
    /// MCP 2026-07-28, streamable HTTP, "Server Validation".
    #[error("Header mismatch: {header} does not match the body")]
    HeaderMismatch {
        /// The field.
        header: &'static str,
        /// Of the request.
        id: Option<Id>,
    },
}

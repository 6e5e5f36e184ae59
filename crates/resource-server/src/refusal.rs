//! Every reason why a request does not pass.

use std::time::Duration;

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
    /// A credential that is no bearer token.
    #[error("this server takes bearer tokens only; send Authorization: Bearer and an access token")]
    OtherScheme,
    /// Several `Authorization` fields (never-again 36).
    #[error("the request has more than one Authorization field; send exactly one")]
    SeveralCredentials,
    /// RFC 6750 §2.1: one token of the allowed characters.
    #[error("the Authorization field does not hold exactly one bearer token")]
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

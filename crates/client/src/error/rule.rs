//! The rules that one side may break.

use super::described;
use crate::same_machine::same_machine;

/// The rule that was broken. One variant for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// RFC 9728 §3.3.
    #[error(
        "its metadata is for the resource {named}, which is not this server ({server}). A token for it could be used elsewhere, so none was requested{}",
        same_machine(.named, .server)
    )]
    ResourceMismatch {
        /// What the metadata says.
        named: String,
        /// What the person asked for.
        server: String,
    },
    /// MCP 2025-11-25, "Authorization Server Location".
    #[error("its protected resource metadata names no authorization server")]
    NoAuthorizationServer,
    /// RFC 9728 §7.6: the MCP server's list is what may be chosen from.
    #[error(
        "this server does not name the authorization server {wanted}, but {offered}. Check --authorization-server, or leave it out if you trust what is named"
    )]
    NotOffered {
        /// The caller's choice.
        wanted: String,
        /// What the server names.
        offered: String,
    },
    /// RFC 8414 §2.
    #[error("`{0}` is not an issuer identifier")]
    InvalidIssuer(String),
    /// RFC 8414 §3.3.
    #[error(
        "its metadata says issuer `{found}`, where `{expected}` was asked. The metadata was not used{}",
        same_machine(.found, .expected)
    )]
    IssuerMismatch {
        /// The issuer that was asked for.
        expected: String,
        /// The issuer in the document.
        found: String,
    },
    /// RFC 8414 §3, RFC 9728 §3.
    #[error("no metadata was found at any of the well-known locations{0}")]
    MetadataNotFound(String),
    /// A document that is not what it should be.
    #[error("the answer is not what the specification asks for: {0}")]
    Malformed(String),
    /// The guarded fetch refused the URL.
    #[error("the URL is not safe to fetch: {0}")]
    UnsafeUrl(String),
    /// RFC 9110 §15.4, RFC 9700 §4.12: what is sent to an endpoint is for that endpoint.
    #[error(
        "the answer is a redirect to `{0}`, which is not followed: what was sent may go to nobody else. The server has to name the final URL"
    )]
    Redirected(String),
    /// RFC 8414 §2: a member that this flow cannot do without.
    #[error("the authorization server's metadata has no `{0}`")]
    EndpointMissing(&'static str),
    /// RFC 7636, MCP "Authorization Code Protection".
    #[error(
        "the authorization server does not say that it supports PKCE with S256 (`code_challenge_methods_supported`). MCP forbids to go on"
    )]
    PkceUnsupported,
    /// Never launch what is not plainly a web address.
    #[error(
        "the authorization endpoint is not a web address that is safe to open: {0}. No browser was opened"
    )]
    Unlaunchable(&'static str),
    /// No way to a client id.
    #[error(
        "the authorization server offers neither client ID metadata documents nor dynamic registration, and no client is configured for it. Register a client there by hand, with the redirect URI {redirect_uri}, and configure its id"
    )]
    NoClientId {
        /// The redirect URI to register.
        redirect_uri: String,
    },
    /// RFC 6749 §4.1.2.1, told before a person is.
    #[error("the authorization server does not know the client `{0}` any more")]
    ClientForgotten(String),
    /// RFC 7009 §2.1, RFC 6749 §5.2: whoever takes tokens back was not known.
    #[error("the server does not know this login any more: it answered {0}")]
    LoginForgotten(String),
    /// MCP "Authorization Server Binding".
    #[error(
        "the configured client belongs to {bound}, and this server now uses {found}. Configure a client for the new authorization server"
    )]
    ClientOfAnotherIssuer {
        /// The configured issuer.
        bound: String,
        /// The discovered issuer.
        found: String,
    },
    /// RFC 7591 §3.2.2.
    #[error("it was refused: {error}{}", described(.description))]
    RegistrationRefused {
        /// The error code.
        error: String,
        /// The explanation.
        description: Option<String>,
    },
    /// RFC 7591 §3: not everybody may register; there may be a token for it.
    #[error(
        "it was refused: {error}{}. Who may register here has a token for it (hallpass: --registration-token-file), or a client \
         registered by hand (hallpass: --client-id)",
        described(.description)
    )]
    RegistrationClosed {
        /// The error code.
        error: String,
        /// The explanation.
        description: Option<String>,
    },
    /// MCP 2026-07-28, "Authorization Server Binding": a token for registration is for one authorization server.
    #[error(
        "the token to register with is shown to the MCP server's own host, or to an authorization server that you name, and this one \
         is {0}. Where that is right, name it (hallpass: --authorization-server {0})"
    )]
    RegistrationTokenOfNoOne(String),
    /// RFC 6750 §2.1.
    #[error(
        "the token to register with holds characters that no token has; see that the whole file is the token"
    )]
    RegistrationToken,
    /// None of the token endpoint's authentication methods is spoken here.
    #[error(
        "the token endpoint accepts none of the client authentication methods that this client has ({0})"
    )]
    NoTokenEndpointAuth(String),
    /// RFC 6749 §4.1.2: the answer does not belong to the question.
    #[error("the browser's answer does not carry the `state` of this login, so it was ignored")]
    State,
    /// RFC 9207 §2.4.
    #[error("the browser's answer comes from another authorization server than the one that was asked: {0}")]
    ResponseIssuer(String),
    /// RFC 6749 §5.2, for a code that was just obtained.
    #[error("the authorization server refused the code: {error}{}", described(.description))]
    CodeRefused {
        /// The error code.
        error: String,
        /// The explanation.
        description: Option<String>,
    },
    /// RFC 6749 §7.1.
    #[error("the token type is `{0}`, which was not asked for")]
    TokenType(String),
    /// RFC 9449 §5: whoever insists on bound tokens takes no others.
    #[error("the token is not bound to this client's key, and a bound one (DPoP) is required")]
    TokenNotBound,
    /// RFC 9449 §5.1.
    #[error(
        "tokens bound to a key (DPoP) are required, and the authorization server does not say that it makes them for ES256 (`dpop_signing_alg_values_supported`)"
    )]
    DpopUnsupported,
    /// RFC 9728 §2, `dpop_bound_access_tokens_required`.
    #[error(
        "the server takes no tokens but those that are bound to a key (DPoP), and plain ones were asked for (--no-dpop, `DpopUse::Never`). Leave that out"
    )]
    DpopDemanded,
    /// RFC 9449 §8, §9.
    #[error("the server wants its nonce in the DPoP proof, and refuses the one that it has just given")]
    NonceNotTaken,
    /// RFC 9126 §2.3.
    #[error("it was refused: {error}{}", described(.description))]
    PushRefused {
        /// The error code.
        error: String,
        /// The explanation.
        description: Option<String>,
    },
    /// RFC 7523 §2.2.
    #[error("the client authenticates with a signed assertion, and no signer is configured")]
    NoSigner,
    /// The key did not do its work.
    #[error("nothing could be signed: {0}")]
    NotSigned(String),
    /// A secret that is kept elsewhere.
    #[error("no secret could be read from {place}: {detail}")]
    SecretUnreadable {
        /// Which place.
        place: String,
        /// What is wrong there.
        detail: String,
    },
    /// The one token that the caller allows was refused.
    #[error("the server refuses the token from {0}. Put a good one there")]
    GivenTokenRefused(String),
    /// RFC 7523 §3: an assertion is sent to the server that it is for, and to no other.
    #[error(
        "the assertion from {place} is not for this authorization server: its `aud` does not name it. It was not sent"
    )]
    ForeignAssertion {
        /// Where the assertion is from.
        place: String,
    },
    /// SEP-990, "Token Exchange Response".
    #[error(
        "the identity provider issued a `{0}`, where an identity assertion was asked for. It was not used"
    )]
    NotAnIdentityAssertion(String),
    /// RFC 6749 A.12. A token is printed for scripts, so it must not be able to write to a terminal.
    #[error("the access token is empty or holds characters that no token may hold (RFC 6749 A.12)")]
    TokenCharacters,
    /// The MCP server refused a token that its own authorization server just issued.
    #[error("the server refused the token that its authorization server has just issued{0}")]
    FreshTokenRefused(String),
    /// MCP, "Sending Messages to the Server": what is there does not speak MCP, or lets nobody in.
    #[error("{0}")]
    NotAnMcpServer(String),
    /// A token goes to the server it was issued for and nowhere else.
    #[error("this client is for {0}; its token is not sent elsewhere")]
    ForeignRequest(String),
}

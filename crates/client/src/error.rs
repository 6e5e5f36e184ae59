//! What can go wrong, told apart by what the caller can do about it.

use std::{fmt, sync::Arc, time::Duration};

use hallpass_protocol::scope::ScopeSet;

use crate::{same_machine::same_machine, store::StoreError, unreached};

/// Where in the data path something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Finding the authorization server and its metadata.
    Discover,
    /// Obtaining a client id.
    Register,
    /// The person's part, in the browser.
    Authorize,
    /// Sending the authorization request ahead (RFC 9126).
    Push,
    /// Exchanging the code for tokens.
    Redeem,
    /// Exchanging an ID token for an identity assertion at the identity provider (SEP-990).
    Exchange,
    /// Exchanging a refresh token for a new access token.
    Refresh,
    /// Taking tokens back.
    Revoke,
    /// The MCP request itself.
    Send,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discover => "discovery",
            Self::Register => "registration",
            Self::Authorize => "authorization",
            Self::Push => "the pushed authorization request",
            Self::Redeem => "the token request",
            Self::Exchange => "the token exchange",
            Self::Refresh => "the refresh",
            Self::Revoke => "revocation",
            Self::Send => "the request",
        })
    }
}

/// Why a request could not be authorized. Says what happened, why, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A person has to log in, and this client may not ask one.
    #[error("{server} asks for a login ({reason}){}", to_log_in(.command))]
    LoginNeeded {
        /// The MCP server.
        server: String,
        /// Why what is stored does not do.
        reason: &'static str,
        /// What a person runs to log in ([`Builder::login_command`](crate::Builder::login_command)).
        command: Option<String>,
    },
    /// The token lacks scopes, and authorizing again is not possible or has not helped.
    #[error("{server} refuses `{operation}` without the scope `{scopes}`: {reason}")]
    ScopesNeeded {
        /// The MCP server.
        server: String,
        /// What was tried.
        operation: String,
        /// What the server asks for.
        scopes: ScopeSet,
        /// Why it was not obtained.
        reason: &'static str,
    },
    /// A server or the network is in trouble. Nothing was lost; the same call may work later.
    #[error("{step} failed for now at {url}: {detail}{}", advice(*.step, .retry_after))]
    Transient {
        /// Where.
        step: Step,
        /// What was asked.
        url: String,
        /// What came back.
        detail: String,
        /// How long the server asked to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// The authorization server refused a refresh token for good.
    #[error("{issuer} no longer accepts the stored login for {server} ({error}){}", to_log_in(.command))]
    RefreshRejected {
        /// The MCP server.
        server: String,
        /// The authorization server.
        issuer: String,
        /// Its error code.
        error: String,
        /// As in [`LoginNeeded`](Self::LoginNeeded).
        command: Option<String>,
    },
    /// The authorization server, or the person there, said no.
    #[error("{issuer} did not grant access: {error}{}", described(.description))]
    Denied {
        /// The authorization server.
        issuer: String,
        /// Its error code (RFC 6749 §4.1.2.1).
        error: String,
        /// Its explanation.
        description: Option<String>,
    },
    /// One side breaks a rule of the specification, or is set up wrongly; trying again will not help.
    #[error("{step} stopped at {url}: {rule}")]
    Misconfigured {
        /// Where.
        step: Step,
        /// Which URL.
        url: String,
        /// Which rule.
        rule: Rule,
    },
    /// The login at the browser did not come to an end.
    #[error("the login could not be completed: {0}")]
    Interaction(#[from] InteractionError),
    /// The token store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request did not reach the MCP server, or its answer did not arrive.
    #[error("{}", unreached::explain(.0))]
    Http(Arc<reqwest::Error>),
    /// The same, where the way leads through an HTTP proxy.
    #[error("{}", unreached::through(.error, .proxy))]
    ThroughProxy {
        /// The proxy's origin.
        proxy: String,
        /// What happened.
        error: Arc<reqwest::Error>,
    },
    /// The request's body can be sent only once, so it cannot be repeated with a token.
    #[error(
        "the request's body is a stream and cannot be sent again after the login; send it again yourself"
    )]
    NotRepeatable,
    /// The task that held the login or refresh ended early: the runtime is shutting down.
    #[error("the login or refresh was interrupted because the program is ending")]
    Interrupted,
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(Arc::new(unreached::safe_url(error)))
    }
}

/// Why a person's part of a login failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InteractionError {
    /// No port to receive the answer on.
    #[error(
        "cannot listen on {address} for the browser's answer: {detail}. Free the port, or configure another one"
    )]
    Listen {
        /// Where.
        address: String,
        /// The operating system's answer.
        detail: String,
    },
    /// The address that a browser was started with was opened by two.
    #[error(
        "the login's address was opened a second time, by someone else than the browser that opened it first, so the login was ended. Start it again; if it happens again, another program on this machine is listening in"
    )]
    OpenedBySomeoneElse,
    /// Nobody came back.
    #[error("no answer from the browser within {0:?}. Start the login again")]
    TimedOut(Duration),
    /// Any other interaction's own reason.
    #[error("{0}")]
    Other(String),
}

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
    #[error("the registration was refused: {error}{}", described(.description))]
    RegistrationRefused {
        /// The error code.
        error: String,
        /// The explanation.
        description: Option<String>,
    },
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
    #[error("the pushed authorization request was refused: {error}{}", described(.description))]
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

fn described(description: &Option<String>) -> String {
    description.as_ref().map(|text| format!(" ({})", printable(text))).unwrap_or_default()
}

/// Text from a server, fit for a terminal: nothing that moves the cursor or turns the direction of writing,
/// and not endless.
pub(crate) fn printable(text: &str) -> String {
    let is_marker = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !is_marker(*c)).take(300).collect()
}

/// The cause that says most: refused by whom, and why. reqwest's own message holds no cause.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    printable(&innermost.to_string())
}

fn to_log_in(command: &Option<String>) -> String {
    match command {
        Some(command) => format!(". To log in, run `{command}`"),
        None => ". A person has to log in".into(),
    }
}

/// What is left to do after trouble at a server.
fn advice(step: Step, after: &Option<Duration>) -> String {
    let wait = after.map(|wait| format!(" in {} s", wait.as_secs())).unwrap_or_default();
    match step {
        // Whoever takes tokens back has forgotten them, and has nothing to try again with.
        Step::Revoke => String::new(),
        Step::Refresh => format!(". The stored login is kept; try again{wait}"),
        Step::Send => {
            format!(". Try again{wait}; if it stays so, it is for those who run the server to mend")
        }
        _ => format!(". Try again{wait}"),
    }
}

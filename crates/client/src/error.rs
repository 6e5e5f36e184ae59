//! What can go wrong, told apart by what the caller can do about it.

mod rule;

pub use rule::Rule;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use hallpass_protocol::scope::ScopeSet;

use crate::{store::StoreError, unreached};

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
        reason: Cow<'static, str>,
    },
    /// A server or the network is in trouble. Nothing was lost; the same call may work later.
    #[error("{step} failed{} at {url}: {detail}{}", for_now(*.step), advice(*.step, .retry_after))]
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

/// Nothing is taken back a second time.
fn for_now(step: Step) -> &'static str {
    if step == Step::Revoke { "" } else { " for now" }
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

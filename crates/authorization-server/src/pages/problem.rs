//! The error page: what happened, whose fault it likely is, what to do, and a reference into the log.

use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{FormTarget, answer, retry_after};
use crate::provider::ProviderError;
use crate::store::StoreError;

/// When to try again what could not be done.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Something that a person has to be told, since it cannot be told to the client.
#[derive(Debug)]
pub(crate) struct Problem(Box<Told>);

/// Boxed: results are handed around far more often than they are errors.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    /// The rule that was broken, in one word, for the log.
    rule: &'static str,
    title: &'static str,
    what: String,
    whose: &'static str,
    remedy: &'static str,
    /// What an operator types, and what for.
    commands: &'static [(&'static str, &'static str)],
    /// What lies behind it, for the log alone.
    cause: Option<String>,
    /// Whose request it was, believed or not.
    client: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    what: &'a str,
    whose: &'a str,
    remedy: &'a str,
    commands: &'static [(&'static str, &'static str)],
    reference: &'a str,
}

impl Problem {
    fn new(status: StatusCode, rule: &'static str, title: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        let (whose, remedy, commands) = ("", "", &[][..]);
        Self(Box::new(Told { status, rule, title, what, whose, remedy, commands, cause: None, client: None }))
    }

    fn advice(mut self, whose: &'static str, remedy: &'static str) -> Self {
        (self.0.whose, self.0.remedy) = (whose, remedy);
        self
    }

    fn commands(mut self, commands: &'static [(&'static str, &'static str)]) -> Self {
        self.0.commands = commands;
        self
    }

    /// The same for a request that names its client.
    pub(crate) fn of_client(mut self, id: &str) -> Self {
        self.0.client = Some(id.to_owned());
        self
    }

    /// What happened, in words.
    pub(crate) fn what(&self) -> &str {
        &self.0.what
    }

    /// Whether the fault is in this server.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.status.is_server_error()
    }

    /// The client sent a request that breaks this rule, and that cannot be answered by a redirect.
    pub(crate) fn client(rule: &'static str, what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, rule, "This sign-in request is not right", what).advice(
            "In the app that sent you here, or in how it was set up.",
            "Go back to the app and try again. If it happens again, show this page to whoever runs the app.",
        )
    }

    /// This browser is not the one that began, or has waited too long.
    pub(crate) fn lost_interaction() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "lost_interaction",
            "This sign-in is not open here",
            "It has expired, was finished already, or was begun in another browser.",
        )
        .advice(
            "Most likely nowhere: time has passed, or cookies are off. If someone sent you this link, do not go on.",
            "Start again from your app, in this browser, with cookies allowed.",
        )
    }

    /// The address of a sign-in that was pushed (RFC 9126 §4: it counts once, and not for long).
    pub(crate) fn spent_request() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "request_uri_unknown",
            "This sign-in link has done its work",
            "Its address can be opened once, soon after the app made it. It was opened before, is too old, or is another app's.",
        )
        .advice(
            "Most likely nowhere: the link was opened twice, or the page was loaded again.",
            "Go on in the window in which it was opened first, or start again from your app.",
        )
    }

    /// Another person has opened this device's code.
    pub(crate) fn anothers_device() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "anothers_device",
            "This device is not yours to decide on",
            "Another person has opened this code before.",
        )
        .advice(
            "Perhaps with whoever gave you the code: they may be trying to connect a device of theirs to your account.",
            "If the device is yours, begin again on it, for a new code, and tell the code to nobody.",
        )
    }

    /// A form came from another site or without its token.
    pub(crate) fn foreign_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign_form",
            "This form was not sent from here",
            "The form did not come from the page that this server showed to this browser.",
        )
        .advice(
            "Perhaps in another page, which tried to act in your name. Nothing was done.",
            "Start again from your app. If you are behind a proxy, its public URL has to be the one that hallpass is configured with.",
        )
    }

    /// A set-up link, where somebody has an account already.
    pub(crate) fn used_setup_link() -> Self {
        Self::new(
            StatusCode::GONE,
            "used_setup_link",
            "This set-up link has done its work",
            "There is an account on this server already, and the link only makes the first one.",
        )
        .advice(
            "Nowhere. If you have never made an account here, somebody else has opened the link: tell whoever runs this server.",
            "Sign in with the account that was made, or ask whoever runs this server for one. They type:",
        )
        .commands(&[
            ("Who has an account", "hallpass user list"),
            ("A new account", "hallpass user add NAME --link"),
            ("A forgotten password", "hallpass user link NAME"),
        ])
    }

    /// A set-up link that no longer works, or never did.
    pub(crate) fn dead_setup_link() -> Self {
        Self::new(
            StatusCode::GONE,
            "dead_setup_link",
            "This set-up link does not work any more",
            "A set-up link works for one hour, and each start of the server makes a new one in its place.",
        )
        .advice(
            "Nowhere: its time is over, or the server was started again.",
            "Whoever runs this server starts it again, which prints a new link, or makes the first account by hand. They type:",
        )
        .commands(&[
            ("A new set-up link", "hallpass serve"),
            ("Or an account, with a link to set its password", "hallpass user add NAME --admin --link"),
        ])
    }

    /// A link to set a password that no longer works.
    pub(crate) fn dead_link() -> Self {
        Self::new(
            StatusCode::GONE,
            "dead_link",
            "This link does not work any more",
            "A link to set a password works once, for one day.",
        )
        .advice(
            "Nowhere: it was used, replaced by a newer one, or its time is over.",
            "If you have set a password by it, sign in. If not, ask whoever runs this server for a new link. They make it under Administration, or type:",
        )
        .commands(&[("A new link", "hallpass user link NAME")])
    }

    /// An address that is there, asked in a way that it does not know.
    pub(crate) fn wrong_method(path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong_method",
            "This address is not for browsers",
            format!("{path} is where apps send what they have to say; there is nothing to see."),
        )
        .advice("Nowhere, if you have typed the address to see what is there.", "Start from your app.")
    }

    /// A page for those who run the server.
    pub(crate) fn not_an_admin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "not_an_admin",
            "This page is for administrators",
            "Your account may not see or change other people's accounts.",
        )
        .advice("Nowhere.", "Whoever runs this server can let you. They type:")
        .commands(&[("Rights for an account", "hallpass user admin NAME")])
    }

    /// A passkey that opens nothing here.
    pub(crate) fn no_passkeys() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_passkeys",
            "This server has no passkeys",
            "Passkeys belong to a domain name, and this server is known by an IP address.",
        )
        .advice("In how this server was set up.", "Whoever runs it can give it a name, with --public-url.")
    }

    /// An answer of a provider's that this browser has not begun, or a second time.
    pub(crate) fn lost_leg() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "lost_leg",
            "This sign-in is not open here",
            "It was begun in another browser, has come back before, or took too long.",
        )
        .advice(
            "Most likely nowhere: time has passed, or the page was loaded again. If someone sent you this link, do not go on.",
            "Start again from your app, in this browser, with cookies allowed.",
        )
    }

    /// A provider of no such name.
    pub(crate) fn no_such_provider() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_such_provider",
            "There is no such way to sign in",
            "This server does not know a provider of that name, or not any more.",
        )
        .advice("In how this server is set up, if its own page led you here.", "Start again from your app.")
    }

    /// A provider that does not do what it should.
    pub(crate) fn provider(status: StatusCode, what: String, cause: String) -> Self {
        let mut problem = Self::new(status, "provider", "The other account cannot be used right now", what)
            .advice("Perhaps at the other provider.", "Try again in a moment.");
        problem.0.cause = Some(cause);
        problem
    }

    /// Somebody else's identity.
    pub(crate) fn anothers_identity(provider: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "anothers_identity",
            "This account belongs to somebody else here",
            format!("The account at {provider} with which you have just signed in there is linked to another person's account on this server."),
        )
        .advice(
            "Nowhere, if you have two accounts here.",
            "Sign in with the other account and unlink it there, or sign in at the provider as somebody else.",
        )
    }

    /// Passwords are off.
    pub(crate) fn no_passwords() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_passwords",
            "There are no passwords here",
            "People sign in to this server through a provider.",
        )
        .advice("Nowhere.", "Start again from your app.")
    }

    /// Too many people log in at this moment.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Too many people are signing in",
            "The server checks as many passwords as it can right now.",
        )
        .advice("In the server, or in someone who floods it.", "Try again in a few seconds.")
    }

    /// Somebody else's authorization server is of no use at this moment.
    pub(crate) fn provider_away(error: ProviderError) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "provider_unavailable",
            "You cannot sign in right now",
            "The service where you sign in does not answer as it should. Nothing was done.",
        )
        .advice(
            "With that service, or in how this server was set up for it.",
            "Load this page again in a moment. If it lasts, tell the operator the reference below.",
        );
        problem.0.cause = Some(error.to_string());
        problem
    }

    /// The database does not answer.
    pub(crate) fn storage() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "storage",
            "The server cannot do this right now",
            "Its database does not answer, so nothing was done.",
        )
        .advice(
            "In this server.",
            "Try again in a moment. If it lasts, tell the operator the reference below.",
        )
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let mut problem = Self::storage();
        problem.0.cause = Some(error.to_string());
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let told = *self.0;
        let reference = crate::random::id();
        let page = ProblemPage {
            title: told.title,
            what: &told.what,
            whose: told.whose,
            remedy: told.remedy,
            commands: told.commands,
            reference: &reference,
        };
        let answer = answer(told.status, &page, &FormTarget::None);
        let mut answer = match told.status {
            StatusCode::SERVICE_UNAVAILABLE => retry_after(answer, AGAIN_AFTER),
            _ => answer,
        };
        answer.extensions_mut().insert(ShownProblem {
            reference,
            rule: told.rule.to_owned(),
            what: told.what,
            cause: told.cause,
            client: told.client,
        });
        answer
    }
}

/// An error page that was shown, for the log and the audit log. It goes along with the answer inside this server.
#[derive(Clone, Debug)]
pub(crate) struct ShownProblem {
    /// What the page shows.
    pub(crate) reference: String,
    /// The rule that was broken, in one word.
    pub(crate) rule: String,
    /// What happened, in words.
    pub(crate) what: String,
    /// What lies behind it.
    pub(crate) cause: Option<String>,
    /// Whose request it was, believed or not.
    pub(crate) client: Option<String>,
}

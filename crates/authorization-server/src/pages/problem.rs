//! The error page: what happened, whose fault it likely is, what to do, and a reference into the log.

use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{FormTarget, answer, retry_after};
use crate::store::StoreError;

/// When to try again what could not be done.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Something that a person has to be told, since it cannot be told to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    title: &'static str,
    what: String,
    whose: &'static str,
    remedy: &'static str,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    what: &'a str,
    whose: &'a str,
    remedy: &'a str,
    reference: &'a str,
}

impl Problem {
    /// What happened, in words.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whether the fault is in this server.
    pub(crate) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    /// The client sent a request that cannot be answered by a redirect.
    pub(crate) fn client(what: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "This sign-in request is not right",
            what: what.into(),
            whose: "In the app that sent you here, or in how it was set up.",
            remedy: "Go back to the app and try again. If it happens again, show this page to whoever runs the app.",
        }
    }

    /// This browser is not the one that began, or has waited too long.
    pub(crate) fn lost_interaction() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "This sign-in is not open here",
            what: "It has expired, was finished already, or was begun in another browser.".to_owned(),
            whose: "Nobody's, most likely: time has passed, or cookies are off. If someone sent you this link, do not go on.",
            remedy: "Start again from your app, in this browser, with cookies allowed.",
        }
    }

    /// Another person has opened this device's code.
    pub(crate) fn anothers_device() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "This device is not yours to decide on",
            what: "Another person has opened this code before.".to_owned(),
            whose: "Whoever gave you the code may be trying to connect a device of theirs to your account.",
            remedy: "If the device is yours, begin again on it, for a new code, and tell the code to nobody.",
        }
    }

    /// A form came from another site or without its token.
    pub(crate) fn foreign_form() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "This form was not sent from here",
            what: "The form did not come from the page that this server showed to this browser.".to_owned(),
            whose: "Another page may have tried to act in your name. Nothing was done.",
            remedy: "Start again from your app. If you are behind a proxy, its public URL has to be the one that hallpass is configured with.",
        }
    }

    /// A set-up link that no longer works.
    pub(crate) fn dead_setup_link() -> Self {
        Self {
            status: StatusCode::GONE,
            title: "This set-up link does not work any more",
            what: "A set-up link works once, for one hour, and only while there is no account.".to_owned(),
            whose: "Nobody's: it was used, replaced by a newer one, or its time is over.",
            remedy: "Restart hallpass for a new link, or make an account on the command line: hallpass user add NAME.",
        }
    }

    /// A link to set a password that no longer works.
    pub(crate) fn dead_link() -> Self {
        Self {
            status: StatusCode::GONE,
            title: "This link does not work any more",
            what: "A link to set a password works once, for one day.".to_owned(),
            whose: "Nobody's: it was used, replaced by a newer one, or its time is over.",
            remedy: "Ask whoever runs this server for a new one (hallpass user link NAME).",
        }
    }

    /// A page for those who run the server.
    pub(crate) fn not_an_admin() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "This page is for administrators",
            what: "Your account may not see or change other people's accounts.".to_owned(),
            whose: "Nobody's.",
            remedy: "Whoever runs this server can let you: hallpass user admin NAME.",
        }
    }

    /// A passkey that opens nothing here.
    pub(crate) fn no_passkeys() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "This server has no passkeys",
            what: "Passkeys belong to a domain name, and this server is known by an IP address.".to_owned(),
            whose: "In how this server was set up.",
            remedy: "Whoever runs it can give it a name, with --public-url.",
        }
    }

    /// Too many people log in at this moment.
    pub(crate) fn busy() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "Too many people are signing in",
            what: "The server checks as many passwords as it can right now.".to_owned(),
            whose: "In the server, or in someone who floods it.",
            remedy: "Try again in a few seconds.",
        }
    }

    /// The database does not answer.
    pub(crate) fn storage() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "The server cannot do this right now",
            what: "Its database does not answer, so nothing was done.".to_owned(),
            whose: "In this server.",
            remedy: "Try again in a moment. If it lasts, tell the operator the reference below.",
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::storage()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let reference = crate::random::id();
        tracing::warn!(
            reference,
            status = self.status.as_u16(),
            title = self.title,
            what = self.what,
            "an error page was shown"
        );
        let page = ProblemPage {
            title: self.title,
            what: &self.what,
            whose: self.whose,
            remedy: self.remedy,
            reference: &reference,
        };
        let answer = answer(self.status, &page, &FormTarget::None);
        let mut answer = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => retry_after(answer, AGAIN_AFTER),
            _ => answer,
        };
        answer.extensions_mut().insert(ShownProblem { reference, what: self.what });
        answer
    }
}

/// An error page that was shown, for the audit log. It goes along with the answer inside this server.
#[derive(Clone, Debug)]
pub(crate) struct ShownProblem {
    pub(crate) reference: String,
    pub(crate) what: String,
}

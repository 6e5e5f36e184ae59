//! What ends something is asked about first, on a page of its own: it works without scripts, and nobody ends an app by a
//! slip of the finger.

use axum::response::Response;
use hallpass_protocol::form::Parameters;
use http::StatusCode;

use super::Server;
use super::member::Member;
use crate::pages::{ConfirmPage, FormTarget, answer};

/// The field that only the page of the question has.
const CONFIRMED: &str = "confirmed";
const CSRF: &str = "csrf";

/// A question, and what a yes does.
pub(super) struct Question {
    pub(super) asks: String,
    /// What comes of it.
    pub(super) consequence: String,
    /// What the button says.
    pub(super) yes: &'static str,
    /// Whether something ends by it.
    pub(super) ends: bool,
}

impl Question {
    /// About something that ends.
    pub(super) fn ending(asks: String, consequence: impl Into<String>, yes: &'static str) -> Self {
        Self { asks, consequence: consequence.into(), yes, ends: true }
    }

    /// The page of the question. A yes sends the same form to this path once more; it is a form of the page `of`, where a no
    /// leads back to.
    pub(super) fn ask(
        self,
        server: &Server,
        member: &Member,
        form: &Parameters,
        path: &str,
        of: &str,
    ) -> Response {
        let again = form.iter().filter(|(name, _)| *name != CSRF && *name != CONFIRMED);
        let page = ConfirmPage {
            question: self.asks,
            consequence: self.consequence,
            yes: self.yes,
            ends: self.ends,
            action: server.path(path),
            back: server.path(of),
            csrf: member.form_token(of),
            fields: again.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };
        answer(StatusCode::OK, &page, &FormTarget::Own)
    }
}

/// Whether the form comes from the page of the question.
pub(super) fn is_confirmed(form: &Parameters) -> bool {
    form.get(CONFIRMED).ok().flatten() == Some("yes")
}

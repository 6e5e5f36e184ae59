//! The question before something is done that cannot simply be taken back.

use askama::Template;

#[derive(Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    pub(crate) question: String,
    /// What comes of it.
    pub(crate) consequence: String,
    /// What the button says.
    pub(crate) yes: &'static str,
    /// Whether something ends by it.
    pub(crate) ends: bool,
    pub(crate) action: String,
    /// Where a no leads.
    pub(crate) back: String,
    pub(crate) csrf: String,
    /// The form that is asked about, once more.
    pub(crate) fields: Vec<(String, String)>,
}

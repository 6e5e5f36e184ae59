//! Where servers act for a person.

use askama::Template;

/// Before somebody goes to a third party, so that servers may act for them there.
#[derive(Template)]
#[template(path = "acts.html")]
pub(crate) struct ActsPage {
    pub(crate) party: String,
    pub(crate) servers: Vec<String>,
    /// What is asked for there, in the third party's own words.
    pub(crate) scopes: Vec<String>,
    pub(crate) error: Option<String>,
    pub(crate) action: String,
    pub(crate) csrf: String,
    /// The hidden field that says what it is for.
    pub(crate) field: Option<(String, String)>,
    pub(crate) account: String,
    pub(crate) username: String,
}

/// A third party on the account page.
pub(crate) struct ActsLine {
    pub(crate) name: String,
    pub(crate) shown: String,
    /// Who acts there.
    pub(crate) servers: String,
    pub(crate) scopes: String,
    /// Since when it is linked, if it is.
    pub(crate) since: Option<String>,
    /// Where it can be.
    pub(crate) link: String,
}

/// What an app will have the server do elsewhere, on a page of consent.
pub(crate) struct ActsAt {
    pub(crate) party: String,
    pub(crate) scopes: String,
}

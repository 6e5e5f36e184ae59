//! The proof that someone has logged in.

use crate::browser::Browser;
use crate::random::digest;
use crate::store::Shown;

/// A person whose every factor was checked. Only this room makes one, and only one makes a session.
pub(crate) struct Authenticated {
    user_id: String,
    shown: Shown,
    known_browser: String,
}

impl Authenticated {
    pub(super) fn new(user_id: String, shown: Shown, known_browser: String) -> Self {
        Self { user_id, shown, known_browser }
    }

    pub(crate) fn user_id(&self) -> &str {
        &self.user_id
    }

    /// What the login rests on.
    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The mark of this person in this browser.
    pub(super) fn known_browser(&self) -> &str {
        &self.known_browser
    }
}

/// A person whose password was right, and whose second factor is missing. No session comes of it.
pub(crate) struct HalfAuthenticated {
    user_id: String,
    password_hash: String,
}

impl HalfAuthenticated {
    pub(super) fn new(user_id: String, password_hash: String) -> Self {
        Self { user_id, password_hash }
    }

    pub(super) fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The hash of the password that was right.
    pub(super) fn password_hash(&self) -> &str {
        &self.password_hash
    }
}

/// The mark of a person in a browser. It tells neither.
pub(super) fn mark(browser: &Browser, name_key: &str) -> String {
    digest(&format!("browser\0{}\0{name_key}", browser.token))
}

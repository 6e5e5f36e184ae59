//! Where a login leads: back to the authorization request that waits for it, or to one of this server's own pages.

use hallpass_protocol::form::Parameters;
use http::HeaderMap;
use url::form_urlencoded;

use super::Server;
use super::interaction::Interaction;
use crate::browser::{Browser, FormToken, came_from_here};
use crate::pages::Problem;

/// The pages that a login may lead to, with whatever is under them.
const OWN_PAGES: [&str; 4] = ["/account", "/acts", "/admin", "/device"];
/// The parameter that names one of them.
pub(super) const THEN: &str = "then";
/// The parameter or field that holds the token of a page.
pub(super) const CSRF: &str = "csrf";

/// Where a login leads.
pub(super) enum Destination {
    /// A client waits.
    Interaction(Box<Interaction>),
    /// A page of this server.
    Page(OwnPage),
}

/// A page of this server, with the browser that wants to go there.
pub(super) struct OwnPage {
    path: String,
    browser: Browser,
}

/// Under the issuer's own path, of plain characters: no other site can be spelled that way.
fn is_own_page(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?=&_-".contains(&byte);
    path.bytes().all(plain)
        && OWN_PAGES.iter().any(|page| {
            path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        })
}

impl Destination {
    /// What an address or a form names.
    pub(super) async fn of(
        server: &Server,
        headers: &HeaderMap,
        parameters: &Parameters,
    ) -> Result<Self, Problem> {
        match parameters.get(THEN).ok().flatten() {
            Some(path) if is_own_page(path) => {
                let browser = server.cookies.browser(headers);
                Ok(Self::Page(OwnPage { path: path.to_owned(), browser }))
            }
            Some(_) => Err(Problem::lost_interaction()),
            None => {
                Interaction::resume(server, headers, parameters).await.map(Box::new).map(Self::Interaction)
            }
        }
    }

    /// The same for a form: it has to come from here, with its token.
    pub(super) async fn of_form(
        server: &Server,
        headers: &HeaderMap,
        form: &Parameters,
        purpose: &str,
    ) -> Result<Self, Problem> {
        if !came_from_here(headers, server.settings.issuer.url()) {
            return Err(Problem::foreign_form());
        }
        let destination = Self::of(server, headers, form).await?;
        if destination.fits(purpose, form) { Ok(destination) } else { Err(Problem::foreign_form()) }
    }

    /// Whether these hold the token that a page of this browser had for that purpose.
    pub(super) fn fits(&self, purpose: &str, parameters: &Parameters) -> bool {
        let token = parameters.get(CSRF).ok().flatten();
        FormToken::new(self.browser(), None).fits(purpose, &self.subject(), token)
    }

    /// The token for a form on the way there. It is shown before there is a session, and perhaps in two tabs, so it
    /// depends on the browser alone.
    pub(super) fn issue_form_token(&self, purpose: &str) -> String {
        FormToken::new(self.browser(), None).issue(purpose, &self.subject())
    }

    pub(super) fn browser(&self) -> &Browser {
        match self {
            Self::Interaction(interaction) => &interaction.browser,
            Self::Page(page) => &page.browser,
        }
    }

    /// The hidden field that names it.
    pub(super) fn field(&self) -> (&'static str, String) {
        match self {
            Self::Interaction(interaction) => ("interaction", interaction.id.clone()),
            Self::Page(page) => (THEN, page.path.clone()),
        }
    }

    /// Notes the login where a client waits, and says where to go on.
    pub(super) async fn enter(&mut self, server: &Server, session: &str) -> Result<String, Problem> {
        match self {
            Self::Interaction(interaction) => {
                interaction.logged_in(server, session).await?;
                Ok(interaction.page(server, "/consent"))
            }
            Self::Page(page) => Ok(server.path(&page.path)),
        }
    }

    /// The address of a page on the way there.
    pub(super) fn page(&self, server: &Server, path: &str) -> String {
        let (name, value) = self.field();
        let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish();
        server.path(&format!("{path}?{query}"))
    }

    fn subject(&self) -> String {
        let (name, value) = self.field();
        format!("{name}={value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_led_to() {
        for own in [
            "/account",
            "/account/passkeys",
            "/admin/users?name=ada",
            "/device?user_code=ABCD-EFGH",
            "/acts/hub?user_code=ABCD-EFGH",
        ] {
            assert!(is_own_page(own), "{own}");
        }
        for foreign in [
            "",
            "account",
            "/",
            "//evil.example/account",
            "https://evil.example/account",
            "/accountant",
            "/account@evil.example",
            "/account\\evil",
            "/account/%2e%2e",
            "/account/../authorize",
            "/account#x",
            "/account\r\nx: y",
            "/authorize?client_id=x",
        ] {
            assert!(!is_own_page(foreign), "{foreign:?}");
        }
    }
}

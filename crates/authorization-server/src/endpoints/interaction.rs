//! An authorization request between its pages, tied to the browser that brought it.

use hallpass_protocol::form::Parameters;
use http::HeaderMap;

use super::Server;
use crate::browser::{Browser, FormToken, came_from_here};
use crate::checks::{AuthorizationRequest, Proven, prove_again};
use crate::pages::Problem;
use crate::random::{digest, id};
use crate::server::Inner;
use crate::settings::Resource;
use crate::store::StoreError;

/// So many wait for a login at once, each of some 10 KB at most. Beyond that the oldest make room: a flood costs honest
/// people their place in it, and the disk nothing.
const MOST_ANONYMOUS: i64 = 5_000;

/// A waiting request, in the right browser. Only [`Interaction::begin`] and [`Interaction::resume`] make one.
pub(crate) struct Interaction {
    pub(super) id: String,
    pub(crate) request: AuthorizationRequest,
    pub(crate) browser: Browser,
}

impl Interaction {
    /// Saves the request for this browser.
    pub(super) async fn begin(
        server: &Server,
        browser: Browser,
        request: AuthorizationRequest,
        logged_in: bool,
    ) -> Result<Self, StoreError> {
        let id = id();
        let ends = server.store.now().after(server.settings.lifetimes.interaction);
        let (browser_hash, json) = (digest(&browser.token), to_json(&request)?);
        server.store.insert_interaction(&id, &browser_hash, &json, logged_in, ends).await?;
        if !logged_in {
            server.store.bound_anonymous_interactions(MOST_ANONYMOUS, &id).await?;
        }
        Ok(Self { id, request, browser })
    }

    /// Finds the request that a page's address or a form names, if this browser brought it.
    pub(super) async fn resume(
        server: &Server,
        headers: &HeaderMap,
        parameters: &Parameters,
    ) -> Result<Self, Problem> {
        let id = parameters.get("interaction").ok().flatten();
        let id = id.ok_or_else(Problem::lost_interaction)?.to_owned();
        let browser = server.cookies.browser(headers);
        let found = server.store.find_interaction(&id, &digest(&browser.token)).await?;
        let request = found.ok_or_else(Problem::lost_interaction)?;
        Ok(Self { request: from_json(&request)?, id, browser })
    }

    /// The same for a form: it has to come from here, with its token.
    pub(super) async fn resume_form(
        server: &Server,
        headers: &HeaderMap,
        form: &Parameters,
        purpose: &str,
    ) -> Result<Self, Problem> {
        if !came_from_here(headers, server.settings.issuer.url()) {
            return Err(Problem::foreign_form());
        }
        let interaction = Self::resume(server, headers, form).await?;
        let token = form.get("csrf").ok().flatten();
        if !interaction.form_token(server, headers).fits(purpose, &interaction.id, token) {
            return Err(Problem::foreign_form());
        }
        Ok(interaction)
    }

    /// The token for a form of this interaction.
    pub(super) fn issue_form_token(&self, server: &Server, headers: &HeaderMap, purpose: &str) -> String {
        self.form_token(server, headers).issue(purpose, &self.id)
    }

    /// These forms belong to one login.
    fn form_token(&self, server: &Server, headers: &HeaderMap) -> FormToken {
        FormToken::new(&self.browser, server.cookies.session(headers).as_deref())
    }

    /// Notes that the person has just logged in, which began this session.
    pub(super) async fn logged_in(&mut self, server: &Server, session: &str) -> Result<(), StoreError> {
        self.request.note_login(digest(session));
        let request = to_json(&self.request)?;
        server.store.log_in_interaction(&self.id, &digest(&self.browser.token), &request).await
    }

    /// Ends it. One of several callers goes on.
    pub(crate) async fn finish(&self, server: &Inner) -> Result<(), Problem> {
        let browser = digest(&self.browser.token);
        match server.store.finish_interaction(&self.id, &browser).await? {
            true => Ok(()),
            false => Err(Problem::lost_interaction()),
        }
    }

    /// The client and its redirect URI, as they are now.
    pub(super) async fn proven(&self, server: &Server) -> Result<Proven, Problem> {
        prove_again(server, &self.request.client_id, &self.request.redirect_uri).await
    }

    /// The resources, as they are configured now; one at least.
    pub(super) fn resources<'a>(&self, server: &'a Server) -> Result<Vec<&'a Resource>, Problem> {
        let configured = self.request.resource.configured(&server.settings);
        if configured.is_empty() { Err(Problem::lost_interaction()) } else { Ok(configured) }
    }

    /// Where this interaction's page of that name is.
    pub(super) fn page(&self, server: &Server, path: &str) -> String {
        server.path(&format!("{path}?interaction={}", self.id))
    }
}

fn to_json(request: &AuthorizationRequest) -> Result<String, StoreError> {
    serde_json::to_string(request).map_err(|_| unreadable())
}

fn from_json(text: &str) -> Result<AuthorizationRequest, StoreError> {
    serde_json::from_str(text).map_err(|_| unreadable())
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "waiting authorization request" }
}

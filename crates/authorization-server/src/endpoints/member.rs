//! Someone who is logged in and looks after their own account, or after the server.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use http::HeaderMap;
use url::form_urlencoded;

use super::Server;
use super::destination::THEN;
use super::redirect::see_other;
use crate::browser::{Browser, FormToken, came_from_here};
use crate::login::current_session;
use crate::pages::Problem;
use crate::random::digest;
use crate::store::{SessionRow, StoreError};

/// How long after a login what is dangerous may be done without another one.
const RECENT: Duration = Duration::from_secs(10 * 60);

/// Who is logged in, and with which browser. Only a session makes one.
pub(super) struct Member {
    pub(super) session: SessionRow,
    pub(super) browser: Browser,
    token: String,
}

/// A member who has logged in a moment ago: nobody else has sat down at the browser since.
pub(super) struct Recent(Member);

/// A recent member who runs the server.
pub(super) struct Administrator(Recent);

/// Why a page is not shown.
pub(super) enum Away {
    /// A login comes first. It leads to the page of this path.
    Login(String),
    Problem(Problem),
}

impl From<Problem> for Away {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StoreError> for Away {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl Away {
    pub(super) fn into_response(self, server: &Server) -> Response {
        match self {
            Self::Login(path) => {
                let query = form_urlencoded::Serializer::new(String::new()).append_pair(THEN, &path).finish();
                see_other(&server.path(&format!("/login?{query}")))
            }
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl Member {
    /// Whoever opens the page of this path.
    pub(super) async fn of(server: &Server, headers: &HeaderMap, path: &str) -> Result<Self, Away> {
        let session = current_session(server, headers).await?;
        match (session, server.cookies.session(headers)) {
            (Some(session), Some(token)) => {
                Ok(Self { session, browser: server.cookies.browser(headers), token })
            }
            _ => Err(Away::Login(path.to_owned())),
        }
    }

    /// Whoever sends a form of the page of this path: it has to come from here, with the token of this login.
    pub(super) async fn of_form(
        server: &Server,
        headers: &HeaderMap,
        body: &[u8],
        path: &str,
    ) -> Result<(Self, Parameters), Away> {
        let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
        if !came_from_here(headers, server.settings.issuer.url()) {
            return Err(Problem::foreign_form().into());
        }
        let member = Self::of(server, headers, path).await?;
        match member.tokens().fits(path, "", form.get("csrf").ok().flatten()) {
            true => Ok((member, form)),
            false => Err(Problem::foreign_form().into()),
        }
    }

    /// The token for the forms of the page of this path.
    pub(super) fn form_token(&self, path: &str) -> String {
        self.tokens().issue(path, "")
    }

    /// The hash that this session's row goes by.
    pub(super) fn session_hash(&self) -> String {
        digest(&self.token)
    }

    /// Whether the login is so recent that dangerous things may be done.
    pub(super) fn is_recent(&self, server: &Server) -> bool {
        is_recent(server, &self.session)
    }

    /// Asks for another login where the last one is not recent; it leads to the page of this path.
    pub(super) fn recent(self, server: &Server, path: &str) -> Result<Recent, Away> {
        if self.is_recent(server) { Ok(Recent(self)) } else { Err(Away::Login(path.to_owned())) }
    }

    fn tokens(&self) -> FormToken {
        FormToken::new(&self.browser, Some(&self.token))
    }
}

/// The same of a login.
pub(super) fn is_recent(server: &Server, session: &SessionRow) -> bool {
    server.store.now() < session.authenticated_at.after(RECENT)
}

impl Recent {
    /// Whoever sends a form of the page of this path, a moment after a login.
    pub(super) async fn of_form(
        server: &Server,
        headers: &HeaderMap,
        body: &[u8],
        path: &str,
    ) -> Result<(Self, Parameters), Away> {
        let (member, form) = Member::of_form(server, headers, body, path).await?;
        Ok((member.recent(server, path)?, form))
    }

    pub(super) fn administrator(self) -> Result<Administrator, Away> {
        match self.0.session.is_admin {
            true => Ok(Administrator(self)),
            false => Err(Problem::not_an_admin().into()),
        }
    }
}

impl std::ops::Deref for Recent {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.0
    }
}

impl std::ops::Deref for Administrator {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.0.0
    }
}

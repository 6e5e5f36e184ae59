//! What is left when every check has passed.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::OAuthError;
use hallpass_protocol::pkce::CodeChallenge;
use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::resource::Resources;
use super::{Prompt, Proven, dpop_key, max_age, pkce, prompt, resource, response, scope, state};
use crate::grants::MustBind;
use crate::settings::Settings;
use crate::store::SessionRow;

/// An authorization request that may be put before its person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) state: Option<String>,
    pub(crate) challenge: CodeChallenge,
    pub(crate) resource: Resources,
    /// `offline_access` is among them if it was asked for and can be had.
    pub(crate) scopes: ScopeSet,
    /// Whether a refresh token comes with the first access token.
    pub(crate) refreshable: bool,
    pub(crate) prompt: Prompt,
    /// The thumbprint of the DPoP key that has to redeem the code (RFC 9449 §10).
    #[serde(default)]
    pub(crate) dpop_key: Option<String>,
    /// Whether the client shows more than its id at the token endpoint.
    #[serde(default)]
    pub(crate) confidential: bool,
    /// The earliest login that counts.
    #[serde(default)]
    pub(crate) earliest_login: Option<Timestamp>,
    /// The session (its hash) that began because the client wanted a new login: no other one counts then.
    #[serde(default)]
    pub(crate) new_login: Option<String>,
    /// What its tokens have to be bound to.
    #[serde(default)]
    pub(crate) must_bind: MustBind,
}

impl AuthorizationRequest {
    /// Whether this login counts: not while the client wants a new one (`prompt=login`), and not one that is too old
    /// (`max_age`). Once the new one is there, it alone does: by its name, since the clocks of replicas may differ.
    pub(crate) fn takes(&self, session: &SessionRow) -> bool {
        match &self.new_login {
            Some(new) => *new == session.token_hash,
            None => self.takes_login_of(session.authenticated_at),
        }
    }

    fn takes_login_of(&self, authenticated_at: Timestamp) -> bool {
        !self.prompt.login && self.earliest_login.is_none_or(|earliest| authenticated_at >= earliest)
    }

    /// Notes the session that has just begun for it.
    pub(crate) fn note_login(&mut self, session_hash: String) {
        if self.prompt.login || self.earliest_login.is_some() {
            self.new_login = Some(session_hash);
        }
    }
}

/// The table. Each line is one rule, in the order in which refusals are told.
pub(crate) fn check(
    parameters: &Parameters,
    proven: &Proven,
    settings: &Settings,
    now: Timestamp,
) -> Result<AuthorizationRequest, OAuthError> {
    let client = proven.client();
    state::check_length(parameters)?;
    response::check_type(parameters)?;
    response::check_mode(parameters)?;
    response::check_grant(client)?;
    response::check_no_request_object(parameters)?;
    let challenge = pkce::challenge(parameters)?;
    let resource = resource::requested(parameters, settings, client)?;
    let earliest_login = max_age::earliest_login(parameters, now)?;
    let mut prompt = prompt::requested(parameters)?;
    // OpenID Connect Core §3.1.2.1: `max_age=0` is `prompt=login`.
    prompt.login |= earliest_login == Some(now);
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        redirect_uri: proven.redirect().clone(),
        state: state::of(parameters).map(str::to_owned),
        challenge,
        scopes: scope::requested(parameters, &resource.configured(settings), client)?,
        resource,
        refreshable: client.may_refresh,
        prompt,
        dpop_key: dpop_key::named(parameters)?,
        confidential: !client.is_public(),
        earliest_login,
        new_login: None,
        must_bind: MustBind::of(&client.details),
    })
}

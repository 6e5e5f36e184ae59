//! The person's part: from an authorization server to a code that belongs to this login.

mod known;
mod push;
mod scope;

pub(crate) use scope::choose as choose_scope;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::{
    authorization::{AuthorizationResponse, AuthorizationResponseError, ExpectedResponse},
    pkce::{CodeVerifier, S256},
    scope::ScopeSet,
    secret::Secret,
};
use tokio::sync::oneshot;

use crate::{
    discover::AuthorizationServer,
    error::{Error, Rule, Step, printable},
    interaction::{AuthorizationRequest, LaunchUrl, Login},
    redeem::RedeemError,
    token_endpoint::Requester,
};

/// A code, and what is needed to redeem it. It has passed the checks of state and issuer.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) code: Secret,
    pub(crate) verifier: CodeVerifier,
    pub(crate) redirect_uri: String,
}

/// What is asked of the authorization server, and of the person there.
pub(crate) struct Ask<'a> {
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) requester: &'a Requester<'a>,
    pub(crate) resource: &'a str,
    pub(crate) scope: Option<&'a ScopeSet>,
    /// What the caller adds.
    pub(crate) added: &'a [(String, String)],
}

/// What is drawn for one request, and is good for that one alone.
struct Drawn {
    verifier: CodeVerifier,
    state: Secret,
}

impl Drawn {
    fn new() -> Self {
        Self {
            verifier: CodeVerifier::from_entropy(rand::random()),
            state: Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())),
        }
    }
}

impl Ask<'_> {
    /// Sends the person to the authorization server and checks what comes back. `sent` hears when that begins.
    pub(crate) async fn authorize(
        &self,
        login: Box<dyn Login>,
        sent: oneshot::Sender<()>,
    ) -> Result<Code, RedeemError> {
        let (drawn, redirect_uri) = (Drawn::new(), login.redirect_uri().to_owned());
        let url = self.endpoint()?;
        let parameters = self.parameters(&drawn, &redirect_uri);
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let url = match push::push(self.server, self.requester, &pairs).await? {
            Some(reference) => url.with_query(reference.iter().map(|(name, value)| (*name, value.as_str()))),
            None => url.with_query(pairs),
        };
        let Drawn { verifier, state } = drawn;
        let asked = login.finish(AuthorizationRequest { url, state: state.clone() });
        // Nothing else of this task runs before the login has begun.
        let _ = sent.send(());
        let query = asked.await;
        let query = query.map_err(Error::Interaction)?;
        let code = verified_code(self.server, &state, &query)?;
        Ok(Code { code, verifier, redirect_uri })
    }

    /// The authorization endpoint, where it may be opened.
    fn endpoint(&self) -> Result<LaunchUrl, Error> {
        let server = self.server;
        let endpoint =
            server.endpoint("authorization_endpoint", &server.metadata().authorization_endpoint)?;
        if !server.supports_s256() {
            return Err(misconfigured(server.issuer().as_str(), Rule::PkceUnsupported));
        }
        LaunchUrl::check(endpoint).map_err(|rule| misconfigured(endpoint, rule))
    }

    fn parameters<'a>(&'a self, drawn: &Drawn, redirect_uri: &str) -> Vec<(&'a str, String)> {
        let requester = self.requester;
        let challenge = drawn.verifier.challenge();
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", requester.client.client_id.clone()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("code_challenge", challenge.as_str().to_owned()),
            ("code_challenge_method", S256.to_owned()),
            ("state", drawn.state.expose().to_owned()),
        ];
        if !requester.profile().omit_resource {
            // RFC 8707 §2, here and at the token endpoint.
            parameters.push(("resource", self.resource.to_owned()));
        }
        parameters.extend(self.scope.map(|scope| ("scope", scope.to_string())));
        let (profile, metadata) = (requester.profile(), self.server.metadata());
        let needs_consent = self.scope.is_some_and(|scope| profile.needs_consent(scope, metadata));
        if needs_consent && !self.added.iter().any(|(name, _)| name == "prompt") {
            parameters.push(("prompt", "consent".to_owned()));
        }
        // The caller's own come before a profile's; neither replaces one of the specification's.
        let profiled = profile.authorization_parameters.iter().chain(&profile.offline_parameters);
        for (name, value) in self.added.iter().map(|(name, value)| (name, value)).chain(profiled) {
            if !parameters.iter().any(|(known, _)| known == name) {
                parameters.push((name, value.clone()));
            }
        }
        // RFC 9449 §10: a stolen code is of no use without the key either.
        parameters.extend(requester.key.map(|key| ("dpop_jkt", key.thumbprint())));
        parameters
    }
}

/// CVE-2026-42073: state and issuer come first, for an error as for a code. What does not belong to this
/// login is neither acted on nor shown.
fn verified_code(server: &AuthorizationServer, state: &Secret, query: &str) -> Result<Secret, Error> {
    let issuer = server.issuer();
    let expected = ExpectedResponse {
        state,
        issuer,
        iss_advertised: server.metadata().authorization_response_iss_parameter_supported,
    };
    let response = AuthorizationResponse::parse(query)
        .and_then(|response| response.verify(&expected))
        .map_err(|error| misconfigured(issuer.as_str(), rule_of(&error)))?;
    response.into_code().map_err(|denied| Error::Denied {
        issuer: issuer.to_string(),
        error: printable(denied.error.as_str()),
        description: denied.error_description,
    })
}

fn rule_of(error: &AuthorizationResponseError) -> Rule {
    use AuthorizationResponseError::{MissingIssuer, MissingState, WrongIssuer, WrongState};
    match error {
        MissingState | WrongState => Rule::State,
        MissingIssuer { .. } | WrongIssuer { .. } => Rule::ResponseIssuer(printable(&error.to_string())),
        _ => Rule::Malformed(printable(&error.to_string())),
    }
}

fn misconfigured(url: &str, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Authorize, url: printable(url), rule }
}

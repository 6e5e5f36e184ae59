//! The person's part: from an authorization server to a code that belongs to this login.

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

use crate::{
    discover::AuthorizationServer,
    dpop::DpopKey,
    error::{Error, Rule, Step, printable},
    interaction::{AuthorizationRequest, LaunchUrl, Login},
    token_endpoint::Requester,
};

/// A code, and what is needed to redeem it. It has passed the checks of state and issuer.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) code: Secret,
    pub(crate) verifier: CodeVerifier,
    pub(crate) redirect_uri: String,
}

/// Sends the person to the authorization server and checks what comes back.
pub(crate) async fn authorize(
    server: &AuthorizationServer,
    requester: &Requester<'_>,
    login: Box<dyn Login>,
    resource: &str,
    scope: Option<&ScopeSet>,
) -> Result<Code, Error> {
    let endpoint = server.endpoint("authorization_endpoint", &server.metadata().authorization_endpoint)?;
    if !server.supports_s256() {
        return Err(misconfigured(server.issuer().as_str(), Rule::PkceUnsupported));
    }
    let verifier = CodeVerifier::from_entropy(rand::random());
    let state = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let redirect_uri = login.redirect_uri().to_owned();
    let challenge = verifier.challenge();
    let needs_consent = scope.is_some_and(|scope| scope::needs_consent(scope, server.metadata()));
    let scope = scope.map(ScopeSet::to_string);
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", &requester.client.client_id),
        ("redirect_uri", &redirect_uri),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", S256),
        ("state", state.expose()),
        // RFC 8707 §2, here and at the token endpoint.
        ("resource", resource),
    ];
    parameters.extend(scope.as_deref().map(|scope| ("scope", scope)));
    parameters.extend(needs_consent.then_some(("prompt", "consent")));
    requester.drop_unwanted(&mut parameters);
    for (name, value) in &requester.profile().authorization_parameters {
        if !parameters.iter().any(|(known, _)| known == name) {
            parameters.push((name, value));
        }
    }
    // RFC 9449 §10: a stolen code is of no use without the key either.
    let thumbprint = requester.key.map(DpopKey::thumbprint);
    parameters.extend(thumbprint.as_deref().map(|thumbprint| ("dpop_jkt", thumbprint)));
    let url = LaunchUrl::check(endpoint).map_err(|rule| misconfigured(endpoint, rule))?;
    let url = match push::push(server, requester, &parameters).await? {
        Some(reference) => url.with_query(reference.iter().map(|(name, value)| (*name, value.as_str()))),
        None => url.with_query(parameters),
    };
    let query = login.finish(AuthorizationRequest { url, state: state.clone() }).await?;
    let code = verified_code(server, &state, &query)?;
    Ok(Code { code, verifier, redirect_uri })
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

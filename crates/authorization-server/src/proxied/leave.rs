//! From the page of consent to the provider. Whatever names the way back is made here, after the person has agreed (MCP
//! "OAuth State Parameter Validation").

use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::secret::Secret;

use super::asked::Asked;
use super::person::max_age;
use super::{CALLBACK_PATH, LEG, Proxied};
use crate::checks::{AuthorizationRequest, OFFLINE_ACCESS, Proven};
use crate::endpoints::{Interaction, ToClient, see_other};
use crate::pages::Problem;
use crate::provider::{AuthorizationRequest as AtProvider, Leg, LegKind, ProviderError};
use crate::server::Inner;
use crate::store::StoreError;

/// Ends the interaction, and sends the browser on.
pub(crate) async fn leave(
    server: &Inner,
    proxied: &Proxied,
    interaction: Interaction,
    proven: &Proven,
) -> Result<Response, Problem> {
    // While the provider does not answer, the page of consent stays good.
    let discovered = proxied.provider.discovered(server.store.now()).await.map_err(Problem::provider_away)?;
    let listed = discovered.metadata().scopes_supported.iter().flatten().any(|one| one == OFFLINE_ACCESS);
    interaction.finish(server).await?;
    let request = &interaction.request;
    let purpose = serde_json::to_string(request)
        .map_err(|_| StoreError::Unreadable { what: "waiting authorization request" })?;
    let browser = Secret::new(interaction.browser.token.clone());
    let leg = Leg::begin(&server.store, &browser, LEG, LegKind::HandOn, &purpose).await?;
    let to_client = ToClient::new(proven, request.state.as_deref(), &server.settings.issuer);
    match address(server, proxied, request, &leg, listed).await {
        Ok(url) => Ok(see_other(url.as_str())),
        Err(refused) => Ok(to_client.error(&refused)),
    }
}

async fn address(
    server: &Inner,
    proxied: &Proxied,
    request: &AuthorizationRequest,
    leg: &Leg,
    knows_offline_access: bool,
) -> Result<url::Url, OAuthError> {
    let gone = || OAuthError::new(ErrorCode::InvalidTarget, "the resource is not known here any more");
    let resource = proxied.resource(&request.resource).ok_or_else(gone)?;
    let mut asked = Asked::of(proxied, resource, &request.scopes);
    let profile = &proxied.provider.settings().profile;
    if request.refreshable && knows_offline_access && profile.offline_parameters.is_empty() {
        asked.scopes.extend(hallpass_protocol::scope::Scope::parse(OFFLINE_ACCESS));
    }
    let now = server.store.now();
    let age = max_age(request, now).map(|seconds| seconds.to_string());
    if request.prompt.login {
        asked.parameters.retain(|(name, _)| *name != "prompt");
        asked.parameters.push(("prompt", "login"));
    }
    asked.parameters.extend(age.as_deref().map(|age| ("max_age", age)));
    let with_identity = asked.scopes.contains("openid");
    let request = AtProvider {
        redirect_uri: &server.url(CALLBACK_PATH),
        state: &leg.state,
        verifier: &leg.verifier,
        nonce: with_identity.then_some(leg.nonce.as_str()),
        scopes: &asked.scopes,
        resource: asked.resource,
        offline: request.refreshable,
        extra: &asked.parameters,
    };
    proxied.provider.authorization_url(&request, now).await.map_err(|error| told(&error))
}

/// What a client hears of the provider's trouble: the code. The rest is for the log.
pub(super) fn told(error: &ProviderError) -> OAuthError {
    tracing::warn!(%error, "the provider was of no use");
    match error {
        ProviderError::Denied(said) => {
            let denied = matches!(said.error, ErrorCode::AccessDenied);
            let code = if denied { ErrorCode::AccessDenied } else { ErrorCode::ServerError };
            OAuthError::new(code, format!("the provider behind this server answered {}", said.error.as_str()))
        }
        error if error.is_outage() => OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "the provider behind this server does not answer; try again",
        ),
        _ => OAuthError::new(
            ErrorCode::ServerError,
            "the provider behind this server did not do what was asked; its operator finds the cause in the log",
        ),
    }
}

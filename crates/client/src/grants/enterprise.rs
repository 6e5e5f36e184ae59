//! An ID token becomes an identity assertion (SEP-990, "Token Exchange"; RFC 8693 §2.1).

use hallpass_protocol::{scope::ScopeSet, secret::Secret};
use serde::Deserialize;

use super::{Ask, denied};
use crate::{
    discover::AuthorizationServer,
    error::{Error, Rule, Step, printable},
    mode::{EnterpriseManaged, IdentityProvider},
    register,
    store::{Registration, TokenEndpointAuth},
    token_endpoint::{Means, Requester, choose_auth},
};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// RFC 8693 §2.2.1. `access_token` is a name from other times: it holds the assertion.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Secret,
    issued_token_type: String,
}

/// The identity assertion for the authorization server that `requester` speaks to.
pub(super) async fn identity_assertion(
    mode: &EnterpriseManaged,
    requester: &Requester<'_>,
    ask: &Ask<'_>,
) -> Result<Secret, Error> {
    let provider = &mode.identity_provider;
    let (endpoint, auth) = endpoint(provider, requester).await?;
    let misconfigured = |rule| Error::Misconfigured { step: Step::Exchange, url: endpoint.clone(), rule };
    let id_token = mode.id_token.read().await.map_err(misconfigured)?;
    let client = Registration {
        client_id: provider.client.client_id.clone(),
        client_secret: provider.client.authentication.secret().cloned(),
        secret_expires_at: None,
        auth,
        redirect_uris: Vec::new(),
    };
    let at_provider = Requester {
        client: &client,
        issuer: provider.issuer.as_str(),
        signer: provider.client.authentication.signer().map(AsRef::as_ref),
        // What is bound to a key is the access token, not the assertion.
        key: None,
        bound: false,
        shows_certificate: auth.is_by_certificate(),
        ..*requester
    };
    let scope = ask.scope.map(ScopeSet::to_string);
    let mut exchange = vec![
        ("grant_type", TOKEN_EXCHANGE),
        ("requested_token_type", ID_JAG),
        ("audience", requester.issuer),
        ("resource", ask.resource),
        ("subject_token", id_token.expose()),
        ("subject_token_type", ID_TOKEN),
    ];
    exchange.extend(scope.as_deref().map(|scope| ("scope", scope)));
    let exchanged: Exchanged = at_provider
        .answered(Step::Exchange, &endpoint, &exchange)
        .await
        .map_err(|error| denied(provider.issuer.as_str(), error))?;
    // RFC 8693 §2.2.1. An access token of the identity provider, sent on, would be a gift to the other server.
    if exchanged.issued_token_type != ID_JAG {
        return Err(misconfigured(Rule::NotAnIdentityAssertion(printable(&exchanged.issued_token_type))));
    }
    Ok(exchanged.access_token)
}

/// The provider's token endpoint, as configured or as published, and how the client authenticates there.
async fn endpoint(
    provider: &IdentityProvider,
    requester: &Requester<'_>,
) -> Result<(String, TokenEndpointAuth), Error> {
    let authentication = &provider.client.authentication;
    let means = register::means(authentication);
    if let Some(endpoint) = &provider.token_endpoint {
        return Ok((
            endpoint.clone(),
            choose_auth(&hallpass_protocol::AuthorizationServerMetadata::default(), means)?,
        ));
    }
    let server =
        AuthorizationServer::find(requester.fetcher, provider.issuer.as_str(), requester.profiles).await?;
    let server = server.for_certificate(matches!(means, Means::Certificate));
    let endpoint = server.endpoint("token_endpoint", &server.metadata().token_endpoint)?.to_owned();
    Ok((endpoint, choose_auth(server.metadata(), means)?))
}

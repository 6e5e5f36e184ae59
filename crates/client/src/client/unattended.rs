//! Tokens without a person: discover, then the grant that the caller named, and no other.

use std::sync::Arc;

use hallpass_protocol::{challenge::Challenge, issuer::Issuer};

use super::{Inner, Want, Wish};
use crate::{
    authorize,
    discover::{self, AuthorizationServer},
    dpop::{self, DpopUse},
    error::{Error, Rule, Step},
    grants, issued,
    mode::MachineClient,
    register,
    store::{AccountKey, Document, Registration},
    token_endpoint::choose_auth,
};

impl Inner {
    /// One token by the mode's grant. Not repeated here when it is refused.
    pub(super) async fn obtain_unattended(
        self: &Arc<Self>,
        wish: &Wish,
        challenge: Option<&Challenge>,
        document: &Document,
    ) -> Result<(), Error> {
        let Some((client, bound_to, scope)) = self.mode.machine() else {
            return Err(self.nobody_there(wish));
        };
        let preferred = bound_to.map(Issuer::as_str);
        let found =
            discover::discover(&self.fetcher, &self.server, challenge, &self.choice(preferred)).await?;
        let server = &found.authorization_server;
        self.check_bound(bound_to, server)?;
        let registration = registration(client, server)?;
        let token_endpoint = server.endpoint("token_endpoint", &server.metadata().token_endpoint)?.to_owned();
        let binding = dpop::binding(self.dpop, &found, challenge)?;
        let dpop_key = binding.key().map_err(|rule| misconfigured(&token_endpoint, rule))?;

        let key = AccountKey { issuer: server.issuer().to_string(), resource: found.resource.clone() };
        let before = self.asked_before(document, &key);
        let challenged = challenge.and_then(Challenge::scope);
        // `offline_access` is for refresh tokens, and a client that needs nobody needs none (RFC 6749 §4.4.3).
        let no_offers = hallpass_protocol::AuthorizationServerMetadata::default();
        let named = scope.filter(|_| matches!(wish.want, Want::Token { .. })).or(challenged.as_ref());
        let supported = found.scopes_supported.as_ref();
        let scope = authorize::choose_scope(named, supported, &before, &no_offers);

        let requester = self.requester(&registration, &key.issuer, dpop_key.as_ref(), binding);
        let ask = grants::Ask { resource: &key.resource, scope: scope.as_ref() };
        let tokens = grants::tokens(&self.mode, &requester, &token_endpoint, &ask).await?;
        let login = issued::Login {
            key,
            server: self.server.to_string(),
            account: self.account_name.clone(),
            client: registration,
            token_endpoint,
            revocation_endpoint: server.metadata().revocation_endpoint.clone(),
            requested: scope.unwrap_or_default(),
            dpop_key,
            bearer_only: self.dpop == DpopUse::Never,
        };
        self.keep(issued::logged_in(login, tokens, self.clock.now()), document).await
    }

    /// MCP 2026-07-28, "Authorization Server Binding": a server that names another authorization server than the one
    /// that the credentials are for gets none of them. A slash makes another, unless the provider's profile says otherwise.
    fn check_bound(&self, bound_to: Option<&Issuer>, server: &AuthorizationServer) -> Result<(), Error> {
        let found = server.issuer();
        match bound_to {
            Some(bound) if !self.profiles.of(bound.as_str()).same_issuer(found.as_str(), bound.as_str()) => {
                Err(Error::Misconfigured {
                    step: Step::Register,
                    url: found.to_string(),
                    rule: Rule::ClientOfAnotherIssuer { bound: bound.to_string(), found: found.to_string() },
                })
            }
            _ => Ok(()),
        }
    }
}

fn registration(client: &MachineClient, server: &AuthorizationServer) -> Result<Registration, Error> {
    let authentication = &client.authentication;
    let means = register::means(authentication);
    Ok(Registration {
        client_id: client.client_id.clone(),
        client_secret: authentication.secret().cloned(),
        secret_expires_at: None,
        auth: choose_auth(server.metadata(), means)?,
        redirect_uris: Vec::new(),
    })
}

fn misconfigured(url: &str, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Redeem, url: url.to_owned(), rule }
}

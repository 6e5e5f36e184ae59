//! A person logs in: discover, register, authorize, redeem, store.

use std::{borrow::Cow, sync::Arc};

use hallpass_protocol::{challenge::Challenge, issuer::Issuer, token::TokenResponse};
use tokio::sync::oneshot;

use super::{Inner, Want, Wish, step_up};
use crate::{
    authorize::{self, Ask},
    device::{self, DeviceRequest},
    discover::{self, Discovery},
    dpop::{self, DpopUse},
    error::{Error, Step},
    interaction::Login,
    issued,
    redeem::{self, RedeemError},
    register::{self, Identity, Preregistered, Registered, Source},
    store::{AccountKey, Document, Registration},
};

impl Inner {
    /// One login. A client id that was kept from an earlier time and is not known any more is replaced, once.
    pub(super) async fn log_in(
        self: &Arc<Self>,
        wish: &Wish,
        challenge: Option<&Challenge>,
        document: &Document,
    ) -> Result<(), Error> {
        if self.mode.machine().is_some() {
            return self.obtain_unattended(wish, challenge, document).await;
        }
        if !(wish.attended && self.interaction.attended()) {
            return Err(self.nobody_there(wish));
        }
        if let Want::Scopes { scopes, operation } = &wish.want {
            let (server, account) =
                (self.server.as_str(), document.current(self.server.as_str(), &self.account_name));
            self.step_ups.ensure_not_withheld(operation, server, scopes, account)?;
            self.step_ups.count(operation, server, scopes)?;
        }
        let bound = self.identity.preregistered.as_ref().map(|client| client.issuer.as_str());
        let mut found =
            discover::discover(&self.fetcher, &self.server, challenge, &self.choice(bound)).await?;
        if self.interaction.device_only() {
            found.public_client_id = None;
        }
        let server = &found.authorization_server;
        let issuer = server.issuer().to_string();
        let token_endpoint = server.endpoint("token_endpoint", &server.metadata().token_endpoint)?.to_owned();

        let key = AccountKey { issuer, resource: found.resource.clone() };
        let challenged = challenge.and_then(Challenge::scope);
        let scope = authorize::choose_scope(
            challenged.as_ref(),
            found.scopes_supported.as_ref(),
            &self.asked_before(document, &key).union(&self.scopes),
            server.metadata(),
        );
        let dpop = self.dpop_wanted(document, &found);
        let binding = dpop::binding(dpop, &found, challenge)?;
        let dpop_key = binding.key().map_err(|rule| Error::Misconfigured {
            step: Step::Authorize,
            url: token_endpoint.clone(),
            rule,
        })?;

        let mut added = self.authorization_parameters.clone();
        added.retain(|(name, _)| name != "max_age" || !challenge.is_some_and(step_up::wants_new_login));
        added.extend(step_up::login_parameters(challenge));
        let (mut stored, mut is_replaced) = (document.registration(&key.issuer).cloned(), false);
        let (client, tokens) = loop {
            let (login, client) = self.client_for(&found, stored.as_ref()).await?;
            let requester = self.requester(&client.registration, &key.issuer, dpop_key.as_ref(), binding);
            let asked = DeviceRequest {
                server,
                requester: &requester,
                token_endpoint: &token_endpoint,
                resource: &key.resource,
                scope: scope.as_ref(),
            };
            // A server that has forgotten one may forget the next as fast.
            let is_doubtful = is_replaced || client.source == Source::Stored;
            match self.tokens(&asked, &added, login, client.source, is_doubtful).await {
                Ok(tokens) => break (client.registration, tokens),
                Err(RedeemError::Failed(error)) => return Err(error),
                Err(RedeemError::UnknownClient(error)) => {
                    let (issuer, id) = (key.issuer.clone(), client.registration.client_id);
                    self.update(move |document| document.forget_registration(&issuer, &id)).await?;
                    if client.source != Source::Stored {
                        return Err(error);
                    }
                    tracing::info!(%error, "this client is registered anew");
                    (stored, is_replaced) = (None, true);
                }
            }
        };
        let login = issued::Login {
            key,
            server: self.server.to_string(),
            account: self.account_name.clone(),
            client,
            token_endpoint,
            revocation_endpoint: server.metadata().revocation_endpoint.clone(),
            requested: scope.unwrap_or_default(),
            dpop_key,
            bearer_only: dpop == DpopUse::Never,
        };
        self.keep(issued::logged_in(login, tokens, self.clock.now()), document).await
    }

    /// Who asked for plain tokens once keeps getting them, where the server does not insist on others.
    fn dpop_wanted(&self, document: &Document, found: &Discovery) -> DpopUse {
        let current = document.current(self.server.as_str(), &self.account_name);
        match self.dpop {
            DpopUse::WhenAsked
                if !found.dpop_required && current.is_some_and(|account| account.bearer_only) =>
            {
                DpopUse::Never
            }
            wanted => wanted,
        }
    }

    /// Who this client is at that authorization server.
    fn identity_at(&self, issuer: &Issuer) -> Cow<'_, Identity> {
        match &self.client_id {
            Some(client_id) if self.identity.preregistered.is_none() => {
                let (issuer, client_id) = (issuer.clone(), client_id.clone());
                let here = Preregistered { issuer, client_id, client_secret: None };
                Cow::Owned(Identity { preregistered: Some(here), ..self.identity.clone() })
            }
            _ => Cow::Borrowed(&self.identity),
        }
    }

    /// A place for the answer, and a client id that fits it; one that is new is kept.
    async fn client_for(
        self: &Arc<Self>,
        found: &Discovery,
        stored: Option<&Registration>,
    ) -> Result<(Box<dyn Login>, Registered), Error> {
        let known = stored.map(|known| known.redirect_uris.as_slice()).unwrap_or_default();
        let login = self.interaction.begin(known).await?;
        let (now, identity) = (self.clock.now(), self.identity_at(found.authorization_server.issuer()));
        let client = register::register(
            &self.fetcher,
            found,
            &identity,
            &self.profiles,
            stored,
            login.redirect_uri(),
            now,
        )
        .await?;
        if client.source == Source::New {
            let issuer = found.authorization_server.issuer().to_string();
            let registration = client.registration.clone();
            self.update(move |document| document.put_registration(&issuer, registration.clone())).await?;
        }
        Ok((login, client))
    }

    /// The person's part, and what follows from it.
    async fn tokens(
        &self,
        asked: &DeviceRequest<'_>,
        added: &[(String, String)],
        login: Box<dyn Login>,
        source: Source,
        is_doubtful: bool,
    ) -> Result<TokenResponse, RedeemError> {
        if self.interaction.device_only() {
            return asked.only(&*self.interaction).await;
        }
        let ask = Ask {
            server: asked.server,
            requester: asked.requester,
            resource: asked.resource,
            scope: asked.scope,
            added,
        };
        // Nothing ties a device to the one who asked: with a stranger's id, the page would ask in that client's name.
        let may_use_device = source != Source::Published;
        if is_doubtful {
            ask.ensure_client_is_known(login.redirect_uri()).await?;
        }
        // The browser's line comes first, and the code for other devices after it.
        let (sent, was_sent) = oneshot::channel();
        let by_browser = async {
            let code = ask.authorize(login, sent).await?;
            redeem::redeem(asked.requester, asked.token_endpoint, &code, asked.resource).await
        };
        let by_device = async {
            was_sent.await.ok()?;
            let tokens = if may_use_device { asked.tokens(&*self.interaction).await } else { None };
            tokens.map(|tokens| tokens.map_err(RedeemError::Failed))
        };
        device::first_of(by_browser, by_device).await
    }
}

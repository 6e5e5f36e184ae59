//! The transaction that brings a token: lock, look again, refresh or log in, store, show.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use hallpass_protocol::{challenge::Challenge, issuer::Issuer, scope::ScopeSet, secret::Secret};

use super::{InUse, Inner, Known, Outcome, Want, Wish};
use crate::{
    discover::Choice,
    dpop::{Binding, DpopKey},
    error::{Error, Step},
    mode::ClientAuthentication,
    refresh::{self, RefreshError},
    store::{Account, AccountKey, Document, Registration, StoreError, StoreLock},
    token_endpoint::Requester,
};

/// A token that ends within this time is renewed before it is sent: it could end on the way.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long to wait between looks at a lock that another process holds.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// After how many looks a person is told what is waited for: after a second. A refresh is done by then.
const LOOKS_IN_SILENCE: u32 = 20;

/// How long something unattended waits for that lock: longer than a refresh takes, and not as long as a login.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// How long a request waits for the renewal of a token that has not ended yet. Another task of this process may
/// be asking a person meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

impl Inner {
    /// The login to send with, refreshed if its token is about to end. Nobody is asked to log in at this point:
    /// only the server's refusal says that it is necessary, and how it is done.
    pub(super) async fn account_for_request(self: &Arc<Self>) -> Result<Option<Arc<InUse>>, Error> {
        self.save_now_and_then().await;
        let Some(account) = self.account().await? else { return Ok(None) };
        let is_renewable = account.refresh_token.is_some() || self.mode.machine().is_some();
        if !self.is_ending(&account) || !is_renewable {
            return Ok(Some(account));
        }
        let sent = Some(account.access_token.clone());
        let wish = Wish { sent, want: Want::Token { login: false }, attended: false };
        // It goes on in a task of its own, and so may be left alone.
        match tokio::time::timeout(PATIENCE, self.obtain(wish, None)).await {
            Ok(Ok(_)) => self.account().await,
            // The old token may still do, by the server's clock; if not, its 401 leads on from here.
            Err(_)
            | Ok(Err(Error::Transient { .. } | Error::RefreshRejected { .. } | Error::LoginNeeded { .. })) => {
                Ok(Some(account))
            }
            Ok(Err(error)) => Err(error),
        }
    }

    /// The login in use, from memory or, once, from the store.
    pub(super) async fn account(self: &Arc<Self>) -> Result<Option<Arc<InUse>>, Error> {
        if let Known::Read(account) = &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(account.clone());
        }
        let document = self.read().await?;
        Ok(self.learn(document.current(self.server.as_str(), &self.account_name).cloned()))
    }

    /// Whether memory holds another token than `sent`, which is then to be tried first.
    pub(super) fn has_newer_than(&self, sent: Option<&Secret>) -> bool {
        match &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
            Known::Read(Some(account)) => Some(&account.access_token) != sent && !self.is_ending(account),
            _ => false,
        }
    }

    pub(super) fn learn(&self, account: Option<Account>) -> Option<Arc<InUse>> {
        let account = account.map(InUse::new).map(Arc::new);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::Read(account.clone());
        account
    }

    fn is_ending(&self, account: &Account) -> bool {
        account.expires_at.is_some_and(|end| end <= self.clock.now().after(LEEWAY))
    }

    /// Grants a wish. Holds the server's lock, so that of all tasks and processes one does this; the others
    /// find its result in the store.
    pub(super) async fn grant(
        self: Arc<Self>,
        wish: Wish,
        challenge: Option<Challenge>,
    ) -> Result<Outcome, Error> {
        // A person waits for another process's login at the browser, and so gets by without one of their own.
        // What runs unattended does not.
        let _lock = match wish.attended {
            true => self.lock(self.interaction.attended()).await?,
            false => self.lock_for_now().await?.ok_or_else(|| self.busy())?,
        };
        let unsaved = self.save_again().await;
        let document = self.read().await?;
        let stored = unsaved.as_ref().or_else(|| document.current(self.server.as_str(), &self.account_name));
        if let Some(newer) = stored.filter(|account| self.grants(account, &wish)) {
            self.learn(Some(newer.clone()));
            return Ok(Outcome::Adopted);
        }
        if let (Want::Token { login: false }, Some(account)) = (&wish.want, stored)
            && account.refresh_token.is_some()
            && self.refreshed(account, wish.attended).await?
        {
            return Ok(Outcome::Refreshed);
        }
        // A refused refresh may have taken the registration with it.
        let document = self.read().await?;
        self.log_in(&wish, challenge.as_ref(), &document).await?;
        Ok(Outcome::LoggedIn)
    }

    /// Whether a stored account is what is wished for: someone else was faster.
    fn grants(&self, account: &Account, wish: &Wish) -> bool {
        let enough = match &wish.want {
            Want::Token { .. } => true,
            Want::Scopes { scopes, .. } => scopes.is_subset(&account.granted),
        };
        enough && Some(&account.access_token) != wish.sent.as_ref() && !self.is_ending(account)
    }

    /// Refreshes and stores. `false`: a login is needed, and is possible.
    async fn refreshed(self: &Arc<Self>, account: &Account, attended: bool) -> Result<bool, Error> {
        self.rest.ensure_over(&account.token_endpoint, self.clock.now())?;
        let mut requester =
            self.requester(&account.client, &account.key.issuer, account.dpop_key.as_ref(), Binding::None);
        requester.bound = account.dpop_key.is_some();
        let refused = match refresh::refresh(&requester, account).await {
            Ok(renewed) => return self.keep_renewed(renewed, account).await.map(|()| true),
            Err(RefreshError::Failed(error)) => {
                return Err(self.rest.noted(&account.token_endpoint, error, self.clock.now()));
            }
            Err(RefreshError::TokenDead(why)) => {
                self.unsaved.forget();
                if let Some(dead) = account.refresh_token.clone() {
                    let of = account.clone();
                    // First, since the store may fail: a dead token is not sent again.
                    self.learn(Some(Account { refresh_token: None, ..account.clone() }));
                    self.update(move |document| document.forget_refresh_token(&of, &dead)).await?;
                }
                why
            }
            Err(RefreshError::ClientDead(why)) => {
                let (issuer, id) = (account.key.issuer.clone(), account.client.client_id.clone());
                self.update(move |document| document.forget_registration(&issuer, &id)).await?;
                why
            }
            Err(RefreshError::Refused(why)) => why,
        };
        if attended && self.interaction.attended() {
            return Ok(false);
        }
        Err(Error::RefreshRejected {
            server: self.server.to_string(),
            issuer: account.key.issuer.clone(),
            error: refused,
            command: self.login_command.clone(),
        })
    }

    /// Which authorization server to take, where there is a choice.
    pub(super) fn choice<'a>(&'a self, bound: Option<&'a str>) -> Choice<'a> {
        let named = self.authorization_server.as_ref().map(Issuer::as_str);
        let by_certificate = match self.mode.machine() {
            Some((client, ..)) => matches!(client.authentication, ClientAuthentication::Certificate),
            None => self.identity.authenticates_by_certificate(),
        };
        Choice { preferred: bound.or(named), assumed: named, by_certificate, profiles: &self.profiles }
    }

    /// Who asks an authorization server for a client.
    pub(super) fn requester<'a>(
        &'a self,
        client: &'a Registration,
        issuer: &'a str,
        key: Option<&'a DpopKey>,
        binding: Binding,
    ) -> Requester<'a> {
        let own = self.mode.machine().map(|(client, ..)| client.authentication.signer());
        Requester {
            fetcher: &self.fetcher,
            client,
            issuer,
            profiles: &self.profiles,
            signer: own.unwrap_or(self.identity.signer.as_ref()).map(AsRef::as_ref),
            key,
            bound: binding == Binding::Required,
            shows_certificate: true,
            nonces: &self.nonces,
            clock: &self.clock,
        }
    }

    /// MCP 2026-07-28, "Step-Up Authorization Flow": what was asked for stays asked for. Scopes of another
    /// issuer mean nothing here.
    pub(super) fn asked_before(&self, document: &Document, key: &AccountKey) -> ScopeSet {
        let current =
            document.current(self.server.as_str(), &self.account_name).filter(|account| account.key == *key);
        current.map(|account| account.requested.clone()).unwrap_or_default()
    }

    fn busy(&self) -> Error {
        Error::Transient {
            step: Step::Refresh,
            url: self.server.to_string(),
            detail: "another login or refresh for this server is under way".into(),
            retry_after: None,
        }
    }

    pub(super) fn nobody_there(&self, wish: &Wish) -> Error {
        match &wish.want {
            Want::Token { .. } if wish.sent.is_none() => self.login_needed("no login is stored"),
            Want::Token { .. } => self.login_needed("the stored login has ended"),
            Want::Scopes { scopes, operation } => Error::ScopesNeeded {
                server: self.server.to_string(),
                operation: operation.clone(),
                scopes: scopes.clone(),
                reason: "a person has to agree to it, and nobody may be asked here".into(),
            },
        }
    }

    pub(super) fn login_needed(&self, reason: &'static str) -> Error {
        let (server, command) = (self.server.to_string(), self.login_command.clone());
        Error::LoginNeeded { server, reason, command }
    }

    /// Keeps a new login, in place of the one in `document`.
    pub(super) async fn keep(self: &Arc<Self>, account: Account, document: &Document) -> Result<(), Error> {
        let replaced = document.current(self.server.as_str(), &self.account_name);
        let replaced = replaced.map(|account| account.access_token.clone());
        let put = |document: &mut Document, account| {
            document.put(account);
            true
        };
        self.store_login(account, replaced, put).await.map(drop)
    }

    /// Logins of different names at one server do not wait for each other.
    fn lock_name(&self) -> String {
        match self.account_name.as_str() {
            "" => self.server.to_string(),
            name => format!("{name}@{}", self.server),
        }
    }

    /// As [`keep`](Self::keep), for a login that someone may have ended in the meantime.
    async fn keep_renewed(self: &Arc<Self>, renewed: Account, old: &Account) -> Result<(), Error> {
        let (own, before) = (Arc::clone(self), old.access_token.clone());
        let renew = move |document: &mut Document, renewed| own.renew_stored(document, &before, renewed);
        if self.store_login(renewed, Some(old.access_token.clone()), renew).await? {
            return Ok(());
        }
        Err(self.login_needed("the login was ended meanwhile"))
    }

    /// Waits for this server's lock, but not for ever: who holds it may be waiting for a person.
    pub(super) async fn lock_for_now(self: &Arc<Self>) -> Result<Option<StoreLock>, Error> {
        match tokio::time::timeout(LOCK_PATIENCE, self.lock(false)).await {
            Ok(held) => held.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Waits for this server's lock, without a thread that hangs in the kernel meanwhile; tells the person why.
    async fn lock(self: &Arc<Self>, tells: bool) -> Result<StoreLock, Error> {
        let mut looks = 0_u32;
        loop {
            let held = self.blocking(|inner| inner.store.try_lock(&inner.lock_name())).await?;
            if let Some(lock) = held {
                return Ok(lock);
            }
            looks = looks.saturating_add(1);
            if tells && looks == LOOKS_IN_SILENCE {
                self.interaction.show_waiting(self.server.as_str());
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    pub(super) async fn read(self: &Arc<Self>) -> Result<Document, Error> {
        self.blocking(|inner| inner.store.read()).await
    }

    pub(super) async fn update(
        self: &Arc<Self>,
        mut change: impl FnMut(&mut Document) + Send + 'static,
    ) -> Result<(), Error> {
        self.blocking(move |inner| inner.store.update(&mut change)).await
    }

    /// Stores work with files and keyrings, which block.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|_| Error::Interrupted)?.map_err(Error::Store)
    }
}

//! Certificates, one after the other, while the program runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hallpass_gateway::listen::Tls;
use hallpass_protocol::{Clock, Secret, Timestamp};
use instant_acme::{Account, AccountCredentials, NewAccount, RetryPolicy};
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::seen::{Seen, seen_all};
use super::due::{Failed, Lifetime, due};
use super::kept::{Issued, Kept};
use super::order::{OrderFault, order};
use super::peer::Peer;
use super::plan::AcmePlan;
use crate::config;
use crate::say::note;

/// The clock is looked at this often, since it may have been set, and so are the files of those who issue clients' certificates.
const LOOK: Duration = Duration::from_secs(2);
/// How long one certificate may take.
const LONGEST: Duration = Duration::from_secs(600);

/// A certificate that hallpass gets by itself.
pub(in crate::serve) struct Acme {
    plan: AcmePlan,
    peer: Peer,
    kept: Kept,
    pub(super) tls: config::Tls,
    /// The files that it names, as they were when they were read last.
    seen: Vec<Seen>,
    serves: Tls,
    clock: Clock,
    pub(super) patience: RetryPolicy,
    /// Of the one that is served, if it is for all names.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) failed: Option<Failed>,
    jitter: f64,
}

impl Acme {
    /// Serves the certificate that is kept, if there is one.
    pub(in crate::serve) fn begin(
        plan: AcmePlan,
        (tls, serves): (config::Tls, Tls),
        data: &Path,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let kept = Kept::in_folder(data, &plan.directory)?;
        let peer = Peer::at(&plan.directory, &plan.trusted)?;
        let patience = RetryPolicy::default().timeout(Duration::from_secs(120));
        let jitter = rand::rng().random();
        let seen = seen_all(&tls.files());
        let (lifetime, failed) = (None, None);
        let mut acme =
            Self { plan, peer, kept, tls, seen, serves, clock, patience, lifetime, failed, jitter };
        if let Some(issued) = acme.kept.certificate()? {
            match acme.tls.with(&issued.chain, issued.key.expose()) {
                Ok(new) => acme.serve(&issued, &new),
                Err(fault) => {
                    tracing::warn!(%fault, "the certificate that is kept cannot be used; another is got")
                }
            }
        }
        Ok(acme)
    }

    /// Gets one whenever it is time, and after a failure at once when somebody asks, until `stop`.
    pub(in crate::serve) async fn follow(mut self, asked: Arc<Notify>, stop: CancellationToken) {
        loop {
            let wait = self.clock.now().until(self.due());
            if wait.is_zero() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.get() => {}
                }
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait.min(LOOK)) => {
                    self.read_again(false);
                }
                () = asked.notified() => {
                    self.failed = None;
                    self.read_again(true);
                }
            }
        }
    }

    /// Nothing failed. But one that is due as it comes, by this clock, must not be ordered again and again.
    pub(super) fn came(&mut self) {
        self.failed = None;
        let now = self.clock.now();
        self.failed = (self.due() <= now).then_some(Failed { at: now, times: 1, limited: true });
    }

    /// What clients are asked for, where one of its files has changed or somebody asks: an authority that is taken out is out.
    /// Says whether it counts from now on.
    pub(super) fn read_again(&mut self, asked: bool) -> bool {
        let now = seen_all(&self.tls.files());
        if now == self.seen && !asked {
            return false;
        }
        self.seen = now;
        let Ok(Some(issued)) = self.kept.certificate() else { return false };
        match self.tls.with(&issued.chain, issued.key.expose()) {
            Ok(new) => {
                self.serves.renew(&new);
                true
            }
            Err(fault) => {
                tracing::error!(%fault, "what clients are asked for cannot be read; what was read before holds");
                false
            }
        }
    }

    pub(super) fn due(&self) -> Timestamp {
        due(self.lifetime, self.failed, self.jitter)
    }

    /// Tries once, and tells what came of it.
    pub(super) async fn get(&mut self) {
        let got = match timeout(LONGEST, self.renewed()).await {
            Ok(got) => got,
            Err(_) => Err(OrderFault::TooLong),
        };
        self.jitter = rand::rng().random();
        let names = self.plan.names.join(", ");
        match got {
            Ok(until) => {
                self.came();
                note(format_args!(
                    "New connections get a new certificate for {names}, good until {}.",
                    until.to_utc()
                ));
            }
            Err(fault) => {
                let now = self.clock.now();
                let times = self.failed.map_or(1, |failed| failed.times.saturating_add(1));
                self.failed = Some(Failed { at: now, times, limited: fault.is_limited() });
                let meanwhile = match self.lifetime {
                    Some(_) => "the former one is served on",
                    None => "until there is one, nobody can connect",
                };
                let next = self.due().to_utc();
                tracing::error!(%fault, next, "no certificate for {names}; {meanwhile}");
            }
        }
    }

    async fn renewed(&mut self) -> Result<Timestamp, OrderFault> {
        let issued = match self.ordered(false).await {
            Err(fault) if fault.is_of_no_account() => self.ordered(true).await?,
            ordered => ordered?,
        };
        let new = self.tls.with(&issued.chain, issued.key.expose())?;
        // Kept before it is used: with its authority, one that is lost in a crash counts all the same.
        self.kept.put_certificate(&issued)?;
        self.serve(&issued, &new);
        Ok(issued.lifetime.until)
    }

    async fn ordered(&self, anew: bool) -> Result<Issued, OrderFault> {
        let account = self.account(anew).await?;
        order(&account, &self.plan.names, self.serves.challenges(), &self.patience).await
    }

    /// The account that there is, or a new one.
    async fn account(&self, anew: bool) -> Result<Account, OrderFault> {
        let builder = || Account::builder_with_http(Box::new(self.peer.clone()));
        let kept = if anew { None } else { self.kept.account()? };
        if let Some(credentials) =
            kept.and_then(|kept| serde_json::from_str::<AccountCredentials>(kept.expose()).ok())
        {
            return Ok(builder().from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.plan.contact.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder().create(&new, self.plan.directory.to_string(), None).await?;
        let text = serde_json::to_string(&credentials).map_err(instant_acme::Error::from)?;
        self.kept.put_account(&Secret::new(text))?;
        Ok(account)
    }

    fn serve(&mut self, issued: &Issued, new: &Tls) {
        self.serves.renew(new);
        self.lifetime = Some(issued.lifetime).filter(|_| issued.is_for(&self.plan.names));
    }
}

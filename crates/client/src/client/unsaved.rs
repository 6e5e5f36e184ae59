//! New tokens that could not be stored: a full disk, a keyring that hangs.
//!
//! The authorization server has spent the old refresh token by then, so that to drop the new one would be to lose
//! the login. The request that found out fails and says why; the tokens stay in this process, which uses them, and
//! tries again to store them. What is stored stays whole meanwhile. Another process that refreshes with the old
//! token is refused, and so is this one where the server takes that for a theft: there is no help but room.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hallpass_protocol::{secret::Secret, time::Timestamp};

use super::{Inner, Known};
use crate::{
    error::Error,
    store::{Account, Document},
};

/// How long a request lets the store be, after it has failed.
const PAUSE: Duration = Duration::from_secs(5);

/// At most one login.
#[derive(Default)]
pub(super) struct Unsaved(Mutex<Option<Pending>>);

#[derive(Clone)]
struct Pending {
    account: Account,
    /// The access token in the store that it stands for; another one there is someone else's newer login.
    replaces: Option<Secret>,
    tried_at: Timestamp,
}

impl Unsaved {
    fn get(&self) -> Option<Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, pending: Option<Pending>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pending;
    }

    /// They are of no use any more.
    pub(super) fn forget(&self) {
        self.set(None);
    }
}

impl Inner {
    /// Stores a login in place of the one with the access token `replaces`, and shows it then: what was seen is never
    /// lost. One that could not be stored is kept here. Whether it was stored: `change` may find that it is not
    /// wanted any more.
    pub(super) async fn store_login(
        self: &Arc<Self>,
        account: Account,
        replaces: Option<Secret>,
        change: fn(&mut Document, Account) -> bool,
    ) -> Result<bool, Error> {
        let (kept, is_kept) = (account.clone(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&is_kept);
        let outcome =
            self.update(move |document| told.store(change(document, kept.clone()), Ordering::Relaxed)).await;
        let earlier = self.unsaved.get();
        self.unsaved.forget();
        if let Err(error) = outcome {
            // The one before it may not be stored either; the store still has what that one was to replace.
            let replaces = match earlier {
                Some(earlier) if Some(&earlier.account.access_token) == replaces.as_ref() => earlier.replaces,
                _ => replaces,
            };
            let (account, tried_at) = (account, self.clock.now());
            self.learn(Some(account.clone()));
            self.unsaved.set(Some(Pending { account, replaces, tried_at }));
            return Err(error);
        }
        let is_kept = is_kept.load(Ordering::Relaxed);
        self.learn(Some(account).filter(|_| is_kept));
        Ok(is_kept)
    }

    /// Tries again to store what could not be stored. What is still only here, if anything.
    pub(super) async fn save_again(self: &Arc<Self>) -> Option<Account> {
        let pending = self.unsaved.get()?;
        let (own, ours) = (Arc::clone(self), pending.clone());
        let is_superseded = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_superseded);
        let outcome = self
            .update(move |document| {
                let stored = own.current(document).map(|account| &account.access_token);
                if stored == ours.replaces.as_ref() {
                    document.put(ours.account.clone());
                } else {
                    told.store(true, Ordering::Relaxed);
                }
            })
            .await;
        if let Err(error) = outcome {
            tracing::debug!(%error, "new tokens could still not be stored");
            self.unsaved.set(Some(Pending { tried_at: self.clock.now(), ..pending.clone() }));
            return Some(pending.account);
        }
        self.unsaved.forget();
        if is_superseded.load(Ordering::Relaxed) {
            // Someone has logged in or out meanwhile, and that counts.
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::Unread;
        }
        None
    }

    /// The same on the way of a request, now and then.
    pub(super) async fn save_now_and_then(self: &Arc<Self>) {
        let is_due = |pending: &Pending| {
            let now = self.clock.now();
            now >= pending.tried_at.after(PAUSE) || now < pending.tried_at
        };
        if self.unsaved.get().is_some_and(|pending| is_due(&pending)) {
            drop(self.save_again().await);
        }
    }

    fn current<'a>(&self, document: &'a Document) -> Option<&'a Account> {
        document.current(self.server.as_str(), &self.account_name)
    }
}

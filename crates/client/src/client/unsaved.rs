//! New tokens that could not be stored: a full disk, a keyring that hangs.
//!
//! The authorization server has spent the old refresh token by then, so that to drop the new one would be to lose
//! the login. The request that found out fails and says why; the tokens stay in this process, which uses them, and
//! tries again to store them. What is stored stays whole meanwhile. Another process that refreshes with the old
//! token is refused, and so is this one where the server takes that for a theft: there is no help but room.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
pub(super) struct Unsaved {
    pending: Mutex<Option<Pending>>,
    /// Held while the store is tried again, so that one of many requests does it.
    trying: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Pending {
    account: Account,
    /// The access token in the store that it stands for; another one there is someone else's newer login.
    replaces: Option<Secret>,
    tried_at: Timestamp,
}

impl Pending {
    fn is(&self, other: &Self) -> bool {
        self.account.access_token == other.account.access_token
    }
}

impl Unsaved {
    fn get(&self) -> Option<Pending> {
        self.lock().clone()
    }

    fn set(&self, pending: Option<Pending>) {
        *self.lock() = pending;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that login still waits here: it may have been renewed or ended since it was read.
    fn holds(&self, tried: &Pending) -> bool {
        self.lock().as_ref().is_some_and(|pending| pending.is(tried))
    }

    /// It could not be stored at `now` either.
    fn put_off(&self, tried: &Pending, now: Timestamp) {
        if let Some(pending) = self.lock().as_mut().filter(|pending| pending.is(tried)) {
            pending.tried_at = now;
        }
    }

    /// The store was reached. A newer login that was to replace the same as this one now replaces this one, if it
    /// `was_put` there.
    fn settle(&self, tried: &Pending, was_put: bool) {
        let mut waiting = self.lock();
        match waiting.as_mut() {
            Some(pending) if pending.is(tried) => *waiting = None,
            Some(newer) if was_put && newer.replaces == tried.replaces => {
                newer.replaces = Some(tried.account.access_token.clone());
            }
            _ => {}
        }
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
        change: impl Fn(&mut Document, Account) -> bool + Send + 'static,
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
        let _one = self.unsaved.trying.lock().await;
        self.try_again().await
    }

    async fn try_again(self: &Arc<Self>) -> Option<Account> {
        let pending = self.unsaved.get()?;
        let (own, ours) = (Arc::clone(self), pending.clone());
        let was_put = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&was_put);
        let outcome = self
            .update(move |document| {
                let stored = own.current(document).map(|account| &account.access_token);
                // Both under the store's own lock, as is what ends a login.
                let is_wanted = stored == ours.replaces.as_ref() && own.unsaved.holds(&ours);
                if is_wanted {
                    document.put(ours.account.clone());
                }
                told.store(is_wanted, Ordering::Relaxed);
            })
            .await;
        if let Err(error) = outcome {
            tracing::debug!(%error, "new tokens could still not be stored");
            self.unsaved.put_off(&pending, self.clock.now());
            return self.unsaved.get().map(|pending| pending.account);
        }
        let was_put = was_put.load(Ordering::Relaxed);
        let is_superseded = !was_put && self.unsaved.holds(&pending);
        self.unsaved.settle(&pending, was_put);
        if is_superseded {
            // Someone has logged in or out meanwhile, and that counts.
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::Unread;
        }
        self.unsaved.get().map(|newer| newer.account)
    }

    /// The same on the way of a request, now and then.
    pub(super) async fn save_now_and_then(self: &Arc<Self>) {
        let is_due = |pending: &Pending| {
            let now = self.clock.now();
            now >= pending.tried_at.after(PAUSE) || now < pending.tried_at
        };
        if self.unsaved.get().is_some_and(|pending| is_due(&pending)) {
            // Someone else is at it: a request does not wait for that.
            let Ok(_one) = self.unsaved.trying.try_lock() else { return };
            drop(self.try_again().await);
        }
    }

    /// Puts a renewed login in the place of the one that it was before; also where that one never got into the store,
    /// which still has what it was to replace. Whether anything was there: who logged out stays logged out.
    pub(super) fn renew_stored(&self, document: &mut Document, before: &Secret, renewed: Account) -> bool {
        let pending = self.unsaved.get().filter(|pending| pending.account.access_token == *before);
        let stored = self.current(document).map(|account| &account.access_token);
        if pending.is_some_and(|pending| stored == pending.replaces.as_ref()) {
            document.put(renewed);
            return true;
        }
        document.renew(renewed)
    }

    fn current<'a>(&self, document: &'a Document) -> Option<&'a Account> {
        document.current(self.server.as_str(), &self.account_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::document::tests::account;

    fn pending(at: i64, replaces: Option<&str>) -> Pending {
        Pending {
            account: account("https://a/mcp", "https://as", "r", at),
            replaces: replaces.map(Secret::new),
            tried_at: Timestamp::from_unix(at),
        }
    }

    /// A try ends after the login that it was for was renewed.
    #[test]
    fn what_an_earlier_try_came_to_is_no_matter_of_a_newer_login() {
        let (older, newer) = (pending(1, Some("first")), pending(2, Some("first")));
        let unsaved = Unsaved::default();
        unsaved.set(Some(newer.clone()));
        assert!(unsaved.holds(&newer) && !unsaved.holds(&older));
        unsaved.put_off(&older, Timestamp::from_unix(9));
        assert_eq!(unsaved.get().unwrap().tried_at, newer.tried_at, "it was not tried");
        unsaved.settle(&older, false);
        assert_eq!(unsaved.get().unwrap().replaces, Some(Secret::new("first")));
        unsaved.settle(&older, true);
        let waiting = unsaved.get().expect("the newer one still waits");
        assert_eq!(waiting.replaces, Some(older.account.access_token), "the older one is in its place now");
        unsaved.put_off(&newer, Timestamp::from_unix(9));
        assert_eq!(unsaved.get().unwrap().tried_at, Timestamp::from_unix(9));
        unsaved.settle(&newer, true);
        assert!(unsaved.get().is_none());
    }
}

//! One login or refresh, however many tasks want it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use hallpass_protocol::{challenge::Challenge, scope::ScopeSet, secret::Secret};

use super::Inner;
use crate::error::Error;

/// What a task is missing. Equal wishes are granted together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    /// The token that did not do; `None` for none at all.
    pub(super) sent: Option<Secret>,
    /// What would do.
    pub(super) want: Want,
    /// Whether a person may be asked for it.
    pub(super) attended: bool,
}

/// What would do in place of the token that was sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Want {
    /// Another token.
    Token {
        /// A refresh did not help, so a person has to log in.
        login: bool,
    },
    /// A token with more scopes.
    Scopes {
        /// What the operation needs.
        scopes: ScopeSet,
        /// Which operation, for the error.
        operation: String,
    },
}

/// How a wish was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Someone else had obtained a newer token.
    Adopted,
    /// The refresh token brought a new access token.
    Refreshed,
    /// A person logged in.
    LoggedIn,
}

type Flight = Shared<BoxFuture<'static, Result<Outcome, Error>>>;

/// The login or refresh that is under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<Option<(Wish, Flight)>>);

impl Inner {
    /// Grants a wish, joining others that have the same one and waiting for others that have another.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        wish: Wish,
        challenge: Option<Challenge>,
    ) -> Result<Outcome, Error> {
        loop {
            if self.has_newer_than(wish.sent.as_ref()) {
                return Ok(Outcome::Adopted);
            }
            let (same, flight) = self.board(&wish, challenge.as_ref());
            let outcome = flight.await;
            if same {
                return outcome;
            }
        }
    }

    /// The current flight, or a new one; and whether it is for this wish.
    fn board(self: &Arc<Self>, wish: &Wish, challenge: Option<&Challenge>) -> (bool, Flight) {
        let mut current = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((theirs, flight)) = &*current {
            return (theirs == wish, flight.clone());
        }
        let inner = Arc::clone(self);
        let (wish, challenge) = (wish.clone(), challenge.cloned());
        let granted = wish.clone();
        // A task of its own: a caller that gives up cannot tear a refresh in two.
        let task = tokio::spawn(async move {
            // Also on a panic, the next caller must find the place free.
            let _landing = Landing(Arc::clone(&inner));
            inner.grant(wish, challenge).await
        });
        let flight = task.map(|ended| ended.unwrap_or(Err(Error::Interrupted))).boxed().shared();
        *current = Some((granted, flight.clone()));
        (true, flight)
    }
}

struct Landing(Arc<Inner>);

impl Drop for Landing {
    fn drop(&mut self) {
        *self.0.flights.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

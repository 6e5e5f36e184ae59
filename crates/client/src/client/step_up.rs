//! A limit to step-ups (MCP 2026-07-28, "Step-Up Authorization Flow": no more than a few times).

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hallpass_protocol::{challenge::Challenge, scope::ScopeSet};

use super::InUse;
use crate::{
    error::{Error, printable},
    store::Account,
};

/// Step-ups for one operation before it is given up until it succeeds, where each brought something new. With the first login
/// that makes three times that a person is asked, at most.
const LIMIT: u32 = 2;

/// Operations whose step-ups are remembered.
const REMEMBERED: usize = 1024;

/// Step-ups that have not led to success, by operation.
#[derive(Default)]
pub(super) struct StepUps {
    counts: Mutex<HashMap<String, u32>>,
    /// Whether anything is counted. Hardly ever is it, and a request that went through takes no lock to see that.
    any: AtomicBool,
}

impl StepUps {
    /// Counts one more step-up, or says why there is none. Once for each time that a person is asked: of many
    /// requests that meet the same refusal, one asks for all.
    pub(super) fn count(&self, operation: &str, server: &str, scopes: &ScopeSet) -> Result<(), Error> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(true, Ordering::Release);
        if counts.len() >= REMEMBERED && !counts.contains_key(operation) {
            counts.clear();
        }
        let count = counts.entry(operation.to_owned()).or_default();
        if *count >= LIMIT {
            let reason = "it was asked for several times and not granted".into();
            return Err(refused(operation, server, scopes, reason));
        }
        *count += 1;
        Ok(())
    }

    /// A person who was asked for this operation already, and came back without what it needs, is not asked the same again: the
    /// authorization server has decided. The next process asks once more, since that may change.
    pub(super) fn ensure_not_withheld(
        &self,
        operation: &str,
        server: &str,
        scopes: &ScopeSet,
        account: Option<&Account>,
    ) -> Result<(), Error> {
        let Some(account) = account else { return Ok(()) };
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let withheld = account.requested.difference(&account.granted);
        let withheld = scopes.intersection(&withheld);
        if !counts.contains_key(operation) || withheld.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "{} was asked for it and did not grant `{withheld}`. Either it was left out on the page, or this account may not have \
             it there, by a group or role, say: who runs it can tell",
            printable(&account.key.issuer)
        );
        Err(refused(operation, server, scopes, reason.into()))
    }

    /// The operation went through, so the next refusal is a new story.
    pub(super) fn succeeded(&self, operation: &str) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(operation);
        self.any.store(!counts.is_empty(), Ordering::Release);
    }
}

/// RFC 9470 §3: the login behind the token is not good enough, most often too old.
pub(super) fn wants_new_login(challenge: &Challenge) -> bool {
    challenge.error() == Some("insufficient_user_authentication")
}

/// What such a challenge wants of the authorization request (RFC 9470 §4): each parameter as it was said.
pub(super) fn login_parameters(challenge: Option<&Challenge>) -> Vec<(String, String)> {
    let Some(challenge) = challenge.filter(|challenge| wants_new_login(challenge)) else { return Vec::new() };
    let said = |name: &str| challenge.param(name).map(|value| (name.to_owned(), value.to_owned()));
    // A number of seconds, and nothing else, goes on as one.
    let digits = |(_, value): &(String, String)| value.bytes().all(|byte| byte.is_ascii_digit());
    said("max_age").filter(digits).into_iter().chain(said("acr_values")).collect()
}

/// A scope that the token has already is not asked for again.
pub(super) fn ensure_lacking(
    operation: &str,
    server: &str,
    scopes: &ScopeSet,
    account: Option<&InUse>,
) -> Result<(), Error> {
    if account.is_some_and(|account| !scopes.is_empty() && scopes.is_subset(&account.granted)) {
        let reason = "the token has that scope already, so asking again would change nothing".into();
        return Err(refused(operation, server, scopes, reason));
    }
    Ok(())
}

fn refused(operation: &str, server: &str, scopes: &ScopeSet, reason: Cow<'static, str>) -> Error {
    Error::ScopesNeeded {
        server: server.to_owned(),
        operation: operation.to_owned(),
        scopes: scopes.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_challenge_says_of_the_login_goes_into_the_request() {
        let stale = Challenge::bearer().with("error", "insufficient_user_authentication");
        let of = |challenge: &Challenge| login_parameters(Some(challenge));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of(&stale.clone().with("max_age", "300")), [pair("max_age", "300")]);
        let both = stale.clone().with("max_age", "300").with("acr_values", "mfa");
        assert_eq!(of(&both), [pair("max_age", "300"), pair("acr_values", "mfa")]);
        assert_eq!(of(&stale.with("max_age", "5&scope=x")), []);
        assert_eq!(of(&Challenge::bearer().with("error", "invalid_token").with("max_age", "300")), []);
    }

    /// Of a server that always wants something else.
    #[test]
    fn step_ups_for_one_operation_are_limited_until_it_succeeds() {
        let (step_ups, scopes) = (StepUps::default(), ScopeSet::parse("a").unwrap());
        let count = |operation: &str| step_ups.count(operation, "s", &scopes);
        for _ in 0..LIMIT {
            count("write").unwrap();
        }
        assert!(count("write").unwrap_err().to_string().contains("several times"));
        count("read").unwrap();
        step_ups.succeeded("write");
        count("write").unwrap();
    }

    #[test]
    fn no_more_than_so_many_operations_are_remembered() {
        let step_ups = StepUps::default();
        for n in 0..REMEMBERED + 10 {
            step_ups.count(&n.to_string(), "s", &ScopeSet::new()).unwrap();
        }
        assert!(step_ups.counts.lock().unwrap().len() <= REMEMBERED);
    }
}

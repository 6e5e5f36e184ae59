//! A limit to step-ups (MCP 2026-07-28, "Step-Up Authorization Flow": no more than a few times).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use hallpass_protocol::scope::ScopeSet;

use crate::{error::Error, store::Account};

/// Step-ups for one operation before it is given up until it succeeds. With the first login that makes
/// three times that a person is asked, at most.
const LIMIT: u32 = 2;

/// Operations whose step-ups are remembered.
const REMEMBERED: usize = 1024;

/// Step-ups that have not led to success, by operation.
#[derive(Default)]
pub(super) struct StepUps(Mutex<HashMap<String, u32>>);

impl StepUps {
    /// Counts one more step-up, or says why there is none. Once for each time that a person is asked: of many
    /// requests that meet the same refusal, one asks for all.
    pub(super) fn count(&self, operation: &str, server: &str, scopes: &ScopeSet) -> Result<(), Error> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= REMEMBERED && !counts.contains_key(operation) {
            counts.clear();
        }
        let count = counts.entry(operation.to_owned()).or_default();
        if *count >= LIMIT {
            let reason = "it was asked for several times and not granted";
            return Err(refused(operation, server, scopes, reason));
        }
        *count += 1;
        Ok(())
    }

    /// The operation went through, so the next refusal is a new story.
    pub(super) fn succeeded(&self, operation: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(operation);
    }
}

/// A scope that the token has already is not asked for again.
pub(super) fn ensure_lacking(
    operation: &str,
    server: &str,
    scopes: &ScopeSet,
    account: Option<&Account>,
) -> Result<(), Error> {
    if account.is_some_and(|account| !scopes.is_empty() && scopes.is_subset(&account.granted)) {
        let reason = "the token has that scope already, so asking again would change nothing";
        return Err(refused(operation, server, scopes, reason));
    }
    Ok(())
}

fn refused(operation: &str, server: &str, scopes: &ScopeSet, reason: &'static str) -> Error {
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
    fn no_more_than_so_many_operations_are_remembered() {
        let step_ups = StepUps::default();
        for n in 0..REMEMBERED + 10 {
            step_ups.count(&n.to_string(), "s", &ScopeSet::new()).unwrap();
        }
        assert!(step_ups.0.lock().unwrap().len() <= REMEMBERED);
    }
}

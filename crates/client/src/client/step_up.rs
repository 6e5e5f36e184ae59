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

/// Step-ups that have not led to success, by operation.
#[derive(Default)]
pub(super) struct StepUps(Mutex<HashMap<String, u32>>);

impl StepUps {
    /// Allows one more step-up, or says why not.
    pub(super) fn begin(
        &self,
        operation: &str,
        server: &str,
        scopes: &ScopeSet,
        account: Option<&Account>,
    ) -> Result<(), Error> {
        let refuse = |reason| Error::ScopesNeeded {
            server: server.to_owned(),
            operation: operation.to_owned(),
            scopes: scopes.clone(),
            reason,
        };
        if account.is_some_and(|account| !scopes.is_empty() && scopes.is_subset(&account.granted)) {
            return Err(refuse("the token has that scope already, so asking again would change nothing"));
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation.to_owned()).or_default();
        if *count >= LIMIT {
            return Err(refuse("it was asked for several times and not granted"));
        }
        *count += 1;
        Ok(())
    }

    /// The operation went through, so the next refusal is a new story.
    pub(super) fn succeeded(&self, operation: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(operation);
    }
}

//! Tokens of third parties for whoever calls: the server behind works there in their name (the arrangement `delegated`).

use std::ffi::OsString;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hallpass_protocol::linked_token::LinkedToken;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_resource_server::{Caller, Refusal};
use http::header::HeaderName;
use url::Url;

use super::super::onward::{Said, Word};
use super::Told;

/// Where the server behind finds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In that field: behind `Bearer` where that is `Authorization`, alone in every other. Nothing comes of it where the server
    /// speaks stdio.
    Field(HeaderName),
    /// In that variable of its process's environment: a running process keeps the one that it was started with. Nothing comes
    /// of it where the server speaks HTTP, or where its process is everybody's.
    Variable(OsString),
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGiven {
    /// The caller has no account linked there, or the third party takes it no more.
    #[error("the caller has no account linked there")]
    NotLinked {
        /// Hallpass's own page where they link one. It asks whoever opens it to log in, and links the account to them alone
        /// (MCP 2025-11-25, client/elicitation, "Phishing"); it holds no secret and nothing about the caller.
        link: Url,
    },
    /// The caller allowed the app in before they were told that the server works there: another login tells them.
    #[error("the caller was not told that the server works there")]
    NotAgreed,
    /// It cannot be told, or not renewed, at this moment.
    #[error("the third party, or what is kept of it, cannot be reached")]
    Unavailable,
}

type Known = dyn Fn(&Caller) -> Option<LinkedToken> + Send + Sync;
type Asking = Pin<Box<dyn Future<Output = Result<LinkedToken, NotGiven>> + Send>>;
type Ask = dyn Fn(&Caller) -> Asking + Send + Sync;

/// Room for what is told beside the tokens, so that it is made once ([`Told::say`]).
const ROOM: usize = 8;

/// A token of one third party's for the server behind: whoever calls is asked about with each request, and nothing is remembered
/// here. Clones share whom they ask.
#[derive(Clone)]
pub struct ThirdPartyToken {
    party: String,
    place: Place,
    scope: Option<Scope>,
    known: Arc<Known>,
    ask: Arc<Ask>,
}

impl std::fmt::Debug for ThirdPartyToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("ThirdPartyToken");
        shown.field("party", &self.party).field("place", &self.place).field("scope", &self.scope);
        shown.finish_non_exhaustive()
    }
}

impl ThirdPartyToken {
    /// A token of `party`, as people know it, at that place. `known` gives the caller's own where it is at hand and good at this
    /// moment; `ask` gives it otherwise, and may take a while.
    pub fn new<F>(
        party: impl Into<String>,
        place: Place,
        known: impl Fn(&Caller) -> Option<LinkedToken> + Send + Sync + 'static,
        ask: impl Fn(&Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<LinkedToken, NotGiven>> + Send + 'static,
    {
        let ask = Arc::new(move |caller: &Caller| -> Asking { Box::pin(ask(caller)) });
        Self { party: party.into(), place, scope: None, known: Arc::new(known), ask }
    }

    /// For those alone who have this scope of ours. Others are carried on without it.
    #[must_use]
    pub fn for_scope(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn is_for(&self, caller: &Caller) -> bool {
        self.scope.as_ref().is_none_or(|scope| caller.scopes().contains(scope.as_str()))
    }
}

/// What third parties gave for one request.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Handed {
    pub(in crate::upstream) fields: Said<'static>,
    pub(in crate::upstream) variables: Vec<(OsString, LinkedToken)>,
}

/// Why the request can't go on.
#[derive(Debug)]
pub(in crate::upstream) enum NotHanded {
    /// That one cannot be asked.
    Unavailable(String),
    /// The caller was not told of that one.
    NotAgreed(String),
    /// All that the caller has to link first.
    Unlinked(Vec<Unlinked>),
}

/// An account that the caller has to link.
#[derive(Debug)]
pub(in crate::upstream) struct Unlinked {
    pub(in crate::upstream) party: String,
    pub(in crate::upstream) link: Url,
    scope: Option<Scope>,
}

impl Unlinked {
    /// The same for a client that can only log in again: with the scopes that stand for the accounts, where each has one.
    pub(in crate::upstream) fn refusal(all: &[Self], caller: &Caller) -> Refusal {
        let parties: Vec<_> = all.iter().map(|one| one.party.as_str()).collect();
        let scopes: Option<ScopeSet> = all.iter().map(|one| one.scope.clone()).collect();
        let missing = scopes.unwrap_or_default();
        let ask = caller.scopes().union(&missing);
        Refusal::NotLinked { parties: parties.join(", "), missing, ask }
    }
}

impl Told {
    pub(in crate::upstream) fn works_at_third_parties(&self) -> bool {
        !self.third_parties.is_empty()
    }

    /// The variables in which the caller's process finds tokens.
    pub(in crate::upstream) fn variables_of(&self, caller: &Caller) -> Vec<OsString> {
        let theirs = self.third_parties.iter().filter(|token| token.is_for(caller));
        theirs
            .filter_map(|token| match &token.place {
                Place::Variable(name) => Some(name.clone()),
                Place::Field(_) => None,
            })
            .collect()
    }

    /// The same as [`Self::hand`], where all of it is at hand: `None` where somebody has to be asked, or refused.
    pub(in crate::upstream) fn hand_known(
        &self,
        caller: &Caller,
        is_place: impl Fn(&Place) -> bool,
    ) -> Option<Handed> {
        let mut handed = Handed::default();
        for token in self.third_parties.iter().filter(|token| is_place(&token.place)) {
            if !token.is_for(caller) {
                handed.withhold(&token.place);
            } else if !handed.take(&token.place, &(token.known)(caller)?) {
                return None;
            }
        }
        Some(handed)
    }

    /// What third parties give for the caller, as far as it is for a place that the server can look at.
    pub(in crate::upstream) async fn hand(
        &self,
        caller: &Caller,
        is_place: impl Fn(&Place) -> bool,
    ) -> Result<Handed, NotHanded> {
        let (mut handed, mut unlinked) = (Handed::default(), Vec::new());
        for token in self.third_parties.iter().filter(|token| is_place(&token.place)) {
            if !token.is_for(caller) {
                handed.withhold(&token.place);
                continue;
            }
            match (token.ask)(caller).await {
                Ok(given) if handed.take(&token.place, &given) => {}
                Ok(_) => {
                    tracing::error!(
                        server = &*self.server,
                        party = token.party,
                        "a third party's token holds what cannot be handed on"
                    );
                    return Err(NotHanded::Unavailable(token.party.clone()));
                }
                Err(NotGiven::Unavailable) => {
                    let (server, party) = (&*self.server, &token.party);
                    tracing::warn!(server, party, "a third party's token could not be had");
                    return Err(NotHanded::Unavailable(token.party.clone()));
                }
                Err(NotGiven::NotAgreed) => return Err(NotHanded::NotAgreed(token.party.clone())),
                Err(NotGiven::NotLinked { link }) => {
                    let (party, scope) = (token.party.clone(), token.scope.clone());
                    unlinked.push(Unlinked { party, link, scope });
                }
            }
        }
        if unlinked.is_empty() { Ok(handed) } else { Err(NotHanded::Unlinked(unlinked)) }
    }
}

impl Handed {
    /// Whether the place can hold such a token.
    fn take(&mut self, place: &Place, token: &LinkedToken) -> bool {
        match place {
            Place::Field(name) => match token.in_field(name) {
                Some(value) => self.say(name, Word::Value(value)),
                None => return false,
            },
            // The operating system ends a variable at a NUL.
            Place::Variable(_) if token.expose().contains('\0') => return false,
            Place::Variable(name) => self.variables.push((name.clone(), token.clone())),
        }
        true
    }

    /// There is none for this caller, and nobody else says what it is.
    fn withhold(&mut self, place: &Place) {
        if let Place::Field(name) = place {
            self.say(name, Word::Nothing);
        }
    }

    fn say(&mut self, name: &HeaderName, word: Word<'static>) {
        self.fields.reserve(ROOM);
        self.fields.push((name.clone(), word));
    }
}

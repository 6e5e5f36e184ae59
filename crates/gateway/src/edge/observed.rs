//! What is found out about a request on its way, for the log and the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hallpass_resource_server::Caller;
use http::Extensions;
use tokio::time::Instant;

use super::metrics::{Metrics, ServerCounts};
use super::words::Words;

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decision {
    /// Nothing was to be decided: pages, metadata, endpoints of the authorization server.
    #[default]
    None,
    /// It was carried to upstream.
    Permitted,
    /// It broke a rule.
    Refused,
    /// It was one too many.
    Limited,
}

impl Decision {
    /// In logs and spans; nothing, where nothing was to be decided.
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Permitted => Some("permitted"),
            Self::Refused => Some("refused"),
            Self::Limited => Some("limited"),
        }
    }
}

/// Found out so far.
#[derive(Debug, Default)]
pub(crate) struct Details {
    pub(crate) server: Option<Arc<ServerCounts>>,
    /// Whose server that is, where there are several tenants.
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) caller: Option<Caller>,
    pub(crate) decision: Decision,
    pub(crate) rule: Option<&'static str>,
    pub(crate) words: Option<Words>,
    /// How long the client was waited for, with its body.
    pub(crate) client: Duration,
    /// How long upstream was waited for, until the head of its answer.
    pub(crate) upstream: Duration,
}

/// Among a request's extensions where somebody wants to know. Clones share what they note.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    details: Arc<Mutex<Details>>,
    pub(super) metrics: Option<Arc<Metrics>>,
}

impl Observed {
    pub(super) fn by(metrics: Arc<Metrics>) -> Self {
        Self { details: Arc::default(), metrics: Some(metrics) }
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Details) -> T) -> T {
        note(&mut self.details.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which server it is for; `known` keeps its counts from request to request.
    pub(crate) fn is_for(
        &self,
        server: &str,
        tenant: Option<&Arc<str>>,
        known: &std::sync::OnceLock<Arc<ServerCounts>>,
    ) {
        let Some(metrics) = &self.metrics else { return };
        let counts = Arc::clone(known.get_or_init(|| metrics.server(server)));
        self.note(|details| (details.server, details.tenant) = (Some(counts), tenant.cloned()));
    }

    pub(crate) fn refused(&self, rule: &'static str) {
        self.note(|details| (details.decision, details.rule) = (Decision::Refused, Some(rule)));
    }

    pub(crate) fn limited(&self, rule: &'static str) {
        self.note(|details| (details.decision, details.rule) = (Decision::Limited, Some(rule)));
    }

    /// Who is asking, permitted or not.
    pub(crate) fn is_by(&self, caller: &Caller) {
        self.note(|details| details.caller = Some(caller.clone()));
    }

    pub(crate) fn permitted(&self) {
        self.note(|details| details.decision = Decision::Permitted);
    }

    /// A new connection to upstream, or none that came about.
    pub(crate) fn connected(&self, is_there: bool) {
        self.note(|details| details.server.iter().for_each(|server| server.connected(is_there)));
    }

    /// From now on upstream is waited for.
    pub(crate) fn waits(&self) -> Waiting<'_> {
        Waiting { observed: self, begun: Instant::now(), client: self.note(|details| details.client) }
    }
}

/// Upstream is waited for: all but what its client still has to send is noted as its time.
pub(crate) struct Waiting<'o> {
    observed: &'o Observed,
    begun: Instant,
    client: Duration,
}

impl Waiting<'_> {
    /// There is an answer.
    pub(crate) fn answered(self) {
        let waited = self.begun.elapsed();
        self.observed.note(|details| {
            // What the client took meanwhile is a part of this.
            details.client = self.client;
            details.upstream += waited;
        });
    }
}

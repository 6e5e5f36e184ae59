//! One request, from its head to the end of its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::response::Response;
use hallpass_resource_server::BrokenRule;
use http::{Request, StatusCode};
use tokio::time::Instant;

use super::RequestId;
use super::limits::is_stream;
use super::log::Lines;
use super::log::access::{Answered, Asked, line};
use super::metrics::{Ended, Metrics, ServerCounts};
use super::observed::Observed;
use super::spans::{Begun, Spans};

/// Who wants to know of requests.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// A line for each request: none.
    pub access: Option<Lines>,
    /// A span for each request: none.
    pub spans: Option<Spans>,
    /// The time of day, for lines and spans.
    pub now: fn() -> SystemTime,
}

/// A request that is watched until this is dropped. Then it has ended, whoever ended it.
pub(crate) struct Watched {
    watch: Arc<Watch>,
    observed: Observed,
    /// For a line, and for a span.
    asked: Option<Asked>,
    span: Option<Begun>,
    begun: Instant,
    head: Option<(StatusCode, Instant)>,
    /// Of a stream of events: it has no end that says how long anything took.
    stream: Option<Arc<ServerCounts>>,
    bytes: u64,
}

impl Watched {
    /// Begins, by a peer whose word about traces counts or not; on its way the request carries what is found out about it.
    pub(crate) fn begin<B>(
        watch: &Arc<Watch>,
        request: &mut Request<B>,
        (peer, is_believed): (IpAddr, bool),
        address: IpAddr,
    ) -> Self {
        let observed = Observed::by(Arc::clone(&watch.metrics));
        request.extensions_mut().insert(observed.clone());
        let asked = (watch.access.is_some() || watch.spans.is_some()).then(|| {
            let id = RequestId::of(request.headers());
            request.extensions_mut().insert(id);
            let (method, path) = (request.method().as_str(), request.uri().path());
            Asked { id, peer, address, method: super::words::word(method), path: Asked::cut(path) }
        });
        let span = watch.spans.as_ref().zip(asked.as_ref());
        let span = span.and_then(|(spans, asked)| {
            spans.begin(request.headers_mut(), &asked.id, (watch.now)(), is_believed)
        });
        let watch = Arc::clone(watch);
        Self { watch, observed, asked, span, begun: Instant::now(), head: None, stream: None, bytes: 0 }
    }

    /// What is found out on the way.
    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Whether it is worth knowing what a body asks for.
    pub(crate) fn wants_words(&self) -> bool {
        self.asked.is_some()
    }

    /// The head of the answer goes out.
    pub(crate) fn answered(&mut self, response: &Response) {
        if let Some(BrokenRule(rule)) = response.extensions().get() {
            self.observed.refused(rule);
        }
        self.head = Some((response.status(), Instant::now()));
        if is_stream(response) {
            let server = self.observed.note(|details| details.server.clone());
            let server = server.unwrap_or_else(|| Arc::clone(self.watch.metrics.elsewhere()));
            server.stream_begins();
            self.stream = Some(server);
        }
    }

    /// So many bytes more.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Self { watch, observed, asked, span, begun, head, stream, bytes } = self;
        let took = begun.elapsed();
        let (status, at) = head.unzip();
        observed.note(|details| {
            let own = at.map(|at| (at - *begun).saturating_sub(details.client + details.upstream));
            let counts = details.server.as_ref().unwrap_or_else(|| watch.metrics.elsewhere());
            let (decision, rule) = (details.decision, details.rule);
            let whole = Some(took).filter(|_| stream.is_none());
            counts.count(&Ended { status, decision, rule, own, whole });
            let Some(asked) = asked else { return };
            let answered =
                Answered { status: status.map(|status| status.as_u16()), took, own, bytes: *bytes };
            if let Some(access) = &watch.access {
                access.write(line(asked, details, &answered, (watch.now)()));
            }
            if let Some((spans, span)) = watch.spans.as_ref().zip(span.as_ref()) {
                spans.end(span, asked, details, &answered);
            }
        });
        if let Some(counts) = stream {
            counts.stream_ends();
        }
    }
}

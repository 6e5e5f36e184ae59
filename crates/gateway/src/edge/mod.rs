//! What stands before every request: who is asking, whether it is one too many, and who wants to know of it.
//!
//! | room | what is in it |
//! |---|---|
//! | [`proxies`] | who the client is, where a listed proxy stands between |
//! | [`limits`] | how much one address, one subject and one server may have |
//! | `watched` | a request, from its head to the end of its answer |
//! | `observed` | what is found out about it on its way |
//! | `overheard` | what its body asks for, listened to as it goes by |
//! | [`request_id`] | what it is called |
//! | `traceparent` | which trace it belongs to |
//! | [`log`] | lines about requests, and where they go |
//! | [`spans`] | spans of requests, for a collector of OpenTelemetry |
//! | [`metrics`] | counts, in the format of Prometheus |
//!
//! All of it is off unless somebody turns it on; what is off costs a request one branch.

pub mod limits;
pub mod log;
pub mod metrics;
pub(crate) mod observed;
pub(crate) mod overheard;
pub mod proxies;
pub mod request_id;
pub mod spans;
mod traceparent;
mod watched;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Response;
use http::Request;

pub use self::limits::Limit;
use self::limits::{Held, Limits, Of, asks_for_stream, is_stream, key_of_address, refuse};
pub use self::log::{Lines, Rotation, Sink, Topic};
pub use self::metrics::Metrics;
pub use self::observed::Decision;
pub use self::proxies::Proxies;
pub use self::request_id::RequestId;
pub use self::watched::Watch;
use self::watched::Watched;

/// What listeners do beside serving: nothing, unless it is turned on. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    watch: Option<Arc<Watch>>,
    proxies: Option<Arc<Proxies>>,
    addresses: Option<Limits>,
}

impl Edge {
    /// Tells of requests.
    #[must_use]
    pub fn watched_by(self, watch: Watch) -> Self {
        Self { watch: Some(Arc::new(watch)), ..self }
    }

    /// Believes what these proxies say.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies: (!proxies.listed.is_empty()).then(|| Arc::new(proxies)), ..self }
    }

    /// Lets each address have so much: a network of 2⁶⁴ addresses, where it is IPv6.
    #[must_use]
    pub fn limiting(self, each_address: Limit) -> Self {
        Self { addresses: Limits::of(Of::Address, each_address), ..self }
    }

    /// Itself, if there is anything to do.
    pub(crate) fn if_any(&self) -> Option<Arc<Self>> {
        let is_any = self.watch.is_some() || self.proxies.is_some() || self.addresses.is_some();
        is_any.then(|| Arc::new(self.clone()))
    }

    /// Whether connections of that peer begin with a header of the PROXY protocol.
    pub(crate) fn is_told_of(&self, peer: SocketAddr) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| proxies.protocol && proxies.lists(peer.ip()))
    }

    /// A request has come. With an answer, it goes no further.
    pub(crate) fn arrive<B>(
        &self,
        request: &mut Request<B>,
        peer: SocketAddr,
    ) -> (Arrival, Option<Response>) {
        let peer = peer.ip().to_canonical();
        let (address, kept_out) = match &self.proxies {
            Some(proxies) => proxies.hear(request, peer),
            None => (peer, None),
        };
        let is_listed = || self.proxies.as_ref().is_some_and(|proxies| proxies.lists(peer));
        let watched = self.watch.as_ref();
        let watched = watched.map(|watch| Watched::begin(watch, request, (peer, is_listed()), address));
        let mut arrival = Arrival { watched, held: None };
        if let Some(kept_out) = kept_out {
            if let Some(watched) = &arrival.watched {
                watched.observed().refused(kept_out.rule);
            }
            return (arrival, Some(kept_out.answer));
        }
        let Some(limits) = &self.addresses else { return (arrival, None) };
        match limits.enter(key_of_address(address), asks_for_stream(request)) {
            Ok(held) => {
                arrival.held = Some(held);
                (arrival, None)
            }
            Err(too_much) => {
                if let Some(watched) = &arrival.watched {
                    watched.observed().limited(too_much.rule());
                }
                (arrival, Some(refuse(&too_much)))
            }
        }
    }
}

/// A request that is here, until this is dropped.
pub(crate) struct Arrival {
    pub(crate) watched: Option<Watched>,
    held: Option<Held>,
}

impl Arrival {
    /// The head of its answer goes out.
    pub(crate) fn answered(&mut self, response: &Response) {
        if let Some(watched) = &mut self.watched {
            watched.answered(response);
        }
        if let Some(held) = self.held.as_mut().filter(|_| is_stream(response)) {
            held.is_a_stream();
        }
    }

    /// So many bytes more of its answer.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(watched) = &mut self.watched {
            watched.sent(bytes);
        }
    }
}

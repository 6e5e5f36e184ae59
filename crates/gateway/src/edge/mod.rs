//! What stands before every request: who is asking, whether it is one too many, and who wants to know of it.
//!
//! | room | what is in it |
//! |---|---|
//! | `watched` | a request, from its head to the end of its answer |
//! | `observed` | what is found out about it on its way |
//! | `overheard` | what its body asks for, listened to as it goes by |
//! | [`request_id`] | what it is called |
//! | [`log`] | lines about requests, and where they go |
//! | [`metrics`] | counts, in the format of Prometheus |
//!
//! All of it is off unless somebody turns it on; what is off costs a request one branch.

pub mod log;
pub mod metrics;
pub(crate) mod observed;
pub(crate) mod overheard;
pub mod request_id;
mod watched;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Response;
use http::Request;

pub use self::log::{Lines, Rotation, Sink, Topic};
pub use self::metrics::Metrics;
pub use self::observed::Decision;
pub use self::request_id::RequestId;
pub use self::watched::Watch;
use self::watched::Watched;

/// What a listener does beside serving. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Who wants to know of requests: nobody.
    pub watch: Option<Arc<Watch>>,
}

impl Edge {
    /// Itself, if there is anything to do.
    pub(crate) fn if_any(&self) -> Option<Arc<Self>> {
        self.watch.is_some().then(|| Arc::new(self.clone()))
    }

    /// A request has come.
    pub(crate) fn arrive<B>(&self, request: &mut Request<B>, peer: SocketAddr) -> Arrival {
        let peer = peer.ip().to_canonical();
        let watched = self.watch.as_ref().map(|watch| Watched::begin(watch, request, peer, peer));
        Arrival { watched }
    }
}

/// A request that is here, until this is dropped.
pub(crate) struct Arrival {
    pub(crate) watched: Option<Watched>,
}

impl Arrival {
    /// The head of its answer goes out.
    pub(crate) fn answered(&mut self, response: &Response) {
        if let Some(watched) = &mut self.watched {
            watched.answered(response);
        }
    }

    /// So many bytes more of its answer.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(watched) = &mut self.watched {
            watched.sent(bytes);
        }
    }
}

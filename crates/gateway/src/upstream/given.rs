//! Which session id upstream gave to whom. An upstream that knows of no logins takes whoever sends
//! an id for the one who got it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use axum::response::Response;
use hallpass_resource_server::Caller;
use hallpass_resource_server::json_rpc::error_response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use quick_cache::sync::Cache;

use super::onward::Onward;
use crate::owner::Owner;

static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// What the official SDKs say with the 404 for a session that is not there.
const SESSION_NOT_FOUND: i64 = -32001;
/// The most ids that are remembered. One that is forgotten, or was given before a restart, is upstream's
/// to judge.
const REMEMBERED: usize = 10_000;

/// Session ids by a keyed hash of 64 bits: ids may be long, and are worth stealing.
#[derive(Debug)]
pub(super) struct Given {
    to: Cache<u64, To>,
    key: RandomState,
}

#[derive(Clone, Debug)]
enum To {
    One {
        owner: Arc<Owner>,
        /// Whether their client can be led to a page (MCP 2025-11-25, client/elicitation, "Capabilities").
        can_be_led: bool,
    },
    /// Upstream itself began sessions of several callers with it, so it is nobody's.
    Several,
}

impl Default for Given {
    fn default() -> Self {
        Self { to: Cache::new(REMEMBERED), key: RandomState::new() }
    }
}

impl Given {
    /// Session ids are secrets, and yet "MUST NOT" be what proves who is calling (MCP, security best
    /// practices, "Session Hijacking"). The 404 tells a client to begin anew (transports, "Session
    /// Management", 4). Says whether the request is to begin a session.
    pub(super) fn check(&self, fields: &Onward<'_>, caller: &Caller) -> Result<bool, Box<Response>> {
        let mut ids = fields.all(&SESSION_ID);
        let Some(id) = ids.next() else { return Ok(true) };
        let foreign = match self.to.get(&self.hash(id)) {
            Some(To::One { owner, .. }) => !owner.is(caller),
            Some(To::Several) | None => false,
        };
        // Of two ids, upstream may take either, or both as one.
        if !foreign && ids.next().is_none() {
            return Ok(false);
        }
        let message = "Session not found: it has ended, or never was; begin with initialize";
        Err(Box::new(error_response(StatusCode::NOT_FOUND, SESSION_NOT_FOUND, message, None)))
    }

    /// Whether the client in that session of the caller's has said that it can be led to a page.
    pub(super) fn can_be_led(&self, headers: &HeaderMap, caller: &Caller) -> bool {
        let mut ids = headers.get_all(&SESSION_ID).iter();
        let id = ids.next().filter(|_| ids.next().is_none());
        let to = id.and_then(|id| self.to.get(&self.hash(id)));
        matches!(to, Some(To::One { owner, can_be_led: true }) if owner.is(caller))
    }

    /// Remembers what upstream answered, to a request that began a session or was within one.
    pub(super) fn note(&self, began: bool, can_be_led: bool, response: &Response, caller: &Caller) {
        let Some(id) = response.headers().get(&SESSION_ID).filter(|_| response.status().is_success()) else {
            return;
        };
        let id = self.hash(id);
        match self.to.get(&id) {
            None => {
                let owner = Arc::new(Owner::from(caller));
                self.to.insert(id, To::One { owner, can_be_led });
            }
            Some(To::One { owner, .. }) if !owner.is(caller) && began => {
                tracing::warn!("the upstream server gave one session id to two callers; it proves nothing");
                self.to.insert(id, To::Several);
            }
            Some(_) => {}
        }
    }

    fn hash(&self, id: &HeaderValue) -> u64 {
        self.key.hash_one(id.as_bytes())
    }
}

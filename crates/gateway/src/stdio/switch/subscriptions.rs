//! Which sessions want to hear of which resources (MCP 2025-11-25, server/resources, "Subscriptions").
//!
//! A process is subscribed once for all. A session's subscription holds from the process's yes on: it knows whether there
//! is such a resource.

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::json;

use super::super::rewrite;
use super::super::session::Session;
use super::{Asked, INVALID_PARAMS, State, Switch};

/// How many resources a session may be subscribed to.
pub(super) const MOST: usize = 1024;
/// The longest URI of them, in bytes.
pub(super) const LONGEST: usize = 2048;

/// Why a session cannot subscribe: what it is subscribed to is kept for the next process.
#[derive(Debug, thiserror::Error)]
enum NotSubscribed {
    #[error(
        "the URI is longer than {LONGEST} bytes, so changes of it cannot be subscribed to; read it again instead"
    )]
    TooLong,
    #[error(
        "this session is subscribed to {MOST} resources, as many as it may be; unsubscribe from one of them first"
    )]
    TooMany,
}

impl Switch {
    /// Whether a request to subscribe is refused here. Else the process answers.
    pub(super) fn refuses_to_subscribe(&self, session: &Session, id: &Id, line: &Bytes) -> bool {
        let Some(uri) = rewrite::text_of(line, "uri") else { return false };
        let refused = self.may_subscribe(session, &uri);
        if let Err(refused) = &refused {
            self.refuse(session, id, INVALID_PARAMS, &refused.to_string());
        }
        refused.is_err()
    }

    fn may_subscribe(&self, session: &Session, uri: &str) -> Result<(), NotSubscribed> {
        if uri.len() > LONGEST {
            return Err(NotSubscribed::TooLong);
        }
        let under_way =
            self.state().subscribing().filter(|(other, _)| other.number == session.number).count();
        let standing = session.standing();
        let is_new = !standing.subscriptions.contains(uri);
        if is_new && standing.subscriptions.len() + under_way >= MOST {
            return Err(NotSubscribed::TooMany);
        }
        Ok(())
    }

    /// How many resources a client listens for, whose requests stand alone: what a session may have, it has in all of them.
    pub(super) fn listened_for(&self, session: &Session) -> usize {
        let state = self.state();
        let own = state.sessions.values().filter(|other| other.owner == session.owner);
        own.map(|other| other.standing())
            .filter(|other| other.stands_alone)
            .map(|other| other.subscriptions.len())
            .sum()
    }

    /// Whether a request to unsubscribe was answered without the process, since others are still subscribed.
    pub(super) fn unsubscribes_here(&self, session: &Session, id: &Id, line: &Bytes) -> bool {
        let Some(uri) = rewrite::text_of(line, "uri") else { return false };
        session.standing().subscriptions.remove(&uri);
        // What was asked before, and is answered later, holds no more.
        for asked in self.state().asked.values_mut() {
            if let Asked::Session { session: other, subscribes, .. } = asked
                && other.number == session.number
            {
                subscribes.take_if(|asked| *asked == uri);
            }
        }
        let wanted = self.somebody_wants(&uri);
        if wanted {
            self.reply(session, id, json!({}));
        }
        wanted
    }

    /// Unsubscribes from what nobody is subscribed to any more.
    pub(super) fn give_up(&self, uris: impl IntoIterator<Item = String>) {
        for uri in uris {
            if !self.somebody_wants(&uri) {
                self.ask_and_go_on("resources/unsubscribe", &json!({ "uri": uri }));
            }
        }
    }

    pub(super) fn somebody_wants(&self, uri: &str) -> bool {
        let state = self.state();
        let sessions: Vec<Arc<Session>> = state.sessions.values().cloned().collect();
        let soon = state.subscribing().any(|(_, other)| other == uri);
        drop(state);
        soon || sessions.iter().any(|session| session.standing().subscriptions.contains(uri))
    }
}

impl State {
    /// Who has asked to be subscribed to what, and has not been answered.
    fn subscribing(&self) -> impl Iterator<Item = (&Arc<Session>, &str)> {
        self.asked.values().filter_map(|asked| match asked {
            Asked::Session { session, subscribes: Some(uri), .. }
            | Asked::Hears { session, uri: Some(uri), waits: Some(_) } => Some((session, uri.as_str())),
            _ => None,
        })
    }
}

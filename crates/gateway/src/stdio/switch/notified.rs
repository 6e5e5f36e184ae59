//! Who hears a notification of a process that several sessions share.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::super::era::Era;
use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::session::Session;
use super::bridge::for_subscription;
use super::{State, Switch};

/// Of what a client may notify a process by itself: not of what is said here for all, and not of what names requests or tasks.
pub(super) fn is_the_clients_own(method: &str) -> bool {
    let method = method.to_ascii_lowercase();
    method.starts_with("notifications/")
        && !matches!(
            &*method,
            "notifications/initialized"
                | "notifications/roots/list_changed"
                | "notifications/cancelled"
                | "notifications/progress"
        )
        && !method.starts_with("notifications/tasks/")
}

impl Switch {
    /// | notification | who hears it |
    /// |---|---|
    /// | `…/list_changed` | everybody |
    /// | `notifications/resources/updated` | whoever subscribed to it |
    /// | `notifications/message`, and what is unknown | the session that all calls under way belong to, those that are left too; else everybody, where all of it is one user's; else nobody, since it may tell of somebody else's call |
    pub(super) fn notify(&self, method: &str, line: &Bytes) {
        if self.era() == Era::Modern && self.heard_by_listening(method, line) {
            return;
        }
        let to = {
            let state = self.state();
            match method {
                "notifications/tools/list_changed"
                | "notifications/prompts/list_changed"
                | "notifications/resources/list_changed" => {
                    let mut all = state.everybody();
                    all.retain(|session| session.standing().hears_of(method));
                    all
                }
                "notifications/resources/updated" => {
                    let uri = rewrite::text_of(line, "uri").unwrap_or_default();
                    let mut all = state.everybody();
                    all.retain(|session| session.standing().wants(&uri));
                    all
                }
                _ if method.starts_with("notifications/tasks/") => Vec::new(),
                _ => {
                    let mut all = state.concerned();
                    if method == "notifications/message" {
                        let level = rewrite::text_of(line, "level").map(Value::from);
                        all.retain(|session| session.standing().hears(level.as_ref()));
                    }
                    all
                }
            }
        };
        if to.is_empty() {
            tracing::debug!(method, "a notification of the server is for nobody");
        }
        for session in to {
            let listening = session.standing().listening.as_ref().map(|listening| listening.id.clone());
            let line = listening.map_or_else(|| line.clone(), |id| for_subscription(line, &id));
            session.hand(Message { kind: Kind::Notification(method.to_owned()), line });
        }
    }
}

impl State {
    fn everybody(&self) -> Vec<Arc<Session>> {
        self.sessions.values().cloned().collect()
    }

    fn concerned(&self) -> Vec<Arc<Session>> {
        if let Some(caller) = self.sole_caller() {
            return vec![caller];
        }
        let mut everybody = self.everybody();
        // A request that stands alone hears of itself only.
        everybody.retain(|session| !session.standing().stands_alone);
        let one_user =
            everybody.windows(2).all(|two| matches!(two, [a, b] if a.owner.is_same_user(&b.owner)));
        let one_user = one_user && everybody.iter().take(1).all(|one| self.left.are_of_user(&one.owner));
        if one_user { everybody } else { Vec::new() }
    }
}

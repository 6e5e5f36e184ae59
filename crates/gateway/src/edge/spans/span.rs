//! What a request was: as the access log says it, without anything about people.

use std::time::{Duration, SystemTime};

use super::context::Context;
use crate::edge::log::access::{Answered, Asked};
use crate::edge::observed::Details;
use crate::edge::words::Words;

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    pub(super) began: SystemTime,
    pub(super) took: Duration,
    /// Until the head of the answer, without what client and upstream took.
    pub(super) own: Option<Duration>,
    pub(super) method: String,
    /// Without its query.
    pub(super) path: String,
    /// `None`: the client was gone before.
    pub(super) status: Option<u16>,
    pub(super) server: Option<String>,
    pub(super) words: Option<Words>,
    pub(super) decision: Option<&'static str>,
    pub(super) rule: Option<&'static str>,
}

impl Span {
    pub(super) fn of(
        (context, began): (Context, SystemTime),
        asked: &Asked,
        details: &Details,
        answered: &Answered,
    ) -> Self {
        Self {
            context,
            began,
            took: answered.took,
            own: answered.own,
            method: asked.method.clone(),
            path: asked.path.clone(),
            status: answered.status,
            server: details.server.as_ref().map(|server| server.name().to_owned()),
            words: details.words.clone(),
            decision: details.decision.word(),
            rule: details.rule,
        }
    }
}

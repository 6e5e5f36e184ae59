//! The way of one session's messages to a process that it shares.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Limits;
use super::era::Era;
use super::message::Kind;
use super::session::{Input, Session, watch};
use super::shared::Shared;

/// Carries messages until the session ends.
pub(super) async fn run(
    session: Arc<Session>,
    mut inputs: mpsc::UnboundedReceiver<Input>,
    shared: Arc<Shared>,
    limits: Limits,
) {
    loop {
        let input = tokio::select! {
            () = session.end.cancelled() => break,
            () = watch(&session, &limits) => {
                tracing::info!("a session was idle for too long");
                break;
            }
            input = inputs.recv() => match input {
                Some(input) => input,
                None => break,
            },
        };
        carry(&session, input, &shared).await;
    }
    session.end.cancel();
    shared.leave(&session);
    session.close();
}

/// To the process that there is; where another one takes its place at that moment, to that one.
async fn carry(session: &Arc<Session>, input: Input, shared: &Arc<Shared>) {
    let mut next = Some(input);
    while let Some(input) = next.take() {
        shared.renew();
        match shared.switch(Era::Legacy).await {
            Ok(switch) => next = switch.forward(session, input),
            Err(refused) => {
                if let Kind::Request { id, .. } = &input.kind {
                    session.fail(id, &refused.to_string());
                }
            }
        }
    }
}

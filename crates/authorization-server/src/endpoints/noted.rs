//! What was refused, and which error pages were shown, for the audit log. Endpoints put a note beside their answer; here
//! it is taken off, so that no endpoint forgets to write it.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Server;
use super::oauth_answer::RefusedRequest;
use crate::audit::{AuditKind, NewEvent};
use crate::pages::ShownProblem;

/// Answers that are part of a normal course: a device that asks again, a proof that gets its nonce.
const EXPECTED: [&str; 3] = ["authorization_pending", "slow_down", "use_dpop_nonce"];

pub(super) async fn note(State(server): State<Server>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut answer = next.run(request).await;
    if let Some(shown) = answer.extensions_mut().remove::<ShownProblem>() {
        let event = NewEvent::new(AuditKind::ErrorPage).reference(&shown.reference);
        server.store.record(event.detail(format!("{path}: {}", shown.what)));
    }
    if let Some(refused) = answer.extensions_mut().remove::<RefusedRequest>()
        && !EXPECTED.contains(&refused.error.error.as_str())
    {
        let event = NewEvent::new(AuditKind::RequestRefused).detail(format!("{path}: {}", refused.error));
        server.store.record(refused.client.iter().fold(event, |event, client| event.client(client)));
    }
    answer
}

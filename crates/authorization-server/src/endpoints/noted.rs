//! What was refused, and which error pages were shown, for the log and the audit log. Endpoints put a note beside their
//! answer; here it is taken off, so that no endpoint forgets to write it.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;

use super::Server;
use super::address::CameFrom;
use super::oauth_answer::RefusedRequest;
use crate::audit::{AuditKind, NewEvent};
use crate::pages::ShownProblem;

/// Answers that are part of a normal course: a device that asks again, a proof that gets its nonce.
const EXPECTED: [&str; 3] = ["authorization_pending", "slow_down", "use_dpop_nonce"];

/// Which request it was. Its query is not kept: codes and links stand there.
struct Asked {
    method: Method,
    path: String,
    address: Option<IpAddr>,
}

pub(super) async fn note(State(server): State<Server>, request: Request, next: Next) -> Response {
    let CameFrom(client) = CameFrom::of(request.extensions());
    let asked = Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        // Behind a proxy it would be the proxy's.
        address: client.filter(|_| server.settings.count_addresses),
    };
    let mut answer = next.run(request).await;
    if let Some(shown) = answer.extensions_mut().remove::<ShownProblem>() {
        tell(&server, &asked, &shown, &answer);
    }
    if let Some(refused) = answer.extensions_mut().remove::<RefusedRequest>()
        && !EXPECTED.contains(&refused.error.error.as_str())
    {
        let event = NewEvent::new(AuditKind::RequestRefused).address(asked.address);
        let event = event.detail(format!("{}: {}", asked.path, refused.error));
        server.store.record(refused.client.iter().fold(event, |event, client| event.client(client)));
    }
    answer
}

/// An error page: the log and the audit log say the same, under the reference that the page shows.
fn tell(server: &Server, asked: &Asked, shown: &ShownProblem, answer: &Response) {
    let ShownProblem { reference, rule, what, cause, client } = shown;
    tracing::warn!(
        reference,
        rule,
        status = answer.status().as_u16(),
        method = asked.method.as_str(),
        path = asked.path,
        client = client.as_deref().map(crate::pages::shown),
        what,
        cause,
        "an error page was shown"
    );
    let because = cause.as_ref().map(|cause| format!(" Cause: {cause}")).unwrap_or_default();
    let event = NewEvent::new(AuditKind::ErrorPage).reference(reference).address(asked.address);
    let event = event.detail(format!("{} {}: {rule}: {what}{because}", asked.method, asked.path));
    server.store.record(client.iter().fold(event, |event, client| event.client(client)));
}

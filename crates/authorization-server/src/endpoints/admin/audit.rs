//! `/admin/audit`: what was decided, newest first.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hallpass_protocol::form::Parameters;
use http::{HeaderMap, StatusCode};
use url::form_urlencoded;

use super::super::Server;
use super::super::account;
use super::super::member::Away;
use super::administrator;
use crate::audit::{AuditEvent, AuditFilter};
use crate::pages::{AdminAudit, EventLine, FormTarget, answer};

pub(super) const PATH: &str = "/admin/audit";
const A_PAGE: u32 = 50;

pub(in crate::endpoints) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    show(&server, &headers, &query).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let query = Parameters::parse(query).unwrap_or_default();
    let field = |name| query.get(name).ok().flatten().map(str::trim).filter(|text| !text.is_empty());
    let owned = |name| field(name).map(str::to_owned);
    let filter = AuditFilter {
        user: owned("user"),
        client: owned("client"),
        reference: owned("reference"),
        since: None,
        before: owned("before"),
    };
    let mut events = server.store.audit_log().list(&filter, A_PAGE + 1).await?;
    let has_older = events.len() > A_PAGE as usize;
    events.truncate(A_PAGE as usize);
    let older = events.last().filter(|_| has_older).map(|last| {
        let mut next = form_urlencoded::Serializer::new(String::new());
        for name in ["user", "client", "reference"] {
            field(name).map(|value| next.append_pair(name, value));
        }
        format!("{}?{}", server.path(PATH), next.append_pair("before", &last.id).finish())
    });
    let page = AdminAudit {
        admin: server.path(super::PATH),
        account: server.path(account::PATH),
        username: admin.session.user_name.clone(),
        user: filter.user.unwrap_or_default(),
        client: filter.client.unwrap_or_default(),
        reference: filter.reference.unwrap_or_default(),
        events: events.into_iter().map(line).collect(),
        older,
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::Own))
}

fn line(event: AuditEvent) -> EventLine {
    let at = event.at.to_utc();
    let says = event.says().to_owned();
    let facts = [
        ("User", event.user_name.or(event.user_id)),
        ("By", event.actor),
        ("Client", event.client_id),
        ("Grant", event.grant_id),
        ("From", event.address),
        ("Reference", event.reference),
    ];
    let facts = facts.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    EventLine { at, says, facts: facts.collect(), detail: event.detail }
}

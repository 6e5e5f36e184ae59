//! `hallpass audit`.

use hallpass_authorization_server::{AuditEvent, AuditFilter, AuditLog};

use super::{Place, known, table};
use crate::cli;
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Fetched at once.
const A_PAGE: u32 = 500;
/// Shown, where nobody says how far back.
const LATEST: usize = 100;

/// Runs the command.
pub(crate) async fn run(audit: cli::Audit, place: &Place) -> Result<(), Failure> {
    let log = place.existing_data()?.store().await?.audit_log();
    let filter = AuditFilter {
        user: audit.user,
        client: audit.client,
        reference: audit.reference,
        since: audit.since.map(|span| system_clock().now().before(span.0)),
        before: None,
    };
    let wanted =
        Wanted { resource: audit.server.as_deref().map(|name| known::resource_of(place, name)).transpose()? };
    if audit.json {
        return lines(&log, filter, &wanted).await;
    }
    let events = match filter.since {
        Some(_) => some(&log, filter, &wanted, usize::MAX).await?,
        None => some(&log, filter, &wanted, LATEST).await?,
    };
    if events.is_empty() {
        say!("Nothing is recorded that fits.");
        return Ok(());
    }
    let rows: Vec<_> = events
        .into_iter()
        .map(|event| {
            let about = [
                event.user_name.clone().or(event.user_id.clone()),
                event.actor.clone().map(|by| format!("by {by}")),
                event.client_id.clone(),
                event.address.clone(),
                event.reference.clone(),
            ];
            let about: Vec<String> = about.into_iter().flatten().collect();
            let says = event.says().to_owned();
            [event.at.to_utc(), says, about.join(" "), event.detail.unwrap_or_default()]
        })
        .collect();
    table::print(["TIME", "EVENT", "ABOUT", "DETAIL"], &rows)?;
    Ok(())
}

/// What the table cannot be asked for.
struct Wanted {
    /// About tokens for this resource.
    resource: Option<String>,
}

impl Wanted {
    /// The last words of such an event are the resources.
    fn has(&self, event: &AuditEvent) -> bool {
        let Some(resource) = &self.resource else { return true };
        let of = event.detail.as_deref().and_then(|detail| detail.rsplit_once(" for "));
        of.is_some_and(|(_, resources)| resources.split(' ').any(|one| one == resource))
    }
}

/// The latest of them, so many at most.
async fn some(
    log: &AuditLog,
    mut filter: AuditFilter,
    wanted: &Wanted,
    most: usize,
) -> Result<Vec<AuditEvent>, Failure> {
    let mut events = Vec::new();
    loop {
        let page = log.list(&filter, A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(events) };
        filter.before = Some(last.id.clone());
        let left = most.saturating_sub(events.len());
        events.extend(page.into_iter().filter(|event| wanted.has(event)).take(left));
        if events.len() >= most {
            return Ok(events);
        }
    }
}

/// Page by page: nobody knows how many there are.
async fn lines(log: &AuditLog, mut filter: AuditFilter, wanted: &Wanted) -> Result<(), Failure> {
    loop {
        let page = log.list(&filter, A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        filter.before = Some(last.id.clone());
        for event in page.iter().filter(|event| wanted.has(event)) {
            say!("{}", json(event));
        }
    }
}

fn json(event: &AuditEvent) -> serde_json::Value {
    serde_json::json!({
        "id": event.id,
        "at": event.at.unix(),
        "event": event.event,
        "user_id": event.user_id,
        "user_name": event.user_name,
        "actor": event.actor,
        "client_id": event.client_id,
        "grant_id": event.grant_id,
        "address": event.address,
        "reference": event.reference,
        "detail": event.detail,
    })
}

//! The audit log beside its database: lines, and counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use hallpass_authorization_server::{AuditKind, Recorded};
use hallpass_gateway::edge::Lines;
use hallpass_gateway::edge::log::rfc3339;
use hallpass_gateway::edge::metrics::text::Text;

/// What is told of events, those of each tenant apart.
pub(crate) struct Audited {
    lines: Option<Lines>,
    /// By tenant: those of the configuration, and no other names.
    heard: Mutex<BTreeMap<Option<String>, Arc<Heard>>>,
}

/// Hears of each event of one tenant once it is in the database.
pub(crate) struct Heard {
    tenant: Option<String>,
    lines: Option<Lines>,
    counts: Vec<AtomicU64>,
}

impl Audited {
    pub(crate) fn new(lines: Option<Lines>) -> Self {
        Self { lines, heard: Mutex::default() }
    }

    /// Who hears of a tenant's events, or of those outside of all tenants.
    pub(crate) fn of(&self, tenant: Option<&str>) -> Arc<Heard> {
        let tenant = tenant.map(str::to_owned);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Heard {
            tenant: tenant.clone(),
            lines: self.lines.clone(),
            counts: AuditKind::ALL.iter().map(|_| AtomicU64::default()).collect(),
        };
        Arc::clone(heard.entry(tenant.clone()).or_insert_with(|| Arc::new(new())))
    }

    /// Adds the counts. Tokens that were issued are among them.
    pub(crate) fn write(&self, text: &mut Text) {
        let name = "hallpass_audit_events_total";
        text.family(name, "counter", "Events that this process has written to the audit log.");
        for (tenant, heard) in &*self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            for (kind, count) in AuditKind::ALL.iter().zip(&heard.counts) {
                let tenant = tenant.as_ref().map(|tenant| ("tenant", tenant.as_str()));
                let labels: Vec<_> = [("event", kind.name())].into_iter().chain(tenant).collect();
                text.sample_if_any(name, &labels, count.load(Ordering::Relaxed));
            }
        }
    }
}

impl Heard {
    pub(crate) fn hear(&self, event: &Recorded<'_>) {
        let kind = AuditKind::ALL.iter().position(|kind| *kind == event.kind);
        if let Some(count) = kind.and_then(|at| self.counts.get(at)) {
            count.fetch_add(event.times.into(), Ordering::Relaxed);
        }
        if let Some(lines) = &self.lines {
            lines.write(line(self.tenant.as_deref(), event));
        }
    }
}

fn line(tenant: Option<&str>, event: &Recorded<'_>) -> String {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(event.at.unix()).unwrap_or_default());
    let mut line = serde_json::Map::new();
    line.insert("time".to_owned(), rfc3339(at).into());
    line.insert("log".to_owned(), "audit".into());
    line.insert("event".to_owned(), event.kind.name().into());
    for (name, value) in [
        ("tenant", tenant),
        ("user_id", event.user_id),
        ("actor", event.actor),
        ("client_id", event.client_id),
        ("grant_id", event.grant_id),
        ("address", event.address),
        ("reference", event.reference),
        ("detail", event.detail),
    ] {
        if let Some(value) = value {
            line.insert(name.to_owned(), value.into());
        }
    }
    if event.times > 1 {
        line.insert("times".to_owned(), event.times.into());
    }
    serde_json::Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::Timestamp;

    use super::*;

    #[test]
    fn an_event_is_a_line_and_a_count() {
        let event = Recorded {
            at: Timestamp::from_unix(0),
            kind: AuditKind::TokenIssued,
            times: 3,
            user_id: Some("u1"),
            actor: None,
            client_id: Some("i\"de"),
            grant_id: None,
            address: None,
            reference: None,
            detail: None,
        };
        let said: serde_json::Value = serde_json::from_str(&line(None, &event)).unwrap();
        assert_eq!(
            said,
            serde_json::json!({
                "time": "1970-01-01T00:00:00.000Z", "log": "audit", "event": "token_issued",
                "user_id": "u1", "client_id": "i\"de", "times": 3,
            })
        );
        let audited = Audited::new(None);
        audited.of(None).hear(&event);
        audited.of(Some("acme")).hear(&event);
        let mut text = Text::default();
        audited.write(&mut text);
        let text = text.into_string();
        assert!(text.contains("hallpass_audit_events_total{event=\"token_issued\"} 3\n"));
        assert!(text.contains("hallpass_audit_events_total{event=\"token_issued\",tenant=\"acme\"} 3\n"));
        let said: serde_json::Value = serde_json::from_str(&line(Some("acme"), &event)).unwrap();
        assert_eq!(said["tenant"], "acme");
    }
}

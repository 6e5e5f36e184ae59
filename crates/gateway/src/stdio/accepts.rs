//! What a client can read (RFC 9110 §12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

use super::refused::Refused;

/// What a client can read.
pub(super) struct Accepts {
    events: bool,
    json: bool,
}

impl Accepts {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        // Without the field, everything (RFC 9110 §12.5.1).
        let all = fields.peek().is_none();
        let mut accepts = Self { events: false, json: all };
        for range in fields.flat_map(|field| field.split(',')) {
            let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            accepts.events |= matches!(&*range, "text/event-stream" | "text/*");
            accepts.json |= matches!(&*range, "application/json" | "application/*" | "*/*");
        }
        accepts
    }

    /// Whether to answer with events.
    pub(super) fn for_post(&self) -> Result<bool, Refused> {
        if self.events || self.json { Ok(self.events) } else { Err(Refused::NotAcceptable) }
    }

    pub(super) fn for_get(&self) -> Result<(), Refused> {
        if self.events { Ok(()) } else { Err(Refused::NotAcceptable) }
    }
}

//! Whether the authorization server still knows a client id, before a person meets a dead page there.
//!
//! Servers forget dynamic registrations, and many say so at the authorization endpoint alone, to the person (RFC 6749
//! §4.1.2.1: where the client id is not known, nothing may redirect). With pushed requests (RFC 9126) the refusal comes to
//! us by itself. Elsewhere the endpoint is asked once, without a person: a GET through the guard, no redirect followed,
//! no cookie kept, with a `state` and a challenge of its own, so that whatever it begins there belongs to nobody and
//! ends by itself. Only a plain refusal counts: 400 or 401 with a body that says that the client is not known.
//! Everything else, a login page, a rate limit, an error, no answer in time, changes nothing.

use std::time::Duration;

use http::StatusCode;

use super::{Ask, Drawn};
use crate::{
    error::{Error, Rule, Step, printable},
    redeem::RedeemError,
};

/// How long a person may be kept waiting for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of the answer is read for its meaning.
const MOST: usize = 64 << 10;

/// What servers write of a client that they do not know, in small letters, without the id, and with nothing but letters,
/// digits and underscores between single spaces.
const PHRASES: [&str; 9] = [
    "invalid_client",
    "unknown client",
    "unknown_client",
    "client not found",
    "client id not found",
    "client_id not found",
    "client not registered",
    "client is not registered",
    "client does not exist",
];

impl Ask<'_> {
    /// Refuses a client id that the authorization server plainly does not know.
    pub(crate) async fn ensure_client_is_known(&self, redirect_uri: &str) -> Result<(), RedeemError> {
        let metadata = self.server.metadata();
        if metadata.pushed_authorization_request_endpoint.is_some()
            || metadata.require_pushed_authorization_requests
        {
            return Ok(());
        }
        let url = self.endpoint()?;
        let parameters = self.parameters(&Drawn::new(), redirect_uri);
        let url = url.with_query(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        let asked = self.requester.fetcher.get(url.url(), "text/html, application/json;q=0.9");
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asked).await else { return Ok(()) };
        let client_id = &self.requester.client.client_id;
        if !says_unknown(answer.status, &answer.body, client_id) {
            return Ok(());
        }
        Err(RedeemError::UnknownClient(Error::Misconfigured {
            step: Step::Authorize,
            url: printable(self.server.issuer().as_str()),
            rule: Rule::ClientForgotten(printable(client_id)),
        }))
    }
}

/// Conservative: a page that merely mentions clients is no verdict.
fn says_unknown(status: StatusCode, body: &[u8], client_id: &str) -> bool {
    if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) {
        return false;
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST)]).to_lowercase();
    let text = match client_id.is_empty() {
        true => text,
        false => text.replace(&client_id.to_lowercase(), " "),
    };
    let text = without_tags(&text);
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let text = format!(" {} ", words.collect::<Vec<_>>().join(" "));
    PHRASES.iter().any(|phrase| text.contains(&format!(" {phrase} ")))
}

/// Markup separates no words that it stands between.
fn without_tags(text: &str) -> String {
    let mut parts = text.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + " " + part.split_once('>').map_or(part, |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn says(status: u16, body: &str) -> bool {
        says_unknown(StatusCode::from_u16(status).unwrap(), body.as_bytes(), "client-1")
    }

    #[test]
    fn plain_refusals_are_understood() {
        for body in [
            r#"{"error":"invalid_client","error_description":"Invalid client_id"}"#,
            r#"{"error":"invalid_request","error_description":"Client ID 'client-1' not found"}"#,
            "<title>Error</title><p>Client not found.</p>",
            "<h1>Unknown client: client-1</h1>",
            "<p>error: <b>invalid_client</b></p>",
            "The client <code>client-1</code> is not registered.",
        ] {
            assert!(says(400, body) && says(401, body), "{body}");
        }
    }

    #[test]
    fn anything_else_is_no_verdict() {
        let refusal = r#"{"error":"invalid_client"}"#;
        for status in [200, 302, 403, 404, 429, 500, 503] {
            assert!(!says(status, refusal), "{status}");
        }
        for body in [
            "",
            r#"{"error":"invalid_request","error_description":"redirect_uri does not match"}"#,
            r#"{"error":"invalid_client_metadata"}"#,
            "<p>Page not found. Are you a client?</p>",
            "<p>The redirect URI of this client was not found</p>",
        ] {
            assert!(!says(400, body), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300), id in "\\PC{0,20}") {
            says_unknown(StatusCode::BAD_REQUEST, &body, &id);
        }
    }
}

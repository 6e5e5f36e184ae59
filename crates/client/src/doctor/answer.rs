//! What came back for a request, as far as a verdict needs it.

use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetched};
use http::{HeaderMap, HeaderName, StatusCode, header};
use reqwest::Request;
use url::Url;

use crate::Client;

/// An event stream may never end, and a body may be endless.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: usize = 64 * 1024;

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// An answer, or why there is none.
pub(super) type Outcome = Result<Answer, String>;

impl Answer {
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn is_json(&self) -> bool {
        let kind = self.header(&header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
        kind.is_some_and(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind == "application/json" || kind.ends_with("+json")
        })
    }

    /// Whether a list in a header names a field, or all fields.
    pub(super) fn lists(&self, header: &HeaderName, name: &str) -> bool {
        let values = self.headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|list| list.split(',')).any(|item| item.trim().eq_ignore_ascii_case(name))
    }
}

impl From<Fetched> for Answer {
    fn from(fetched: Fetched) -> Self {
        Self { status: fetched.status, headers: fetched.headers, body: fetched.body.to_vec() }
    }
}

/// Sends a request to the MCP server itself.
pub(super) async fn ask(client: &Client, request: Request) -> Outcome {
    let exchange = async {
        let answer = client.http().execute(request).await;
        let mut response = answer.map_err(|error| client.unreached(error).to_string())?;
        let mut answer = Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: Vec::new(),
        };
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                answer.body.extend_from_slice(&chunk);
                let has_event = answer.body.windows(2).any(|pair| pair == b"\n\n") && !answer.is_json();
                if has_event || answer.body.len() > LONGEST {
                    break;
                }
            }
        };
        // A stream with nothing to say is an answer too.
        drop(tokio::time::timeout(PATIENCE / 4, read).await);
        Ok(answer)
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// A guarded fetch's outcome.
pub(super) fn fetched(outcome: Result<Fetched, FetchError>) -> Outcome {
    outcome.map(Answer::from).map_err(|error| error.to_string())
}

/// The outcome in a few words.
pub(super) fn tell(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => answer.status.to_string(),
        Err(why) => why.clone(),
    }
}

/// A URL without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither is possible for a URL without a host, which has neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        url.set_query(Some("…"));
    }
    url.set_fragment(None);
    url.as_str().replace("%E2%80%A6", "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_a_url_is_not_shown() {
        let shown = |text: &str| shown(&Url::parse(text).unwrap());
        assert_eq!(shown("https://a:b@h.example/m?key=s3cret#f"), "https://h.example/m?…");
        assert_eq!(shown("https://h.example/m"), "https://h.example/m");
    }
}

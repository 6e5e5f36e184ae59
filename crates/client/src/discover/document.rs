//! One guarded request for one JSON document.

use hallpass_guarded_fetch::Fetcher;
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    error::{Error, Rule, Step, printable},
    fetched,
};

/// What was at a location.
pub(super) enum Found<T> {
    /// The document.
    Document(T),
    /// Nothing of use, and why: the next location may be asked.
    Absent(String),
}

/// Fetches a metadata document. A server in trouble stops discovery: to go on would pick a worse location,
/// or default endpoints, because of a bad moment.
pub(super) async fn get<T: DeserializeOwned>(fetcher: &Fetcher, url: &Url) -> Result<Found<T>, Error> {
    let answer = fetcher
        .get(url, "application/json")
        .await
        .map_err(|error| fetched::failed(Step::Discover, url.as_str(), error))?;
    let status = answer.status;
    if fetched::is_transient(status) {
        return Err(fetched::transient(Step::Discover, url.as_str(), &answer));
    }
    if !status.is_success() {
        return Ok(Found::Absent(format!("{url} answered {status}")));
    }
    // Many sites answer every path with their start page.
    match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(value) if value.is_object() => {
            serde_json::from_value(value).map(Found::Document).map_err(|error| Error::Misconfigured {
                step: Step::Discover,
                url: url.to_string(),
                rule: Rule::Malformed(printable(&error.to_string())),
            })
        }
        _ => {
            let label = fetched::labelled(&answer);
            Ok(Found::Absent(format!("{url} answered {status}, {label}, but not with a JSON object")))
        }
    }
}

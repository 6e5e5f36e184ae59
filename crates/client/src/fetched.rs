//! What the answer of a fetch means: wait, or give up.

use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetched};
use http::{HeaderMap, StatusCode, header};

use crate::error::{Error, Rule, Step, printable};

/// Whether the same request may succeed later (RFC 9110 §15.6, RFC 6585 §4).
pub(crate) fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// The error for such an answer.
pub(crate) fn transient(step: Step, url: &str, answer: &Fetched) -> Error {
    Error::Transient {
        step,
        url: printable(url),
        detail: format!("the server answered {}", answer.status),
        retry_after: retry_after(&answer.headers),
    }
}

/// RFC 9110 §10.2.3: seconds, or a date. A date is taken by the server's own clock, which it tells with `Date`:
/// the one here may be off.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wait = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = wait.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(wait).ok()?;
    until.duration_since(httpdate::parse_http_date(text(header::DATE)?).ok()?).ok()
}

/// The error for an answer that is a redirect.
pub(crate) fn redirected(step: Step, url: &str, answer: &Fetched) -> Option<Error> {
    let target = answer.headers.get(header::LOCATION).filter(|_| answer.status.is_redirection())?;
    let rule = Rule::Redirected(printable(&String::from_utf8_lossy(target.as_bytes())));
    Some(Error::Misconfigured { step, url: printable(url), rule })
}

/// What an answer says that it is, for an error about what it is not.
pub(crate) fn labelled(answer: &Fetched) -> String {
    let label =
        answer.headers.get(header::CONTENT_TYPE).map(|label| String::from_utf8_lossy(label.as_bytes()));
    label.map_or("without a content type".to_owned(), |label| format!("of type `{}`", printable(&label)))
}

/// The error for no answer.
pub(crate) fn failed(step: Step, url: &str, error: FetchError) -> Error {
    let detail = match &error {
        FetchError::Unreachable { host, reason }
            if reason.to_ascii_lowercase().contains("connection refused") =>
        {
            printable(&format!(
                "{host} could not be reached: the connection was refused: nothing listens there"
            ))
        }
        error => printable(&error.to_string()),
    };
    let url = printable(url);
    let refused = matches!(
        error,
        FetchError::Scheme
            | FetchError::Userinfo
            | FetchError::NoHost
            | FetchError::Address { .. }
            | FetchError::TooLarge { .. }
    );
    if refused {
        return Error::Misconfigured { step, url, rule: Rule::UnsafeUrl(detail) };
    }
    Error::Transient { step, url, detail, retry_after: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry_after.parse().ok()?);
        headers.extend(date.map(|date| (header::DATE, date.parse().unwrap())));
        super::retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait("120", now), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:37 GMT", now), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:37 GMT", None), None);
        assert_eq!(wait("Sun, 06 Nov 1994 08:40:00 GMT", now), None, "it is over");
        assert_eq!((wait("-1", now), wait("soon", now)), (None, None));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(retry_after in "[ -~]{0,40}", date in "[ -~]{0,40}") {
            wait(&retry_after, Some(&date));
        }
    }
}

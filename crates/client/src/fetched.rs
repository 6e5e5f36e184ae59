//! What the answer of a fetch means: wait, or give up.

use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetched};
use http::{StatusCode, header};

use crate::error::{Error, Rule, Step, printable};

/// Whether the same request may succeed later (RFC 9110 §15.6, RFC 6585 §4).
pub(crate) fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// The error for such an answer.
pub(crate) fn transient(step: Step, url: &str, answer: &Fetched) -> Error {
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    Error::Transient {
        step,
        url: printable(url),
        detail: format!("the server answered {}", answer.status),
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// The error for no answer.
pub(crate) fn failed(step: Step, url: &str, error: FetchError) -> Error {
    let detail = printable(&error.to_string());
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

//! The transfer coding of a request.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode};

/// What is said to whom is refused.
const SAYS: &str = "the only transfer coding that is understood here is chunked, once\n";

/// The answer to a request in a coding that nobody here undoes (RFC 9112 §6.1), or in one that is named twice (§7.1.1 forbids
/// chunks within chunks): hyper takes everything before a last `chunked` for undone, and the server behind would too.
pub(super) fn refusal(fields: &HeaderMap) -> Option<Response> {
    let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    if codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let mut response = Response::new(Body::from(SAYS));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // Where this request ends, and another begins, is a matter of opinion.
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_is_understood() {
        for (codings, understood) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&["gzip"], false),
            (&["gzip, chunked"], false),
            (&["chunked, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["chunked,"], false),
            (&[""], false),
        ] {
            let mut fields = HeaderMap::new();
            for coding in codings {
                fields.append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            assert_eq!(refusal(&fields).is_none(), understood, "{codings:?}");
        }
    }
}

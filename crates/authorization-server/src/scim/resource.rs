//! How a person is written (RFC 7643 §3.1, §4.1), and told from what it was before (RFC 7644 §3.14).

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::time::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{BASE, MEDIA_TYPE};
use crate::random::digest;
use crate::server::Inner;
use crate::store::ProvisionedUser;

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A person as it is written, with the name of this version.
pub(super) struct Written {
    body: Value,
    location: String,
    version: String,
}

impl Written {
    pub(super) fn of(server: &Inner, user: &ProvisionedUser) -> Self {
        let mut body = serde_json::to_value(&user.attributes).unwrap_or_default();
        body["schemas"] = json!([USER]);
        body["id"] = json!(user.id);
        body["userName"] = json!(user.attributes.user_name);
        body["active"] = json!(user.attributes.active);
        // Of the content: so it changes whoever changes the person, and nothing has to be counted.
        let version = format!("W/\"{}\"", digest(&body.to_string()).get(..22).unwrap_or_default());
        let location = server.url(&format!("{BASE}/Users/{}", user.id));
        body["meta"] = json!({
            "resourceType": "User",
            "created": time(user.created_at),
            "lastModified": time(user.changed_at),
            "location": location,
            "version": version,
        });
        Self { body, location, version }
    }

    pub(super) fn into_body(self) -> Value {
        self.body
    }

    /// RFC 7644 §3.14, RFC 9110 §13.1.1: whether the header allows a change of this version.
    pub(super) fn may_change(&self, headers: &HeaderMap) -> bool {
        let wanted = headers.get(http::header::IF_MATCH).map(|wanted| wanted.to_str().unwrap_or_default());
        wanted.is_none_or(|wanted| wanted.trim() == "*" || self.is_among(wanted))
    }

    /// RFC 9110 §13.1.2: whether the reader has this version.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get(http::header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
        known.is_some_and(|known| known.trim() == "*" || self.is_among(known))
    }

    /// Weakly (RFC 9110 §8.8.3.2): identity providers send it with `W/` and without.
    fn is_among(&self, list: &str) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        list.split(',').any(|tag| bare(tag) == bare(&self.version))
    }

    pub(super) fn into_response(self, status: StatusCode) -> Response {
        let headers = [header(ETAG, &self.version), header(LOCATION, &self.location)];
        let body = answer(status, &self.body);
        (headers, body).into_response()
    }

    pub(super) fn not_modified(&self) -> Response {
        (StatusCode::NOT_MODIFIED, [header(ETAG, &self.version)]).into_response()
    }
}

fn header(name: HeaderName, value: &str) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("")))
}

/// People's data: nobody keeps it on the way.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    let mut response = (status, Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// RFC 7643 §2.3.5, as in XML Schema.
fn time(at: Timestamp) -> String {
    at.to_utc().replacen(' ', "T", 1).replace(" UTC", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_in_xml() {
        assert_eq!(time(Timestamp::from_unix(1_800_000_000)), "2027-01-15T08:00:00Z");
    }
}

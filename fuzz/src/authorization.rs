//! `Authorization`, `X-API-Key` and the query: where a request shows who sends it. The first line is the path, each
//! other one a field.
//!
//! A request passes only with the one good token or the one good key, shown once and in its place.

use axum::body::Body;
use hallpass_protocol::digest::DigestAlgorithm;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::{ScopeSet, Timestamp};
use hallpass_resource_server::accounts::{DigestScheme, Shows};
use hallpass_resource_server::dpop::Dpop;
use hallpass_resource_server::{Account, Accounts, OwnAccounts, ResourceServer};
use http::{HeaderName, HeaderValue, Request, Uri};
use url::form_urlencoded;

use crate::keys::NOW;
use crate::protected::{self, TOKEN};

const KEY: &str = "hpk_fuzz";
/// Its SHA-256, in base64url.
const KEY_HASH: &str = "8-bH2HbkTtZFheo9CNjpRALK6ccNoupfluhMQrs8aLg";

/// Takes one input.
pub fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else { return };
    let fields: Vec<(HeaderName, HeaderValue)> = lines.filter_map(field).collect();
    let mut request = Request::post(uri.clone()).body(Body::empty()).expect("a request");
    for (name, value) in &fields {
        request.headers_mut().append(name, value.clone());
    }
    // Nothing is remembered from one input to the next.
    let server = ResourceServer::new(settings());
    let Ok(permitted) = protected::admit(&server, request) else { return };

    let shown = |name: &str| -> Vec<&HeaderValue> {
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    };
    let query = uri.query().unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    assert!(!names.any(|name| name.eq_ignore_ascii_case("access_token")), "{query}");
    let (credentials, keys) = (shown("authorization"), shown("x-api-key"));
    assert_eq!(credentials.len() + keys.len(), 1, "{fields:?}");
    let bearer = credentials.first().map(|value| {
        let text = value.to_str().expect("a token");
        let (scheme, token) = text.split_once(' ').expect("a scheme");
        assert!(scheme.eq_ignore_ascii_case("bearer"), "{text}");
        token.trim_matches(' ').to_owned()
    });
    let key = keys.first().map(|value| value.to_str().expect("a key").to_owned());
    match permitted.caller().principal() {
        "key#robot" => assert_eq!(bearer.or(key).as_deref(), Some(KEY)),
        _ => assert_eq!(bearer.as_deref(), Some(TOKEN.as_str())),
    }
    assert!(permitted.get().headers().get("x-api-key").is_none(), "the key goes on to upstream");
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let at = line.iter().position(|byte| *byte == b':')?;
    let value = line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..]);
    Some((HeaderName::from_bytes(&line[..at]).ok()?, HeaderValue::from_bytes(value).ok()?))
}

fn settings() -> hallpass_resource_server::Settings {
    let account = |name: &str, shows| Account {
        id: name.to_owned(),
        name: name.to_owned(),
        scopes: ScopeSet::parse("notes:read").expect("scopes"),
        tenant: None,
        created: Timestamp::from_unix(NOW),
        expires: None,
        shows,
    };
    let mut settings = protected::settings();
    let digest = Shows::digest("old", &settings.realm, &Secret::new("pw"), &[DigestAlgorithm::Sha256]);
    settings.accounts = Some(OwnAccounts {
        list: Accounts::fixed(vec![
            account("robot", Shows::Key(KEY_HASH.to_owned())),
            account("old", digest),
        ]),
        keys: true,
        basic: false,
        digest: Some(DigestScheme::default()),
    });
    settings.dpop = Some(Dpop::default());
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the target would never see a request pass.
    #[test]
    fn the_good_ones_pass() {
        let server = ResourceServer::new(settings());
        for (name, value) in [
            ("authorization", format!("Bearer {}", *TOKEN)),
            ("authorization", format!("Bearer {KEY}")),
            ("x-api-key", KEY.to_owned()),
        ] {
            let request = Request::post("/mcp").header(name, value).body(Body::empty()).unwrap();
            protected::admit(&server, request).unwrap();
        }
    }
}

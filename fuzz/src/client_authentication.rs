//! How clients show themselves to the authorization server, and browsers their session: on the lines `Authorization`,
//! `Cookie`, and the form.
//!
//! Credentials come in one way, and are what another reader finds there. A session cookie that is there twice is none.

use base64::{Engine, prelude::BASE64_STANDARD};
use hallpass_authorization_server::fuzzing::{client_credentials, session};
use hallpass_protocol::{Issuer, Parameters};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use url::form_urlencoded;

use crate::lines;

const SESSION: &str = "__Host-hallpass-session";

/// Takes one input.
pub fn check(data: &[u8]) {
    let [authorization, cookie, body] = lines(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [(AUTHORIZATION, authorization), (COOKIE, cookie)] {
        if let Ok(value) = HeaderValue::from_bytes(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    cookies(&headers);
    let Ok(form) = Parameters::parse_bytes(body) else { return };
    let Some((id, shown, in_header)) = client_credentials(&headers, &form) else { return };
    let said = |name: &str| form.get(name).ok().flatten();
    let ways = [headers.contains_key(AUTHORIZATION), form.is_present("client_secret"), form.is_present("client_assertion")];
    assert!(ways.into_iter().filter(|way| *way).count() <= 1);
    assert_eq!(in_header, ways[0]);
    if in_header {
        let (other_id, secret) = basic(&headers[AUTHORIZATION]);
        assert_eq!((id.as_str(), shown.as_ref().map_or("", |secret| secret.expose())), (&*other_id, &*secret));
    } else if !ways[2] {
        assert_eq!(said("client_id"), Some(id.as_str()));
        assert_eq!(shown.as_ref().map(|secret| secret.expose()), said("client_secret"));
    }
    assert!(said("client_id").is_none_or(|other| other == id));
}

/// RFC 6749 §2.3.1, read by the URL parser's own reader of forms.
fn basic(field: &HeaderValue) -> (String, String) {
    let (scheme, encoded) = field.to_str().expect("ASCII").split_once(' ').expect("a scheme");
    assert!(scheme.eq_ignore_ascii_case("basic"));
    let decoded = BASE64_STANDARD.decode(encoded.trim()).expect("base64");
    let at = decoded.iter().position(|byte| *byte == b':').expect("a colon");
    let read = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).expect("UTF-8").replace('&', "%26");
        let pair = format!("value={text}");
        form_urlencoded::parse(pair.as_bytes()).next().expect("a pair").1.into_owned()
    };
    (read(&decoded[..at]), read(&decoded[at + 1..]))
}

fn cookies(headers: &HeaderMap) {
    let issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
    let Some(found) = session(headers, &issuer) else { return };
    let text = headers[COOKIE].to_str().expect("ASCII");
    let named = text.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == SESSION);
    assert!(named.map(|(_, value)| value).eq([found.as_str()]), "{text}");
    assert!(found.len() == 43 && found.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let mut twice = headers.clone();
    twice.append(COOKIE, headers[COOKIE].clone());
    assert_eq!(session(&twice, &issuer), None);
}

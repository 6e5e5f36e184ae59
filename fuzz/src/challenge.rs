//! `WWW-Authenticate` (RFC 9110 §11.6.1). Each line of the input is a field.
//!
//! What is read is within the bounds, has no name twice, and reads back as it was after it was written. A challenge in a
//! field of its own is found whatever stands in the fields before it, and what stands inside quotes stays there.

use hallpass_protocol::{Challenge, parse_challenges};
use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};

const MOST: usize = 64;

/// Takes one input.
pub fn check(data: &[u8]) {
    let fields = data.split(|byte| *byte == b'\n').filter_map(|field| HeaderValue::from_bytes(field).ok());
    let mut fields: Vec<HeaderValue> = fields.collect();
    let found = parse(&fields);
    assert!(found.len() <= MOST);
    found.iter().for_each(reads_back);

    let good = Challenge::bearer().with("scope", "notes:read");
    fields.push(good.to_header_value());
    if found.len() < MOST {
        assert_eq!(parse(&fields).last(), Some(&good), "lost behind {fields:?}");
    }
    stays_inside(&String::from_utf8_lossy(data));
}

fn parse(fields: &[HeaderValue]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(WWW_AUTHENTICATE, field.clone());
    }
    parse_challenges(&headers)
}

fn reads_back(challenge: &Challenge) {
    let params: Vec<(&str, &str)> = challenge.params().collect();
    assert!(params.len() <= MOST);
    for (at, (name, _)) in params.iter().enumerate() {
        assert!(!params[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)), "{name} twice");
    }
    let again = parse(&[challenge.to_header_value()]);
    let [again] = again.as_slice() else { panic!("{challenge:?} became {again:?}") };
    assert_eq!((&again.scheme, again.token68()), (&challenge.scheme, challenge.token68()));
    let written = params.iter().map(|(name, value)| (*name, writable(value)));
    assert!(again.params().map(|(name, value)| (name, value.to_owned())).eq(written), "{challenge:?}");
}

/// What a header cannot carry becomes `?`.
fn writable(value: &str) -> String {
    value.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

fn stays_inside(text: &str) {
    let digest = Challenge::new("Digest").with("realm", text);
    let field = HeaderValue::from_str(&format!("{digest}, Bearer scope=\"good\"")).expect("a field");
    let found = parse(&[field]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].params().count(), 1);
    assert_eq!(found[1].scope().expect("a scope").to_string(), "good");
}

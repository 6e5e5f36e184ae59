//! Security event tokens (RFC 8417), and whom they are about (RFC 9493).
//!
//! An input of one line is a subject identifier. One of several is a header and claims, which are signed just as they are. What is
//! taken is whole and for this receiver, in another reader's eyes; a subject that is read reads back as the same, and is in what was
//! written.

use std::time::Duration;

use hallpass_protocol::jose::{Expected, UnverifiedJwt};
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::subject_identifier::SubjectIdentifier;
use hallpass_protocol::{Issuer, Timestamp};
use serde_json::Value;

use crate::keys::{self, NOW};
use crate::lines;
use crate::protected::{ISSUER, RESOURCE};

/// Takes one input.
pub fn check(data: &[u8]) {
    if data.contains(&b'\n') {
        let [header, claims] = lines(data);
        event(&keys::sign(header, claims));
    } else if let Ok(value) = from_slice_unique(data) {
        subject(&value);
    }
}

fn event(token: &str) {
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    let expected = Expected {
        issuer: &issuer,
        audience: &[RESOURCE],
        typ: &["secevent+jwt"],
        now: Timestamp::from_unix(NOW),
        leeway: Duration::ZERO,
    };
    let Ok(unverified) = UnverifiedJwt::parse(token) else { return };
    let Ok(event) = unverified.verify_event(&keys::verifying(), &expected) else { return };
    assert_eq!(event.claim("iss").and_then(Value::as_str), Some(ISSUER));
    let audience = event.claim("aud").expect("an audience");
    let named = audience == RESOURCE || audience.as_array().is_some_and(|all| all.iter().any(|one| one == RESOURCE));
    assert!(named, "{audience}");
    assert!(event.claim("jti").and_then(Value::as_str) == Some(event.id()) && !event.id().is_empty());
    assert!(event.issued_at().unix() <= NOW && event.expires_at().is_none_or(|end| end.unix() > NOW));
    let events = event.claim("events").and_then(Value::as_object).expect("events");
    assert!(!events.is_empty() && events.values().all(Value::is_object));
    event.claim("sub_id").into_iter().for_each(subject);
}

fn subject(value: &Value) {
    let Ok(read) = SubjectIdentifier::read(value) else { return };
    let written = read.to_json();
    assert_eq!(SubjectIdentifier::read(&written), Ok(read));
    for (name, member) in written.as_object().expect("an object") {
        assert_eq!(Some(member), value.get(name), "{name} is not what was written");
    }
}

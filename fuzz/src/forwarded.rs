//! `Forwarded` (RFC 7239) and `X-Forwarded-For`, as a listed proxy passes them on: what a client invented, and the proxy's own word
//! after it.
//!
//! A client must never choose its address. The input is what it invented; the first line goes into a field of its own.

use std::net::IpAddr;

use hallpass_protocol::forwarded::{Fields, Said};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::lines;

const OWN: &str = "203.0.113.9";

/// Takes one input.
pub fn check(data: &[u8]) {
    let [first, second] = lines(data);
    let x_forwarded_for = HeaderName::from_static("x-forwarded-for");
    let forwarded = HeaderName::from_static("forwarded");
    // Alone: whatever it is, it is read without harm, and an address is one that stands there.
    for (fields, name) in [(Fields::XForwarded, &x_forwarded_for), (Fields::Forwarded, &forwarded)] {
        let Some(said) = read(fields, name, &[first, second]) else { continue };
        assert!(said.address.is_none_or(|address| address == address.to_canonical()));
    }
    for own in [OWN.to_owned(), format!("{OWN}:51000")] {
        if let Some(said) = read(Fields::XForwarded, &x_forwarded_for, &[first, &appended(second, &own)]) {
            assert_eq!(said.address, Some(own_address()), "the proxy has added it");
        }
    }
    for own in [format!("for={OWN}"), format!("for=\"{OWN}\";proto=https"), format!("proto=https;for={OWN};host=h")] {
        if let Some(said) = read(Fields::Forwarded, &forwarded, &[first, &appended(second, &own)]) {
            assert!(said.address.is_none_or(|address| address == own_address()), "{:?}", said.address);
        }
        if let Some(said) = read(Fields::Forwarded, &forwarded, &[first, second, own.as_bytes()]) {
            assert_eq!(said.address, Some(own_address()), "a field of the proxy's own");
        }
    }
}

fn own_address() -> IpAddr {
    OWN.parse().expect("an address")
}

fn appended(lie: &[u8], own: &str) -> Vec<u8> {
    [lie, b", ", own.as_bytes()].concat()
}

/// `None`: no header field can hold that.
fn read(fields: Fields, name: &HeaderName, values: &[&[u8]]) -> Option<Said> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(fields.read(&headers, |address| address == IpAddr::from([10, 0, 0, 1])))
}

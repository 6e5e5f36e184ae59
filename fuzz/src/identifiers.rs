//! Issuers (RFC 8414 §2), resource identifiers (RFC 8707 §2) and scopes (RFC 6749 §3.3).
//!
//! What is taken is what a URL parser sees in it, leads nowhere else, and reads back as it was. Sets of scopes are sets.

use hallpass_protocol::{Issuer, ResourceIdentifier, ScopeSet};
use url::Url;

/// Takes one input.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(issuer) = Issuer::parse(text) {
        is_issuer(&issuer, text);
    }
    if let Ok(resource) = ResourceIdentifier::parse(text) {
        is_resource(&resource);
    }
    let mut halves = text.splitn(2, '\n').map(|half| ScopeSet::parse(half).unwrap_or_default());
    let (one, other) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    are_sets(&one, &other);
}

fn is_issuer(issuer: &Issuer, text: &str) {
    assert_eq!(issuer.as_str(), text);
    assert!(text.is_ascii() && !text.contains(['?', '#', '\\', ' ']));
    let url = Url::parse(text).expect("a URL");
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(url.scheme() == "https" || hallpass_protocol::is_loopback(&url));
    for place in issuer.metadata_urls() {
        assert_eq!(place.origin(), url.origin());
        assert!(place.path().contains("/.well-known/") && place.query().is_none());
    }
}

fn is_resource(resource: &ResourceIdentifier) {
    let again = ResourceIdentifier::parse(resource.as_str()).expect("what was taken reads back");
    assert_eq!((again.as_str(), again.url()), (resource.as_str(), resource.url()));
    assert!(resource.covers(resource.url()));
    let path = resource.url().path().trim_end_matches('/');
    let mut below = resource.url().clone();
    below.set_path(&format!("{path}/below"));
    assert!(resource.covers(&below), "{below}");
    let mut beside = resource.url().clone();
    beside.set_path(&format!("{path}beside"));
    assert!(!resource.covers(&beside) || path.is_empty(), "{beside}");
    for place in [resource.metadata_url(), resource.root_metadata_url()] {
        assert_eq!(place.origin(), resource.url().origin());
    }
}

fn are_sets(one: &ScopeSet, other: &ScopeSet) {
    let (union, both) = (one.union(other), one.intersection(other));
    let rest = one.difference(other);
    assert!(one.is_subset(&union) && other.is_subset(&union) && both.is_subset(one) && both.is_subset(other));
    assert_eq!(rest.union(&both), *one);
    assert!(rest.intersection(&both).is_empty());
    assert_eq!(rest.len() + both.len(), one.len());
    assert_eq!(union, other.union(one));
    assert_eq!(ScopeSet::parse(&one.to_string()).as_ref(), Ok(one));
    for (at, scope) in one.iter().enumerate() {
        assert!(one.contains(scope) && !one.iter().take(at).any(|known| known == scope));
        assert!(scope.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)));
    }
}

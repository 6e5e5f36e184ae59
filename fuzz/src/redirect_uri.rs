//! Redirect URIs (OAuth 2.1 §2.3, RFC 8252): a registered one, and on the next line a requested one.
//!
//! The oracle is the URL parser that browsers' rules are written in. What matches is the same place to it, the port of
//! a loopback address aside; what is taken leads where it seems to; and parameters do not move the place.

use hallpass_protocol::RedirectUri;
use url::{Host, Url};

use crate::lines;

/// Takes one input.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let [registered, requested] = lines(text.as_bytes()).map(|line| std::str::from_utf8(line).expect("UTF-8"));
    let (registered, requested) = (RedirectUri::parse(registered), RedirectUri::parse(requested));
    registered.iter().chain(&requested).for_each(is_what_it_seems);
    if let (Ok(registered), Ok(requested)) = (registered, requested) {
        let matches = registered.matches(&requested);
        assert_eq!(matches, requested.matches(&registered));
        if matches {
            assert_eq!(place(&registered), place(&requested));
            assert!(registered.is_loopback() || registered == requested);
        }
    }
}

/// What a URL parser sees; without the port on loopback.
fn place(uri: &RedirectUri) -> (String, Option<String>, Option<u16>, String, Option<String>) {
    let url = Url::parse(uri.as_str()).expect("a URL");
    (
        url.scheme().to_owned(),
        url.host_str().map(str::to_owned),
        url.port_or_known_default().filter(|_| !uri.is_loopback()),
        url.path().to_owned(),
        url.query().map(str::to_owned),
    )
}

fn is_what_it_seems(uri: &RedirectUri) {
    let text = uri.as_str();
    assert_eq!(RedirectUri::parse(text).as_ref(), Ok(uri));
    let url = Url::parse(text).expect("a URL");
    assert!(text.is_ascii() && !text.contains(['\\', '#', '*', ' ', '\t', '\r', '\n', '"', '<', '>']));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => assert!(url.has_host() && !uri.is_loopback() && !uri.is_private_use()),
        "http" => assert!(here && uri.is_loopback()),
        "javascript" | "data" | "file" | "blob" | "about" | "mailto" | "ws" | "wss" | "ftp" => {
            panic!("{text} was taken")
        }
        _ => assert!(uri.is_private_use() && !url.cannot_be_a_base()),
    }
    if let Ok(claimed) = RedirectUri::parse_claimed(text) {
        assert_eq!(claimed, *uri);
    }
    let sent = uri.with_params([("code", "a b&c#d"), ("state", "é")]);
    let sent = Url::parse(&sent).expect("a URL");
    assert_eq!((sent.host(), sent.port(), sent.path()), (url.host(), url.port(), url.path()));
    assert_eq!(sent.fragment(), None);
    let mut last = sent.query_pairs().skip(url.query_pairs().count());
    assert!(last.by_ref().map(|(_, value)| value.into_owned()).eq(["a b&c#d".to_owned(), "é".to_owned()]));
}

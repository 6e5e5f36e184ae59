//! What every identifier that is a URI has in common.

use url::{Host, Url};

/// The longest identifier that is looked at, in bytes.
pub(crate) const MAX_LEN: usize = 2048;

/// Whether a text is made of the characters of RFC 3986 §2 alone, with whole percent-escapes.
///
/// A URL parser made for browsers forgives much: it turns a backslash into a slash, drops tabs and
/// line ends, and trims spaces. Two parsers that forgive differently are a way in, so nothing that
/// needs forgiveness reaches the parser.
pub(crate) fn is_uri_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => {
            matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit))
        }
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => true,
        b'-' | b'.' | b'_' | b'~' => true,
        b':' | b'/' | b'?' | b'#' | b'[' | b']' | b'@' => true,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
        _ => false,
    })
}

/// Whether a URL's authority part carries a user name or password, even an empty one.
///
/// The parser drops an empty one (`https://@host`) without a trace, hence the look at the text.
pub(crate) fn has_userinfo(text: &str) -> bool {
    authority(text).is_some_and(|authority| authority.contains('@'))
}

/// The text between `//` and the next `/`, `?` or `#`.
pub(crate) fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// Whether a URL names this very machine: `localhost`, `*.localhost`, 127.0.0.0/8 or `::1`.
///
/// By name only. Whether a name resolves to such an address is the business of whoever connects.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

//! What a proxy says of the client that it speaks for: `Forwarded` (RFC 7239), and the `X-Forwarded-…` fields that came
//! before it.
//!
//! Anybody can send these fields. They are read only of a peer that is known to be such a proxy, and then from the right:
//! what stands last was written by the peer itself, what stands before it may be the client's invention.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The client's address, as far as it is known. It is among a request's extensions where the request came by a listed
/// proxy: `None`, where that does not say for whom. Without it the peer itself is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

/// Which fields a proxy writes. The others are its clients', and are not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded`.
    Forwarded,
}

/// What a listed proxy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Who the client is: the last address that is none of a listed proxy; the first one, where all are.
    pub address: Option<IpAddr>,
    /// Whether the client spoke TLS to the last proxy.
    pub https: Option<bool>,
    /// Which host the client asked the last proxy for.
    pub host: Option<HeaderValue>,
}

impl Fields {
    /// Reads them. What is not understood is not known, and nothing before it is believed.
    pub fn read(self, headers: &HeaderMap, is_listed: impl Fn(IpAddr) -> bool) -> Said {
        match self {
            Self::XForwarded => Said {
                address: client(&whole_list(headers, &FOR), is_listed),
                https: last(headers, &PROTO).and_then(is_https),
                host: last(headers, &HOST).and_then(|host| HeaderValue::from_str(host).ok()),
            },
            Self::Forwarded => forwarded(headers, is_listed),
        }
    }
}

/// RFC 7239 §4: each proxy has added an element.
fn forwarded(headers: &HeaderMap, is_listed: impl Fn(IpAddr) -> bool) -> Said {
    let mut elements = Vec::new();
    for line in headers.get_all(FORWARDED) {
        match line.to_str().ok().and_then(elements_of) {
            Some(more) => elements.extend(more),
            // An open quote may hold what a proxy has written: nothing of it, nor before it, is known.
            None => elements = vec![Element::default()],
        }
    }
    let addresses: Vec<_> =
        elements.iter().map(|element| element.node.as_deref().unwrap_or_default()).collect();
    let address = client(&addresses, is_listed);
    let last = elements.last();
    let https = last.and_then(|element| element.proto.as_deref()).and_then(is_https);
    let host =
        last.and_then(|element| element.host.as_deref()).and_then(|host| HeaderValue::from_str(host).ok());
    Said { address, https, host }
}

/// From the right, past all that are listed.
fn client(addresses: &[&str], is_listed: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut known = None;
    for text in addresses.iter().rev() {
        known = Some(address(text)?);
        if known.is_some_and(|address| !is_listed(address)) {
            break;
        }
    }
    known
}

/// With or without a port, and with or without brackets around IPv6. `unknown` and `_hidden` (RFC 7239 §6.2, §6.3) are none.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let plain =
        bare.unwrap_or(text).parse().ok().filter(|address: &IpAddr| bare.is_none() || address.is_ipv6());
    let address = plain.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address| address.to_canonical())
}

fn is_https(proto: &str) -> Option<bool> {
    let is = |one: &str| proto.eq_ignore_ascii_case(one);
    match (is("https") || is("wss"), is("http") || is("ws")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// All elements, from the first field to the last. One that is no text is not understood, and spoils no other.
fn whole_list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let elements = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let texts = elements.map(|element| std::str::from_utf8(element).unwrap_or("?").trim_matches([' ', '\t']));
    texts.filter(|element| !element.is_empty()).collect()
}

fn last<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    whole_list(headers, name).pop()
}

/// RFC 7239 §4, "forwarded-element".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

/// All elements of one field; `None` where it is not to the letter of the grammar, or has a parameter twice.
fn elements_of(line: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']);
    while !rest.is_empty() {
        // RFC 9110 §5.6.1.2: empty elements are nothing.
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start_matches([' ', '\t']);
            continue;
        }
        let (element, after) = element(rest)?;
        elements.push(element);
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    Some(elements)
}

/// Pairs with `;` between them.
fn element(mut rest: &str) -> Option<(Element, &str)> {
    let mut element = Element::default();
    loop {
        let (name, after) = token(rest)?;
        let (value, after) = value(after.strip_prefix('=')?)?;
        let place = match name.to_ascii_lowercase().as_str() {
            "for" => Some(&mut element.node),
            "proto" => Some(&mut element.proto),
            "host" => Some(&mut element.host),
            _ => None,
        };
        if place.is_some_and(|place| place.replace(value).is_some()) {
            return None;
        }
        // The grammar lets a pair be missing.
        let more = after.trim_start_matches(';');
        if more.len() == after.len() || more.is_empty() || more.starts_with([',', ' ', '\t']) {
            return Some((element, more));
        }
        rest = more;
    }
}

/// RFC 9110 §5.6.2.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// A token, or a quoted string (RFC 9110 §5.6.4).
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(token, rest)| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proxies are 10.0.0.0/8 here.
    fn is_listed(address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if address.octets()[0] == 10)
    }

    fn read(fields: Fields, lines: &[(HeaderName, &str)]) -> Said {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        fields.read(&headers, is_listed)
    }

    fn for_(lines: &[&str]) -> Option<String> {
        let lines: Vec<_> = lines.iter().map(|line| (FOR, *line)).collect();
        read(Fields::XForwarded, &lines).address.map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_that_is_no_listed_proxy() {
        for (lines, client) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9, 10.0.0.1, 10.1.1.1"], "203.0.113.9"),
            (&["6.6.6.6", "203.0.113.9", "10.0.0.1"], "203.0.113.9"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["nonsense, 203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9:51000"], "203.0.113.9"),
            (&["[2001:db8::9]:51000"], "2001:db8::9"),
            (&["[2001:db8::9]"], "2001:db8::9"),
            (&["2001:db8::9"], "2001:db8::9"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["6.6.6.6,,203.0.113.9, "], "203.0.113.9"),
            (&["6.6.6.6,\t203.0.113.9\t"], "203.0.113.9"),
        ] {
            assert_eq!(for_(lines).as_deref(), Some(client), "{lines:?}");
        }
    }

    /// What is not understood hides all that was said before it.
    #[test]
    fn what_is_not_understood_is_not_known() {
        for lines in [
            &[][..],
            &[""],
            &["6.6.6.6, unknown"],
            &["6.6.6.6, _hidden"],
            &["6.6.6.6, 203.0.113.9:"],
            &["6.6.6.6, 203.0.113.9:99999"],
            &["6.6.6.6, [203.0.113.9]"],
            &["6.6.6.6, 203.0.113.009"],
            &["6.6.6.6, nonsense, 10.0.0.1"],
            &["6.6.6.6", "\"203.0.113.9\""],
        ] {
            assert_eq!(for_(lines), None, "{lines:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(FOR, HeaderValue::from_static("6.6.6.6"));
        headers.append(FOR, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(Fields::XForwarded.read(&headers, is_listed).address, None);
        // The proxy's own word after it is.
        headers.append(FOR, HeaderValue::from_bytes(b"6.6.6.6\x87, 203.0.113.9").unwrap());
        let address = Fields::XForwarded.read(&headers, is_listed).address;
        assert_eq!(address.unwrap().to_string(), "203.0.113.9");
    }

    #[test]
    fn scheme_and_host_are_the_last_proxys_word() {
        let said = read(
            Fields::XForwarded,
            &[(PROTO, "http, https"), (HOST, "evil.example, mcp.example.com"), (FOR, "203.0.113.9")],
        );
        assert_eq!((said.https, said.host.unwrap().to_str().unwrap()), (Some(true), "mcp.example.com"));
        for (proto, https) in
            [("HTTP", Some(false)), ("Ws", Some(false)), ("Wss", Some(true)), ("gopher", None)]
        {
            assert_eq!(read(Fields::XForwarded, &[(PROTO, proto)]).https, https, "{proto}");
        }
    }

    fn element_for(line: &str) -> (Option<String>, Option<bool>, Option<String>) {
        let said = read(Fields::Forwarded, &[(FORWARDED, line)]);
        let host = said.host.map(|host| host.to_str().unwrap().to_owned());
        (said.address.map(|address| address.to_string()), said.https, host)
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        for (line, address, https, host) in [
            ("for=203.0.113.9", Some("203.0.113.9"), None, None),
            ("For=\"[2001:db8::9]:4711\";Proto=https", Some("2001:db8::9"), Some(true), None),
            ("for=6.6.6.6, for=203.0.113.9;proto=http;host=h, for=10.0.0.1", Some("203.0.113.9"), None, None),
            ("for=203.0.113.9;host=\"h:8443\";by=10.0.0.1;x=y", Some("203.0.113.9"), None, Some("h:8443")),
            ("for=\"2\\03.0.113.9\"", Some("203.0.113.9"), None, None),
            ("for=203.0.113.9;", Some("203.0.113.9"), None, None),
            ("for=203.0.113.9;;proto=https", Some("203.0.113.9"), Some(true), None),
            ("for=6.6.6.6;, for=203.0.113.9; ,for=10.0.0.1;\t", Some("203.0.113.9"), None, None),
            (",,for=6.6.6.6,, for=203.0.113.9 ,\t,", Some("203.0.113.9"), None, None),
            ("for=6.6.6.6, for=unknown", None, None, None),
            ("for=6.6.6.6, proto=https", None, Some(true), None),
        ] {
            let expected = (address.map(str::to_owned), https, host.map(str::to_owned));
            assert_eq!(element_for(line), expected, "{line}");
        }
    }

    /// A client's open quote must not swallow what the proxy adds, nor make it the client's own word.
    #[test]
    fn an_open_quote_says_nothing() {
        for line in [
            "for=\"6.6.6.6, for=203.0.113.9",
            "for=6.6.6.6;x=\", for=203.0.113.9",
            "for=6.6.6.6;x=\", for=\"[2001:db8::9]\"",
            "for=6.6.6.6;x=\", for=\"203.0.113.9\";proto=https",
            "for=6.6.6.6 for=203.0.113.9",
            "for=6.6.6.6;for=203.0.113.9",
            "for = 6.6.6.6",
            "6.6.6.6",
            "for=6.6.6.6;\\",
            "for=6.6.6.6;x=",
            "=6.6.6.6",
        ] {
            assert_eq!(element_for(line), (None, None, None), "{line}");
        }
        let lines = [(FORWARDED, "for=\""), (FORWARDED, "for=203.0.113.9")];
        let said = read(Fields::Forwarded, &lines).address;
        assert_eq!(said.unwrap().to_string(), "203.0.113.9", "a field of the proxy's own");
        // The proxy goes on where the client's last field ends: what stands in the one before is the client's alone.
        let lines = [(FORWARDED, "for=6.6.6.6;proto=https"), (FORWARDED, "x=\", for=203.0.113.9;proto=http")];
        assert_eq!(read(Fields::Forwarded, &lines), Said::default());
    }

    /// A proxy that writes one kind of field leaves the other as its clients sent it.
    #[test]
    fn the_other_field_is_not_read() {
        let both = [(FORWARDED, "for=6.6.6.6;host=evil;proto=http"), (FOR, "203.0.113.9"), (HOST, "h")];
        let said = read(Fields::XForwarded, &both);
        assert_eq!((said.address.unwrap().to_string(), said.https), ("203.0.113.9".to_owned(), None));
        let said = read(Fields::Forwarded, &both);
        assert_eq!((said.address.unwrap().to_string(), said.https), ("6.6.6.6".to_owned(), Some(false)));
    }

    proptest! {
        /// Whatever a client says, what the proxy has added in its own field is what counts.
        #[test]
        fn the_proxys_own_word_counts(lie in "[ -~]{0,60}", by_line: bool) {
            let own = "203.0.113.9";
            let lines = match by_line {
                true => vec![lie.clone(), own.to_owned()],
                false => vec![format!("{lie}, {own}")],
            };
            let lines: Vec<_> = lines.iter().map(|line| (FOR, line.as_str())).collect();
            prop_assert_eq!(read(Fields::XForwarded, &lines).address.unwrap().to_string(), own);
        }

        /// `Forwarded` is the proxy's word, or nobody's, and never the client's.
        #[test]
        fn a_client_never_chooses(lie in "[ -~]{0,60}", quoted: bool) {
            let own = if quoted { "for=\"203.0.113.9\";proto=https" } else { "for=203.0.113.9;proto=https" };
            let address = read(Fields::Forwarded, &[(FORWARDED, &format!("{lie}, {own}"))]).address;
            prop_assert!(address.is_none_or(|address| address.to_string() == "203.0.113.9"), "{:?}", address);
            let lines = [(FORWARDED, "for=6.6.6.6"), (FORWARDED, &format!("{lie}, {own}"))];
            let address = read(Fields::Forwarded, &lines).address;
            prop_assert!(address.is_none_or(|address| address.to_string() == "203.0.113.9"), "{:?}", address);
            let lines = [(FORWARDED, lie.as_str()), (FORWARDED, own)];
            prop_assert_eq!(read(Fields::Forwarded, &lines).address.unwrap().to_string(), "203.0.113.9");
        }

        #[test]
        fn what_is_written_is_read(address: IpAddr, port in prop::option::of(any::<u16>())) {
            let text = match (address, port) {
                (address, Some(port)) => SocketAddr::new(address, port).to_string(),
                (address, None) => address.to_string(),
            };
            let canonical = address.to_canonical();
            prop_assert_eq!(read(Fields::XForwarded, &[(FOR, &text)]).address, Some(canonical));
            let line = match address {
                IpAddr::V6(_) if port.is_none() => format!("for=\"[{text}]\""),
                _ => format!("for=\"{text}\""),
            };
            prop_assert_eq!(read(Fields::Forwarded, &[(FORWARDED, &line)]).address, Some(canonical));
        }
    }
}

//! The PROXY protocol, versions 1 and 2: what a proxy says of a connection before it passes it on
//! (haproxy.org, "The PROXY protocol", 2020-03-05). Sections are those of that text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// §2.2: what version 2 begins with.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// §2.1: what version 1 begins with.
const WORD: &[u8] = b"PROXY";
/// §2.1: the longest line of version 1, with its end.
pub(crate) const LONGEST_LINE: usize = 107;
/// §2.2: addresses and what else is said; certificates in DER are the longest that proxies send.
pub(crate) const LONGEST_REST: usize = 16 * 1024;

/// What is no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither version.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    NoHeader,
    /// §2.1.
    #[error("the PROXY line is not as version 1 has it")]
    Line,
    /// §2.2, "the 13th byte".
    #[error("the PROXY header is of an unknown version or command")]
    Command,
    /// §2.2, "the 14th byte".
    #[error("the PROXY header is of an unknown family or transport, or of one that is not TCP")]
    Family,
    /// §2.2, "the 15th and 16th bytes".
    #[error("the PROXY header is too long, or too short for its addresses")]
    Length,
    /// §2.2.1.
    #[error("what the PROXY header says beside addresses is cut off")]
    Extension,
}

/// Who a connection is from, as the proxy says. `None`: from the proxy itself (a health check), or from where no address can
/// say.
pub(crate) type From = Option<SocketAddr>;

/// §2.1: a line, with its end.
pub(crate) fn line(line: &[u8]) -> Result<From, Malformed> {
    let text =
        line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok()).ok_or(Malformed::Line)?;
    if line.len() > LONGEST_LINE {
        return Err(Malformed::Line);
    }
    let mut words = text.split(' ');
    if words.next().map(str::as_bytes) != Some(WORD) {
        return Err(Malformed::NoHeader);
    }
    let family = words.next().ok_or(Malformed::Line)?;
    if family == "UNKNOWN" {
        // "Anything presented before the CRLF" is ignored.
        return Ok(None);
    }
    let mut next = || words.next().ok_or(Malformed::Line);
    let (source, destination, from, to) = (next()?, next()?, next()?, next()?);
    let address = |text: &str| -> Result<IpAddr, Malformed> {
        let parsed = match family {
            "TCP4" => text.parse().ok().map(IpAddr::V4),
            "TCP6" => text.parse().ok().map(IpAddr::V6),
            _ => None,
        };
        parsed.ok_or(Malformed::Line)
    };
    let (source, _, from, _) = (address(source)?, address(destination)?, port(from)?, port(to)?);
    match words.next() {
        Some(_) => Err(Malformed::Line),
        None => Ok(Some(SocketAddr::new(source, from))),
    }
}

/// Decimal, without a sign and without zeros before it.
fn port(text: &str) -> Result<u16, Malformed> {
    let plain = text == "0" || (text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(Malformed::Line)
}

/// §2.2: of the first 16 bytes, how many follow.
pub(crate) fn rest_of(head: &[u8; 16]) -> Result<usize, Malformed> {
    if !head.starts_with(&SIGNATURE) {
        return Err(Malformed::NoHeader);
    }
    let [.., high, low] = *head;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest <= LONGEST_REST { Ok(rest) } else { Err(Malformed::Length) }
}

/// §2.2: the first 16 bytes, and what follows.
pub(crate) fn binary(head: &[u8; 16], rest: &[u8]) -> Result<From, Malformed> {
    if rest.len() != rest_of(head)? {
        return Err(Malformed::Length);
    }
    let [.., command, family, _, _] = *head;
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed::Command),
    };
    let (length, unspecified) = match family {
        // AF_UNSPEC; the others over TCP.
        0x00 => (0, true),
        0x11 => (12, false),
        0x21 => (36, false),
        // A UNIX socket has no address that counts here.
        0x31 => (216, true),
        _ if is_local => (0, true),
        _ => return Err(Malformed::Family),
    };
    // "The receiver must accept this connection as valid and must use the real connection endpoints and discard the
    // protocol block".
    if is_local {
        return Ok(None);
    }
    let (addresses, extensions) = rest.split_at_checked(length).ok_or(Malformed::Length)?;
    // Without a family, nobody knows where the addresses end.
    if family != 0x00 {
        check_extensions(extensions)?;
    }
    if unspecified {
        return Ok(None);
    }
    source(addresses).map(Some).ok_or(Malformed::Length)
}

/// Two addresses, then two ports.
fn source(addresses: &[u8]) -> Option<SocketAddr> {
    let port = |at: usize| Some(u16::from_be_bytes(*addresses.get(at..)?.first_chunk()?));
    match addresses.len() {
        12 => Some(SocketAddr::new(Ipv4Addr::from_octets(*addresses.first_chunk()?).into(), port(8)?)),
        36 => Some(SocketAddr::new(Ipv6Addr::from_octets(*addresses.first_chunk()?).into(), port(32)?)),
        _ => None,
    }
}

/// §2.2.1: type, length, value, until the end.
fn check_extensions(mut rest: &[u8]) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let [_, high, low, after @ ..] = rest else { return Err(Malformed::Extension) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = after.get(length..).ok_or(Malformed::Extension)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(text: &str) -> Result<From, Malformed> {
        Ok(Some(text.parse().unwrap()))
    }

    #[test]
    fn lines_of_version_1() {
        for (text, expected) in [
            ("PROXY TCP4 203.0.113.9 10.0.0.1 51000 443\r\n", from("203.0.113.9:51000")),
            ("PROXY TCP6 2001:db8::9 ::1 0 65535\r\n", from("[2001:db8::9]:0")),
            ("PROXY UNKNOWN\r\n", Ok(None)),
            ("PROXY UNKNOWN ffff::1 whatever it says\r\n", Ok(None)),
        ] {
            assert_eq!(line(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_line_of_version_1() {
        for text in [
            "PROXY TCP4 203.0.113.9 10.0.0.1 51000 443\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 51000 443",
            "PROXY TCP4 203.0.113.9 10.0.0.1 51000\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 51000 443 1\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 51000 443 \r\n",
            "PROXY  TCP4 203.0.113.9 10.0.0.1 51000 443\r\n",
            "PROXY TCP4 203.0.113.009 10.0.0.1 51000 443\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0 51000 443\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 +51000 443\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 051000 443\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n",
            "PROXY TCP4 2001:db8::9 ::1 1 1\r\n",
            "PROXY TCP6 203.0.113.9 10.0.0.1 1 1\r\n",
            "PROXY TCP 203.0.113.9 10.0.0.1 1 1\r\n",
            "PROXY\r\n",
            "proxy TCP4 203.0.113.9 10.0.0.1 1 1\r\n",
            "GET / HTTP/1.1\r\n",
            "\r\n",
            "",
        ] {
            assert!(line(text.as_bytes()).is_err(), "{text:?}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        assert_eq!((long.len(), line(long.as_bytes())), (108, Err(Malformed::Line)));
    }

    /// Head and rest.
    fn header(command: u8, family: u8, rest: &[u8]) -> ([u8; 16], Vec<u8>) {
        let mut head = [0; 16];
        head[..12].copy_from_slice(&SIGNATURE);
        (head[12], head[13]) = (command, family);
        head[14..].copy_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
        (head, rest.to_vec())
    }

    fn read(command: u8, family: u8, rest: &[u8]) -> Result<From, Malformed> {
        let (head, rest) = header(command, family, rest);
        binary(&head, &rest)
    }

    const V4: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0xc7, 0x38, 1, 0xbb];

    #[test]
    fn headers_of_version_2() {
        assert_eq!(read(0x21, 0x11, &V4), from("203.0.113.9:51000"));
        let extended = [&V4[..], &[4, 0, 0], &[0x20, 0, 2, 7, 7]].concat();
        assert_eq!(read(0x21, 0x11, &extended), from("203.0.113.9:51000"));
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (v6[15], v6[33]) = (9, 80);
        assert_eq!(read(0x21, 0x21, &v6), from("[2001:db8::9]:80"));
        for (command, family, rest) in [
            (0x20, 0x00, &[][..]),
            (0x20, 0x11, &V4),
            (0x20, 0x77, &[1, 2, 3]),
            (0x21, 0x00, &[]),
            (0x21, 0x00, &[1, 2, 3]),
            (0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(read(command, family, rest), Ok(None), "{command:x} {family:x}");
        }
    }

    #[test]
    fn what_is_no_header_of_version_2() {
        for (command, family, rest, fault) in [
            (0x11, 0x11, &V4[..], Malformed::Command),
            (0x31, 0x11, &V4, Malformed::Command),
            (0x22, 0x11, &V4, Malformed::Command),
            (0x21, 0x12, &V4, Malformed::Family),
            (0x21, 0x10, &V4, Malformed::Family),
            (0x21, 0x41, &V4, Malformed::Family),
            (0x21, 0x11, &V4[..11], Malformed::Length),
            (0x21, 0x21, &V4, Malformed::Length),
            (0x21, 0x31, &[0; 215], Malformed::Length),
            (0x21, 0x11, &[&V4[..], &[4, 0]].concat(), Malformed::Extension),
            (0x21, 0x11, &[&V4[..], &[4, 0, 1]].concat(), Malformed::Extension),
        ] {
            assert_eq!(read(command, family, rest), Err(fault), "{command:x} {family:x} {}", rest.len());
        }
        let (mut head, rest) = header(0x21, 0x11, &V4);
        assert_eq!(binary(&head, &rest[..11]), Err(Malformed::Length), "cut off");
        (head[14], head[15]) = (0x40, 1);
        assert_eq!(rest_of(&head), Err(Malformed::Length));
        head[0] = b'\n';
        assert_eq!(rest_of(&head), Err(Malformed::NoHeader));
    }

    proptest! {
        #[test]
        fn what_version_1_says_is_read(source: IpAddr, port: u16) {
            let (family, to) = if source.is_ipv4() { ("TCP4", "10.0.0.1") } else { ("TCP6", "::1") };
            let text = format!("PROXY {family} {source} {to} {port} 443\r\n");
            prop_assert_eq!(line(text.as_bytes()), Ok(Some(SocketAddr::new(source, port))));
        }

        /// Whatever is taken is written as version 1 writes it, or says nothing.
        #[test]
        fn nothing_else_is_taken(text in "PROXY (TCP4|TCP6|UNKNOWN|TCP)[ 0-9a-f.:]{0,60}\r?\n?") {
            if let Ok(Some(from)) = line(text.as_bytes()) {
                let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
                let rest = text.strip_prefix(&format!("PROXY {family} ")).unwrap();
                prop_assert_eq!(rest.split(' ').next().unwrap().parse::<IpAddr>().unwrap(), from.ip());
                prop_assert_eq!(rest.split(' ').nth(2).unwrap(), from.port().to_string());
            }
        }

        #[test]
        fn any_bytes_are_a_header_or_none(head: [u8; 4], rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut whole, rest) = header(head[0] & 0x3f, head[1] & 0x3f, &rest);
            if let Ok(Some(from)) = binary(&whole, &rest) {
                let least = if from.is_ipv4() { 12 } else { 36 };
                prop_assert!(whole[12] == 0x21 && rest.len() >= least);
            }
            whole[usize::from(head[2] % 12)] ^= head[3] | 1;
            prop_assert_eq!(binary(&whole, &rest), Err(Malformed::NoHeader));
        }
    }
}

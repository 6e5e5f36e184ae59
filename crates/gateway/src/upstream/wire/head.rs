//! How a request begins, and how an answer does (RFC 9112 §2 to §5).

use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::{ParserConfig, Status};

use super::Fault;
use super::framing::Framing;
use crate::upstream::headers::keep_fields;
use crate::upstream::onward::Onward;

/// The longest head of an answer, in bytes.
const LONGEST: usize = 64 * 1024;
/// The most fields of it.
const FIELDS: usize = 100;

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Target<'t> {
    /// Path and query.
    pub(in crate::upstream) path: &'t str,
    /// The server's name, as it wants to be called.
    pub(in crate::upstream) host: &'t HeaderValue,
}

/// Writes a head. How long the body is says `framing` alone.
pub(super) fn write(
    out: &mut Vec<u8>,
    method: &Method,
    to: Target<'_>,
    fields: &Onward<'_>,
    framing: Framing,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(to.path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    field(out, &HOST, to.host.as_bytes());
    fields.each(|name, value| field(out, name, value));
    match framing {
        Framing::None | Framing::UntilClose => {}
        Framing::Length(length) => field(out, &CONTENT_LENGTH, length.to_string().as_bytes()),
        Framing::Chunks => field(out, &TRANSFER_ENCODING, b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// How an answer begins.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) framing: Framing,
    /// Whether another request may follow on this connection.
    pub(super) stays: bool,
}

/// Takes the head off the bytes that came, once all of it is there. Interim answers (RFC 9110 §15.2) are passed over: what they
/// are about, hyper tells the client by itself.
///
/// The fields go into `room`, which is empty: what is left of the request's own map. hyper hands the map of an answer to the
/// next request of its connection, so that one map serves them all.
pub(super) fn read(input: &mut BytesMut, room: &mut HeaderMap) -> Result<Option<Head>, Fault> {
    loop {
        match one(input, room)? {
            Some(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(Fault::NotHttp("it switches protocols, which nobody asked for"));
            }
            // RFC 9110 §8.6: it has no length. What follows would be taken for the next head.
            Some(head) if head.status.is_informational() && says_a_body_follows(&head.fields) => {
                return Err(Fault::NotHttp("an interim answer says that it has a body"));
            }
            Some(head) if head.status.is_informational() => {}
            head => return Ok(head),
        }
    }
}

fn one(input: &mut BytesMut, room: &mut HeaderMap) -> Result<Option<Head>, Fault> {
    // It is asked before anything was read, too.
    if input.is_empty() {
        return Ok(None);
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut answer, input, &mut fields);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if input.len() > LONGEST => return Err(Fault::NotHttp("its head is too long")),
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::NotHttp("its head cannot be read")),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Fault::NotHttp("its status is none"))?;
    let is_current = answer.version == Some(1);
    let mut fields = std::mem::take(room);
    fields.reserve(answer.headers.len());
    for field in answer.headers.iter() {
        let (name, value) = named(field).ok_or(Fault::NotHttp("one of its fields cannot be read"))?;
        fields.append(name, value);
    }
    input.advance(length);
    let framing = Framing::of_answer(status, is_current, &fields)?;
    let ambiguous = fields.contains_key(TRANSFER_ENCODING) && fields.contains_key(CONTENT_LENGTH);
    // A body that follows all the same would be taken for the next answer.
    let doubtful = framing == Framing::None && says_a_body_follows(&fields);
    let stays = is_current && !ambiguous && !doubtful && !says_close(&fields);
    if !status.is_informational() && !matches!(framing, Framing::Length(_)) {
        keep_fields(&mut fields, |name| *name != CONTENT_LENGTH);
        // It may be a stream that lasts for days: it keeps no more room than it needs.
        let mut small = HeaderMap::with_capacity(fields.len());
        small.extend(fields);
        fields = small;
    }
    Ok(Some(Head { status, fields, framing, stays }))
}

fn named(field: &httparse::Header<'_>) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
    Some((name, HeaderValue::from_bytes(field.value).ok()?))
}

/// Whether the fields tell of a body, which 1xx, 204 and 304 do not have (RFC 9112 §6.3, 1).
fn says_a_body_follows(fields: &HeaderMap) -> bool {
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    fields.contains_key(TRANSFER_ENCODING) || lengths.any(|length| length.as_bytes() != b"0")
}

/// RFC 9112 §9.3.
fn says_close(fields: &HeaderMap) -> bool {
    fields.get_all(CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
        let mut input = BytesMut::from(text);
        read(&mut input, &mut HeaderMap::new()).map(|head| head.map(|head| (head, input.len())))
    }

    #[test]
    fn a_head_is_taken_off_whole_and_only_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nU-b: 2\r\nu-a: \xff 1\r\nU-B: 3\r\n\r\n{}";
        let (head, left) = of(text).unwrap().unwrap();
        assert_eq!(
            (head.status.as_u16(), head.framing, head.stays, left),
            (200, Framing::Length(2), true, 2)
        );
        let fields: Vec<_> =
            head.fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("content-length", b"2"), ("u-b", b"2"), ("u-b", b"3"), ("u-a", b"\xff 1")];
        assert_eq!(fields, expected);
        for end in 0..text.len() - 2 {
            assert!(of(&text[..end]).unwrap().is_none(), "{end}");
        }
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
        let (head, left) = of(text).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), head.framing, left), (204, Framing::None, 0));
        assert!(head.fields.is_empty());
        assert!(matches!(of(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), Err(Fault::NotHttp(_))));
        for field in ["content-length: 9", "transfer-encoding: chunked"] {
            let text = format!("HTTP/1.1 103 Early Hints\r\n{field}\r\n\r\nHTTP/1.1 204 No\r\n\r\n");
            assert!(matches!(of(text.as_bytes()), Err(Fault::NotHttp(_))), "{field}");
        }
    }

    #[test]
    fn a_connection_stays_only_where_nothing_is_doubtful() {
        for (text, stays) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("HTTP/1.1 204 No\r\n\r\n", true),
            ("HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 204 No\r\ncontent-length: 73\r\n\r\n", false),
            ("HTTP/1.1 204 No\r\ncontent-length: 0\r\ncontent-length: 73\r\n\r\n", false),
            ("HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("HTTP/1.1 304 Not\r\ncontent-length: 73\r\n\r\n", false),
        ] {
            let (head, _) = of(text.as_bytes()).unwrap().unwrap();
            assert_eq!(head.stays, stays, "{text}");
            let is_by_length = matches!(head.framing, Framing::Length(_));
            assert_eq!(head.fields.contains_key(CONTENT_LENGTH), is_by_length, "{text}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(LONGEST));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(FIELDS + 1));
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
            &long,
            &many,
        ] {
            assert!(matches!(of(text.as_bytes()), Err(Fault::NotHttp(_))), "{text:.40}");
        }
    }

    #[test]
    fn how_long_a_body_is_says_the_framing_alone() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("u-a", "1"),
            ("content-length", "7"),
            ("transfer-encoding", "gzip"),
            ("host", "x"),
            ("u-a", "2"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        for (framing, said) in [
            (Framing::None, ""),
            (Framing::Length(5), "content-length: 5\r\n"),
            (Framing::Chunks, "transfer-encoding: chunked\r\n"),
        ] {
            let mut out = Vec::new();
            let host = HeaderValue::from_static("inner:1");
            let to = Target { path: "/a?b", host: &host };
            write(&mut out, &Method::POST, to, &Onward::new(fields.clone(), Vec::new()), framing);
            let expected = format!("POST /a?b HTTP/1.1\r\nhost: inner:1\r\nu-a: 1\r\nu-a: 2\r\n{said}\r\n");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

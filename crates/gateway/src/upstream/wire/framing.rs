//! Where a body ends (RFC 9112 §6 and §7).

use std::io::Write;

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use http_body::Body as _;

use super::Fault;
use crate::upstream::onward::Onward;

/// The longest line that gives a chunk's size, and the longest field behind the last chunk, in bytes.
const LONGEST_LINE: usize = 4096;
/// The most lines behind the last chunk.
const TRAILERS: usize = 100;

/// How a body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    None,
    /// By its length, in bytes.
    Length(u64),
    /// By its last chunk.
    Chunks,
    /// By the end of the connection: answers alone.
    UntilClose,
}

impl Framing {
    /// A length that nobody said and nobody knows is told by chunks.
    pub(super) fn of_request(body: &Body, fields: &Onward<'_>) -> Self {
        match body.size_hint().exact() {
            Some(0) if fields.all(&CONTENT_LENGTH).next().is_none() => Self::None,
            Some(length) => Self::Length(length),
            None => Self::Chunks,
        }
    }

    /// RFC 9112 §6.3, for methods other than HEAD and CONNECT.
    pub(super) fn of_answer(status: StatusCode, is_current: bool, fields: &HeaderMap) -> Result<Self, Fault> {
        if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Self::None);
        }
        let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            let chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            // In HTTP/1.0 nobody knows what it means (RFC 9112 §6.1).
            let is_plain = chunked && codings.next().is_none() && is_current;
            return if is_plain {
                Ok(Self::Chunks)
            } else {
                Err(Fault::NotHttp("its body is coded in an unknown way"))
            };
        }
        let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
        let Some(first) = lengths.next() else { return Ok(Self::UntilClose) };
        let length = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length =
            length.and_then(|text| text.parse().ok()).filter(|_| lengths.all(|other| other == first));
        length.map(Self::Length).ok_or(Fault::NotHttp("its length is none"))
    }
}

/// Writes a chunk. An empty one would be the last.
pub(super) fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        // Writing to a Vec cannot fail.
        drop(write!(out, "{:x}\r\n", data.len()));
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// What follows the last one.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What is left of a body that is being read.
#[derive(Debug)]
pub(super) enum Rest {
    /// So many bytes; none once it is over.
    Length(u64),
    /// All that comes.
    UntilClose,
    /// The line that gives a chunk's size.
    Size,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Fields behind the last chunk; so many came. They are not passed on: nobody asked for them by `TE`.
    Trailers(usize),
}

/// What the bytes at hand give.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Data(Bytes),
    /// Nothing; more has to be read.
    More,
    End,
}

impl Rest {
    pub(super) fn of(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunks => Self::Size,
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Takes the next part off the bytes that came.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Taken, Fault> {
        loop {
            match self {
                Self::Length(0) => return Ok(Taken::End),
                Self::Length(left) => return Ok(part(input, left)),
                Self::UntilClose => return Ok(part(input, &mut u64::MAX.clone())),
                Self::Size => {
                    let Some(line) = line(input)? else { return Ok(Taken::More) };
                    *self = match size(&line).ok_or(Fault::NotHttp("a chunk's size is none"))? {
                        0 => Self::Trailers(0),
                        size => Self::Chunk(size),
                    };
                }
                Self::Chunk(0) => *self = Self::ChunkEnd,
                Self::Chunk(left) => return Ok(part(input, left)),
                Self::ChunkEnd => match &input[..input.len().min(2)] {
                    b"\r\n" => {
                        input.advance(2);
                        *self = Self::Size;
                    }
                    b"" | b"\r" => return Ok(Taken::More),
                    _ => return Err(Fault::NotHttp("a chunk is longer than it says")),
                },
                Self::Trailers(seen) => match line(input)? {
                    None => return Ok(Taken::More),
                    Some(line) if line.is_empty() => *self = Self::Length(0),
                    Some(_) if *seen == TRAILERS => return Err(Fault::NotHttp("its trailers do not end")),
                    Some(_) => *seen += 1,
                },
            }
        }
    }

    /// How many bytes are to come, where that is known.
    pub(super) fn exact(&self) -> Option<u64> {
        if let Self::Length(left) = self { Some(*left) } else { None }
    }
}

fn part(input: &mut BytesMut, left: &mut u64) -> Taken {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    if length == 0 {
        return Taken::More;
    }
    *left -= length as u64;
    Taken::Data(input.split_to(length).freeze())
}

/// A line without its end, once all of it is there.
fn line(input: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
    let Some(end) = input.iter().take(LONGEST_LINE).position(|&byte| byte == b'\n') else {
        let too_long = input.len() >= LONGEST_LINE;
        return if too_long { Err(Fault::NotHttp("a line among its chunks is too long")) } else { Ok(None) };
    };
    let mut line = input.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err(Fault::NotHttp("a line among its chunks ends in LF alone"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// RFC 9112 §7.1, without extensions (§7.1.1).
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut map = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            map.append(name, value);
        }
        map
    }

    fn of(status: u16, is_current: bool, said: &[(&'static str, &'static str)]) -> Option<Framing> {
        Framing::of_answer(StatusCode::from_u16(status).unwrap(), is_current, &fields(said)).ok()
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let (length, coding) = ("content-length", "transfer-encoding");
        assert_eq!(of(200, true, &[(length, "5")]), Some(Framing::Length(5)));
        assert_eq!(of(200, true, &[(length, "5"), (length, "5")]), Some(Framing::Length(5)));
        assert_eq!(of(200, true, &[(coding, "Chunked")]), Some(Framing::Chunks));
        assert_eq!(of(200, true, &[(coding, "chunked"), (length, "5")]), Some(Framing::Chunks));
        assert_eq!(of(200, true, &[]), Some(Framing::UntilClose));
        assert_eq!(of(204, true, &[(length, "5")]), Some(Framing::None));
        assert_eq!(of(304, true, &[(coding, "chunked")]), Some(Framing::None));
    }

    #[test]
    fn an_answer_whose_end_two_would_see_in_two_places_is_none() {
        let (length, coding) = ("content-length", "transfer-encoding");
        for said in [
            &[(length, "5"), (length, "6")][..],
            &[(length, "5, 5")],
            &[(length, "+5")],
            &[(length, "-5")],
            &[(length, "")],
            &[(length, "99999999999999999999")],
            &[(coding, "gzip, chunked")],
            &[(coding, "chunked"), (coding, "chunked")],
            &[(coding, "identity")],
            &[(coding, "xchunked")],
        ] {
            assert_eq!(of(200, true, said), None, "{said:?}");
        }
        assert_eq!(of(200, false, &[(coding, "chunked")]), None);
    }

    /// All that some bytes give, which come in these parts.
    fn read(framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, bool), Fault> {
        let (mut rest, mut input, mut data) = (Rest::of(framing), BytesMut::new(), Vec::new());
        for part in parts {
            input.extend_from_slice(part);
            loop {
                match rest.take(&mut input)? {
                    Taken::Data(bytes) => data.extend_from_slice(&bytes),
                    Taken::More => break,
                    Taken::End => return Ok((data, true)),
                }
            }
        }
        Ok((data, false))
    }

    #[test]
    fn chunks_are_read_as_the_rfc_has_them() {
        let text = b"4;a=\"b\"\r\nWiki\r\nA  \r\npedia in\r\n\r\n0\r\nexpires: never\r\n\r\n";
        assert_eq!(read(Framing::Chunks, &[text]).unwrap(), (b"Wikipedia in\r\n".to_vec(), true));
        assert_eq!(read(Framing::Chunks, &[b"4\r\nWi"]).unwrap(), (b"Wi".to_vec(), false));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let endless = [b"1;".as_slice(), &[b'x'; LONGEST_LINE]].concat();
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(TRAILERS + 1)].concat();
        for text in [
            b"\r\n".as_slice(),
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b"1 1\r\n",
            b"1\na\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n\r\n",
            b"11111111111111111\r\n",
            &endless,
            &trailers,
        ] {
            assert!(read(Framing::Chunks, &[text]).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_wherever_it_is_cut(chunks: Vec<Vec<u8>>, cut in 1usize..9) {
            let mut out = Vec::new();
            for data in &chunks {
                chunk(&mut out, data);
            }
            out.extend_from_slice(LAST_CHUNK);
            let parts: Vec<&[u8]> = out.chunks(cut).collect();
            prop_assert_eq!(read(Framing::Chunks, &parts).unwrap(), (chunks.concat(), true));
        }

        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..200), cut in 1usize..9) {
            let parts: Vec<&[u8]> = bytes.chunks(cut).collect();
            drop(read(Framing::Chunks, &parts));
        }

        #[test]
        fn no_more_is_taken_than_was_said(bytes in vec(any::<u8>(), 0..200), length in 0u64..200) {
            let (data, over) = read(Framing::Length(length), &[&bytes, b""]).unwrap();
            let there = bytes.len().min(usize::try_from(length).unwrap());
            prop_assert_eq!(&data[..], &bytes[..there]);
            prop_assert_eq!(over, bytes.len() as u64 >= length);
        }
    }
}

//! The header of the PROXY protocol, read from a connection: not a byte more, since what follows is the client's.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::protocol::{From, LONGEST_LINE, Malformed, SIGNATURE, binary, line, rest_of};

/// Reads it. Whoever waits for it has to bound how long.
pub(crate) async fn told(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<From> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut head = [0; 16];
        let (known, more) = head.split_at_mut(SIGNATURE.len());
        known.copy_from_slice(&start);
        stream.read_exact(more).await?;
        let mut rest = vec![0; rest_of(&head).map_err(invalid)?];
        stream.read_exact(&mut rest).await?;
        return binary(&head, &rest).map_err(invalid);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(invalid(Malformed::NoHeader));
    }
    // Byte by byte: there are few, and nobody knows where they end.
    let mut read = start.to_vec();
    while !read.ends_with(b"\r\n") {
        if read.len() == LONGEST_LINE {
            return Err(invalid(Malformed::Line));
        }
        read.push(stream.read_u8().await?);
    }
    line(&read).map_err(invalid)
}

fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Option<String>, Vec<u8>) {
        let mut stream = bytes;
        let told = told(&mut stream).await;
        (told.ok().map(|from| from.map_or_else(|| "-".to_owned(), |from| from.to_string())), stream.to_vec())
    }

    #[tokio::test]
    async fn what_follows_is_left_where_it_is() {
        let v1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 51000 443\r\nGET / HTTP/1.1\r\n".as_slice();
        let v2 = [
            &SIGNATURE[..],
            &[0x21, 0x11, 0, 12, 203, 0, 113, 9, 10, 0, 0, 1, 0xc7, 0x38, 1, 0xbb],
            b"GET /",
        ]
        .concat();
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 0], b"GET /"].concat();
        let unknown = b"PROXY UNKNOWN\r\nGET /".as_slice();
        for (bytes, from, rest) in [
            (v1, "203.0.113.9:51000", "GET / HTTP/1.1\r\n"),
            (&v2, "203.0.113.9:51000", "GET /"),
            (&local, "-", "GET /"),
            (unknown, "-", "GET /"),
        ] {
            assert_eq!(read(bytes).await, (Some(from.to_owned()), rest.as_bytes().to_vec()));
        }
    }

    #[tokio::test]
    async fn what_is_malformed_or_cut_off_is_no_header() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let huge = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff], &[0; 70_000]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".as_slice(),
            b"PROXY",
            b"PROXY TCP4 203.0.113.9",
            b"PROXYTCP4 203.0.113.9 10.0.0.1 1 1\r\n",
            long.as_bytes(),
            &SIGNATURE,
            &huge,
            b"",
        ] {
            assert_eq!(read(bytes).await.0, None, "{:?}", String::from_utf8_lossy(bytes).get(..20));
        }
    }
}

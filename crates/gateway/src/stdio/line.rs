//! Lines of a pipe, no longer than a limit.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// More bytes than are taken; they are gone.
    TooLong,
    /// No more lines. What stands after the last line's end is none.
    End,
}

/// Reads one line, and holds no more than `limit` bytes of it.
pub(super) async fn read(pipe: &mut (impl AsyncBufRead + Unpin), limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let bytes = pipe.fill_buf().await?;
        if bytes.is_empty() {
            return Ok(Line::End);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        too_long |= line.len() + part.len() > limit;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        pipe.consume(taken);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole(line) });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lines(bytes: &[u8], buffer: usize) -> Vec<Line> {
        let mut pipe = BufReader::with_capacity(buffer, bytes);
        let mut lines = Vec::new();
        loop {
            match read(&mut pipe, 4).await.unwrap() {
                Line::End => return lines,
                line => lines.push(line),
            }
        }
    }

    #[tokio::test]
    async fn whole_lines_up_to_the_limit() {
        let whole = |text: &str| Line::Whole(text.into());
        for buffer in [1, 2, 3, 100] {
            let lines = lines(b"abcd\n\nabcde\nlong line\nab\r\nrest", buffer).await;
            let expected = [whole("abcd"), whole(""), Line::TooLong, Line::TooLong, whole("ab\r")];
            assert_eq!(lines, expected, "{buffer}");
        }
    }
}

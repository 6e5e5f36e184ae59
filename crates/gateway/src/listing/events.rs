//! Server-Sent Events (WHATWG HTML, "Server-sent events"): an event that answers a request for a list is
//! written anew, every other byte goes through as it came.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};

use super::rewrite::{Rewrite, without_mark};
use super::{Chunk, LONGEST};

pub(super) fn rewritten(body: Body, rewrite: Rewrite) -> Body {
    let events = Events {
        body: body.into_data_stream(),
        buffer: Buffer::default(),
        rewrite,
        begun: false,
        ended: false,
    };
    Body::from_stream(stream::unfold(events, |mut events| async { Some((events.next().await?, events)) }))
}

struct Events {
    body: BodyDataStream,
    buffer: Buffer,
    rewrite: Rewrite,
    /// Whether an event was taken from the stream already.
    begun: bool,
    ended: bool,
}

impl Events {
    /// The next bytes to pass on.
    async fn next(&mut self) -> Option<Chunk> {
        loop {
            if self.ended {
                return None;
            }
            if self.rewrite.is_over() {
                return if self.buffer.bytes.is_empty() {
                    self.body.next().await
                } else {
                    Some(Ok(self.buffer.all()))
                };
            }
            if let Some(event) = self.buffer.event() {
                return Some(Ok(self.rewrite_event(event)));
            }
            if self.buffer.bytes.len() > LONGEST {
                if self.rewrite.hide {
                    self.ended = true;
                    let error = "an event of the upstream server is too long to be judged";
                    return Some(Err(axum::Error::new(error)));
                }
                tracing::warn!(
                    "a list is too long to say which scopes its items need; it goes through as it is"
                );
                self.rewrite.asked.clear();
                continue;
            }
            let next = if self.buffer.is_all { None } else { self.body.next().await };
            match next {
                Some(Ok(chunk)) => self.buffer.bytes.extend_from_slice(&chunk),
                Some(Err(error)) => return Some(Err(error)),
                None if !self.buffer.is_all => self.buffer.is_all = true,
                None => {
                    self.ended = true;
                    // Half an event is none; clients drop it, so what is hidden is not in it.
                    return (!self.buffer.bytes.is_empty() && !self.rewrite.hide)
                        .then(|| Ok(self.buffer.all()));
                }
            }
        }
    }

    fn rewrite_event(&mut self, event: Bytes) -> Bytes {
        // A mark at the very beginning belongs to no field.
        let text = if std::mem::replace(&mut self.begun, true) { &event } else { without_mark(&event) };
        let mut data: Option<Vec<u8>> = None;
        for line in lines(text) {
            if let Some(value) = data_of(line) {
                match &mut data {
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                    None => data = Some(value.to_vec()),
                }
            }
        }
        let Some(message) = data.and_then(|data| self.rewrite.message(&data)) else { return event };
        let mut written = BytesMut::new();
        for line in lines(text).filter(|line| !line.is_empty() && data_of(line).is_none()) {
            written.extend_from_slice(line);
            written.extend_from_slice(b"\n");
        }
        for line in lines(message.as_bytes()) {
            written.extend_from_slice(b"data: ");
            written.extend_from_slice(line);
            written.extend_from_slice(b"\n");
        }
        written.extend_from_slice(b"\n");
        written.freeze()
    }
}

/// Bytes that came, and how far they were looked through.
#[derive(Default)]
pub(crate) struct Buffer {
    pub(crate) bytes: BytesMut,
    line: usize,
    looked: usize,
    /// Whether nothing comes behind them.
    is_all: bool,
}

impl Buffer {
    fn all(&mut self) -> Bytes {
        (self.line, self.looked) = (0, 0);
        self.bytes.split().freeze()
    }

    /// Everything up to the end of the next event: an empty line.
    pub(crate) fn event(&mut self) -> Option<Bytes> {
        while let Some(byte) = self.bytes.get(self.looked) {
            let width = match (byte, self.bytes.get(self.looked + 1)) {
                (b'\n', _) => 1,
                (b'\r', Some(b'\n')) => 2,
                // Whether a line feed belongs to it is not known yet.
                (b'\r', None) if !self.is_all => return None,
                (b'\r', _) => 1,
                _ => {
                    self.looked += 1;
                    continue;
                }
            };
            let empty = self.line == self.looked;
            self.looked += width;
            self.line = self.looked;
            if empty {
                let event = self.bytes.split_to(self.looked).freeze();
                (self.line, self.looked) = (0, 0);
                return Some(event);
            }
        }
        None
    }
}

/// Lines, whichever of the three ends they have.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(text);
        };
        let (line, behind) = text.split_at(end);
        let width = if behind.starts_with(b"\r\n") { 2 } else { 1 };
        rest = behind.get(width..).filter(|rest| !rest.is_empty());
        Some(line)
    })
}

/// The value of a `data` field.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    field(line, b"data")
}

/// The value of a field of that name.
pub(crate) fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn events(chunks: &[&str]) -> Vec<String> {
        let mut buffer = Buffer::default();
        let mut events = Vec::new();
        for chunk in chunks {
            buffer.bytes.extend_from_slice(chunk.as_bytes());
            while let Some(event) = buffer.event() {
                events.push(String::from_utf8(event.to_vec()).unwrap());
            }
        }
        events
    }

    #[test]
    fn an_event_ends_with_an_empty_line_however_it_is_cut() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("id: 1{end}data: a{end}{end}data: b{end}{end}:{end}");
            let expected = [format!("id: 1{end}data: a{end}{end}"), format!("data: b{end}{end}")];
            let bytes: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = bytes.iter().map(String::as_str).collect();
            assert_eq!(events(&[&text]), expected, "{end:?}");
            assert_eq!(events(&pieces), expected, "{end:?}");
        }
    }

    #[test]
    fn lines_and_data() {
        let text: Vec<Cow<'_, str>> = lines(b"a\r\n\rb\nc").map(String::from_utf8_lossy).collect();
        assert_eq!(text, ["a", "", "b", "c"]);
        for (line, value) in
            [("data: x", Some("x")), ("data:x", Some("x")), ("data", Some("")), ("datas: x", None)]
        {
            assert_eq!(data_of(line.as_bytes()), value.map(str::as_bytes), "{line}");
        }
    }
}

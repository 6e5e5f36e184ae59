//! Server-Sent Events as a client reads them (WHATWG HTML, "Interpreting an event stream"): an oracle, written for
//! being obviously right and for nothing else.

/// The `data` of each event that has any.
#[must_use]
pub fn data(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut events = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    for line in lines(stream) {
        if line.is_empty() {
            events.extend(current.take());
            continue;
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, [].as_slice()),
        };
        if name == b"data" {
            match &mut current {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => current = Some(value.to_vec()),
            }
        }
    }
    events
}

/// Whole lines; what stands behind the last end of a line is none.
fn lines(stream: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = stream;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        lines.push(&rest[..end]);
        let width = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_an_empty_line() {
        let stream = b"\xef\xbb\xbfdata: a\r\ndata:b\rid: 1\n\n: note\n\ndata\n\ndata: half";
        assert_eq!(data(stream), [b"a\nb".to_vec(), Vec::new()]);
    }
}

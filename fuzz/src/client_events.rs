//! Event streams as the client reads them. The first byte says how the stream is cut.
//!
//! However it is cut, the same answer is read; it is the first of those that the standard's own rules find.

use futures_util::FutureExt as _;
use hallpass_client::fuzzing::first_answer;
use serde_json::Value;

use crate::events;

/// Takes one input.
pub fn check(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let read = |pieces: Vec<Vec<u8>>| {
        first_answer("text/event-stream", pieces).now_or_never().expect("nothing to wait for")
    };
    let whole = read(vec![stream.to_vec()]);
    let size = usize::from(*cut % 16) + 1;
    let pieces = stream.chunks(size).map(<[u8]>::to_vec).collect();
    assert_eq!(read(pieces), whole, "in pieces of {size}");

    let answers = events::data(stream).into_iter().filter_map(|data| serde_json::from_slice::<Value>(&data).ok());
    let mut answers = answers.filter(|message| message.get("result").or(message.get("error")).is_some());
    if let Some(whole) = whole {
        // What ends the client's reading earlier may hide an answer, never make one.
        assert!(answers.any(|answer| answer == whole), "nobody sent {whole}");
    } else if is_plain(stream) {
        assert_eq!(answers.next(), None);
    }
}

/// Whether there is nothing in it that the client's library takes for an error, such as a field that it does not know.
fn is_plain(stream: &[u8]) -> bool {
    let text = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = text.split(|byte| matches!(byte, b'\r' | b'\n'));
    std::str::from_utf8(text).is_ok()
        && lines.all(|line| line.is_empty() || line.starts_with(b":") || line.starts_with(b"data:"))
}

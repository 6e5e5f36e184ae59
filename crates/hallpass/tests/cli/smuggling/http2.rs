//! HTTP/2 in so many bytes (RFC 9113, RFC 7541): a library would refuse to write what is to be refused.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::lab::Lab;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Longer than any answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200, which stands in the table of RFC 7541 as one byte.
    Ok,
    /// Another status.
    Status,
    /// The stream was reset.
    Reset,
    /// The connection ended.
    Gone,
}

/// A field, of any bytes whatever.
type Field<'a> = (&'a str, &'a str);

/// A connection that has shaken hands.
pub(super) struct Connection {
    reads: OwnedReadHalf,
    says: OwnedWriteHalf,
    next: u32,
}

impl Connection {
    pub(super) async fn open(lab: &Lab) -> Self {
        let (reads, says) = TcpStream::connect(lab.host()).await.unwrap().into_split();
        let mut connection = Self { reads, says, next: 1 };
        connection.say(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).await;
        connection
    }

    /// Whoever has heard enough closes before all is said.
    async fn say(&mut self, bytes: &[u8]) {
        drop(self.says.write_all(bytes).await);
    }

    fn stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// A request with a body, and what comes of it.
    pub(super) async fn ask(&mut self, fields: &[Field<'_>], body: &str) -> Outcome {
        let stream = self.stream();
        let head = frame(HEADERS, END_HEADERS, stream, &block(fields));
        self.say(&[head, frame(DATA, END_STREAM, stream, body.as_bytes())].concat()).await;
        self.outcome(stream).await
    }

    /// Requests that are taken back at once.
    pub(super) async fn ask_and_take_back(&mut self, fields: &[Field<'_>], times: usize) {
        for _ in 0..times {
            let stream = self.stream();
            let head = frame(HEADERS, END_HEADERS, stream, &block(fields));
            self.say(&[head, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()).await;
        }
    }

    /// A head that goes on and on.
    pub(super) async fn never_end_a_head(&mut self, fields: &[Field<'_>]) -> Outcome {
        let stream = self.stream();
        self.say(&frame(HEADERS, 0, stream, &block(fields))).await;
        let more = block(&[("x-more", &"x".repeat(10_000))]);
        for _ in 0..1_000 {
            self.say(&frame(CONTINUATION, 0, stream, &more)).await;
        }
        self.outcome(stream).await
    }

    async fn outcome(&mut self, stream: u32) -> Outcome {
        timeout(PATIENCE, async {
            loop {
                let mut head = [0; 9];
                if self.reads.read_exact(&mut head).await.is_err() {
                    return Outcome::Gone;
                }
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                let mut payload = vec![0; length as usize];
                if self.reads.read_exact(&mut payload).await.is_err() {
                    return Outcome::Gone;
                }
                match head[3] {
                    HEADERS if of == stream && payload[0] == 0x88 => return Outcome::Ok,
                    HEADERS if of == stream => return Outcome::Status,
                    RST_STREAM if of == stream => return Outcome::Reset,
                    GOAWAY => return Outcome::Gone,
                    _ => {}
                }
            }
        })
        .await
        .unwrap()
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// RFC 7541 §6.2.2: literal fields that are in no table.
fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// RFC 7541 §5.1, in seven bits of the first byte.
fn length(bytes: &mut Vec<u8>, mut number: usize) {
    if number < 127 {
        return bytes.push(number as u8);
    }
    bytes.push(127);
    number -= 127;
    while number >= 128 {
        bytes.push((number % 128) as u8 | 128);
        number /= 128;
    }
    bytes.push(number as u8);
}

//! What a gateway has to keep, over real sockets: the bytes of bodies, the fields that it does not know, the order of both,
//! however the bytes are cut on their way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::net::SocketAddr;

use bytes::Bytes;
use hallpass_gateway::Upstream;
use hallpass_gateway::listen::{Connections, serve};
use hallpass_gateway::upstream::{HttpOptions, HttpVersion};
use http::HeaderName;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use support::{protect, soon};

type Fields = Vec<(String, Vec<u8>)>;

/// A message as it stands on the wire: what comes before the fields, the fields, the body without its framing.
#[derive(Debug)]
struct Seen {
    fields: Fields,
    body: Vec<u8>,
}

/// Where bytes are cut: after each cut the peer gets time to read.
type Cuts = Vec<Index>;

async fn write_cut(stream: &mut TcpStream, bytes: &[u8], cuts: &Cuts) {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([bytes.len()]).collect();
    places.sort_unstable();
    let mut from = 0;
    for to in places {
        stream.write_all(&bytes[from..to]).await.unwrap();
        from = to;
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads one message, whichever way its body is framed.
async fn read(stream: &mut TcpStream, input: &mut Vec<u8>) -> Seen {
    let head = loop {
        let mut fields = [httparse::EMPTY_HEADER; 200];
        let end = input.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let start = input.iter().position(|&byte| byte == b'\n').unwrap() + 1;
            let (_, fields) = httparse::parse_headers(&input[start..end + 4], &mut fields).unwrap().unwrap();
            let fields: Fields =
                fields.iter().map(|field| (field.name.to_lowercase(), field.value.to_vec())).collect();
            input.drain(..end + 4);
            break fields;
        }
        more(stream, input).await;
    };
    let field = |name: &str| head.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let mut body = Vec::new();
    if field("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&line(stream, input).await, 16).unwrap();
            let chunk = take(stream, input, size).await;
            body.extend_from_slice(&chunk);
            assert_eq!(line(stream, input).await, "");
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = field("content-length") {
        body = take(stream, input, String::from_utf8(length).unwrap().parse().unwrap()).await;
    }
    Seen { fields: head, body }
}

async fn more(stream: &mut TcpStream, input: &mut Vec<u8>) {
    let read = soon(stream.read_buf(input)).await.unwrap();
    assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(input));
}

async fn line(stream: &mut TcpStream, input: &mut Vec<u8>) -> String {
    loop {
        if let Some(end) = input.windows(2).position(|window| window == b"\r\n") {
            let line = input.drain(..end + 2).collect::<Vec<_>>();
            return String::from_utf8(line[..end].to_vec()).unwrap();
        }
        more(stream, input).await;
    }
}

async fn take(stream: &mut TcpStream, input: &mut Vec<u8>, length: usize) -> Vec<u8> {
    while input.len() < length {
        more(stream, input).await;
    }
    input.drain(..length).collect()
}

/// An upstream that writes down each request, and answers with these bytes, cut at these places.
async fn recorder(answer: Vec<u8>, cuts: Cuts) -> (SocketAddr, mpsc::UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (said, answer, cuts) = (said.clone(), answer.clone(), cuts.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let mut input = Vec::new();
                while !input.is_empty() || stream.peek(&mut [0]).await.is_ok_and(|waiting| waiting > 0) {
                    said.send(read(&mut stream, &mut input).await).unwrap();
                    write_cut(&mut stream, &answer, &cuts).await;
                }
            });
        }
    });
    (address, heard)
}

/// The same over HTTP/2: answers with that head, and a frame for each part. So many bytes of a request come before the first are
/// taken.
async fn http2_recorder(
    head: http::Response<()>,
    parts: Vec<Vec<u8>>,
    window: u32,
) -> (SocketAddr, mpsc::UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (said, head, parts) = (said.clone(), head.clone(), parts.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let mut builder = h2::server::Builder::new();
                let mut peer = builder.initial_window_size(window).handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = peer.accept().await {
                    let (said, head, parts) = (said.clone(), head.clone(), parts.clone());
                    tokio::spawn(async move {
                        said.send(read_http2(request).await).unwrap();
                        let mut stream = respond.send_response(head, false).unwrap();
                        for part in parts {
                            // Whoever has all that was announced may leave before it is over.
                            let Ok(()) = stream.send_data(part.into(), false) else { return };
                            for _ in 0..4 {
                                tokio::task::yield_now().await;
                            }
                        }
                        drop(stream.send_data(Bytes::new(), true));
                    });
                }
            });
        }
    });
    (address, heard)
}

async fn read_http2(request: http::Request<h2::RecvStream>) -> Seen {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(data) = soon(stream.data()).await {
        let data = data.unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    let fields = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    Seen { fields: fields.collect(), body }
}

/// A body in chunks of its own, that have nothing to do with where it is cut on the wire.
fn chunked(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn written(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// As they may come out: in their order, those of one name together (RFC 9110 §5.3 lets others stand between them).
fn in_order(fields: &Fields) -> Fields {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in fields {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of =
        |name: &String| fields.iter().filter(move |(other, _)| other == name).cloned().collect::<Vec<_>>();
    names.into_iter().flat_map(of).collect()
}

/// Those of names that nobody knows.
fn unknown(seen: &Seen) -> Fields {
    seen.fields.iter().filter(|(name, _)| name.starts_with("u-")).cloned().collect()
}

/// Fields that nobody knows, some of them several times, with values of any bytes that may stand there (RFC 9110 §5.5).
fn fields() -> impl Strategy<Value = Fields> {
    let visible = prop_oneof![0x21u8..=0x7e, 0x80u8..=0xff];
    let value = (vec(visible.clone(), 0..6), visible).prop_map(|(begin, end)| {
        let mut value: Vec<u8> = begin.iter().flat_map(|&byte| [byte, b' ']).collect();
        value.push(end);
        value
    });
    vec(("u-[a-e]", value), 0..8)
}

/// A call that policy reads, or any bytes where it does not.
fn call() -> impl Strategy<Value = (bool, Vec<u8>)> {
    prop_oneof![
        (".{0,300}", "[ \t\r\n]{0,9}").prop_map(|(text, space)| {
            let arguments = json!({ "text": text });
            let call = format!(
                r#"{{{space}"method" :"tools/call","params":{{"name":"list_notes","arguments":{arguments}}}, "id":1,"jsonrpc":"2.0"{space}}}"#
            );
            (true, call.into_bytes())
        }),
        vec(any::<u8>(), 0..3000).prop_map(|bytes| (false, bytes)),
    ]
}

/// Events as servers write them, with comments between.
fn events() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let event = ("[a-z]{0,9}", "[^\r\n]{0,200}").prop_map(|(id, data)| format!("id: {id}\ndata: {data}\n\n"));
    vec(prop_oneof![event, Just(": still here\n\n".to_owned())].prop_map(String::into_bytes), 0..8)
}

/// The parts of some bytes.
fn parted(bytes: &[u8], cuts: &Cuts) -> Vec<Vec<u8>> {
    let mut places: Vec<_> =
        cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// What a client says, and how it is cut.
struct Question<'a> {
    /// Whether policy reads the body.
    reads: bool,
    body: &'a [u8],
    fields: &'a Fields,
    in_chunks: bool,
    parts: &'a Cuts,
    cuts: &'a Cuts,
}

/// What the server says to that.
struct Answer<'a> {
    body: &'a [u8],
    fields: &'a Fields,
}

/// Asks twice over one connection, the second time over connections that were used before, and holds what arrives against
/// what was said.
async fn ask(
    upstream: Upstream,
    mut heard: mpsc::UnboundedReceiver<Seen>,
    question: Question<'_>,
    answer: Answer<'_>,
) -> Result<(), TestCaseError> {
    let protected = protect(upstream, question.reads);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, protected.router.clone(), Connections::default(), std::future::pending()));

    let mut request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost:8080\r\nauthorization: Bearer {}\r\n",
        protected.token("notes:read"),
    )
    .into_bytes();
    request.extend_from_slice(&written(question.fields));
    if question.in_chunks {
        request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        request.extend_from_slice(&chunked(&parted(question.body, question.parts)));
    } else {
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", question.body.len()).as_bytes());
        request.extend_from_slice(question.body);
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    client.set_nodelay(true).unwrap();
    let mut input = Vec::new();
    for _ in 0..2 {
        write_cut(&mut client, &request, question.cuts).await;
        let seen = read(&mut client, &mut input).await;
        let recorded = soon(heard.recv()).await.unwrap();
        prop_assert_eq!(&recorded.body, question.body);
        prop_assert_eq!(unknown(&recorded), in_order(question.fields));
        prop_assert_eq!(&seen.body, answer.body);
        prop_assert_eq!(unknown(&seen), in_order(answer.fields));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_passes_is_what_was_said(
        (reads, call) in call(),
        asked in fields(),
        events in events(),
        answered in fields(),
        [in_chunks, answer_in_chunks, interim] in any::<[bool; 3]>(),
        [parts, cuts, answer_parts, answer_cuts] in [(); 4].map(|()| vec(any::<Index>(), 0..6)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = events.concat();
            let mut answer = if interim { b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec() } else { Vec::new() };
            answer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n");
            answer.extend_from_slice(&written(&answered));
            if answer_in_chunks {
                answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                answer.extend_from_slice(&chunked(&parted(&stream, &answer_parts)));
            } else {
                answer.extend_from_slice(format!("content-length: {}\r\n\r\n", stream.len()).as_bytes());
                answer.extend_from_slice(&stream);
            }
            let (upstream, heard) = recorder(answer, answer_cuts).await;
            let upstream = Upstream::http(&format!("http://{upstream}/inner").parse().unwrap()).unwrap();
            let question = Question { reads, body: &call, fields: &asked, in_chunks, parts: &parts, cuts: &cuts };
            ask(upstream, heard, question, Answer { body: &stream, fields: &answered }).await
        })?;
    }

    /// The same where upstream speaks HTTP/2, however small its frames and its window are.
    #[test]
    fn over_http2_as_well(
        (reads, call) in call(),
        asked in fields(),
        events in events(),
        answered in fields(),
        [in_chunks, says_length] in any::<[bool; 2]>(),
        [parts, cuts, frames] in [(); 3].map(|()| vec(any::<Index>(), 0..6)),
        window in 1u32..4000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = events.concat();
            let mut head = http::Response::new(());
            let said = answered.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            for (name, value) in said.chain([("content-type", b"text/event-stream".as_slice())]) {
                head.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.try_into().unwrap());
            }
            if says_length {
                head.headers_mut().insert("content-length", stream.len().into());
            }
            let (upstream, mut heard) = http2_recorder(head, parted(&stream, &frames), window).await;
            let options = HttpOptions { version: HttpVersion::Http2, ..HttpOptions::default() };
            let url = format!("http://{upstream}/inner").parse().unwrap();
            let upstream = Upstream::http_with(&url, &options).unwrap();
            // A server's window holds from its settings on, which come with its first answer: a body that is on its way before
            // would wait for h2's server, which does not give back what was taken by then.
            support::text(soon(protect(upstream.clone(), false).post("")).await).await;
            soon(heard.recv()).await.unwrap();
            let question = Question { reads, body: &call, fields: &asked, in_chunks, parts: &parts, cuts: &cuts };
            ask(upstream, heard, question, Answer { body: &stream, fields: &answered }).await
        })?;
    }
}

//! The table.

use super::lab::Lab;

/// A body that hallpass looks into and lets pass.
pub(super) const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What must never be taken for a request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// What has to become of a request.
#[derive(Clone, Copy)]
pub(super) enum Expect {
    /// 4xx, 501 or 505, or no answer; in any case the connection ends, and nothing goes on.
    Refused,
    /// It can be read in one way only, and is; then the connection ends.
    Once,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) expect: Expect,
    line: &'static str,
    fields: Vec<String>,
    body: String,
}

impl Case {
    pub(super) fn bytes(&self, lab: &Lab) -> Vec<u8> {
        let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        format!("{}{}", lab.head(self.line, &fields), self.body).into_bytes()
    }
}

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    [lengths(), codings(), both(), chunks(), lines(), fields()].into_iter().flatten().collect()
}

const POST: &str = "POST /mcp HTTP/1.1";

/// With these fields, each ended by itself, and this after the head.
fn case(name: &'static str, expect: Expect, fields: &[&str], body: impl Into<String>) -> Case {
    let fields = fields.iter().map(ToString::to_string).collect();
    Case { name, expect, line: POST, fields, body: format!("\r\n{}", body.into()) }
}

/// A request that would be good, after another request line. Who understands it closes the connection as well.
fn line(name: &'static str, line: &'static str) -> Case {
    let length = format!("Content-Length: {}", PING.len());
    Case { line, ..case(name, Expect::Refused, &[&length, "Connection: close"], PING) }
}

/// In one chunk, as it should be.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// RFC 9112 §6.3: several lengths, or what is none.
fn lengths() -> Vec<Case> {
    let body = || format!("{PING}{SMUGGLED}");
    let of = |name, fields: &[&str]| case(name, Expect::Refused, fields, body());
    let right = format!("Content-Length: {}", PING.len());
    vec![
        of("two lengths", &[&right, "Content-Length: 7"]),
        of("two lengths, the right one last", &["Content-Length: 7", &right]),
        of("two lengths in one field", &["Content-Length: 40, 7"]),
        of("the same length twice in one field", &[&format!("{right}, {}", PING.len())]),
        of("a length with a sign", &[&format!("Content-Length: +{}", PING.len())]),
        of("a negative length", &["Content-Length: -1"]),
        of("a hexadecimal length", &["Content-Length: 0x28"]),
        of("a length with a fraction", &["Content-Length: 40.0"]),
        of("a length with a word after it", &[&format!("{right} bytes")]),
        of("a length of nothing", &["Content-Length: "]),
        of("a length beyond 64 bits", &["Content-Length: 36893488147419103272"]),
        of("the largest length of 64 bits", &["Content-Length: 18446744073709551615"]),
        of("a length after a vertical tab", &["Content-Length:\x0b40"]),
        of("a length after a zero", &["Content-Length: \x0040"]),
        of("a space before the colon of a length", &["Content-Length : 40"]),
    ]
}

/// RFC 9112 §6.1: codings that are no coding, or that nobody here undoes.
fn codings() -> Vec<Case> {
    let body = || format!("{}{SMUGGLED}", chunked(PING));
    let of = |name, fields: &[&str]| case(name, Expect::Refused, fields, body());
    vec![
        of("chunked is not the last coding", &["Transfer-Encoding: chunked, identity"]),
        of("chunked is not the only coding", &["Transfer-Encoding: identity, chunked"]),
        of("compressed and chunked", &["Transfer-Encoding: gzip, chunked"]),
        of("chunked twice", &["Transfer-Encoding: chunked, chunked"]),
        of("chunked in two fields", &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        of("chunked, then a field with another", &["Transfer-Encoding: chunked", "Transfer-Encoding: x"]),
        of("another, then a field with chunked", &["Transfer-Encoding: x", "Transfer-Encoding: chunked"]),
        of("a coding of a similar name", &["Transfer-Encoding: xchunked"]),
        of("a coding with a parameter", &["Transfer-Encoding: chunked;q=1"]),
        of("a coding in quotes", &["Transfer-Encoding: \"chunked\""]),
        of("a coding after nothing", &["Transfer-Encoding: ,chunked"]),
        of("a coding before nothing", &["Transfer-Encoding: chunked,"]),
        of("a coding after a vertical tab", &["Transfer-Encoding:\x0bchunked"]),
        of("a space before the colon of a coding", &["Transfer-Encoding : chunked"]),
        of("a coding in a folded line", &["Transfer-Encoding:", " chunked"]),
        of("a coding after a folded line", &["X-One: 1", " Transfer-Encoding: chunked"]),
        of("a coding after a bare CR", &["X-One: 1\rTransfer-Encoding: chunked"]),
        Case { line: "POST /mcp HTTP/1.0", ..of("chunks in HTTP/1.0", &["Transfer-Encoding: chunked"]) },
    ]
}

/// RFC 9112 §6.1: who sends both a length and chunks is heard once at most, and the connection ends.
fn both() -> Vec<Case> {
    let length = |length: usize| format!("Content-Length: {length}");
    let whole = format!("{}{SMUGGLED}", chunked(PING));
    let coding = "Transfer-Encoding: chunked";
    vec![
        case("CL.TE", Expect::Once, &[&length(whole.len()), coding], &*whole),
        case("TE.CL", Expect::Once, &[coding, &length(4)], &*whole),
        case("CL.TE, the length of nothing", Expect::Once, &[&length(0), coding], &*whole),
        case(
            "CL and a coding in another spelling",
            Expect::Once,
            &[&length(PING.len()), "Transfer_Encoding: chunked", "Connection: close"],
            PING,
        ),
        case("CL.TE with two lengths", Expect::Refused, &[&length(5), &length(6), coding], &*whole),
        case("CL.TE with a length that is none", Expect::Refused, &["Content-Length: x", coding], &*whole),
        case(
            "CL and a coding that is none",
            Expect::Refused,
            &[&length(whole.len()), "Transfer-Encoding: x"],
            &*whole,
        ),
    ]
}

/// RFC 9112 §7.1: chunks that do not add up.
fn chunks() -> Vec<Case> {
    let of = |name, body: String| {
        case(name, Expect::Refused, &["Transfer-Encoding: chunked"], format!("{body}{SMUGGLED}"))
    };
    let size = PING.len();
    let first = |line: &str| format!("{line}\r\n{PING}\r\n0\r\n\r\n");
    vec![
        of("a chunk size beyond 64 bits", first("fffffffffffffffff")),
        of("a chunk size with a sign", first(&format!("+{size:x}"))),
        of("a chunk size with 0x", first(&format!("0x{size:x}"))),
        of("a chunk size after a space", first(&format!(" {size:x}"))),
        of("a chunk size of nothing", first("")),
        of("two chunk sizes", first(&format!("{size:x} {size:x}"))),
        of("a chunk size that ends with LF", format!("{size:x}\n{PING}\r\n0\r\n\r\n")),
        of("an extension that ends with LF", format!("{size:x};a\n{PING}\r\n0\r\n\r\n")),
        of("an extension without end", first(&format!("{size:x};{}", "x".repeat(100_000)))),
        of("a chunk that is longer than its size", format!("{:x}\r\n{PING}\r\n0\r\n\r\n", size - 1)),
        of("a chunk that ends with LF", format!("{size:x}\r\n{PING}\n0\r\n\r\n")),
        of("trailers without end", format!("{size:x}\r\n{PING}\r\n0\r\n{}", "x: y\r\n".repeat(100_000))),
        of("a trailer that is none", format!("{size:x}\r\n{PING}\r\n0\r\n\0\r\n\r\n")),
    ]
}

/// RFC 9112 §3: request lines.
fn lines() -> Vec<Case> {
    vec![
        line("a word after the version", "POST /mcp HTTP/1.1 x"),
        line("no version", "POST /mcp"),
        line("version 2.0 in words", "POST /mcp HTTP/2.0"),
        line("version 0.9", "POST /mcp HTTP/0.9"),
        line("version 1.10", "POST /mcp HTTP/1.10"),
        line("a version in small letters", "POST /mcp http/1.1"),
        line("two targets", "POST /mcp /smuggled HTTP/1.1"),
        line("a tab for a space", "POST\t/mcp\tHTTP/1.1"),
        line("a zero in the target", "POST /mcp\0 HTTP/1.1"),
        line("a target with a bare CR", "POST /mcp\r HTTP/1.1"),
        line("a method with a colon", "PO:ST /mcp HTTP/1.1"),
        line("a method in small letters", "post /mcp HTTP/1.1"),
        line("no method", "/mcp HTTP/1.1"),
        line("somebody else's address", "POST http://evil.example/mcp HTTP/1.1"),
        line("a target without a path", "POST mcp HTTP/1.1"),
        line("a target above the root", "POST /mcp/../../smuggled HTTP/1.1"),
        line("a tunnel", "CONNECT evil.example:443 HTTP/1.1"),
    ]
}

/// RFC 9112 §5: field lines, and RFC 9110 §7.2: the one Host.
fn fields() -> Vec<Case> {
    let of = |name, field: &str| {
        let length = format!("Content-Length: {}", PING.len());
        case(name, Expect::Refused, &[field, &length, "Connection: close"], PING)
    };
    vec![
        of("a second Host", "Host: evil.example"),
        of("the same Host twice", "Host: localhost"),
        of("a line without a colon", "X-One"),
        of("a line that is a colon", ": x"),
        of("a name with a space", "X One: 1"),
        of("a name with a zero", "X-\0: 1"),
        of("a value with a zero", "X-One: a\0b"),
        of("a value with a bare CR", "X-One: a\rX-Two: b"),
        of("a second credential", "Authorization: Bearer x"),
        of("a line before the first that begins with a space", " X-One: 1"),
    ]
}

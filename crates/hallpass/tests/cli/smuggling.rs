//! Requests that two readers could read differently, and requests that mean harm, at the program itself (RFC 9112 §11.2).
//!
//! Whoever sends them has a token, so nothing but the reading of the request stands in between. After each one the
//! server behind has seen nothing that was not a whole request, and everybody else is served as before.

mod corpus;
mod http2;
mod lab;

use self::corpus::{Expect, cases};
use self::http2::{Connection, Outcome};
use self::lab::{Lab, statuses};

/// One request of the table after the other, each on a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_in_two_ways_is_refused() {
    let lab = Lab::start().await;
    let mut wrong = Vec::new();
    for case in cases() {
        let before = lab.received().len();
        let answered = lab.until_closed(&case.bytes(&lab)).await;
        let arrived = lab.received().split_off(before);
        let statuses = answered.as_deref().map(statuses);
        let is_right = match case.expect {
            Expect::Refused => {
                let refused = statuses.is_some_and(|statuses| match statuses[..] {
                    [] => true,
                    [status] => (400..=505).contains(&status),
                    _ => false,
                });
                refused && arrived.is_empty()
            }
            Expect::Once => {
                statuses.as_deref() == Some(&[200])
                    && arrived.len() == 1
                    && arrived[0].target == "/mcp"
                    && arrived[0].body == corpus::PING
            }
        };
        if !is_right {
            wrong.push(format!("{}: answered {answered:?}, behind {arrived:?}", case.name));
        }
        lab.others_are_served(case.name).await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The answers come in the order of the requests, and each request goes on once.
#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_one_by_one() {
    let lab = Lab::start().await;
    let request = lab.request(&[], corpus::PING);
    let last = lab.request(&["Connection: close"], corpus::PING);
    let answered = lab.until_closed(&[request.repeat(49), last].concat()).await.unwrap();
    assert_eq!(statuses(&answered), [200; 50]);
    assert_eq!(lab.received().len(), 50);
}

/// What follows a request that cannot be read is not read.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_after_a_bad_request_of_a_pipeline() {
    let lab = Lab::start().await;
    let good = lab.request(&[], corpus::PING);
    let bad = lab.request(&["Content-Length: 7"], corpus::PING);
    let answered = lab.until_closed(&[good.clone(), bad, good].concat()).await.unwrap();
    assert_eq!(statuses(&answered), [200, 400], "{answered}");
    assert_eq!(lab.received().len(), 1);
    lab.others_are_served("a broken pipeline").await;
}

/// More fields than anybody needs, and a field that is longer than anybody needs.
#[tokio::test(flavor = "multi_thread")]
async fn heads_without_end_are_cut_off() {
    let lab = Lab::start().await;
    let many: String = (0..100_000).map(|number| format!("X-{number}: x\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(10_000_000));
    for (name, fields) in [("100,000 fields", many), ("a field of 10 MB", long)] {
        let request = format!("POST /mcp HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", lab.host());
        let answered = lab.until_closed(request.as_bytes()).await.unwrap();
        assert!(matches!(statuses(&answered)[..], [] | [431]), "{name}: {answered}");
        assert!(lab.received().is_empty(), "{name}");
        lab.others_are_served(name).await;
    }
}

/// Heads and bodies that come byte by byte, or not at all: whoever waits for them, it is not the others.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_keep_nobody_waiting() {
    let lab = Lab::start().await;
    let request = lab.request(&["Content-Length: 1000000"], corpus::PING);
    let mut slow = Vec::new();
    for number in 0..300 {
        // Some have not said a word, some stop in the head, some in the body.
        let said = [0, 20, request.len()][number % 3];
        slow.push(lab.saying(&request[..said]).await);
    }
    lab.others_are_served("300 slow clients").await;
    drop(slow);
    lab.others_are_served("300 clients that left").await;
    assert!(lab.received().is_empty(), "{:?}", lab.received());
}

/// HTTP/2 carries any bytes in a field, and HTTP/1.1 behind does not (RFC 9113 §8.2.1, §8.2.2, §10.3).
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_from_http_2_into_http_1() {
    let lab = Lab::start().await;
    let bearer = lab.bearer();
    let length = corpus::PING.len().to_string();
    let good = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/mcp"),
        (":authority", lab.host()),
        ("authorization", &bearer),
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    assert_eq!(Connection::open(&lab).await.ask(&good, corpus::PING).await, Outcome::Ok);
    assert_eq!(lab.received().len(), 1);

    let instead = |name: &'static str, value: &'static str| {
        good.map(|(known, was)| if known == name { (known, value) } else { (known, was) }).to_vec()
    };
    let beside = |name: &'static str, value: &'static str| [&good[..], &[(name, value)]].concat();
    for (name, fields) in [
        ("a length that is too short", instead("content-length", "7")),
        ("a length that is too long", instead("content-length", "4000")),
        ("a length that is none", instead("content-length", "x")),
        ("a second length", beside("content-length", "7")),
        ("a coding", beside("transfer-encoding", "chunked")),
        ("a connection", beside("connection", "content-length")),
        ("a line in a value", beside("x-one", "1\r\ntransfer-encoding: chunked")),
        ("a line in a name", beside("x-one: 1\r\nx-two", "2")),
        ("a colon in a name", beside("x-one: 1", "2")),
        ("a zero in a value", beside("x-one", "1\0")),
        ("a capital in a name", beside("X-One", "1")),
        ("a line in the path", instead(":path", "/mcp HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled")),
        ("a space in the path", instead(":path", "/mcp /smuggled")),
        ("a line in the method", instead(":method", "POST /smuggled HTTP/1.1\r\nx: y\r\n\r\nPOST")),
        ("a second path", beside(":path", "/smuggled")),
        ("a second method", beside(":method", "GET")),
        ("an unknown name with a colon before it", beside(":smuggled", "1")),
        ("somebody else's authority", instead(":authority", "evil.example")),
        ("a line in the authority", instead(":authority", "localhost\r\nx: y")),
        ("a host that is another", beside("host", "evil.example")),
        ("a second credential", beside("authorization", "Bearer x")),
    ] {
        let outcome = Connection::open(&lab).await.ask(&fields, corpus::PING).await;
        assert_ne!(outcome, Outcome::Ok, "{name}");
        assert_eq!(lab.received().len(), 1, "{name}: {:?}", lab.received());
        lab.others_are_served(name).await;
    }
}

/// CVE-2023-44487 and CVE-2024-27316: work that is taken back, and heads that never end.
#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_end_is_cut_off() {
    let lab = Lab::start().await;
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/mcp"), (":authority", lab.host())];
    let mut connection = Connection::open(&lab).await;
    assert_eq!(connection.never_end_a_head(&head).await, Outcome::Gone);
    lab.others_are_served("a head that never ends").await;
    let mut connection = Connection::open(&lab).await;
    connection.ask_and_take_back(&head, 5_000).await;
    assert_eq!(connection.ask(&head, corpus::PING).await, Outcome::Gone);
    lab.others_are_served("requests that were taken back").await;
    assert!(lab.received().is_empty(), "{:?}", lab.received());
}

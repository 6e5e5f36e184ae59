//! What rmcp is told of each answer that a server may give.

use std::{collections::HashMap, sync::Arc};

use axum::response::Response;
use hallpass_client::{Client, Error, Mode, Rule};
use hallpass_testkit::upstream::{Upstream, plain};
use http::{HeaderValue, StatusCode, header};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        StreamableHttpClient as _, StreamableHttpError, StreamableHttpPostResponse,
    },
};
use serde_json::{Value, json};

type Posted = Result<StreamableHttpPostResponse, StreamableHttpError<Error>>;

fn message(value: Value) -> ClientJsonRpcMessage {
    serde_json::from_value(value).unwrap()
}

fn request() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "id": 7, "method": "ping"}))
}

fn discover() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "id": 7, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}}}}))
}

fn notification() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
}

fn client(server: &Upstream) -> Client {
    Client::builder(server.url("/mcp").as_str()).unwrap().mode(Mode::None).build().unwrap()
}

fn with(mut response: Response, name: &'static str, value: &'static str) -> Response {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

async fn post(answer: Response, sent: ClientJsonRpcMessage, session: Option<&str>) -> Posted {
    let server = Upstream::start().await;
    server.answer(answer);
    let client = client(&server);
    let uri: Arc<str> = client.server().as_str().into();
    client
        .post_message_with_max_sse_event_size(uri, sent, session.map(Arc::from), None, HashMap::new(), 64)
        .await
}

const ERROR: &str = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}"#;

#[tokio::test]
async fn answers_that_are_none() {
    use StreamableHttpPostResponse::{Accepted, Json};
    let empty = |status| plain(status, "");
    assert!(matches!(post(empty(StatusCode::ACCEPTED), notification(), None).await, Ok(Accepted)));
    assert!(matches!(post(empty(StatusCode::NO_CONTENT), notification(), None).await, Ok(Accepted)));
    assert!(matches!(post(empty(StatusCode::OK), notification(), None).await, Ok(Accepted)));
    let with_session = with(plain(StatusCode::OK, ERROR), "mcp-session-id", "s");
    let answer = post(with_session, request(), None).await;
    assert!(matches!(answer, Ok(Json(_, Some(ref id))) if id == "s"), "{answer:?}");
}

#[tokio::test]
async fn refusals_keep_their_status_and_what_is_said() {
    use StreamableHttpError as E;
    let status = |status| plain(status, "");
    let lost = post(status(StatusCode::NOT_FOUND), request(), Some("s")).await;
    assert!(matches!(lost, Err(E::SessionExpired)), "{lost:?}");
    let missing = post(status(StatusCode::NOT_FOUND), request(), None).await;
    assert!(matches!(missing, Err(E::UnexpectedServerResponse(_))), "{missing:?}");
    let busy = with(status(StatusCode::TOO_MANY_REQUESTS), "retry-after", "7");
    let busy = post(busy, request(), None).await;
    assert!(
        matches!(busy, Err(E::HttpStatus(ref error)) if error.status == 429 && error.retry_after.as_deref() == Some("7")),
        "{busy:?}"
    );
    let broken = post(status(StatusCode::BAD_GATEWAY), request(), None).await;
    assert!(matches!(broken, Err(E::HttpStatus(ref error)) if error.status == 502), "{broken:?}");
    let said = post(plain(StatusCode::BAD_REQUEST, ERROR), request(), None).await;
    assert!(matches!(said, Ok(StreamableHttpPostResponse::Json(..))), "{said:?}");
    let forbidden = post(plain(StatusCode::FORBIDDEN, ERROR), request(), None).await;
    assert!(matches!(forbidden, Err(E::UnexpectedServerResponse(_))), "{forbidden:?}");
    let page = with(plain(StatusCode::OK, "<html>"), "content-type", "text/html");
    let page = post(page, request(), None).await;
    assert!(matches!(page, Err(E::UnexpectedContentType(Some(_)))), "{page:?}");
    let nonsense = post(plain(StatusCode::OK, "{}"), request(), None).await;
    assert!(matches!(nonsense, Err(E::UnexpectedServerResponse(_))), "{nonsense:?}");
}

/// An older server: rmcp goes on with `initialize` if the error has the request's own id.
#[tokio::test]
async fn a_server_that_does_not_know_discovery_is_an_older_one() {
    for body in ["", "no", r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32601,"message":"no"}}"#]
    {
        let answer = post(plain(StatusCode::BAD_REQUEST, body), discover(), None).await.unwrap();
        let StreamableHttpPostResponse::Json(answer, None) = answer else { panic!("{answer:?}") };
        assert_eq!(serde_json::to_value(answer).unwrap()["id"], 7, "{body}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    use futures_util::StreamExt as _;
    let events =
        |text: &str| with(plain(StatusCode::OK, text.to_owned()), "content-type", "text/event-stream");
    let short = "data: 1\n\n".repeat(20);
    let long = format!("data: 1\n\ndata: {}\n\n", "x".repeat(100));
    for (text, whole, fails) in [(short, 20, false), (long, 0, true)] {
        let answer = post(events(&text), request(), None).await.unwrap();
        let StreamableHttpPostResponse::Sse(stream, _) = answer else { panic!("{answer:?}") };
        let read: Vec<_> = stream.collect().await;
        assert_eq!(read.iter().any(Result::is_err), fails, "{read:?}");
        assert!(read.iter().filter(|event| event.is_ok()).count() >= whole);
    }
    let long = plain(StatusCode::OK, vec![b' '; (16 << 20) + 1]);
    let long = post(long, request(), None).await;
    assert!(matches!(long, Err(StreamableHttpError::ResponseBodyTooLarge { .. })), "{long:?}");
}

#[tokio::test]
async fn a_stream_that_is_none_is_said() {
    let server = Upstream::start().await;
    let client = client(&server);
    let uri: Arc<str> = client.server().as_str().into();
    server.answer(plain(StatusCode::METHOD_NOT_ALLOWED, ""));
    let stream = client.get_stream(Arc::clone(&uri), Some("s".into()), None, None, HashMap::new()).await;
    assert!(matches!(stream, Err(StreamableHttpError::ServerDoesNotSupportSse)));
    server.answer(plain(StatusCode::METHOD_NOT_ALLOWED, ""));
    client.delete_session(Arc::clone(&uri), "s".into(), None, HashMap::new()).await.unwrap();
    let own = HashMap::from([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
    let own = client.get_stream(Arc::clone(&uri), None, Some("9".into()), None, own).await;
    assert!(matches!(own, Err(StreamableHttpError::ReservedHeaderConflict(_))));
    let foreign = client.get_stream("http://127.0.0.1:1/mcp".into(), None, None, None, HashMap::new()).await;
    let Err(StreamableHttpError::Client(error)) = foreign else { panic!("sent elsewhere") };
    assert!(matches!(error, Error::Misconfigured { rule: Rule::ForeignRequest(_), .. }), "{error}");
    assert_eq!(server.received().len(), 2);
}

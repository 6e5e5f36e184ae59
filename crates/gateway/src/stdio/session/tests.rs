use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::stdio::message;

const SMALL: usize = 10_000;

fn session() -> (Session, mpsc::UnboundedReceiver<Input>) {
    let limits = Limits { unread: SMALL, requests: 3, ..Limits::default() };
    Session::new(Owner::alice(), &limits, CancellationToken::new())
}

fn post(session: &Session, body: &str) -> Result<Option<Messages>, Refused> {
    session.post(&message::read(body.as_bytes()).unwrap().messages, true)
}

async fn says(session: &Session, line: &str) {
    for message in message::said(line.as_bytes()).unwrap() {
        session.deliver(message).await;
    }
}

fn said() -> String {
    format!(r#"{{"method":"notifications/message","params":"{}"}}"#, "x".repeat(1000))
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_by_itself_is_no_use() {
    let (session, _lines) = session();
    let begun = session.last_used();
    tokio::time::advance(Duration::from_secs(3600)).await;
    says(&session, &said()).await;
    assert_eq!(session.last_used(), begun);
    post(&session, r#"{"method":"notifications/x"}"#).unwrap();
    assert_eq!(session.last_used(), begun + Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_open_counts_until_it_closes() {
    let (session, _lines) = session();
    let listening = session.listen().unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(session.last_used(), Instant::now());
    drop(listening);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(session.last_used(), Instant::now() - Duration::from_secs(3600));
}

/// A laptop that sleeps: its stream is open, and nobody reads.
#[tokio::test(start_paused = true)]
async fn an_unread_stream_keeps_no_answer_back() {
    let (session, _lines) = session();
    let _asleep = session.listen().unwrap();
    let mut answers =
        post(&session, r#"{"id":1,"method":"m","params":{"_meta":{"progressToken":1}}}"#).unwrap().unwrap();
    let progress = r#"{"method":"notifications/progress","params":{"progressToken":1}}"#;
    for _ in 0..100 {
        says(&session, &said()).await;
        says(&session, progress).await;
    }
    says(&session, r#"{"id":1,"result":{}}"#).await;
    let mut heard = Vec::new();
    while let Some(line) = answers.next().await {
        heard.push(line);
    }
    // As much as there is room for, and the answer.
    assert_eq!(heard.len(), SMALL / 256 + 1);
    assert_eq!(heard[SMALL / 256], r#"{"id":1,"result":{}}"#);
}

#[tokio::test]
async fn a_question_that_the_client_will_never_see_is_answered() {
    let (session, mut lines) = session();
    let _asleep = session.listen().unwrap();
    for _ in 0..20 {
        says(&session, &said()).await;
    }
    let question = format!(r#"{{"id":"q","method":"roots/list","params":"{}"}}"#, "x".repeat(1000));
    says(&session, &question).await;
    let line = lines.try_recv().unwrap().line.into_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("q"), &json!(-32603)));
}

#[tokio::test]
async fn a_process_that_does_not_read_takes_no_more() {
    let (session, mut lines) = session();
    let long = format!(r#"{{"method":"notifications/x","params":{{"a":"{}"}}}}"#, "x".repeat(4000));
    for _ in 0..2 {
        post(&session, &long).unwrap();
    }
    assert!(matches!(post(&session, &long), Err(Refused::Busy(None))));
    drop(lines.try_recv().unwrap());
    post(&session, &long).unwrap();
}

#[tokio::test]
async fn only_so_many_requests_wait_for_answers() {
    let (session, _lines) = session();
    let mut open = Vec::new();
    for id in 0..3 {
        open.push(post(&session, &format!(r#"{{"id":{id},"method":"m"}}"#)).unwrap().unwrap());
    }
    let refused = post(&session, r#"{"id":3,"method":"m"}"#);
    assert!(matches!(refused, Err(Refused::Busy(Some(Id::Number(3))))));
    says(&session, r#"{"id":1,"result":{}}"#).await;
    post(&session, r#"{"id":3,"method":"m"}"#).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_name_is_for_whoever_waits_alone() {
    let (session, _lines) = session();
    for answer in [r#"{"id":null,"error":{"code":-32700}}"#, r#"{"id":[1],"result":{}}"#, r#"{"result":{}}"#]
    {
        let mut answers = post(&session, r#"{"id":7,"method":"m"}"#).unwrap().unwrap();
        says(&session, answer).await;
        let line: serde_json::Value =
            serde_json::from_slice(&answers.next().now_or_never().flatten().unwrap()).unwrap();
        assert_eq!((&line["id"], &line["error"]["code"]), (&json!(7), &json!(-32603)), "{answer}");
        assert!(answers.next().await.is_none());
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_drops_what_it_began() {
    for (reads, ends) in [(false, true), (true, false)] {
        let (session, _lines) = session();
        let mut answers = post(&session, r#"{"id":0,"method":"initialize"}"#).unwrap().unwrap();
        answers.unless_answered(session.end.clone().drop_guard());
        says(&session, r#"{"id":0,"result":{}}"#).await;
        if reads {
            answers.next().await.unwrap();
        }
        drop(answers);
        assert_eq!(session.end.is_cancelled(), ends);
    }
}

/// What the server says beside the answer is not yet the answer.
#[tokio::test]
async fn a_client_that_leaves_after_hearing_something_else_drops_it_too() {
    let (session, _lines) = session();
    let mut answers = post(&session, r#"{"id":0,"method":"initialize"}"#).unwrap().unwrap();
    answers.unless_answered(session.end.clone().drop_guard());
    says(&session, &said()).await;
    answers.next().now_or_never().flatten().unwrap();
    drop(answers);
    assert!(session.end.is_cancelled());
}

/// The server waits with answers that nobody reads; with those for a client that is gone it does not.
#[tokio::test]
async fn unread_answers_have_an_end_and_keep_back_none_for_nobody() {
    let (session, _lines) = session();
    let ask = |id| post(&session, &format!(r#"{{"id":{id},"method":"m"}}"#)).unwrap().unwrap();
    let (mut unread, gone, third) = (ask(1), ask(2), ask(3));
    drop(gone);
    says(&session, &format!(r#"{{"id":1,"result":"{}"}}"#, "x".repeat(SMALL))).await;
    assert!(says(&session, r#"{"id":2,"result":{}}"#).now_or_never().is_some());
    let mut waits = std::pin::pin!(says(&session, r#"{"id":3,"result":{}}"#));
    assert!(waits.as_mut().now_or_never().is_none());
    unread.next().now_or_never().flatten().unwrap();
    assert!(waits.now_or_never().is_some());
    drop(third);
}

#[tokio::test(start_paused = true)]
async fn to_listen_is_a_use_though_the_stream_breaks_at_once() {
    let (session, _lines) = session();
    tokio::time::advance(Duration::from_secs(3600)).await;
    drop(session.listen().unwrap());
    assert_eq!(session.last_used(), Instant::now());
}

/// As many as there may be at once would else hold so much each.
#[tokio::test]
async fn requests_that_stand_alone_have_their_rooms_in_common() {
    let limits = Limits { unread: 1000, ..Limits::default() };
    let alone =
        |other: Option<&Session>| Session::alone(Owner::alice(), &limits, CancellationToken::new(), other);
    let (one, _unread) = alone(None);
    let (two, _unread_too) = alone(Some(&one));
    let body = format!(r#"{{"id":1,"method":"m","params":["{}"]}}"#, "x".repeat(600));
    let posted = message::read(body.as_bytes()).unwrap();
    let _answers = one.post(&posted.messages, true).unwrap();
    assert!(matches!(two.post(&posted.messages, true), Err(Refused::Busy(_))));
    let (of_another, _unread) = alone(None);
    assert!(of_another.post(&posted.messages, true).is_ok());
}

//! Who hears what of a process that several sessions share.

mod earlier;
mod notified;
mod retired;
mod subscribed;
mod whose;

use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::owner::Owner;
use crate::stdio::events::Messages;
use crate::stdio::message;
use crate::stdio::session::Input;

/// Sessions, a switch, and the far end of the process's pipes.
struct Rig {
    switch: Switch,
    lines: mpsc::UnboundedReceiver<Held>,
    sessions: Vec<(Arc<Session>, mpsc::UnboundedReceiver<Input>)>,
}

impl Rig {
    /// A session for each of these users.
    fn of(users: &[&str]) -> Self {
        let limits = Limits { unread: 10_000, ..Limits::default() };
        let (switch, lines) = Switch::new(&limits, false, CancellationToken::new());
        let opened = json!({"id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{}}}});
        switch.opened.set(Opened::read(Era::Legacy, opened.to_string().as_bytes()).unwrap()).unwrap();
        let session = |user: &&str| {
            let (session, inputs) = Session::new(Owner::named(user), &limits, CancellationToken::new());
            let session = Arc::new(session);
            switch.attach(&session);
            (session, inputs)
        };
        let sessions = users.iter().map(session).collect();
        Self { switch, lines, sessions }
    }

    /// The client of that session posts a body, which goes on as far as it goes.
    fn post(&mut self, session: usize, body: &Value) -> Option<Messages> {
        let posted = message::read(body.to_string().as_bytes()).unwrap();
        let (session, inputs) = &mut self.sessions[session];
        let answers = session.post(&posted.messages, true).unwrap();
        while let Ok(input) = inputs.try_recv() {
            assert!(self.switch.forward(session, input).is_none());
        }
        answers
    }

    fn call(&mut self, session: usize, id: i64) -> Messages {
        self.post(session, &json!({"id":id,"method":"tools/call"})).unwrap()
    }

    /// All that the process is told.
    fn heard(&mut self) -> Vec<Value> {
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.try_recv() {
            heard.push(serde_json::from_slice(line.bytes()).unwrap());
        }
        heard
    }

    /// The process says something.
    fn says(&self, line: &Value) {
        for message in message::said(line.to_string().as_bytes()).unwrap() {
            self.switch.deliver(message);
        }
    }

    fn listen(&self, session: usize) -> Messages {
        self.sessions[session].0.listen().unwrap()
    }
}

/// What is there by now.
fn all(messages: &mut Messages) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(Some(line)) = messages.next().now_or_never() {
        all.push(serde_json::from_slice(&line).unwrap());
    }
    all
}

fn methods(messages: &mut Messages) -> Vec<String> {
    all(messages).iter().map(|line| line["method"].as_str().unwrap_or("an answer").to_owned()).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Ask { session: usize, id: i64 },
    Cancel { session: usize, id: i64 },
    Progress { pick: usize },
    Answer { pick: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize, 0..3i64).prop_map(|(session, id)| Step::Ask { session, id }),
        1 => (0..4usize, 0..3i64).prop_map(|(session, id)| Step::Cancel { session, id }),
        2 => any::<usize>().prop_map(|pick| Step::Progress { pick }),
        3 => any::<usize>().prop_map(|pick| Step::Answer { pick }),
    ]
}

/// A request as its client knows it.
struct Open {
    session: usize,
    id: i64,
    canary: String,
    answers: Messages,
}

proptest! {
    /// Row 43: equal ids and tokens in every session, answers and progress in any order, cancellations between them.
    #[test]
    fn answers_never_cross(steps in prop::collection::vec(step(), 0..80)) {
        let mut rig = Rig::of(&["a", "b", "c", "c"]);
        let (mut open, mut asked, mut serial) = (Vec::<Open>::new(), Vec::<(i64, String)>::new(), 0);
        let ends = (0..200).map(|_| Step::Answer { pick: 0 });
        for step in steps.into_iter().chain(ends) {
            match step {
                Step::Ask { session, id } => {
                    if open.iter().any(|other| other.session == session && other.id == id) {
                        continue;
                    }
                    serial += 1;
                    let canary = format!("{session}-{serial}");
                    let params = json!({"canary":canary,"_meta":{"progressToken":id}});
                    let answers = rig.post(session, &json!({"id":id,"method":"m","params":params})).unwrap();
                    let heard = rig.heard().remove(0);
                    let number = heard["id"].as_i64().unwrap();
                    prop_assert_eq!(&heard["params"]["_meta"]["progressToken"], &heard["id"]);
                    prop_assert!(asked.iter().all(|(other, _)| *other != number));
                    asked.push((number, heard["params"]["canary"].as_str().unwrap().to_owned()));
                    open.push(Open { session, id, canary, answers });
                }
                Step::Cancel { session, id } => {
                    let body = json!({"method":"notifications/cancelled","params":{"requestId":id}});
                    rig.post(session, &body);
                    let heard = rig.heard();
                    let Some(at) = open.iter().position(|one| one.session == session && one.id == id) else {
                        prop_assert!(heard.is_empty());
                        continue;
                    };
                    let cancelled = open.swap_remove(at);
                    let number = heard[0]["params"]["requestId"].as_i64().unwrap();
                    let at = asked.iter().position(|(other, _)| *other == number).unwrap();
                    // The server may answer all the same.
                    let (number, canary) = asked.swap_remove(at);
                    prop_assert_eq!(canary, cancelled.canary);
                    rig.says(&json!({"id":number,"result":{"canary":"late"}}));
                }
                Step::Progress { pick } if !asked.is_empty() => {
                    let (number, canary) = &asked[pick % asked.len()];
                    let params = json!({"progressToken":number,"message":canary});
                    rig.says(&json!({"method":"notifications/progress","params":params}));
                }
                Step::Answer { pick } if !asked.is_empty() => {
                    let (number, canary) = asked.swap_remove(pick % asked.len());
                    rig.says(&json!({"id":number,"result":{"canary":canary}}));
                    let at = open.iter().position(|one| one.canary == canary).unwrap();
                    let Open { id, mut answers, .. } = open.swap_remove(at);
                    let mut heard = all(&mut answers);
                    let answer = heard.pop().unwrap();
                    prop_assert_eq!(&answer["id"], &json!(id));
                    prop_assert_eq!(&answer["result"]["canary"], &json!(canary));
                    for progress in heard {
                        prop_assert_eq!(&progress["params"]["progressToken"], &json!(id));
                        prop_assert_eq!(&progress["params"]["message"], &json!(canary));
                    }
                }
                _ => {}
            }
        }
        prop_assert!(open.is_empty() && asked.is_empty());
    }
}

#[test]
fn a_question_goes_to_whose_calls_alone_are_under_way() {
    let mut rig = Rig::of(&["alice", "bob"]);
    let question =
        json!({"id":"q","method":"sampling/createMessage","params":{"_meta":{"progressToken":"p"}}});
    let refused = |rig: &mut Rig, code: i64| {
        rig.says(&question);
        let heard = rig.heard();
        assert_eq!((&heard[0]["id"], &heard[0]["error"]["code"]), (&json!("q"), &json!(code)));
    };
    // Nobody calls.
    refused(&mut rig, -32603);
    let initialize = json!({"id":0,"method":"initialize","params":{"capabilities":{"sampling":{}}}});
    rig.post(0, &initialize).unwrap();
    let mut of_alice = rig.call(0, 1);
    rig.heard();
    rig.says(&question);
    assert_eq!(methods(&mut of_alice), ["sampling/createMessage"]);
    // Bob was not asked, and says nothing in her place.
    for body in [
        json!({"id":"q","result":{"role":"assistant"}}),
        json!({"method":"notifications/progress","params":{"progressToken":"p","progress":1}}),
    ] {
        rig.post(1, &body);
        assert!(rig.heard().is_empty(), "{body}");
        rig.post(0, &body);
        assert_eq!(rig.heard(), if body["id"].is_null() { vec![] } else { vec![body] });
    }
    // Bob calls as well: whose call it is about cannot be seen. Then he alone, whose client cannot answer.
    let _of_bob = rig.call(1, 1);
    let heard = rig.heard();
    refused(&mut rig, -32603);
    rig.says(&json!({"id":heard[0]["id"].as_i64().unwrap() - 1,"result":{}}));
    refused(&mut rig, -32601);
    assert!(methods(&mut rig.listen(1)).is_empty());
}

#[test]
fn progress_of_a_question_comes_from_whom_it_was_put_to() {
    let mut rig = Rig::of(&["alice", "bob"]);
    rig.post(0, &json!({"id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}}));
    let _under_way = rig.call(0, 1);
    rig.says(&json!({"id":7,"method":"roots/list","params":{"_meta":{"progressToken":7}}}));
    rig.heard();
    let progress = json!({"method":"notifications/progress","params":{"progressToken":7,"progress":1}});
    rig.post(1, &progress);
    assert!(rig.heard().is_empty());
    // Another parser would take it for progress of another question; and an id is none of a notification's.
    let params = json!({"progressToken":7,"ProgressToken":8,"progress":1});
    rig.post(0, &json!({"method":"notifications/progress","params":params}));
    assert!(rig.heard().is_empty());
    for id in [json!(7.0), json!(null), json!([7])] {
        let mut with_id = progress.clone();
        with_id["id"] = id;
        assert!(message::read(with_id.to_string().as_bytes()).is_err(), "{with_id}");
    }
    rig.post(0, &progress);
    assert_eq!(rig.heard(), [progress]);
    // The server takes its question back.
    let mut listening = rig.listen(0);
    rig.says(&json!({"method":"notifications/cancelled","params":{"requestId":7}}));
    assert_eq!(methods(&mut listening), ["notifications/cancelled"]);
    rig.post(0, &json!({"id":7,"result":{"roots":[]}}));
    assert!(rig.heard().is_empty());
}

#[test]
fn a_ping_of_the_server_is_answered_here() {
    let mut rig = Rig::of(&["alice"]);
    rig.says(&json!({"id":3,"method":"ping"}));
    assert_eq!(rig.heard(), [json!({"jsonrpc":"2.0","id":3,"result":{}})]);
}

#[test]
fn a_client_speaks_of_nothing_but_its_own() {
    let mut rig = Rig::of(&["alice", "bob"]);
    let _of_alice = rig.call(0, 1);
    rig.heard();
    for body in [
        json!({"method":"notifications/cancelled","params":{"requestId":1}}),
        json!({"method":"notifications/cancelled","params":{"requestid":1}}),
        json!({"method":"notifications/cancelled","params":{"requestId":1.0}}),
        json!({"method":"notifications/progress","params":{"progressToken":1}}),
        json!({"method":"notifications/progress","params":{"ProgressToken":1}}),
        json!({"method":"notifications/initialized"}),
        json!({"method":"notifications/roots/list_changed"}),
        json!({"method":"notifications/tasks/status","params":{"taskId":"t"}}),
        json!({"id":1,"result":{}}),
        json!({"id":null,"error":{}}),
        // Only what begins so is a notification that somebody might understand.
        json!({"method":"tasks/cancel","params":{"taskId":"t"}}),
        json!({"method":"resources/unsubscribe","params":{"uri":"notes://a"}}),
        json!({"method":"logging/setLevel","params":{"level":"emergency"}}),
        json!({"method":"Notifications/Cancelled","params":{"requestId":1}}),
        json!({"method":"notifications/Cancelled","params":{"requestId":1}}),
    ] {
        rig.post(1, &body);
        assert!(rig.heard().is_empty(), "{body}");
    }
    // As requests they would reach the process under an id, and all else in them untouched.
    for (id, notification) in [
        json!({"method":"notifications/cancelled","params":{"requestId":1}}),
        json!({"method":"notifications/progress","params":{"progressToken":1}}),
        json!({"method":"notifications/tasks/status","params":{"taskId":"t"}}),
        json!({"method":"notifications/custom"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = notification;
        body["id"] = id.into();
        let mut answers = rig.post(1, &body).unwrap();
        assert_eq!(all(&mut answers)[0]["error"]["code"], -32601, "{body}");
        assert!(rig.heard().is_empty(), "{body}");
    }
    let own = json!({"method":"notifications/custom","params":{"a":1}});
    rig.post(1, &own);
    assert_eq!(rig.heard(), [own]);
    // Its own cancellation is written anew: nothing else in it reaches the process.
    let _of_bob = rig.call(1, 1);
    rig.heard();
    let cancel =
        json!({"method":"notifications/cancelled","params":{"requestId":1,"requestID":1,"reason":"x"}});
    rig.post(1, &cancel);
    let heard = rig.heard();
    assert_eq!(heard[0]["params"]["requestId"], 2);
    assert_eq!(heard[0]["params"].as_object().unwrap().len(), 2);
}

/// Row 45: two readings of a token would be two tokens.
#[test]
fn a_request_that_is_read_in_two_ways_is_refused() {
    let mut rig = Rig::of(&["alice"]);
    let meta = json!({"_meta":{},"_META":{"progressToken":1}});
    let mut answers = rig.post(0, &json!({"id":1,"method":"m","params":meta})).unwrap();
    assert!(rig.heard().is_empty());
    assert_eq!(all(&mut answers)[0]["error"]["code"], -32602);
}

#[test]
fn who_leaves_waits_for_nothing_any_more() {
    let mut rig = Rig::of(&["alice", "bob"]);
    rig.post(0, &json!({"id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}}));
    let _of_alice = rig.call(0, 1);
    rig.says(&json!({"id":"q","method":"roots/list"}));
    let mut of_bob = rig.call(1, 1);
    rig.heard();
    rig.switch.leave(&rig.sessions[0].0);
    let heard = rig.heard();
    assert_eq!(heard[0]["params"]["requestId"], 1);
    assert_eq!((&heard[1]["id"], &heard[1]["error"]["code"]), (&json!("q"), &json!(-32603)));
    rig.says(&json!({"id":2,"result":"his"}));
    assert_eq!(all(&mut of_bob)[0]["result"], "his");
}

#[test]
fn initialize_is_answered_for_each() {
    let mut rig = Rig::of(&["alice", "bob"]);
    for (session, revision) in [(0, "2025-06-18"), (1, "2025-11-25")] {
        let params = json!({"protocolVersion":revision,"capabilities":{}});
        let mut answers =
            rig.post(session, &json!({"id":"i","method":"initialize","params":params})).unwrap();
        let answer = all(&mut answers).remove(0);
        assert_eq!((&answer["id"], &answer["result"]["protocolVersion"]), (&json!("i"), &json!(revision)));
    }
    assert!(rig.heard().is_empty());
}

#[test]
fn tasks_are_nobodys() {
    let mut rig = Rig::of(&["alice"]);
    let mut answers = rig.post(0, &json!({"id":1,"method":"tasks/list"})).unwrap();
    assert_eq!(all(&mut answers)[0]["error"]["code"], -32601);
    assert!(rig.heard().is_empty());
}

/// Nobody else waits for a client that does not read.
#[test]
fn an_answer_that_has_no_room_is_an_error_and_keeps_nobody_waiting() {
    let mut rig = Rig::of(&["alice", "bob"]);
    let (mut first, mut second, mut of_bob) = (rig.call(0, 1), rig.call(0, 2), rig.call(1, 1));
    for number in 1..4 {
        rig.says(&json!({"id":number,"result":"x".repeat(9_000)}));
    }
    assert_eq!(all(&mut of_bob)[0]["result"].as_str().unwrap().len(), 9_000);
    assert_eq!(all(&mut second)[0]["error"]["code"], -32603);
    assert_eq!(all(&mut first)[0]["result"].as_str().unwrap().len(), 9_000);
}

#[test]
fn the_end_of_the_process_answers_everybody() {
    let mut rig = Rig::of(&["alice", "bob"]);
    let (mut of_alice, mut of_bob) = (rig.call(0, 1), rig.call(1, 1));
    rig.switch.close();
    for answers in [&mut of_alice, &mut of_bob] {
        assert_eq!(all(answers)[0]["error"]["code"], -32603);
    }
    assert!(rig.switch.is_over());
    let mut late = rig.call(0, 2);
    assert_eq!(all(&mut late)[0]["error"]["code"], -32603);
}

#[test]
fn an_answer_without_a_name_is_for_whoever_waits_alone() {
    let mut rig = Rig::of(&["alice", "bob"]);
    let mut of_alice = rig.call(0, 1);
    rig.says(&json!({"id":null,"error":{"code":-32700}}));
    assert_eq!(all(&mut of_alice)[0]["error"]["code"], -32603);
    let (mut of_alice, mut of_bob) = (rig.call(0, 1), rig.call(1, 1));
    rig.says(&json!({"id":null,"error":{"code":-32700}}));
    assert!(all(&mut of_alice).is_empty() && all(&mut of_bob).is_empty());
}

//! A server of 2026-07-28, and sessions: what is kept of them has an end.

use super::*;

impl Rig {
    /// The same, with a server of 2026-07-28.
    fn of_now(users: &[&str]) -> Self {
        let mut rig = Self::of(users);
        let capabilities = json!({"resources":{"subscribe":true}});
        let opened =
            json!({"id":0,"result":{"supportedVersions":["2026-07-28"],"capabilities":capabilities}});
        rig.switch.opened = Opened::read(Era::Modern, opened.to_string().as_bytes()).unwrap().into();
        rig
    }

    /// One answer, or one question, to what the client posts.
    fn answer(&mut self, session: usize, body: &Value) -> Value {
        let mut answers = self.post(session, body).unwrap();
        all(&mut answers).remove(0)
    }
}

fn subscribe(id: i64) -> Value {
    json!({"id":id,"method":"resources/subscribe","params":{"uri":"notes://a"}})
}

/// What listens never ends by itself: a client that subscribes again and again has one of it all the same.
#[test]
fn a_resource_is_listened_for_once() {
    let mut rig = Rig::of_now(&["alice", "bob"]);
    let _first = rig.post(0, &subscribe(1));
    let listens = rig.heard();
    assert_eq!((listens.len(), &listens[0]["method"]), (1, &json!("subscriptions/listen")));
    // The server has not agreed yet.
    assert_eq!(rig.answer(0, &subscribe(2))["error"]["code"], -32602);
    let number = &listens[0]["id"];
    let agreed = json!({"_meta":{"io.modelcontextprotocol/subscriptionId":number},
        "notifications":{"resourceSubscriptions":["notes://a"]}});
    rig.says(&json!({"method":"notifications/subscriptions/acknowledged","params":agreed}));
    for id in 3..100 {
        assert_eq!(rig.answer(0, &subscribe(id))["result"], json!({}));
    }
    assert!(rig.heard().is_empty());
    assert_eq!(rig.switch.state().asked.len(), 1);
    // Nobody else is concerned; and who has unsubscribed may subscribe again.
    rig.post(1, &subscribe(1));
    assert_eq!(rig.heard().len(), 1);
    rig.post(0, &json!({"id":100,"method":"resources/unsubscribe","params":{"uri":"notes://a"}}));
    assert_eq!(rig.heard()[0]["params"]["requestId"], *number);
    rig.post(0, &subscribe(101));
    assert_eq!(rig.heard()[0]["method"], "subscriptions/listen");
}

/// basic/patterns/cancellation: the server tears a subscription down by a notification, also one that it has not agreed to yet.
/// Whoever asked for it is told, and nothing of it is kept.
#[test]
fn a_subscription_that_is_cancelled_before_it_is_agreed_to_is_refused() {
    let mut rig = Rig::of_now(&["alice"]);
    let mut first = rig.post(0, &subscribe(1)).unwrap();
    let number = rig.heard()[0]["id"].clone();
    rig.says(&json!({"method":"notifications/cancelled","params":{"requestId":number}}));
    let answers = all(&mut first);
    assert_eq!((&answers[0]["id"], &answers[0]["error"]["code"]), (&json!(1), &json!(-32602)));
    assert!(rig.switch.state().asked.is_empty());
    // It may ask again, and what listens for lists ends as well.
    let _again = rig.post(0, &subscribe(2));
    assert_eq!(rig.heard()[0]["method"], "subscriptions/listen");
    let _listening = rig.listen(0);
    rig.post(0, &json!({"method":"notifications/initialized"}));
    for listens in rig.heard() {
        rig.says(&json!({"method":"notifications/cancelled","params":{"requestId":listens["id"]}}));
        assert!(!rig.switch.state().asked.contains_key(&listens["id"].as_i64().unwrap()), "{listens}");
    }
}

/// A client that answers one question of two has its answer kept, with those of all its calls in one room.
#[test]
fn answers_that_wait_for_others_have_their_room() {
    for (length, waiting) in [(10, 10), (2000, 3)] {
        let mut rig = Rig::of_now(&["alice"]);
        let initialize = json!({"id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}});
        rig.post(0, &initialize);
        let (mut listening, mut calls) = (rig.listen(0), Vec::new());
        for id in 1..=10 {
            let call = rig.call(0, id);
            all(&mut listening);
            let number = rig.heard()[0]["id"].clone();
            let questions = json!({"a":{"method":"roots/list"},"b":{"method":"roots/list"}});
            rig.says(
                &json!({"id":number,"result":{"resultType":"input_required","inputRequests":questions}}),
            );
            let asked = all(&mut listening);
            let answer = json!({"id":asked[0]["id"],"result":{"roots":["x".repeat(length)]}});
            rig.post(0, &answer);
            calls.push(call);
        }
        assert_eq!(rig.switch.state().waiting.len(), waiting, "{length}");
        let said = calls.iter_mut().flat_map(all);
        assert_eq!(said.filter(|said| said.get("error").is_some()).count(), 10 - waiting);
        // Who leaves, leaves room.
        rig.switch.leave(&rig.sessions[0].0);
        assert!(rig.switch.state().waiting.is_empty() && rig.switch.state().questions.is_empty());
        assert!(rig.sessions[0].0.keep(&vec![b' '; 9000].into()).is_some());
    }
}

/// The server asks by an answer that comes while the client leaves.
#[test]
fn who_has_left_is_asked_nothing() {
    let rig = Rig::of_now(&["alice"]);
    let session = &rig.sessions[0].0;
    session.standing().introduce(br#"{"params":{"capabilities":{"roots":{}}}}"#);
    let again = asking::may_ask(session, "tools/call", &r#"{"method":"tools/call"}"#.into());
    rig.switch.leave(session);
    let line =
        r#"{"id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}}"#;
    rig.switch.ask_client(Arc::clone(session), Id::Number(1), None, again, &line.into());
    assert!(rig.switch.state().waiting.is_empty() && rig.switch.state().questions.is_empty());
}

//! What is kept of a session's subscriptions, and of all else that a client says of itself.

use super::*;

fn subscribe(id: i64, uri: &str) -> Value {
    json!({"id":id,"method":"resources/subscribe","params":{"uri":uri}})
}

fn kept(rig: &Rig, session: usize) -> usize {
    rig.sessions[session].0.standing().subscriptions.len()
}

/// The process knows whether there is such a resource.
#[test]
fn a_subscription_holds_when_the_process_says_yes() {
    let mut rig = Rig::of(&["alice"]);
    let mut listening = rig.listen(0);
    for (answer, holds) in [
        (json!({"error":{"code":-32602,"message":"no"}}), false),
        (json!({"result":{},"error":{}}), false),
        (json!({"result":{}}), true),
    ] {
        rig.post(0, &subscribe(1, "notes://a"));
        let number = rig.heard()[0]["id"].clone();
        assert_eq!(kept(&rig, 0), 0);
        let mut answer = answer;
        answer["id"] = number;
        rig.says(&answer);
        rig.says(&json!({"method":"notifications/resources/updated","params":{"uri":"notes://a"}}));
        assert_eq!((kept(&rig, 0) == 1, methods(&mut listening).len() == 1), (holds, holds), "{answer}");
    }
}

#[test]
fn a_session_is_subscribed_to_so_many_resources() {
    let mut rig = Rig::of(&["alice", "bob"]);
    for number in 0..1022 {
        rig.sessions[0].0.standing().subscriptions.insert(format!("notes://{number}"));
    }
    // Those that were asked for count, whatever the process will say.
    for id in [1, 2] {
        let mut answers = rig.post(0, &subscribe(id, &format!("notes://a{id}"))).unwrap();
        assert!(all(&mut answers).is_empty());
    }
    let mut refused = rig.post(0, &subscribe(3, "notes://b")).unwrap();
    let refused = all(&mut refused).remove(0);
    assert_eq!(refused["error"]["code"], -32602);
    assert!(refused["error"]["message"].as_str().unwrap().contains("as many as it may be"));
    assert_eq!(rig.heard().len(), 2);
    // What it has already is none more, and nobody else is concerned.
    rig.post(0, &subscribe(3, "notes://7"));
    rig.post(1, &subscribe(3, "notes://b"));
    assert_eq!(rig.heard().len(), 2);
}

#[test]
fn a_uri_that_is_subscribed_to_is_short() {
    let mut rig = Rig::of(&["alice"]);
    for (length, taken) in [(2048, true), (2049, false)] {
        let mut answers = rig.post(0, &subscribe(length, &"u".repeat(length.try_into().unwrap()))).unwrap();
        assert_eq!(rig.heard().len() == 1, taken);
        let said = all(&mut answers);
        assert_eq!(said.is_empty(), taken);
        assert!(taken || said[0]["error"]["message"].as_str().unwrap().contains("longer than 2048 bytes"));
    }
}

/// Whatever becomes of the first request, the last word counts.
#[test]
fn who_unsubscribes_before_the_answer_is_not_subscribed() {
    let mut rig = Rig::of(&["alice"]);
    rig.post(0, &subscribe(1, "notes://a"));
    rig.post(0, &json!({"id":2,"method":"resources/unsubscribe","params":{"uri":"notes://a"}}));
    assert_eq!(rig.heard().len(), 2);
    rig.says(&json!({"id":1,"result":{}}));
    assert_eq!(kept(&rig, 0), 0);
}

#[test]
fn a_subscription_that_is_left_is_given_up() {
    let mut rig = Rig::of(&["alice", "bob"]);
    for session in [0, 1] {
        rig.post(session, &subscribe(1, "notes://a"));
    }
    rig.heard();
    let methods = |rig: &mut Rig| {
        rig.heard().iter().map(|line| line["method"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    rig.post(0, &json!({"method":"notifications/cancelled","params":{"requestId":1}}));
    assert_eq!(methods(&mut rig), ["notifications/cancelled"]);
    rig.switch.leave(&rig.sessions[1].0);
    assert_eq!(methods(&mut rig), ["notifications/cancelled", "resources/unsubscribe"]);
    rig.says(&json!({"id":1,"result":{}}));
    assert_eq!((kept(&rig, 0), kept(&rig, 1)), (0, 0));
}

/// A process that answers nothing, or reads nothing, is asked all the same.
#[test]
fn what_nobody_waits_for_is_not_kept() {
    let mut rig = Rig::of(&["alice"]);
    for _ in 0..100 {
        rig.post(0, &json!({"id":1,"method":"logging/setLevel","params":{"level":"error"}}));
    }
    assert!(rig.switch.state().asked.is_empty());
    // There is room for about forty lines in the rig.
    assert!(rig.switch.ask("m", &json!({})).now_or_never().is_some_and(|answer| answer.is_none()));
    assert!(rig.switch.state().asked.is_empty());
    rig.heard();
    assert!(rig.switch.ask("m", &json!({})).now_or_never().is_none());
    assert_eq!(rig.switch.state().asked.len(), 1);
}

#[test]
fn of_capabilities_those_are_kept_that_are_asked_for() {
    let mut rig = Rig::of(&["alice"]);
    let mut capabilities = json!({"roots":{},"sampling":{},"elicitation":{},"tasks":{},"experimental":{}});
    capabilities["x".repeat(100)] = json!({});
    rig.post(0, &json!({"id":1,"method":"initialize","params":{"capabilities":capabilities}}));
    let meta = rig.sessions[0].0.standing().meta();
    let kept = meta["io.modelcontextprotocol/clientCapabilities"].as_object().unwrap();
    let kept: Vec<_> = kept.keys().collect();
    assert_eq!(kept, ["elicitation", "roots", "sampling"]);
}

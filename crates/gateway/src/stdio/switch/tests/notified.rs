//! What belongs to no request.

use serde_json::{Value, json};

use super::{Rig, all, methods};
use crate::stdio::session::place_of;

#[test]
fn what_belongs_to_nobody_is_heard_by_whom_it_concerns() {
    let mut rig = Rig::of(&["alice", "alice", "bob"]);
    let mut listening: Vec<_> = (0..3).map(|session| rig.listen(session)).collect();
    let mut heard = |rig: &Rig, method: &str, params: Value| {
        rig.says(&json!({"method":method,"params":params}));
        listening.iter_mut().map(|one| methods(one).len()).collect::<Vec<_>>()
    };
    assert_eq!(heard(&rig, "notifications/tools/list_changed", json!({})), [1, 1, 1]);
    rig.post(1, &json!({"id":1,"method":"resources/subscribe","params":{"uri":"notes://a"}}));
    rig.says(&json!({"id":1,"result":{}}));
    let updated = "notifications/resources/updated";
    assert_eq!(heard(&rig, updated, json!({"uri":"notes://a"})), [0, 1, 0]);
    assert_eq!(heard(&rig, updated, json!({"uri":"notes://b"})), [0, 0, 0]);
    // A word of the log may be about anybody's call.
    assert_eq!(heard(&rig, "notifications/message", json!({})), [0, 0, 0]);
    assert_eq!(heard(&rig, "notifications/tasks/status", json!({})), [0, 0, 0]);
    let _under_way = rig.call(0, 1);
    assert_eq!(heard(&rig, "notifications/message", json!({})), [1, 0, 0]);
    let _under_way_too = rig.call(2, 1);
    assert_eq!(heard(&rig, "notifications/message", json!({})), [0, 0, 0]);
}

#[test]
fn one_users_sessions_hear_what_belongs_to_no_call() {
    let mut rig = Rig::of(&["alice", "alice"]);
    let mut listening: Vec<_> = (0..2).map(|session| rig.listen(session)).collect();
    let mut heard = |rig: &Rig, level: &str| {
        rig.says(&json!({"method":"notifications/message","params":{"level":level}}));
        listening.iter_mut().map(|one| methods(one).len()).collect::<Vec<_>>()
    };
    assert_eq!(heard(&rig, "debug"), [1, 1]);
    rig.post(0, &json!({"id":1,"method":"logging/setLevel","params":{"level":"error"}}));
    assert_eq!(rig.heard()[0]["params"]["level"], "error");
    rig.post(1, &json!({"id":1,"method":"logging/setLevel","params":{"level":"info"}}));
    assert_eq!(rig.heard()[0]["params"]["level"], "info");
    assert_eq!(heard(&rig, "warning"), [0, 1]);
    let mut refused =
        rig.post(1, &json!({"id":2,"method":"logging/setLevel","params":{"level":"loud"}})).unwrap();
    assert_eq!(all(&mut refused)[0]["error"]["code"], -32602);
}

#[test]
fn a_resource_is_given_up_when_the_last_has_left() {
    let mut rig = Rig::of(&["alice", "bob", "carol"]);
    let of = |method: &str| json!({"id":1,"method":method,"params":{"uri":"notes://a"}});
    for session in 0..3 {
        rig.post(session, &of("resources/subscribe"));
    }
    assert_eq!(rig.heard().len(), 3);
    rig.says(&json!({"id":1,"result":{}}));
    let mut answers = rig.post(0, &of("resources/unsubscribe")).unwrap();
    assert_eq!(all(&mut answers)[0]["result"], json!({}));
    rig.switch.leave(&rig.sessions[1].0);
    assert!(rig.heard().iter().all(|line| line["method"] == "notifications/cancelled"));
    rig.switch.leave(&rig.sessions[2].0);
    assert!(rig.heard().iter().any(|line| line["method"] == "resources/unsubscribe"));
}

#[test]
fn what_a_session_said_is_said_again_to_the_next_process() {
    let mut rig = Rig::of(&["alice"]);
    rig.post(0, &json!({"id":1,"method":"resources/subscribe","params":{"uri":"notes://a"}}));
    rig.says(&json!({"id":1,"result":{}}));
    rig.post(0, &json!({"id":2,"method":"logging/setLevel","params":{"level":"error"}}));
    let mut next = Rig::of(&[]);
    next.switch.attach(&rig.sessions[0].0);
    let heard: Vec<_> = next.heard().iter().map(|line| line["method"].clone()).collect();
    assert_eq!(heard, ["resources/subscribe", "logging/setLevel"]);
}

/// A request that stands alone hears of itself only, though the same user's sessions hear more.
#[test]
fn a_request_that_stands_alone_hears_of_no_other() {
    let mut rig = Rig::of(&["alice", "alice"]);
    {
        let mut standing = rig.sessions[1].0.standing();
        standing.stands_alone = true;
        standing.level = place_of("debug");
    }
    let (_session, mut alone) = (rig.call(0, 1), rig.call(1, 1));
    let mut listening = rig.listen(0);
    let line = json!({"method":"notifications/message","params":{"level":"error"}});
    rig.says(&line);
    assert_eq!(methods(&mut listening), ["notifications/message"]);
    assert!(methods(&mut alone).is_empty());
    rig.says(&json!({"id":1,"result":{}}));
    rig.says(&line);
    assert_eq!(methods(&mut alone), ["notifications/message"]);
}

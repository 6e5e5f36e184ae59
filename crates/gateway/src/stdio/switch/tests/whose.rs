//! A call that nobody waits for any more is still somebody's, as long as the process may work on it.

use std::time::Duration;

use tokio::time::advance;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Leaves {
    ByCancelling,
    ByGoing,
}

#[derive(Clone, Copy, Debug)]
enum Over {
    Answered,
    TimeHasPassed,
}

/// Alice has made call 1, and waits for it no more.
fn alice_leaves(rig: &mut Rig, how: Leaves) {
    drop(rig.call(0, 1));
    match how {
        Leaves::ByCancelling => {
            rig.post(0, &json!({"method":"notifications/cancelled","params":{"requestId":1}}));
        }
        Leaves::ByGoing => rig.switch.leave(&rig.sessions[0].0),
    }
    assert_eq!(rig.heard()[1]["params"]["requestId"], 1);
}

/// What her call asks and logs reaches nobody else: neither who calls alone then, nor who is attached alone.
#[tokio::test(start_paused = true)]
async fn what_a_left_call_says_reaches_nobody_else() {
    let question = json!({"id":"q","method":"sampling/createMessage"});
    let log = json!({"method":"notifications/message","params":{"data":"hers"}});
    for how in [Leaves::ByCancelling, Leaves::ByGoing] {
        for over in [Over::Answered, Over::TimeHasPassed] {
            let mut rig = Rig::of(&["alice", "bob"]);
            let initialize = json!({"id":0,"method":"initialize","params":{"capabilities":{"sampling":{}}}});
            let mut of_bob = rig.post(1, &initialize).unwrap();
            all(&mut of_bob);
            let mut listening = rig.listen(1);
            alice_leaves(&mut rig, how);
            rig.says(&log);
            assert!(methods(&mut listening).is_empty(), "{how:?}");
            let _call = rig.call(1, 1);
            rig.heard();
            rig.says(&log);
            rig.says(&question);
            let heard = rig.heard();
            assert_eq!((&heard[0]["id"], &heard[0]["error"]["code"]), (&json!("q"), &json!(-32603)));
            assert!(methods(&mut listening).is_empty(), "{how:?}");
            let longest = Limits::default().call.unwrap();
            match over {
                Over::Answered => rig.says(&json!({"id":1,"result":"late"})),
                Over::TimeHasPassed => {
                    advance(longest - Duration::from_secs(1)).await;
                    rig.says(&log);
                    assert!(methods(&mut listening).is_empty(), "{how:?}");
                    advance(Duration::from_secs(1)).await;
                }
            }
            rig.says(&log);
            rig.says(&question);
            assert_eq!(
                methods(&mut listening),
                ["notifications/message", "sampling/createMessage"],
                "{how:?} {over:?}"
            );
        }
    }
}

/// Her own next call is asked: whichever it is about, it is hers.
#[test]
fn what_a_left_call_says_reaches_its_own_session() {
    let mut rig = Rig::of(&["alice", "bob"]);
    rig.post(0, &json!({"id":0,"method":"initialize","params":{"capabilities":{"sampling":{}}}}));
    alice_leaves(&mut rig, Leaves::ByCancelling);
    let question = json!({"id":"q","method":"sampling/createMessage"});
    rig.says(&question);
    assert_eq!(rig.heard()[0]["error"]["code"], -32603);
    let _again = rig.call(0, 2);
    rig.heard();
    rig.says(&question);
    assert!(rig.heard().is_empty());
}

/// Where all are one user's, a log is theirs, whichever session left.
#[test]
fn one_users_sessions_hear_of_a_call_that_one_of_them_left() {
    for how in [Leaves::ByCancelling, Leaves::ByGoing] {
        let mut rig = Rig::of(&["alice", "alice"]);
        let mut listening = rig.listen(1);
        alice_leaves(&mut rig, how);
        rig.says(&json!({"method":"notifications/message","params":{}}));
        assert_eq!(methods(&mut listening), ["notifications/message"], "{how:?}");
    }
}

/// An answer without a name may be the left call's.
#[test]
fn an_answer_without_a_name_may_be_for_a_left_call() {
    let mut rig = Rig::of(&["alice", "bob"]);
    alice_leaves(&mut rig, Leaves::ByCancelling);
    let mut of_bob = rig.call(1, 1);
    rig.says(&json!({"id":null,"error":{"code":-32700}}));
    assert!(all(&mut of_bob).is_empty());
    rig.says(&json!({"id":2,"result":"his"}));
    assert_eq!(all(&mut of_bob)[0]["result"], "his");
}

/// A process that asks for ever fills no memory.
#[test]
fn so_many_questions_wait_for_their_answers() {
    let mut rig = Rig::of(&["alice"]);
    rig.post(0, &json!({"id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}}));
    let mut of_alice = rig.call(0, 1);
    rig.heard();
    for number in 0..super::super::deliver::QUESTIONS {
        rig.says(&json!({"id":number,"method":"roots/list"}));
        // She reads them, and answers none.
        assert_eq!(methods(&mut of_alice), ["roots/list"]);
    }
    assert!(rig.heard().is_empty());
    rig.says(&json!({"id":"more","method":"roots/list"}));
    assert!(all(&mut of_alice).is_empty());
    assert_eq!(rig.heard()[0]["id"], "more");
    rig.post(0, &json!({"id":0,"result":{"roots":[]}}));
    rig.says(&json!({"id":"again","method":"roots/list"}));
    assert_eq!(methods(&mut of_alice), ["roots/list"]);
}

//! A process whose place another one takes, since a token of a third party's was renewed.

use hallpass_protocol::linked_token::LinkedToken;

use super::*;

fn lent(version: i64) -> Lent {
    let token = LinkedToken::new(format!("token-{version}").into(), "link", version);
    Lent { names: vec!["T".into()], values: vec![("T".into(), token)] }
}

impl Rig {
    /// Gives back what the process does not take any more.
    fn tries(&mut self, body: &Value) -> Option<Input> {
        let posted = message::read(body.to_string().as_bytes()).unwrap();
        let (session, inputs) = &mut self.sessions[0];
        session.post(&posted.messages, true).unwrap();
        self.switch.forward(session, inputs.try_recv().unwrap())
    }
}

#[test]
fn what_comes_to_a_process_that_is_replaced_goes_to_the_next_one() {
    let mut rig = Rig::of(&["alice"]);
    rig.switch = rig.switch.with(lent(1));
    rig.switch.retire_for(&lent(1));
    assert!(!rig.switch.is_over(), "it has that token");
    let answers = rig.call(0, 1);
    rig.switch.retire_for(&lent(2));
    assert!(!rig.switch.is_over(), "a call is under way");
    rig.switch.deliver(message::read(br#"{"id":1,"result":{}}"#).unwrap().messages.remove(0));
    drop(answers);
    rig.heard();
    rig.switch.retire_for(&lent(2));
    assert!(rig.switch.is_over());
    let call = json!({"id":2,"method":"tools/call"});
    let back = rig.tries(&call).unwrap();
    assert!(matches!(back.kind, message::Kind::Request { .. }));
    assert_eq!(serde_json::from_slice::<Value>(back.line.bytes()).unwrap()["method"], "tools/call");
    assert!(rig.heard().is_empty(), "nothing of it reached this one");
}

#[test]
fn what_was_renewed_later_counts() {
    let mut latest = Lent::default();
    for (version, counts) in [(1, 1), (3, 3), (2, 3), (3, 3), (4, 4)] {
        latest.take_newer(&lent(version));
        assert!(latest.are_those_of(&lent(counts)), "{version}");
    }
    let other = LinkedToken::new("other".to_owned().into(), "another link", 0);
    let other = Lent { values: vec![("T".into(), other)], ..lent(0) };
    latest.take_newer(&other);
    assert!(latest.are_those_of(&other) && !latest.are_those_of(&lent(4)));
}

//! What a login on purpose says of a server that does not answer as it should.

use hallpass_client::{Client, Error, Rule};
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder};

#[tokio::test]
async fn a_server_in_trouble_is_named_and_nothing_is_promised() {
    for (status, transient, says) in [
        (500, true, "500 Internal Server Error, so it could not be asked about a login. Try again"),
        (503, true, "those who run the server"),
        (501, false, "501 Not Implemented to an MCP message, which says nothing of a login"),
        (505, false, "Check the address and the path"),
        (404, false, "Check the path"),
        (403, false, "names no way to log in"),
    ] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| script.status = Some(status));
        let client: Client = builder(&peer, &person).build().unwrap();
        let error = client.login().await.unwrap_err();
        match &error {
            Error::Transient { .. } => assert!(transient, "{error}"),
            Error::Misconfigured { rule: Rule::NotAnMcpServer(_), .. } => assert!(!transient, "{error}"),
            _ => panic!("{error}"),
        }
        let said = error.to_string();
        assert!(said.contains(says) && said.contains(&peer.url()), "{said}");
        assert!(!said.contains("kept"), "nothing is stored: {said}");
        assert_eq!(person.logins(), 0);
    }
}

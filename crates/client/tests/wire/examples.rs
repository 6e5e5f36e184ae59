//! The examples do what they say: each is run here as it stands.

use hallpass_testkit::authorization_server::Peer;

use crate::{
    rmcp_session::guarded,
    support::{Person, builder},
};

#[path = "../../examples/headers.rs"]
#[allow(dead_code)] // Its `main` is for people.
mod headers;
#[path = "../../examples/over_reqwest.rs"]
#[allow(dead_code)]
mod over_reqwest;
#[path = "../../examples/rmcp_client.rs"]
#[allow(dead_code)]
mod rmcp_client;
#[path = "../../examples/tower_layer.rs"]
#[allow(dead_code)]
mod tower_layer;

#[tokio::test]
async fn each_logs_in_once_and_gets_its_answer() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = || builder(&peer, &person).build().unwrap();
    for (number, answer) in [
        headers::run(client()).await.unwrap(),
        over_reqwest::run(client()).await.unwrap(),
        tower_layer::run(client()).await.unwrap(),
    ]
    .iter()
    .enumerate()
    {
        assert!(answer.contains(r#""serverInfo":{"name":"peer""#), "{answer}");
        assert!(person.logins() > number);
    }
    assert_eq!(person.logins(), 3);
}

#[tokio::test]
async fn the_rmcp_client_logs_in_once_and_gets_its_answer() {
    let (peer, person) = (guarded().await, Person::default());
    let tools = rmcp_client::run(builder(&peer, &person).build().unwrap()).await.unwrap();
    assert_eq!(tools, "echo\nwrite");
    assert_eq!(person.logins(), 1);
}

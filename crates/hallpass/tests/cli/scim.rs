//! An identity provider says who comes and goes (SCIM), through the program.

use hallpass_testkit::database::TestDatabase;
use hallpass_testkit::person::Person;
use hallpass_testkit::upstream::Upstream;
use reqwest::Client;
use serde_json::{Value, json};

use crate::house::{House, access_token};

/// `GET` or, with a body, `PATCH`.
async fn ask(url: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let request = match body {
        None => Client::new().get(url),
        Some(body) => {
            let patch = Client::new().patch(url).header("content-type", "application/scim+json");
            patch.body(body.to_string())
        }
    };
    let answer = request.bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_hears_nothing_more() {
    let upstream = Upstream::start().await;
    let house = House::before(&TestDatabase::new(), upstream.url("/mcp").as_str());
    let _serving = house.start();
    let client = house.client();
    let token = access_token(&client.redeem(&house.code(&Person::new()).await).await);
    let events = upstream.answer_with_events();
    let listen = Client::new().get(format!("{}/mcp", house.base)).bearer_auth(&token);
    let mut stream = listen.header("accept", "text/event-stream").send().await.unwrap();
    events.release("data: 1\n\n");
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"data: 1\n\n"[..]));

    let scim = house.run(&["scim", "token", "issue", "--note", "idp"]).trim().to_owned();
    let users = format!("{}/scim/v2/Users", house.base);
    let (status, found) = ask(&format!("{users}?filter=userName%20eq%20%22ada%22"), &scim, None).await;
    assert_eq!((status, &found["totalResults"]), (200, &json!(1)));
    let ada = format!("{users}/{}", found["Resources"][0]["id"].as_str().unwrap());
    assert_eq!(ask(&ada, &token, None).await.0, 401, "an access token opens nothing here");
    let leave = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "value": { "active": false } }],
    });
    let (status, left) = ask(&ada, &scim, Some(leave)).await;
    assert_eq!((status, &left["active"]), (200, &json!(false)));
    // The stream ends by itself, and so does everything else.
    while let Ok(Some(_)) = stream.chunk().await {}
    let answer = Client::new().post(format!("{}/mcp", house.base)).bearer_auth(&token).body("{}").send();
    assert_eq!(answer.await.unwrap().status().as_u16(), 401);
    assert!(house.run(&["user", "list"]).contains("deactivated (SCIM)"));
    // The operator's word is another one.
    let enabled = house.run(&["user", "enable", left["userName"].as_str().unwrap()]);
    assert!(enabled.contains("still may not log in"), "{enabled}");
    assert!(house.run(&["user", "list"]).contains("deactivated (SCIM)"));

    let list = house.run(&["scim", "token", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["note"], "idp");
    assert!(!list.to_string().contains(&scim));
    house.run(&["scim", "token", "revoke", list[0]["id"].as_str().unwrap()]);
    assert_eq!(ask(&users, &scim, None).await.0, 401);
}

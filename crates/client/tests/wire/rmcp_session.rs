//! An unmodified rmcp client over the adapter, and an unmodified rmcp server behind a guard.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::Router;
use hallpass_client::{
    Client, DpopUse, Error,
    rmcp::{reason, transport},
    store::MemoryStore,
};
use hallpass_testkit::authorization_server::{Peer, proof};
use rmcp::{
    RoleClient, ServiceExt as _,
    handler::server::wrapper::Parameters,
    model::CallToolRequestParams,
    service::RunningService,
    tool, tool_router,
    transport::{
        streamable_http_client::StreamableHttpError,
        streamable_http_server::{
            StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
        },
    },
};
use serde_json::json;

use crate::support::{Person, builder};

#[derive(Clone)]
struct Tools;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Text {
    text: String,
}

#[tool_router(server_handler)]
impl Tools {
    #[tool(description = "Say it again")]
    fn echo(&self, Parameters(said): Parameters<Text>) -> String {
        said.text
    }

    #[tool(description = "Needs the scope `write`")]
    fn write(&self) -> String {
        "written".into()
    }
}

/// A guarded rmcp server with the tools `echo` and `write`.
pub(crate) async fn guarded() -> Peer {
    let mut config = StreamableHttpServerConfig::default();
    config.allowed_hosts = Vec::new();
    let service = StreamableHttpService::new(|| Ok(Tools), Arc::new(LocalSessionManager::default()), config);
    Peer::guarding(Router::new().route_service("/mcp", service)).await
}

async fn session(client: Client) -> RunningService<RoleClient, ()> {
    ().serve(transport(client)).await.unwrap()
}

async fn call(session: &RunningService<RoleClient, ()>, tool: &'static str) -> String {
    let arguments = json!({"text": "hello"}).as_object().cloned().unwrap();
    let result = session.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap();
    result.content[0].as_text().unwrap().text.clone()
}

#[tokio::test]
async fn it_logs_in_refreshes_and_steps_up_within_one_session() {
    let (peer, person) = (guarded().await, Person::default());
    let session = session(builder(&peer, &person).build().unwrap()).await;
    assert_eq!(person.logins(), 1);
    assert_eq!(call(&session, "echo").await, "hello");

    peer.expire_access_tokens();
    assert_eq!(call(&session, "echo").await, "hello");
    assert_eq!((peer.seen().grants("refresh_token"), person.logins()), (1, 1));

    assert_eq!(call(&session, "write").await, "written");
    assert_eq!(call(&session, "write").await, "written");
    assert_eq!(person.logins(), 2, "one step-up");
    assert_eq!(peer.seen().authorizations[1]["scope"], "read write");
    session.cancel().await.unwrap();
}

/// The stream and the end of a session are the server's too.
#[tokio::test]
async fn every_request_of_a_session_has_the_token() {
    let (peer, person) = (guarded().await, Person::default());
    let session = session_of_2025(builder(&peer, &person).build().unwrap()).await;
    call(&session, "echo").await;
    session.cancel().await.unwrap();
    let seen = peer.seen();
    let methods: HashSet<&str> = seen.mcp.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, HashSet::from(["POST", "GET", "DELETE"]));
    let bare = seen.mcp.iter().filter(|(.., headers)| !headers.contains_key("authorization"));
    assert_eq!(bare.count(), 1, "the first, which was refused");
}

/// A session that begins with `initialize`.
async fn session_of_2025(client: Client) -> RunningService<RoleClient, ()> {
    use rmcp::service::{ClientLifecycleMode, serve_client_with_lifecycle};
    serve_client_with_lifecycle((), transport(client), ClientLifecycleMode::Initialize).await.unwrap()
}

#[tokio::test]
async fn each_request_has_a_proof_of_its_own() {
    let (peer, person) = (guarded().await, Person::default());
    peer.script(|script| {
        script.token_type = "DPoP";
        script.metadata = json!({"dpop_signing_alg_values_supported": ["ES256"]});
        script.nonce = Some("first");
    });
    let client = builder(&peer, &person).dpop(DpopUse::Always).build().unwrap();
    let session = session(client).await;
    assert_eq!(call(&session, "echo").await, "hello");
    peer.script(|script| script.nonce = Some("second"));
    assert_eq!(call(&session, "echo").await, "hello", "a new nonce is taken up");
    let proofs: Vec<_> = peer.seen().mcp.iter().map(|(.., headers)| proof(headers)).collect();
    let with_token: Vec<_> = proofs.iter().filter(|claims| !claims["ath"].is_null()).collect();
    let distinct: HashSet<String> = with_token.iter().map(|claims| claims["jti"].to_string()).collect();
    assert_eq!((distinct.len(), person.logins()), (with_token.len(), 1));
    assert!(distinct.len() >= 4 && with_token.iter().all(|claims| claims["htu"] == peer.url()));
}

#[tokio::test]
async fn without_a_person_the_reason_is_told() {
    let (peer, person) = (guarded().await, Person::default());
    let client = builder(&peer, &person).build().unwrap().in_background();
    let error = ().serve(transport(client)).await.unwrap_err();
    assert!(matches!(reason(&error), Some(Error::LoginNeeded { .. })), "{error:?}");
    assert_eq!(person.logins(), 0);
    // The same in the midst of a session.
    let store = MemoryStore::new();
    builder(&peer, &person).store(store.clone()).build().unwrap().login().await.unwrap();
    let session =
        session(builder(&peer, &person).store(store.clone()).build().unwrap().in_background()).await;
    peer.expire_access_tokens();
    peer.expire_refresh_tokens();
    let error = session.list_all_tools().await.unwrap_err();
    assert!(matches!(reason(&error), Some(Error::RefreshRejected { .. })), "{error:?}");
    let other = std::io::Error::other("x");
    assert!(reason(&other).is_none());
}

/// rmcp opens it by itself, and nobody may be waiting.
#[tokio::test]
async fn the_stream_of_a_session_and_its_end_ask_nobody() {
    use rmcp::transport::streamable_http_client::StreamableHttpClient as _;
    let (peer, person) = (guarded().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let uri: Arc<str> = peer.url().into();
    let stream = client.get_stream(Arc::clone(&uri), Some("s".into()), None, None, HashMap::new()).await;
    assert!(matches!(stream.map(drop), Err(StreamableHttpError::Client(Error::LoginNeeded { .. }))));
    let ended = client.delete_session(uri, "s".into(), None, HashMap::new()).await;
    assert!(matches!(ended, Err(StreamableHttpError::Client(Error::LoginNeeded { .. }))));
    assert_eq!(person.logins(), 0);
}

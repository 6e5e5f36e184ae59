//! A stdio server that knows 2026-07-28, whose requests stand alone, and clients that do as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use hallpass_gateway::{Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::alone::{NOW, call, call_as, document, message, post_as};
use support::stdio::{Client, Events, freeze, modern, pass, program};
use support::{Protected, alone, protect, soon};

const EVERY: [ProcessFor; 3] = [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared];

fn gateway_of(kind: &str, process: ProcessFor) -> Protected {
    protect(Upstream::stdio(StdioCommand { process, ..modern(kind) }, Limits::default()), false)
}

fn gateway(process: ProcessFor) -> Protected {
    gateway_of("", process)
}

async fn result(gateway: &Protected, method: &str, params: Value) -> Value {
    let (status, answer) = document(call(gateway, 1, method, params).await).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["result"].clone()
}

fn subscription(event: &Value) -> &Value {
    &event["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]
}

#[tokio::test]
async fn what_the_server_says_of_itself_passes() {
    for process in EVERY {
        let gateway = gateway(process);
        let said = result(&gateway, "server/discover", json!({})).await;
        assert_eq!((&said["ttlMs"], &said["cacheScope"]), (&json!(1000), &json!("public")));
        assert_eq!(said["instructions"], "Do.");
        // Sessions are served too.
        assert_eq!(said["supportedVersions"], json!([NOW, "2025-11-25", "2025-06-18", "2025-03-26"]));
        let extensions = match process {
            ProcessFor::Shared => json!({"x":{}}),
            _ => json!({"io.modelcontextprotocol/tasks":{},"x":{}}),
        };
        assert_eq!(said["capabilities"]["extensions"], extensions, "{process:?}");
    }
}

/// All that a request says reaches the server, and the answer is what the server said.
#[tokio::test]
async fn a_request_passes_as_it_is() {
    for process in EVERY {
        let gateway = gateway(process);
        let meta =
            json!({"io.modelcontextprotocol/logLevel":"error","progressToken":"p","traceparent":"00-1-2-01"});
        let params = json!({"a":[1,"b\nc"],"inputResponses":{"q":{}},"_meta":meta});
        let sent = message(1, "echo", params.clone())["params"].clone();
        let answer = result(&gateway, "echo", params).await;
        let mut heard = answer["sent"].clone();
        // Another name, that no other request has.
        assert!(heard["_meta"]["progressToken"].is_i64());
        heard["_meta"]["progressToken"] = "p".into();
        assert_eq!(heard, sent, "{process:?}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    }
}

/// Row 43: equal ids and tokens of all users.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross() {
    for process in EVERY {
        let gateway = &gateway(process);
        let calls = (0..60).map(|n| async move {
            let params = json!({"canary":format!("canary-{n}"),"steps":2,"_meta":{"progressToken":1}});
            let user = format!("user-{}", n % 3);
            let events = Events::of(call_as(gateway, &user, 1, "progress", params).await).rest().await;
            assert_eq!(events.len(), 3);
            for event in &events[..2] {
                assert_eq!(event["params"]["message"], format!("canary-{n}"));
                assert_eq!(event["params"]["progressToken"], 1);
            }
            assert_eq!(
                (&events[2]["id"], &events[2]["result"]["canary"]),
                (&json!(1), &json!(format!("canary-{n}")))
            );
        });
        join_all(calls).await;
    }
}

/// A server may ask by its answer: that passes, and so does what comes back.
#[tokio::test]
async fn a_question_is_an_answer() {
    let gateway = gateway(ProcessFor::User);
    let questions = json!({"q":{"method":"roots/list"}});
    let asked = result(&gateway, "ask", json!({"rounds":1,"questions":questions})).await;
    assert_eq!((&asked["resultType"], &asked["inputRequests"]), (&json!("input_required"), &questions));
    let again = json!({"rounds":1,"requestState":asked["requestState"],"inputResponses":{"q":{"roots":[]}}});
    assert_eq!(result(&gateway, "ask", again).await["answers"], json!({"q":{"roots":[]}}));
}

/// Over stdio all that is heard by listening comes over one channel; it goes to whose request it names, and to nobody else.
#[tokio::test]
async fn who_listens_hears_what_is_theirs() {
    for process in EVERY {
        let gateway = gateway(process);
        let listen = async |user: &str, filter: Value| {
            let response =
                call_as(&gateway, user, 5, "subscriptions/listen", json!({"notifications":filter})).await;
            Events::of(response)
        };
        let mut of_a = listen("alice", json!({"resourceSubscriptions":["notes://a","none:x"]})).await;
        let mut of_b =
            listen("bob", json!({"resourceSubscriptions":["notes://b"],"toolsListChanged":true})).await;
        let agreed = soon(of_a.next()).await.unwrap();
        assert_eq!(agreed["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(agreed["params"]["notifications"], json!({"resourceSubscriptions":["notes://a"]}));
        assert_eq!(subscription(&agreed), 5);
        assert_eq!(subscription(&soon(of_b.next()).await.unwrap()), 5);
        // Where they share a process, one of them is enough.
        let users = if process == ProcessFor::Shared { &["alice"][..] } else { &["alice", "bob"] };
        for user in users {
            for uri in ["notes://c", "notes://b", "notes://a"] {
                call_as(&gateway, user, 1, "touch", json!({"uri":uri})).await;
            }
            call_as(&gateway, user, 1, "change", json!({})).await;
        }
        let heard = soon(of_a.next()).await.unwrap();
        assert_eq!((&heard["params"]["uri"], subscription(&heard)), (&json!("notes://a"), &json!(5)));
        let heard = soon(of_b.next()).await.unwrap();
        assert_eq!((&heard["params"]["uri"], subscription(&heard)), (&json!("notes://b"), &json!(5)));
        assert_eq!(soon(of_b.next()).await.unwrap()["method"], "notifications/tools/list_changed");
        // The end of the stream is what cancels.
        drop(of_b);
        let mut turns = 0;
        while result(&gateway, "heard", json!({})).await["listening"].as_array().unwrap().len() > 1 {
            turns += 1;
            assert!(turns < 10_000);
        }
        // The server ends them in words, or as stdio has it, or ends.
        for how in [("unlisten", json!({"words":true})), ("unlisten", json!({})), ("die", json!({}))] {
            call(&gateway, 1, how.0, how.1).await;
            let end = soon(of_a.next()).await.unwrap();
            assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(5), &json!("complete")));
            assert_eq!(end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 5);
            assert!(soon(of_a.next()).await.is_none());
            of_a = listen("alice", json!({"resourceSubscriptions":["notes://a"]})).await;
            soon(of_a.next()).await.unwrap();
        }
    }
}

/// Who listens for hours calls nothing, so that a log message is still the caller's.
#[tokio::test]
async fn a_log_message_is_for_the_only_caller() {
    let gateway = gateway(ProcessFor::Shared);
    let listen = json!({"notifications":{"toolsListChanged":true}});
    let mut listening = Events::of(call_as(&gateway, "bob", 1, "subscriptions/listen", listen).await);
    soon(listening.next()).await.unwrap();
    let meta = json!({"io.modelcontextprotocol/logLevel":"error"});
    let events = Events::of(call(&gateway, 2, "log", json!({"_meta":meta})).await).rest().await;
    assert_eq!(events[0]["method"], "notifications/message");
    // Somebody else's call is under way: it may be about that.
    let held = call_as(&gateway, "bob", 3, "hold", json!({}));
    let alone = async {
        result(&gateway, "log", json!({"_meta":meta})).await;
    };
    tokio::select! {
        biased;
        _ = held => panic!("it is held"),
        () = alone => {}
    }
}

/// Its revision has no requests of the server's, and clients write no answers.
#[tokio::test]
async fn a_request_of_the_server_is_nobodys() {
    let gateway = gateway(ProcessFor::User);
    result(&gateway, "demand", json!({})).await;
    assert_eq!(result(&gateway, "heard", json!({})).await["heard"], json!([]));
}

/// A server that everybody shares cannot know whose a task is.
#[tokio::test]
async fn tasks_are_for_servers_of_one_user() {
    let capabilities = json!({"extensions":{"io.modelcontextprotocol/tasks":{},"x":{}}});
    for process in EVERY {
        let gateway = gateway(process);
        let fields = |method| [("mcp-protocol-version", NOW), ("mcp-method", method), ("mcp-name", "t")];
        let shared = process == ProcessFor::Shared;
        let task = message(1, "tasks/get", json!({"taskId":"t"}));
        let (status, answer) = document(post_as(&gateway, "alice", &task, &fields("tasks/get")).await).await;
        assert_eq!(
            (status == StatusCode::NOT_FOUND, answer["error"].is_object()),
            (shared, shared),
            "{answer}"
        );
        let filter = json!({"taskIds":["t"],"toolsListChanged":true});
        for (method, member) in [("echo", "sent"), ("subscriptions/listen", "notifications")] {
            let mut message = message(1, method, json!({"notifications":filter}));
            message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
            let response = post_as(&gateway, "alice", &message, &fields(method)[..2]).await;
            if member == "sent" {
                let said = &document(response).await.1["result"]["sent"];
                let heard = &said["_meta"]["io.modelcontextprotocol/clientCapabilities"];
                assert_eq!(*heard == capabilities, !shared);
                assert_eq!(heard["extensions"]["x"], json!({}));
                assert_eq!(said["notifications"]["taskIds"].is_null(), shared);
                assert_eq!(said["notifications"]["toolsListChanged"], true);
            } else {
                let agreed = soon(Events::of(response).next()).await.unwrap();
                assert_eq!(agreed["params"]["notifications"]["taskIds"].is_null(), shared);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_knows_both_has_a_process_for_each() {
    for process in EVERY {
        for sessions_first in [true, false] {
            let gateway = gateway_of("both", process);
            if !sessions_first {
                result(&gateway, "echo", json!({})).await;
            }
            let session = Client::begin(&gateway).await;
            let of_session = session.result(1, "pid", json!({})).await["pid"].clone();
            // As it was sent: no revision in it.
            assert_eq!(session.result(2, "echo", json!({"a":1})).await, json!({"sent":{"a":1}}));
            let alone = result(&gateway, "pid", json!({})).await["pid"].clone();
            assert_ne!(of_session, alone);
            assert_eq!(result(&gateway, "pid", json!({})).await["pid"], alone);
            assert_eq!(session.result(3, "pid", json!({})).await["pid"], of_session);
        }
    }
}

/// Some end when they hear what they do not know before `initialize`.
#[tokio::test]
async fn a_server_that_does_not_survive_the_question_is_asked_once() {
    for process in EVERY {
        let gateway = gateway_of("frail", process);
        for user in ["alice", "bob"] {
            let (status, answer) = document(call_as(&gateway, user, 1, "echo", json!({"a":1})).await).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            assert_eq!(answer["result"]["sent"], json!({"a":1,"_meta":{}}));
        }
    }
}

/// Others answer nothing before `initialize`.
#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nothing_is_begun_with_initialize() {
    let _frozen = freeze();
    let limits = Limits { start: Duration::from_secs(24 * 60 * 60), ..Limits::default() };
    let command = StdioCommand { process: ProcessFor::User, ..modern("silent") };
    let gateway = protect(Upstream::stdio(command, limits), false);
    let seconds = async |user: &str| {
        let mut asked = std::pin::pin!(call_as(&gateway, user, 1, "echo", json!({"a":1})));
        let mut seconds = 0;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut asked => break answer,
                () = pass(Duration::from_millis(500)) => seconds += 1,
            }
        };
        assert_eq!(document(answer).await.1["result"]["sent"]["a"], 1);
        seconds / 2
    };
    let first = seconds("alice").await;
    assert!(first >= 10, "{first}: nobody knows it yet");
    // It is known by now.
    let again = call_as(&gateway, "alice", 1, "echo", json!({"a":1})).await;
    assert_eq!(document(again).await.0, StatusCode::OK);
    seconds("bob").await;
}

/// MCP 2026-07-28, streamable HTTP, "Server Behavior for Custom Headers": a program sees no fields, so they are held against its
/// tools' schemas here, whichever revisions it knows.
#[tokio::test]
async fn fields_say_what_the_arguments_of_a_call_say() {
    for kind in ["modern", "legacy"] {
        for process in [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared] {
            let command = if kind == "modern" { modern(kind) } else { program() };
            let gateway =
                protect(Upstream::stdio(StdioCommand { process, ..command }, Limits::default()), false);
            let call = async |tool: &str, region: &Value, field: Option<&str>| {
                let params = json!({"name":tool,"arguments":{"region":region}});
                let mut fields = vec![
                    ("mcp-protocol-version", alone::NOW),
                    ("mcp-method", "tools/call"),
                    ("mcp-name", tool),
                ];
                fields.extend(field.map(|field| ("mcp-param-region", field)));
                let message = alone::message(1, "tools/call", params);
                let (status, said) =
                    document(alone::post_as(&gateway, "alice", &message, &fields).await).await;
                (status.as_u16(), said["error"]["code"].clone())
            };
            let region = json!("eu");
            for (tool, region, field, expected) in [
                ("mirrored", &region, Some("eu"), (200, Value::Null)),
                ("mirrored", &region, Some("=?base64?ZXU=?="), (200, Value::Null)),
                ("mirrored", &Value::Null, None, (200, Value::Null)),
                ("mirrored", &region, None, (400, json!(-32020))),
                ("mirrored", &region, Some("us"), (400, json!(-32020))),
                ("mirrored", &region, Some("=?base64?ZXU?="), (400, json!(-32020))),
                ("mirrored", &Value::Null, Some("eu"), (400, json!(-32020))),
                ("other", &region, None, (200, Value::Null)),
                ("other", &region, Some("us"), (200, Value::Null)),
            ] {
                assert_eq!(
                    call(tool, region, field).await,
                    expected,
                    "{kind} {process:?} {tool} {region} {field:?}"
                );
            }
        }
    }
}

/// What a tool's schema is by now is what counts: a client that is refused lists the tools, and calls again.
#[tokio::test]
async fn a_schema_that_has_changed_is_known_from_the_list() {
    let gateway = gateway(ProcessFor::User);
    let call = async |argument: &str| {
        let message = alone::message(1, "tools/call", json!({"name":"mirrored","arguments":{argument:"eu"}}));
        let fields = [
            ("mcp-protocol-version", alone::NOW),
            ("mcp-method", "tools/call"),
            ("mcp-name", "mirrored"),
            ("mcp-param-region", "eu"),
        ];
        document(alone::post_as(&gateway, "alice", &message, &fields).await).await.0
    };
    assert_eq!((call("region").await, call("place").await), (StatusCode::OK, StatusCode::BAD_REQUEST));
    result(&gateway, "change", json!({})).await;
    result(&gateway, "tools/list", json!({"cursor":"2"})).await;
    assert_eq!((call("region").await, call("place").await), (StatusCode::BAD_REQUEST, StatusCode::OK));
}

/// A program may be another one for somebody else, by what it finds in its environment: one user's shows nothing about another's.
#[cfg(unix)]
#[tokio::test]
async fn an_odd_process_of_one_user_decides_for_nobody_else() {
    for process in [ProcessFor::Session, ProcessFor::User] {
        let (odd, usual) = (program().program, modern("both").program);
        let script = format!(
            "[ \"$HALLPASS_SUBJECT\" = mallory ] && exec {}; exec {} both",
            odd.to_str().unwrap(),
            usual.to_str().unwrap()
        );
        let arguments = vec!["-c".into(), script.into()];
        let command = StdioCommand { process, arguments, ..StdioCommand::new("sh") };
        let gateway = protect(Upstream::stdio(command, Limits::default()), false);
        let discover = async |user: &str| {
            let answer = document(call_as(&gateway, user, 1, "server/discover", json!({})).await).await;
            answer.1["result"]["cacheScope"].clone()
        };
        assert_eq!(discover("mallory").await, "private", "said by hallpass, in the server's place");
        assert_eq!(discover("alice").await, "public", "{process:?}: the server's own word");
        assert_eq!(discover("mallory").await, "private");
    }
}

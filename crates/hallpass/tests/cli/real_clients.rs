//! How real clients behave, each behaviour under a name of its own, through `hallpass serve`.

use hallpass_testkit::upstream::plain;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::outside::House;
use crate::program::run;

fn challenge(answer: &reqwest::Response) -> String {
    answer.headers()["www-authenticate"].to_str().unwrap().to_owned()
}

/// claude.ai and Claude Code read `scopes_supported` of the protected resource metadata, ChatGPT the `scope` of the 401,
/// Codex the metadata of the authorization server.
#[tokio::test]
async fn clients_read_the_scopes_of_a_first_login_in_three_places() {
    let house = House::with("", "").await;
    let resource = house.json("/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(resource["scopes_supported"], json!(["notes:read"]));
    let refused = house.http.post(&house.endpoint).body("{}").send().await.unwrap();
    assert!(challenge(&refused).contains("scope=\"notes:read\""), "{}", challenge(&refused));
    // Those of a step-up stand there, too, and what a first login asks for is among them.
    let server = house.json("/.well-known/oauth-authorization-server").await;
    let scopes = server["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("notes:read")), "{scopes:?}");
    // And it is enough to go on with.
    assert_eq!(house.post(&house.token("notes:read"), "{}").await.status(), StatusCode::OK);
}

/// claude.ai steps up by itself, Claude Code keeps the scope and has the user log in again: both ask for what the 403 names, so
/// it names all, and what the token had.
#[tokio::test]
async fn a_call_that_lacks_a_scope_is_told_all_scopes_at_once() {
    let house = House::with("", "").await;
    let write = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"}}"#;
    let refused = house.post(&house.token("notes:read"), write).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let said = challenge(&refused);
    for part in ["error=\"insufficient_scope\"", "scope=\"notes:read notes:write\"", "resource_metadata="] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(house.post(&house.token("notes:read notes:write"), write).await.status(), StatusCode::OK);
}

/// ChatGPT loops unless each tool says its scopes in `tools/list`.
#[tokio::test]
async fn each_tool_says_its_scopes_in_the_list() {
    let house = House::with("", "").await;
    let tools =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list_notes"},{"name":"write_note"}]}}"#;
    let mut answer = plain(StatusCode::OK, tools);
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    house.upstream.answer(answer);
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let answer: Value = house.post(&house.token("notes:read"), list).await.json().await.unwrap();
    let scopes: Vec<_> = answer["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["securitySchemes"][0]["scopes"].to_string())
        .collect();
    assert!(scopes[0].contains("notes:read") && !scopes[0].contains("notes:write"), "{scopes:?}");
    assert!(scopes[1].contains("notes:write"), "{scopes:?}");
}

/// Some ask only the path form, some only the root.
#[tokio::test]
async fn metadata_is_asked_for_at_the_path_or_at_the_root() {
    let house = House::with("", "").await;
    let paths = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];
    let [path, root] = [house.json(paths[0]).await, house.json(paths[1]).await];
    assert_eq!(path, root);
    assert_eq!(path["resource"], house.endpoint.as_str());
    for path in paths {
        let head = house.http.head(house.url(path)).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK, "{path}");
    }
}

/// `resource` with a slash too many sends claude.ai into a loop: it is the URL that people enter, character by character.
#[tokio::test]
async fn the_resource_is_the_url_that_people_enter() {
    let house = House::with("", "").await;
    let metadata = house.json("/.well-known/oauth-protected-resource").await;
    assert_eq!(metadata["resource"], house.endpoint.as_str());
    assert!(!metadata["authorization_servers"][0].as_str().unwrap().ends_with('/'));
    let server = house.json("/.well-known/oauth-authorization-server").await;
    assert_eq!(server["issuer"], metadata["authorization_servers"][0]);
}

/// Inspector is a page of another origin: preflight without a token, and fields that it may read.
#[tokio::test]
async fn a_page_of_another_origin_completes_preflight_401_and_metadata() {
    // The page's origin is the operator's to allow for the endpoint; documents are everybody's.
    let house = House::with("allowed_origins = [\"https://inspector.example\"]", "").await;
    let origin = "https://inspector.example";
    for (path, method) in [
        ("/mcp", "POST"),
        ("/.well-known/oauth-protected-resource/mcp", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/token", "POST"),
        ("/register", "POST"),
    ] {
        let preflight = house
            .http
            .request(Method::OPTIONS, house.url(path))
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type,mcp-protocol-version");
        let answer = preflight.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let allowed = answer.headers()["access-control-allow-origin"].to_str().unwrap();
        assert!(allowed == "*" || allowed == origin, "{path}: {allowed}");
    }
    let refused = house.http.post(&house.endpoint).header("origin", origin).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
    assert!(exposed.contains("www-authenticate") && exposed.contains("mcp-session-id"), "{exposed}");
    let request =
        house.http.post(&house.endpoint).header("origin", origin).bearer_auth(house.token("notes:read"));
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().contains_key("access-control-allow-origin"));
}

/// A connector builds `/authorize` on the MCP server's host and ignores the authorization server outside; clients of
/// 2025-03-26 look for its metadata there. Both come to the issuer.
#[tokio::test]
async fn endpoints_are_invented_at_the_servers_own_origin() {
    let house = House::with("arrangement = \"external\"", "").await;
    let issuer = house.outside.issuer.issuer.as_str();
    let metadata = house.json("/.well-known/oauth-protected-resource").await;
    assert_eq!(metadata["authorization_servers"], json!([issuer]));
    let server = house.json("/.well-known/oauth-authorization-server").await;
    assert_eq!(server["issuer"], issuer);
    assert_eq!(server["token_endpoint"], format!("{issuer}/tok"));
    assert_eq!(server["of_its_own"], "kept");
    for (method, path, status, location) in [
        (
            Method::GET,
            "/authorize?client_id=a%26b&state=x",
            302,
            format!("{issuer}/auth?client_id=a%26b&state=x"),
        ),
        (Method::GET, "/authorize", 302, format!("{issuer}/auth")),
        (Method::POST, "/token", 307, format!("{issuer}/tok")),
        (Method::POST, "/register", 307, format!("{issuer}/reg")),
    ] {
        let answer = house.http.request(method, house.url(path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.headers()["location"], location.as_str(), "{path}");
    }
}

/// Where the authorization server is somebody else's, hallpass is a resource server and nothing else.
#[tokio::test]
async fn with_an_issuer_outside_hallpass_logs_nobody_in() {
    let mut house = House::with("arrangement = \"external\"", "").await;
    house.serving.line_with("Ctrl-C");
    assert!(house.serving.lines_so_far().iter().all(|line| !line.contains("/setup")));
    for path in ["/login", "/consent", "/account", "/admin", "/setup", "/jwks", "/device", "/introspect"] {
        let answer = house.http.get(house.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(house.post(&house.token("notes:read"), "{}").await.status(), StatusCode::OK);
    let received = house.upstream.received().remove(0);
    let subject = format!("{}#alice", house.outside.issuer.issuer);
    assert_eq!(received.headers["x-hallpass-subject"], subject.as_str());
}

#[test]
fn somebody_elses_authorization_server_has_to_be_named() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("hallpass.toml");
    let text = "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\narrangement = \"external\"\n";
    std::fs::write(&config, text).unwrap();
    let output = run(data.path(), &["config", "check", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(":3") && said.contains("[[server.issuers]]"), "{said}");
}

//! An rmcp server, protected; its tool reads who is calling. `cargo run -p hallpass-resource-server --example rmcp`

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use hallpass_guarded_fetch::{Fetcher, Policy as FetchPolicy};
use hallpass_protocol::{Algorithm, Clock, Issuer, ResourceIdentifier};
use hallpass_resource_server::{Caller, Keys, RemoteKeys, ResourceServer, Settings, TrustedIssuer};
use http::request::Parts;
use rmcp::handler::server::tool::Extension;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, tool, tool_router};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
async fn main() -> Result<(), Failure> {
    let issuer = std::env::var("ISSUER").unwrap_or("https://login.example.com".to_owned());
    let hint = "write it with its scheme, as its metadata says it: https://login.example.com";
    let issuer = Issuer::parse(&issuer).map_err(|error| format!("ISSUER={issuer}: {error}; {hint}"))?;
    let clock = Clock::new(|| SystemTime::now().into());
    let fetcher = Fetcher::new(FetchPolicy::default())?;
    let keys = RemoteKeys::discovered(issuer.clone(), &Algorithm::ALL, fetcher, clock.clone());
    let mut settings = Settings::new(ResourceIdentifier::parse("http://localhost:3000/mcp")?, clock);
    settings.issuers.push(TrustedIssuer::new(issuer.clone(), Keys::fetched(keys.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("MCP endpoint http://localhost:3000/mcp, for tokens of {issuer}");
    // Without this, the first token would find out.
    if let Err(error) = keys.fetch_now().await {
        eprintln!("the keys of {issuer} cannot be fetched, so tokens are refused until they can: {error}");
    }
    axum::serve(listener, app(ResourceServer::new(settings))).await?;
    Ok(())
}

/// The five lines.
fn app(hallpass: ResourceServer) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Greeter), sessions, StreamableHttpServerConfig::default());
    let mcp = Router::new().route_service("/mcp", service);
    mcp.layer(hallpass.layer()).merge(hallpass.metadata_router())
}

/// One tool.
#[derive(Clone, Debug)]
struct Greeter;

#[tool_router(server_handler)]
impl Greeter {
    #[tool(description = "Say who is calling")]
    fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<String, ErrorData> {
        // The layer put it there; rmcp carries the request's extensions to the tool.
        let caller = parts.extensions.get::<Caller>();
        let caller = caller.ok_or_else(|| ErrorData::internal_error("this route is not protected", None))?;
        Ok(format!("{} through {} with {}", caller.subject(), caller.client_id(), caller.scopes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use hallpass_testkit::issuer::TestIssuer;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_tool_knows_its_caller() {
        let issuer = TestIssuer::new("https://login.example.com");
        let clock = Clock::new(|| SystemTime::now().into());
        let identifier = ResourceIdentifier::parse("http://localhost:3000/mcp").unwrap();
        let token = issuer.token(identifier.as_str(), "notes:read", clock.now());
        let mut settings = Settings::new(identifier, clock);
        settings.issuers.push(TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(issuer.keys())));
        let app = app(ResourceServer::new(settings));
        let send = async |session: Option<&str>, token: Option<&str>, body: &'static str| {
            let mut request = Request::post("/mcp")
                .header("host", "localhost:3000")
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream");
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Some(session) = session {
                request = request.header("mcp-session-id", session);
            }
            app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
        };
        let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        assert_eq!(send(None, None, initialize).await.status(), StatusCode::UNAUTHORIZED);
        let response = send(None, Some(&token), initialize).await;
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        drop(to_bytes(response.into_body(), usize::MAX).await.unwrap());
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        send(Some(&session), Some(&token), initialized).await;
        let call =
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"whoami","arguments":{}}}"#;
        let response = send(Some(&session), Some(&token), call).await;
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains("alice through test-client with notes:read"), "{text}");
    }
}

//! An axum router, protected. `cargo run -p hallpass-resource-server --example axum`
//!
//! Tokens come from the issuer named in `ISSUER`; its keys are found by its metadata.

use std::time::SystemTime;

use axum::Router;
use axum::routing::post;
use hallpass_guarded_fetch::{Fetcher, Policy as FetchPolicy};
use hallpass_protocol::{Algorithm, Clock, Issuer, ResourceIdentifier, ScopeSet};
use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{Caller, Keys, RemoteKeys, ResourceServer, Settings, TrustedIssuer};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let issuer = std::env::var("ISSUER").unwrap_or_else(|_| "https://login.example.com".to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(hallpass(&issuer)?)).await?;
    Ok(())
}

/// Who this server is, whom it trusts, and who may do what.
fn hallpass(issuer: &str) -> Result<ResourceServer, Failure> {
    let (clock, issuer) = (Clock::new(|| SystemTime::now().into()), Issuer::parse(issuer)?);
    let fetcher = Fetcher::new(FetchPolicy::default())?;
    let keys = RemoteKeys::discovered(issuer.clone(), &Algorithm::ALL, fetcher, clock.clone());
    let mut settings = Settings::new(ResourceIdentifier::parse("http://localhost:3000/mcp")?, clock);
    settings.issuers.push(TrustedIssuer::new(issuer, Keys::fetched(keys)));
    settings.policy.login = ScopeSet::parse("notes:read")?;
    settings.policy.tools.push(Rule::scopes("write_*", ScopeSet::parse("notes:write")?));
    Ok(ResourceServer::new(settings))
}

/// The five lines.
fn app(hallpass: ResourceServer) -> Router {
    let mcp = Router::new().route("/mcp", post(answer));
    mcp.layer(hallpass.layer()).merge(hallpass.metadata_router())
}

async fn answer(caller: Caller, body: String) -> String {
    format!("{} may do that through {}: {body}", caller.subject(), caller.client_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use hallpass_testkit::issuer::TestIssuer;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_does_what_it_says() {
        let issuer = TestIssuer::new("https://login.example.com");
        let (clock, identifier) = (
            Clock::new(|| SystemTime::now().into()),
            ResourceIdentifier::parse("http://localhost:3000/mcp").unwrap(),
        );
        let token = issuer.token(identifier.as_str(), "notes:read", clock.now());
        let mut settings = Settings::new(identifier, clock);
        settings.issuers.push(TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(issuer.keys())));
        settings.policy.tools.push(Rule::scopes("write_*", ScopeSet::parse("notes:write").unwrap()));
        let app = app(ResourceServer::new(settings));
        let call = |tool: &str, token: Option<&str>| {
            let mut request = Request::post("/mcp");
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let body = format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
            request.body(Body::from(body)).unwrap()
        };
        assert_eq!(ask(&app, call("list", None)).await.0, StatusCode::UNAUTHORIZED);
        let (status, text) = ask(&app, call("list", Some(&token))).await;
        assert!(
            status == StatusCode::OK && text.starts_with("alice may do that through test-client"),
            "{text}"
        );
        assert_eq!(ask(&app, call("write_note", Some(&token))).await.0, StatusCode::FORBIDDEN);
        let metadata = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty()).unwrap();
        assert!(ask(&app, metadata).await.1.contains("https://login.example.com"));
        // What `main` starts with is whole, too.
        hallpass("https://login.example.com").unwrap();
    }
}

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
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
async fn main() -> Result<(), Failure> {
    let issuer = std::env::var("ISSUER").unwrap_or_else(|_| "https://login.example.com".to_owned());
    let issuer = issuer_of(&issuer)?;
    let (keys, clock) = keys(&issuer)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("MCP endpoint http://localhost:3000/mcp, for tokens of {issuer}");
    // Without this, the first token would find out.
    if let Err(error) = keys.fetch_now().await {
        eprintln!("the keys of {issuer} cannot be fetched, so tokens are refused until they can: {error}");
    }
    axum::serve(listener, app(hallpass(issuer, keys, clock)?)).await?;
    Ok(())
}

fn issuer_of(text: &str) -> Result<Issuer, Failure> {
    let hint = "write it with its scheme, as its metadata says it: https://login.example.com";
    Issuer::parse(text).map_err(|error| format!("ISSUER={text} can't be an issuer: {error}; {hint}").into())
}

/// What fetches the issuer's keys.
fn keys(issuer: &Issuer) -> Result<(RemoteKeys, Clock), Failure> {
    let clock = Clock::new(|| SystemTime::now().into());
    let fetcher = Fetcher::new(FetchPolicy::default())?;
    let keys = RemoteKeys::discovered(issuer.clone(), &Algorithm::ALL, fetcher, clock.clone());
    Ok((keys, clock))
}

/// Who this server is, whom it trusts, and who may do what.
fn hallpass(issuer: Issuer, keys: RemoteKeys, clock: Clock) -> Result<ResourceServer, Failure> {
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
        let issuer = issuer_of("https://login.example.com").unwrap();
        let (keys, clock) = keys(&issuer).unwrap();
        hallpass(issuer, keys, clock).unwrap();
    }

    #[test]
    fn an_issuer_without_its_scheme_is_refused_with_a_hint() {
        for text in ["login.example.com", "localhost:9000", ""] {
            let error = issuer_of(text).unwrap_err().to_string();
            assert!(error.contains("write it with its scheme") && error.contains(text), "{error}");
        }
    }
}

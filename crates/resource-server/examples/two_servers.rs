//! Two MCP servers in one axum program, each with a policy of its own. `cargo run -p hallpass-resource-server --example two_servers`
//!
//! Notes are read by whoever logs in; mail is for one tenant, and sending it takes a login of the last five minutes.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::post;
use hallpass_guarded_fetch::{Fetcher, Policy as FetchPolicy};
use hallpass_protocol::{Algorithm, Clock, Issuer, ResourceIdentifier, ScopeSet};
use hallpass_resource_server::policy::{Demand, Rule, Verdict};
use hallpass_resource_server::{
    Caller, Keys, Policy, RemoteKeys, ResourceServer, Settings, TrustedIssuer, metadata,
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
async fn main() -> Result<(), Failure> {
    let issuer = Issuer::parse("https://login.example.com")?;
    let clock = Clock::new(|| SystemTime::now().into());
    let fetcher = Fetcher::new(FetchPolicy::default())?;
    // Both take the same issuer's tokens, so one fetches its keys for both.
    let keys = RemoteKeys::discovered(issuer.clone(), &Algorithm::ALL, fetcher, clock.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("MCP endpoints http://localhost:3000/notes/mcp and http://localhost:3000/mail/mcp");
    if let Err(error) = keys.fetch_now().await {
        eprintln!("the keys of {issuer} cannot be fetched, so tokens are refused until they can: {error}");
    }
    let trusted = TrustedIssuer::new(issuer, Keys::fetched(keys));
    axum::serve(listener, app("http://localhost:3000", &trusted, &clock)?).await?;
    Ok(())
}

fn app(origin: &str, trusted: &TrustedIssuer, clock: &Clock) -> Result<Router, Failure> {
    let server = |path: &str, policy: Policy| -> Result<ResourceServer, Failure> {
        let resource = ResourceIdentifier::parse(&format!("{origin}{path}"))?;
        let mut settings = Settings::new(resource, clock.clone());
        let mut trusted = trusted.clone();
        trusted.claims.tenant = Some("tid".to_owned());
        settings.issuers.push(trusted);
        settings.policy = policy;
        Ok(ResourceServer::new(settings))
    };
    let notes = server("/notes/mcp", notes()?)?;
    let mail = server("/mail/mcp", mail()?)?;
    // A layer protects what was routed before it: each server its own router, then both together.
    let app = Router::new().route("/notes/mcp", post(answer)).layer(notes.layer());
    let app = app.merge(Router::new().route("/mail/mcp", post(answer)).layer(mail.layer()));
    Ok(app.merge(metadata::router([&notes, &mail])))
}

fn notes() -> Result<Policy, Failure> {
    Ok(Policy {
        login: ScopeSet::parse("notes:read")?,
        tools: vec![Rule::scopes("write_*", ScopeSet::parse("notes:write")?), Rule::deny("debug")],
        ..Policy::default()
    })
}

fn mail() -> Result<Policy, Failure> {
    let send = Demand {
        scopes: ScopeSet::parse("mail:send")?,
        fresh: Some(Duration::from_secs(300)),
        ..Demand::default()
    };
    let send = Rule { pattern: "send".to_owned(), verdict: Verdict::Ask(send), place: "send".to_owned() };
    Ok(Policy {
        login: ScopeSet::parse("mail:read")?,
        required: ScopeSet::parse("mail:read")?,
        tenants: vec!["acme".to_owned()],
        tools: vec![send],
        ..Policy::default()
    })
}

async fn answer(caller: Caller, body: String) -> String {
    format!("{} may do that: {body}", caller.subject())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use hallpass_testkit::issuer::TestIssuer;
    use http::Request;
    use serde_json::json;
    use tower::ServiceExt;

    #[tokio::test]
    async fn each_has_its_own_policy_and_takes_its_own_tokens() {
        let origin = "https://mcp.example.com";
        let issuer = TestIssuer::new("https://login.example.com");
        let clock = Clock::new(|| SystemTime::now().into());
        let trusted = TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(issuer.keys()));
        let app = app(origin, &trusted, &clock).unwrap();
        let status = async |path: &str, audience: &str, tool: &str, more: serde_json::Value| {
            let mut claims =
                issuer.claims(&format!("{origin}{audience}"), "notes:read mail:read mail:send", clock.now());
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let body = json!({"id": 1, "method": "tools/call", "params": {"name": tool}}).to_string();
            let request =
                Request::post(path).header("authorization", format!("Bearer {}", issuer.sign(&claims)));
            app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status().as_u16()
        };
        let (notes, mail) = ("/notes/mcp", "/mail/mcp");
        let acme = json!({"tid": "acme"});
        let fresh = json!({"tid": "acme", "auth_time": clock.now()});
        for (path, audience, tool, more, expected) in [
            (notes, notes, "list", json!({}), 200),
            (notes, notes, "write_note", json!({}), 403),
            (notes, notes, "send", json!({}), 200),
            (mail, mail, "list", acme.clone(), 200),
            (mail, mail, "list", json!({}), 403),
            (mail, mail, "debug", acme.clone(), 200),
            (mail, mail, "send", acme.clone(), 401),
            (mail, mail, "send", fresh, 200),
            // A token for one is none for the other.
            (mail, notes, "list", acme.clone(), 401),
            (notes, mail, "list", acme, 401),
        ] {
            assert_eq!(
                status(path, audience, tool, more.clone()).await,
                expected,
                "{path} {audience} {tool} {more}"
            );
        }
        for path in [notes, mail] {
            let request = Request::get(format!("/.well-known/oauth-protected-resource{path}"));
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    }
}

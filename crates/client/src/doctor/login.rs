//! A real login, and requests with its token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::scope::ScopeSet;
use http::StatusCode;
use serde_json::Value;

use super::{
    answer::{Outcome, ask, tell},
    check::{ALL, Check, Judgement, SINCE_RESOURCE_METADATA, fault, ok, run, warning},
    evidence::message,
    report::{Finding, Group},
};
use crate::{Client, Error, Login, Revocation, error::printable};

/// What a login and its token came to. Tokens themselves are not kept here.
struct Experience {
    login: Result<Login, Error>,
    audience: Option<Audience>,
    expires: bool,
    refreshable: bool,
    needs_nobody: bool,
    refreshed: Option<Result<(), Error>>,
    call: Option<Outcome>,
    resource: String,
    revocation: Option<Revocation>,
}

enum Audience {
    Opaque,
    Named(Vec<String>),
}

const CHECKS: &[Check<Experience>] = &[
    Check {
        name: "login.done",
        sought: "a login: registration, authorization, code, token",
        source: "MCP \"Authorization Flow Steps\"; OAuth 2.1 §4.1",
        revisions: ALL,
        judge: login,
    },
    Check {
        name: "login.audience",
        sought: "the access token is for this server and no other",
        source: "RFC 8707 §2.2; MCP \"Token Audience Binding and Validation\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: audience,
    },
    Check {
        name: "login.lifetime",
        sought: "the token says when it ends",
        source: "RFC 6749 §5.1",
        revisions: ALL,
        judge: lifetime,
    },
    Check {
        name: "login.refresh",
        sought: "the refresh token brings a new access token",
        source: "RFC 6749 §6; MCP \"Refresh Tokens\"",
        revisions: ALL,
        judge: refresh,
    },
    Check {
        name: "login.call",
        sought: "an MCP request with the token is answered",
        source: "MCP \"Token Handling\"",
        revisions: ALL,
        judge: call,
    },
    Check {
        name: "login.revocation",
        sought: "the tokens can be revoked",
        source: "RFC 7009 §2",
        revisions: ALL,
        judge: revocation,
    },
];

/// Logs in, uses the token, and logs out again.
pub(super) async fn examine(client: &Client) -> Vec<Finding> {
    let login = client.login().await;
    let mut experience = Experience {
        login,
        audience: None,
        expires: false,
        refreshable: false,
        needs_nobody: client.needs_nobody(),
        refreshed: None,
        call: None,
        resource: client.server().to_string(),
        revocation: None,
    };
    if let Ok(Login::Done(account)) = &experience.login {
        experience.resource.clone_from(&account.resource);
        experience.expires = account.expires_at.is_some();
        experience.refreshable = account.refreshable;
        if experience.refreshable {
            experience.refreshed = Some(client.refresh_now().await);
        }
        if let Ok(token) = client.token().await {
            experience.audience = Some(audience_of(token.token.expose()));
        }
        experience.call = Some(first_call(client).await);
        let ended = client.logout().await.ok().and_then(|ended| ended.into_iter().next());
        experience.revocation = ended.map(|ended| ended.revocation);
    }
    run(Group::Login, CHECKS, &experience)
}

/// `initialize`, or where the server is stateless, a request that stands alone.
async fn first_call(client: &Client) -> Outcome {
    let url = client.server().url();
    let mut outcome = Err("nothing was sent".to_owned());
    for (version, body) in [
        (
            None,
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"hallpass doctor","version":"1"}}}"#,
        ),
        (
            Some("2026-07-28"),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"hallpass doctor","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
    ] {
        let mut request = message(url, body);
        if let Some(version) = version {
            request.headers_mut().insert("mcp-protocol-version", http::HeaderValue::from_static(version));
            request.headers_mut().insert("mcp-method", http::HeaderValue::from_static("tools/list"));
        }
        outcome = match client.authorized(request).await {
            Ok(request) => ask(client, request).await,
            Err(error) => Err(error.to_string()),
        };
        if outcome.as_ref().is_ok_and(|answer| answer.status.is_success()) {
            break;
        }
    }
    outcome
}

/// `aud` of a token in JWT form (RFC 9068 §2.2). A client does not verify it: it is the server's to judge.
fn audience_of(token: &str) -> Audience {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
    let single = std::slice::from_ref(&claims["aud"]);
    let named = claims["aud"].as_array().map_or(single, Vec::as_slice);
    let named: Vec<_> = named.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if named.is_empty() { Audience::Opaque } else { Audience::Named(named) }
}

fn login(experience: &Experience) -> Option<Judgement> {
    match &experience.login {
        Ok(Login::Done(account)) => ok(format!(
            "logged in at {} as client {}, scopes: {}",
            printable(&account.issuer),
            printable(&account.client_id),
            granted(&account.scopes)
        )),
        Ok(Login::NotNeeded) => ok("the server asks for no login"),
        Err(error) => fault(error.to_string(), "the message names the step and the rule; mend that"),
    }
}

fn granted(scopes: &ScopeSet) -> String {
    if scopes.is_empty() { "none named".into() } else { printable(&scopes.to_string()) }
}

fn audience(experience: &Experience) -> Option<Judgement> {
    match experience.audience.as_ref()? {
        Audience::Opaque => ok("the token is opaque; only the server can tell"),
        Audience::Named(names) if names.contains(&experience.resource) => ok(printable(&names.join(", "))),
        Audience::Named(names) => warning(
            format!("`{}`", printable(&names.join(", "))),
            format!(
                "issue tokens for `{}`: one for another audience can be spent elsewhere",
                experience.resource
            ),
        ),
    }
}

fn lifetime(experience: &Experience) -> Option<Judgement> {
    experience.audience.as_ref()?;
    if experience.expires {
        return ok("expires_in");
    }
    warning("no `expires_in`", "send it, so that clients renew the token before a request fails")
}

fn refresh(experience: &Experience) -> Option<Judgement> {
    experience.audience.as_ref()?;
    match &experience.refreshed {
        // RFC 6749 §4.4.3.
        None if experience.needs_nobody => {
            ok("none, and none is due: this client needs nobody to log in anew")
        }
        None => {
            warning("no refresh token was issued", "issue one, or people log in each time the token ends")
        }
        Some(Ok(())) => ok("a new access token"),
        Some(Err(error)) => fault(error.to_string(), "accept the refresh token that was just issued"),
    }
}

fn call(experience: &Experience) -> Option<Judgement> {
    let outcome = experience.call.as_ref()?;
    match outcome {
        Ok(answer) if answer.status.is_success() => ok(answer.status.to_string()),
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => fault(
            "401 Unauthorized for a token that was just issued",
            "see that the server trusts this issuer, and that audience and clock are right",
        ),
        outcome => fault(tell(outcome), "the token was taken; see why the server did not answer"),
    }
}

fn revocation(experience: &Experience) -> Option<Judgement> {
    match experience.revocation.as_ref()? {
        Revocation::Done => ok("revoked"),
        // RFC 7009 §2 asks for refresh tokens, and only recommends access tokens.
        Revocation::RefreshTokenOnly => ok("the refresh token; access tokens work until they end"),
        Revocation::NotOffered => warning(
            "no revocation endpoint for these tokens",
            "offer one: a lost token works until it ends otherwise",
        ),
        Revocation::Failed(error) => fault(error.to_string(), "let clients revoke their own tokens"),
    }
}

//! GitHub's OAuth apps.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Quirk, Rule, refused};

/// The provider.
pub const GITHUB: Behaviour = Behaviour {
    name: "github",
    issuer: "/login/oauth",
    // Path-inserted, as RFC 8414 has it, and as OpenID Connect Discovery has it; a preview, for clients of MCP.
    // https://docs.github.com/en/apps/github-authentication-discovery-endpoints
    documents: &[
        "/.well-known/oauth-authorization-server/login/oauth",
        "/login/oauth/.well-known/openid-configuration",
    ],
    typ: "",
    subject: "583231",
    quirks: &[
        Quirk {
            name: "registers nobody",
            source: "https://github.com/github/github-mcp-server/issues/2532",
            rule: Rule::Metadata(|members, _| drop(members.remove("registration_endpoint"))),
        },
        Quirk {
            name: "signs nothing, and promises neither `iss` nor public clients",
            source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
            rule: Rule::Metadata(|members, _| {
                for member in
                    ["jwks_uri", "authorization_response_iss_parameter_supported", "scopes_supported"]
                {
                    members.remove(member);
                }
                members.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
            }),
        },
        Quirk {
            name: "takes S256 and no other method",
            source: "https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication",
            rule: Rule::Authorization(|request| {
                let method = request.get("code_challenge_method").map(String::as_str);
                let other = request.contains_key("code_challenge") && method != Some("S256");
                refused(other, "invalid_request", "the code challenge method is not supported")
            }),
        },
        Quirk {
            name: "access tokens are opaque",
            source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats",
            rule: Rule::Opaque(|_| true),
        },
        Quirk {
            name: "the tokens of an OAuth app do not end and are not refreshed; scopes are parted by commas",
            source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/differences-between-github-apps-and-oauth-apps#token-based-identification",
            rule: Rule::Answer(|grant, members| {
                members.remove("refresh_token");
                members.remove("expires_in");
                members.insert("scope".into(), json!(grant.asked("scope").replace(' ', ",")));
                members.insert("token_type".into(), json!("bearer"));
            }),
        },
        Quirk {
            name: "answers with a form, unless JSON is asked for",
            source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#2-users-are-redirected-back-to-your-site-by-github",
            rule: Rule::FormEncoded,
        },
        Quirk {
            name: "refuses with 200",
            source: "https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
            rule: Rule::RefusesWith200,
        },
        Quirk {
            name: "wants the secret, with PKCE, too",
            source: "https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication",
            rule: Rule::NeedsSecret,
        },
    ],
};

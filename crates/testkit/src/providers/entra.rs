//! Microsoft Entra ID, the v2.0 endpoints of one tenant.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Form, Quirk, Rule, refused};

/// The tenant.
pub const TENANT: &str = "3f0c7a52-8d55-4f0e-9d1f-0a4c3f6f2b11";

/// What the API that stands for the MCP server is called, and its client id.
const API: &str = "api://notes/";
const API_CLIENT: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// It is taken where it is the API that the scopes are of: https://github.com/microsoft/azure-devops-mcp/issues/1601
fn is_for_another(request: &Form) -> bool {
    request.get("resource").is_some_and(|resource| !API.starts_with(resource))
}

/// The provider.
pub const ENTRA: Behaviour = Behaviour {
    name: "entra",
    issuer: "/3f0c7a52-8d55-4f0e-9d1f-0a4c3f6f2b11/v2.0",
    documents: &["/3f0c7a52-8d55-4f0e-9d1f-0a4c3f6f2b11/v2.0/.well-known/openid-configuration"],
    typ: "JWT",
    subject: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    quirks: &[
        Quirk {
            name: "registers nobody",
            source: "https://github.com/microsoft/azure-devops-mcp/issues/1511",
            rule: Rule::Metadata(|members, _| drop(members.remove("registration_endpoint"))),
        },
        Quirk {
            name: "does not announce S256",
            source: "https://github.com/modelcontextprotocol/typescript-sdk/issues/832",
            rule: Rule::Metadata(|members, _| drop(members.remove("code_challenge_methods_supported"))),
        },
        Quirk {
            name: "sends no `iss`",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow#successful-response",
            rule: Rule::Metadata(|members, _| {
                drop(members.remove("authorization_response_iss_parameter_supported"));
            }),
        },
        Quirk {
            name: "names no public clients",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc#sample-response",
            rule: Rule::Metadata(|members, _| {
                let methods = json!(["client_secret_post", "private_key_jwt", "client_secret_basic"]);
                members.insert("token_endpoint_auth_methods_supported".into(), methods);
                drop(members.remove("grant_types_supported"));
            }),
        },
        Quirk {
            name: "refuses `resource` beside a scope, at the authorization endpoint",
            source: "https://github.com/punkpeye/mcp-remote/issues/217",
            rule: Rule::Authorization(|request| {
                let says = "AADSTS9010010: The resource parameter does not match with the requested scopes.";
                refused(is_for_another(request), "invalid_target", says)
            }),
        },
        Quirk {
            name: "refuses `resource` beside a scope, at the token endpoint",
            source: "https://github.com/anthropics/claude-code/issues/73460",
            rule: Rule::Token(|form| {
                let says = "AADSTS9010010: The resource parameter does not match with the requested scopes.";
                refused(is_for_another(form), "invalid_target", says)
            }),
        },
        Quirk {
            name: "takes a scope without its API for one of Microsoft Graph",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc, https://github.com/anthropics/claude-code/issues/73460 (AADSTS650053)",
            rule: Rule::Authorization(|request| {
                let known = ["openid", "profile", "email", "offline_access"];
                let scopes = request.get("scope").map_or("", String::as_str).split(' ');
                let strange = scopes.filter(|scope| !scope.is_empty() && !known.contains(scope));
                let says =
                    "AADSTS650053: The application asked for a scope that doesn't exist on the resource.";
                refused(strange.into_iter().any(|scope| !scope.starts_with(API)), "invalid_client", says)
            }),
        },
        Quirk {
            name: "refuses `.default` beside other scopes of an API",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc#the-default-scope",
            rule: Rule::Authorization(|request| {
                let scopes = request.get("scope").map_or("", String::as_str).split(' ');
                let of_api: Vec<_> = scopes.filter(|scope| scope.starts_with(API)).collect();
                let mixed = of_api.len() > 1 && of_api.iter().any(|scope| scope.ends_with("/.default"));
                let says = "AADSTS70011: .default scope can't be combined with resource-specific scopes.";
                refused(mixed, "invalid_request", says)
            }),
        },
        Quirk {
            name: "wants `scope` with a refresh",
            source: "https://github.com/modelcontextprotocol/typescript-sdk/issues/2718 (AADSTS90009)",
            rule: Rule::Token(|form| {
                let refreshes = form.get("grant_type").is_some_and(|grant| grant == "refresh_token");
                let says = "AADSTS90009: The application is requesting a token for itself.";
                refused(refreshes && !form.contains_key("scope"), "invalid_resource", says)
            }),
        },
        Quirk {
            name: "gives a refresh token for `offline_access` alone",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc#the-offline_access-scope",
            rule: Rule::Answer(|grant, members| {
                if !grant.has_scope("offline_access") {
                    members.remove("refresh_token");
                }
            }),
        },
        Quirk {
            name: "writes the API's client id as the audience, `scp` without the API's name, no `jti`",
            source: "https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference",
            rule: Rule::Claims(|grant, members| {
                let words = grant.asked("scope").split(' ').filter_map(|scope| scope.strip_prefix(API));
                let scp = words.collect::<Vec<_>>().join(" ");
                let claims = json!({
                    "aud": API_CLIENT, "azp": grant.asked("client_id"), "scp": scp, "tid": TENANT,
                    "oid": "00000000-0000-0000-66f3-3332eca7ea81", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
                });
                members.extend(claims.as_object().cloned().unwrap_or_default());
            }),
        },
    ],
};

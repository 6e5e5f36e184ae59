//! Okta, its custom authorization server `default`.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Quirk, Rule, refused};

/// The provider.
pub const OKTA: Behaviour = Behaviour {
    name: "okta",
    issuer: "/oauth2/default",
    // Both below the issuer: https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/CustomAS/
    documents: &[
        "/oauth2/default/.well-known/openid-configuration",
        "/oauth2/default/.well-known/oauth-authorization-server",
    ],
    typ: "",
    subject: "ada@acme.example",
    quirks: &[
        Quirk {
            name: "its registration endpoint is for administrators",
            source: "https://github.com/modelcontextprotocol/modelcontextprotocol/issues/695",
            rule: Rule::Registration(|_| {
                refused(true, "E0000005", "Invalid session: an API token is needed.")
            }),
        },
        Quirk {
            name: "does not announce `iss`",
            source: "https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/CustomAS/",
            rule: Rule::Metadata(|members, _| {
                drop(members.remove("authorization_response_iss_parameter_supported"));
            }),
        },
        Quirk {
            name: "refuses scopes that the authorization server does not have",
            source: "https://developer.okta.com/docs/guides/customize-authz-server/main/#create-scopes",
            rule: Rule::Authorization(|request| {
                let known = ["openid", "profile", "email", "offline_access", "notes:read"];
                let scopes = request.get("scope").map_or("", String::as_str).split(' ');
                let strange = scopes.filter(|scope| !scope.is_empty()).any(|scope| !known.contains(&scope));
                let says = "One or more scopes are not configured for the authorization server resource.";
                refused(strange, "invalid_scope", says)
            }),
        },
        Quirk {
            name: "gives a refresh token for `offline_access` alone",
            source: "https://developer.okta.com/docs/guides/refresh-tokens/main/#get-a-refresh-token",
            rule: Rule::Answer(|grant, members| {
                if !grant.has_scope("offline_access") {
                    members.remove("refresh_token");
                }
            }),
        },
        Quirk {
            name: "writes the authorization server's own audience, a list in `scp`, and `cid`",
            source: "https://developer.okta.com/docs/reference/api/oidc/#access-token",
            rule: Rule::Claims(|grant, members| {
                let scp: Vec<_> = grant.asked("scope").split(' ').filter(|scope| !scope.is_empty()).collect();
                let claims = json!({
                    "aud": "api://default", "cid": grant.asked("client_id"), "scp": scp, "uid": "00u1",
                    "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "ver": 1,
                });
                members.extend(claims.as_object().cloned().unwrap_or_default());
            }),
        },
    ],
};

//! Auth0, with dynamic registration switched on and without the Resource Parameter Compatibility Profile.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Grant, Quirk, Rule};

/// Without an audience the token is for `/userinfo` alone.
fn is_for_userinfo(grant: &Grant<'_>) -> bool {
    grant.asked("audience").is_empty()
}

/// The provider.
pub const AUTH0: Behaviour = Behaviour {
    name: "auth0",
    // The slash belongs to it: https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles (`iss`)
    issuer: "/",
    documents: &["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"],
    typ: "JWT",
    subject: "auth0|6553da60a54af58e29493993",
    quirks: &[
        Quirk {
            name: "does not announce `iss`",
            source: "https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery",
            rule: Rule::Metadata(|members, _| {
                drop(members.remove("authorization_response_iss_parameter_supported"));
            }),
        },
        Quirk {
            name: "without `audience` the token is opaque; `resource` is none of the parameters",
            source: "https://auth0.com/docs/secure/tokens/access-tokens#opaque-access-tokens, https://auth0.com/ai/docs/mcp/guides/resource-param-compatibility-profile",
            rule: Rule::Opaque(is_for_userinfo),
        },
        Quirk {
            name: "writes `azp` and no `jti`, and `/userinfo` as a second audience for `openid`",
            source: "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles",
            rule: Rule::Claims(|grant, members| {
                let audience = match grant.has_scope("openid") {
                    true => json!([grant.asked("audience"), format!("{}/userinfo", grant.origin)]),
                    false => json!(grant.asked("audience")),
                };
                let claims =
                    json!({"aud": audience, "azp": grant.asked("client_id"), "scope": grant.asked("scope")});
                members.extend(claims.as_object().cloned().unwrap_or_default());
            }),
        },
        Quirk {
            name: "gives a refresh token for `offline_access` alone",
            source: "https://auth0.com/docs/secure/tokens/refresh-tokens/get-refresh-tokens",
            rule: Rule::Answer(|grant, members| {
                if !grant.has_scope("offline_access") {
                    members.remove("refresh_token");
                }
            }),
        },
    ],
};

//! Keycloak, one realm as it is made, with an audience mapper in the client scope `notes:read`.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Quirk, Rule, refused};

/// The provider.
pub const KEYCLOAK: Behaviour = Behaviour {
    name: "keycloak",
    issuer: "/realms/staff",
    documents: &[
        "/realms/staff/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/realms/staff",
    ],
    typ: "JWT",
    subject: "f3a1c0de-8d55-4f0e-9d1f-0a4c3f6f2b11",
    quirks: &[
        Quirk {
            name: "registers nobody from a host that is not trusted",
            source: "https://www.keycloak.org/securing-apps/client-registration#_client_registration_policies",
            rule: Rule::Registration(|_| {
                let says = "Policy 'Trusted Hosts' rejected request to client-registration service.";
                refused(true, "insufficient_scope", says)
            }),
        },
        Quirk {
            name: "ignores `resource`: the audience is `account`, and what a mapper of a scope adds",
            source: "https://www.keycloak.org/securing-apps/mcp-authz-server, https://www.keycloak.org/docs/latest/server_admin/#_audience",
            rule: Rule::Claims(|grant, members| {
                let mapped = grant.has_scope("notes:read");
                let audience =
                    if mapped { json!(["https://notes.example", "account"]) } else { json!("account") };
                members.insert("aud".into(), audience);
            }),
        },
        Quirk {
            name: "tells its tokens apart by the claim `typ`, and has `azp`",
            source: "https://github.com/keycloak/keycloak/blob/main/core/src/main/java/org/keycloak/util/TokenUtil.java",
            rule: Rule::Claims(|grant, members| {
                let claims = json!({
                    "typ": "Bearer", "azp": grant.asked("client_id"), "scope": grant.asked("scope"),
                    "jti": "onrtac:0d4a1a4e-0d6c-4ef6-8a3a-5d4b2d6b8a0e", "sid": "5d4b2d6b",
                });
                members.extend(claims.as_object().cloned().unwrap_or_default());
            }),
        },
    ],
};

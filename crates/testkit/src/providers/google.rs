//! Google's accounts.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Quirk, Rule};

/// The provider.
pub const GOOGLE: Behaviour = Behaviour {
    name: "google",
    issuer: "",
    documents: &["/.well-known/openid-configuration"],
    typ: "JWT",
    subject: "110169484474386276334",
    quirks: &[
        Quirk {
            name: "registers nobody",
            source: "https://github.com/github/copilot-cli/issues/4606",
            rule: Rule::Metadata(|members, _| drop(members.remove("registration_endpoint"))),
        },
        Quirk {
            name: "its metadata: no public clients, no `iss`, no `offline_access`",
            source: "https://developers.google.com/identity/openid-connect/openid-connect#discovery",
            rule: Rule::Metadata(|members, _| {
                drop(members.remove("authorization_response_iss_parameter_supported"));
                let methods = json!(["client_secret_post", "client_secret_basic"]);
                members.insert("token_endpoint_auth_methods_supported".into(), methods);
                members.insert("scopes_supported".into(), json!(["openid", "email", "profile"]));
                members.insert("code_challenge_methods_supported".into(), json!(["plain", "S256"]));
            }),
        },
        Quirk {
            name: "access tokens are opaque, and `resource` is no parameter",
            source: "https://cloud.google.com/docs/authentication/token-types#access",
            rule: Rule::Opaque(|_| true),
        },
        Quirk {
            name: "gives a refresh token for `access_type=offline` alone, and at a later login for `prompt=consent`",
            source: "https://developers.google.com/identity/protocols/oauth2/web-server#creatingclient",
            rule: Rule::Answer(|grant, members| {
                if grant.asked("access_type") != "offline" || grant.asked("prompt") != "consent" {
                    members.remove("refresh_token");
                }
            }),
        },
        Quirk {
            name: "a refresh token is good again and again, and a refresh brings no other one",
            source: "https://developers.google.com/identity/protocols/oauth2/web-server#offline",
            rule: Rule::KeepsRefreshTokens,
        },
        Quirk {
            name: "has a place to revoke at, for either token",
            source: "https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke",
            rule: Rule::Metadata(|members, origin| {
                members.insert("revocation_endpoint".into(), json!(format!("{origin}/revoke")));
            }),
        },
        Quirk {
            name: "wants the secret, of an installed application, too",
            source: "https://developers.google.com/identity/protocols/oauth2/native-app#exchange-authorization-code",
            rule: Rule::NeedsSecret,
        },
    ],
};

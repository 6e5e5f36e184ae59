//! Amazon Cognito, a user pool of the Essentials plan with a resource server of the MCP server's URL.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Quirk, Rule};

/// The provider.
pub const COGNITO: Behaviour = Behaviour {
    name: "cognito",
    issuer: "/eu-west-1_AbCdEfGhI",
    documents: &["/eu-west-1_AbCdEfGhI/.well-known/openid-configuration"],
    typ: "",
    subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    quirks: &[
        Quirk {
            name: "registers nobody",
            source: "https://github.com/aws-samples/sample-spec-driven-presentation-maker/pull/83",
            rule: Rule::Metadata(|members, _| drop(members.remove("registration_endpoint"))),
        },
        Quirk {
            name: "does not announce S256",
            source: "https://github.com/empires-security/mcp-oauth2-aws-cognito/issues/9",
            rule: Rule::Metadata(|members, _| drop(members.remove("code_challenge_methods_supported"))),
        },
        Quirk {
            name: "the endpoints are at another host than the issuer; no `iss`, no grants, no public clients in the metadata",
            source: "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html",
            rule: Rule::Metadata(|members, origin| {
                let domain = origin.replace("127.0.0.1", "localhost");
                members.insert("authorization_endpoint".into(), json!(format!("{domain}/authorize")));
                members.insert("token_endpoint".into(), json!(format!("{domain}/token")));
                members.insert(
                    "token_endpoint_auth_methods_supported".into(),
                    json!(["client_secret_basic", "client_secret_post"]),
                );
                members.insert("scopes_supported".into(), json!(["openid", "email", "phone", "profile"]));
                members.remove("grant_types_supported");
                members.remove("authorization_response_iss_parameter_supported");
            }),
        },
        Quirk {
            name: "no audience, unless `resource` names a resource server",
            source: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html",
            rule: Rule::Claims(|grant, members| {
                if grant.request.contains_key("resource") {
                    members.insert("aud".into(), json!(grant.asked("resource")));
                }
            }),
        },
        Quirk {
            name: "tells its tokens apart by `token_use`",
            source: "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html",
            rule: Rule::Claims(|grant, members| {
                let claims = json!({
                    "token_use": "access", "client_id": grant.asked("client_id"), "scope": grant.asked("scope"),
                    "version": 2, "username": "ada", "jti": "aaaaaaaa-0000-4000-8000-eeeeeeeeeeee",
                    "auth_time": 1_700_000_000,
                });
                members.extend(claims.as_object().cloned().unwrap_or_default());
            }),
        },
        Quirk {
            name: "compares callback URLs with their port",
            source: "https://github.com/agentmuxai/agentmux/pull/1806",
            rule: Rule::ExactPort,
        },
    ],
};

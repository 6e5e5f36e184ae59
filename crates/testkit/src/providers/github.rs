//! GitHub's OAuth apps, and its GitHub Apps.

use serde_json::json;

use super::Behaviour;
use super::quirk::{Form, Quirk, Refused, Rule, refused};

// Path-inserted, as RFC 8414 has it, and as OpenID Connect Discovery has it; a preview, for clients of MCP.
// https://docs.github.com/en/apps/github-authentication-discovery-endpoints
const DOCUMENTS: &[&str] =
    &["/.well-known/oauth-authorization-server/login/oauth", "/login/oauth/.well-known/openid-configuration"];

/// The provider, as an OAuth app meets it.
pub const GITHUB: Behaviour = Behaviour {
    name: "github",
    issuer: "/login/oauth",
    documents: DOCUMENTS,
    typ: "",
    subject: "583231",
    quirks: &[
        REGISTERS_NOBODY,
        SIGNS_NOTHING,
        TAKES_S256,
        OPAQUE,
        LASTS,
        FORM_ENCODED,
        REFUSES_WITH_200,
        CALLS,
        NEEDS_SECRET,
    ],
};

/// The same, as a GitHub App meets it whose user tokens end.
pub const GITHUB_APP: Behaviour = Behaviour {
    name: "github",
    issuer: "/login/oauth",
    documents: DOCUMENTS,
    typ: "",
    subject: "583231",
    quirks: &[
        REGISTERS_NOBODY,
        SIGNS_NOTHING,
        TAKES_S256,
        OPAQUE,
        ENDS,
        FORM_ENCODED,
        REFUSES_WITH_200,
        CALLS,
        NEEDS_SECRET,
    ],
};

const REGISTERS_NOBODY: Quirk = Quirk {
    name: "registers nobody",
    source: "https://github.com/github/github-mcp-server/issues/2532",
    rule: Rule::Metadata(|members, _| drop(members.remove("registration_endpoint"))),
};

const SIGNS_NOTHING: Quirk = Quirk {
    name: "signs nothing, and promises neither `iss` nor public clients",
    source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
    rule: Rule::Metadata(|members, _| {
        for member in ["jwks_uri", "authorization_response_iss_parameter_supported", "scopes_supported"] {
            members.remove(member);
        }
        members.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
    }),
};

const TAKES_S256: Quirk = Quirk {
    name: "takes S256 and no other method",
    source: "https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication",
    rule: Rule::Authorization(|request| {
        let method = request.get("code_challenge_method").map(String::as_str);
        let other = request.contains_key("code_challenge") && method != Some("S256");
        refused(other, "invalid_request", "the code challenge method is not supported")
    }),
};

const OPAQUE: Quirk = Quirk {
    name: "access tokens are opaque",
    source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats",
    rule: Rule::Opaque(|_| true),
};

const LASTS: Quirk = Quirk {
    name: "the tokens of an OAuth app do not end and are not refreshed; scopes are parted by commas",
    source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/differences-between-github-apps-and-oauth-apps#token-based-identification",
    rule: Rule::Answer(|grant, members| {
        members.remove("refresh_token");
        members.remove("expires_in");
        members.insert("scope".into(), json!(grant.asked("scope").replace(' ', ",")));
        members.insert("token_type".into(), json!("bearer"));
    }),
};

const ENDS: Quirk = Quirk {
    name: "a user's token ends after eight hours; the refresh token is good once, for six months; no scopes",
    source: "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens",
    rule: Rule::Answer(|_, members| {
        members.insert("expires_in".into(), json!(28_800));
        members.insert("refresh_token_expires_in".into(), json!(15_897_600));
        members.insert("scope".into(), json!(""));
        members.insert("token_type".into(), json!("bearer"));
    }),
};

const FORM_ENCODED: Quirk = Quirk {
    name: "answers with a form, unless JSON is asked for",
    source: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#2-users-are-redirected-back-to-your-site-by-github",
    rule: Rule::FormEncoded,
};

const REFUSES_WITH_200: Quirk = Quirk {
    name: "refuses with 200",
    source: "https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
    rule: Rule::RefusesWith200,
};

const CALLS: Quirk = Quirk {
    name: "has names of its own for its refusals",
    source: "https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
    rule: Rule::Calls(own_name),
};

fn own_name(refused: Refused, form: &Form) -> Refused {
    let refreshes = form.get("grant_type").is_some_and(|grant| grant == "refresh_token");
    let error = match refused.error {
        "invalid_client" => "incorrect_client_credentials",
        "invalid_grant" if refreshes => "bad_refresh_token",
        "invalid_grant" => "bad_verification_code",
        other => other,
    };
    Refused { error, ..refused }
}

const NEEDS_SECRET: Quirk = Quirk {
    name: "wants the secret, with PKCE, too",
    source: "https://github.blog/changelog/2025-07-14-pkce-support-for-oauth-and-github-app-authentication",
    rule: Rule::NeedsSecret,
};

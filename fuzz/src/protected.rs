//! A resource server that trusts one issuer, and has rules for tools.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_protocol::{Issuer, ScopeSet};
use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{
    Caller, Keys, Permitted, Policy, Refusal, ResourceServer, Settings, TrustedIssuer,
};
use http::Request;

use crate::keys::{self, NOW};

/// Who it is.
pub const RESOURCE: &str = "https://mcp.example.com/mcp";
/// Whom it trusts.
pub const ISSUER: &str = "https://auth.example.com";

/// A good token.
pub static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let claims = format!(
        r#"{{"iss":"{ISSUER}","sub":"alice","aud":"{RESOURCE}","client_id":"c","iat":{NOW},"exp":{},"jti":"1","scope":"notes:read"}}"#,
        NOW + 300
    );
    keys::sign(br#"{"alg":"EdDSA","typ":"at+jwt","kid":"rfc8037"}"#, claims.as_bytes())
});

/// Its settings: logins ask for `notes:read`, `debug` is nobody's, `purge` needs more than [`TOKEN`] has.
#[must_use]
pub fn settings() -> Settings {
    let scopes = |text: &str| ScopeSet::parse(text).expect("scopes");
    let rules = || vec![Rule::deny("debug"), Rule::scopes("purge", scopes("notes:admin"))];
    let resource = ResourceIdentifier::parse(RESOURCE).expect("a resource");
    let mut settings = Settings::new(resource, Clock::new(|| Timestamp::from_unix(NOW)));
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    settings.issuers.push(TrustedIssuer::new(issuer, Keys::fixed(keys::verifying())));
    settings.leeway = Duration::ZERO;
    settings.remembered_tokens = 16;
    settings.policy = Policy {
        login: scopes("notes:read"),
        required: scopes("notes:read"),
        tools: rules(),
        prompts: rules(),
        resources: rules(),
        ..Policy::default()
    };
    settings
}

/// The server, the same for all inputs.
pub fn server() -> &'static ResourceServer {
    static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| ResourceServer::new(settings()));
    &SERVER
}

/// Who has [`TOKEN`].
pub fn caller() -> &'static Caller {
    static CALLER: LazyLock<Caller> =
        LazyLock::new(|| server().verify(&TOKEN).expect("a good token").caller().clone());
    &CALLER
}

/// What becomes of a request. Everything is at hand, so there is nothing to wait for.
///
/// # Errors
/// The rule that it broke.
///
/// # Panics
/// Where something is waited for after all.
pub fn admit(server: &ResourceServer, request: Request<Body>) -> Result<Permitted<Request<Body>>, Refusal> {
    server.admit(request).now_or_never().expect("nothing to wait for")
}

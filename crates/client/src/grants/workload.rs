//! A platform's word for a program (SEP-1933, RFC 7523 §2.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::{json, secret::Secret};
use serde_json::Value;

use crate::{
    error::{Error, Rule, Step},
    mode::WorkloadIdentity,
};

/// The assertion as it is now, if it is for this authorization server.
///
/// RFC 7523 §3 has the authorization server check the audience. It is checked here as well, because a wrong
/// server would not: an MCP server that names an authorization server of its own could collect assertions, and
/// use them where they are good.
pub(super) async fn assertion(
    mode: &WorkloadIdentity,
    issuer: &str,
    endpoint: &str,
) -> Result<Secret, Error> {
    let misconfigured = |rule| Error::Misconfigured { step: Step::Redeem, url: endpoint.to_owned(), rule };
    let assertion = mode.assertion.read().await.map_err(misconfigured)?;
    // A published token endpoint may be anyone's, so it counts as an audience only on the issuer's own origin.
    let own_endpoint = url::Url::parse(endpoint)
        .ok()
        .filter(|endpoint| url::Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == endpoint.origin()));
    let is_meant = |audience: &str| {
        without_slash(audience) == without_slash(issuer)
            || own_endpoint.as_ref().is_some_and(|endpoint| endpoint.as_str() == audience)
    };
    if audiences(&assertion).iter().any(|audience| is_meant(audience)) {
        return Ok(assertion);
    }
    Err(misconfigured(Rule::ForeignAssertion { place: mode.assertion.to_string() }))
}

/// Platforms and servers disagree about one slash at the end, and it names nobody else.
fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

/// The `aud` of a JWT, of which nothing is proven and nothing needs to be: it decides only not to send.
fn audiences(jwt: &Secret) -> Vec<String> {
    let claims = jwt.expose().split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| json::from_slice_unique(&claims).ok());
    match claims.as_ref().and_then(|claims| claims.get("aud")) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => {
            several.iter().filter_map(|aud| aud.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::{issuer::Issuer, scope::ScopeSet};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        mode::{ClientAuthentication, MachineClient},
        secret_source::SecretSource,
    };

    fn jwt(claims: &Value) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }

    async fn is_sent(assertion: Secret, issuer: &str, endpoint: &str) -> bool {
        let mode = WorkloadIdentity {
            client: MachineClient { client_id: "w".into(), authentication: ClientAuthentication::None },
            assertion: SecretSource::Value(assertion),
            issuer: None::<Issuer>,
            scope: None::<ScopeSet>,
        };
        super::assertion(&mode, issuer, endpoint).await.is_ok()
    }

    #[tokio::test]
    async fn an_assertion_goes_only_to_whom_it_names() {
        let (issuer, endpoint) = ("https://as.example", "https://as.example/token");
        for aud in [json!(issuer), json!("https://as.example/"), json!(endpoint), json!(["x", issuer])] {
            assert!(is_sent(jwt(&json!({ "aud": aud })), issuer, endpoint).await, "{aud}");
        }
        for aud in
            [json!("https://real.example"), json!([]), json!(null), json!("https://as.example//"), json!("")]
        {
            assert!(!is_sent(jwt(&json!({ "aud": aud })), issuer, endpoint).await, "{aud}");
        }
        assert!(!is_sent(Secret::new("opaque"), issuer, endpoint).await);
        let stolen = "https://real.example/token";
        assert!(!is_sent(jwt(&json!({ "aud": stolen })), "https://evil.example", stolen).await);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,60}", claims in "\\PC{0,60}") {
            audiences(&Secret::new(text));
            audiences(&Secret::new(format!("a.{}.b", URL_SAFE_NO_PAD.encode(claims))));
        }
    }
}

//! What is taken from a request before it goes on, and what upstream is told instead.

use std::borrow::Cow;
use std::fmt::Write;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT,
};

/// Who is calling, under a name that nobody else has ([`Caller::principal`]).
pub const SUBJECT: HeaderName = HeaderName::from_static("x-hallpass-subject");
/// Who says so: the token's `iss`; this server's own resource identifier for its own accounts.
pub const ISSUER: HeaderName = HeaderName::from_static("x-hallpass-issuer");
/// Through which client: the token's `client_id`.
pub const CLIENT: HeaderName = HeaderName::from_static("x-hallpass-client");
/// The user's address, where the issuer says that it verified it (OpenID Connect Core §5.1).
pub const EMAIL: HeaderName = HeaderName::from_static("x-hallpass-email");
/// What the request is called, where a log says it, too.
pub const REQUEST: HeaderName = HeaderName::from_static("x-hallpass-request");
/// What was granted: the token's `scope`.
pub const SCOPE: HeaderName = HeaderName::from_static("x-hallpass-scope");

/// Whether upstream may have what a client says in this field: no credential, no word about who is calling, nothing that is for
/// one hop only. `named` is what the client's [`Connection`](named_by_connection) names.
pub(super) fn is_for_upstream(name: &HeaderName, named: &[HeaderName]) -> bool {
    // Every request has these, and each is known by a number.
    if matches!(*name, ACCEPT | ACCEPT_ENCODING | ACCEPT_LANGUAGE | CONTENT_TYPE | USER_AGENT) {
        return !named.contains(name);
    }
    !is_hop_by_hop(name, named) && !is_credential(name) && !is_identity(name)
}

/// RFC 9110 §7.6.1: what holds for one connection only, with what its `Connection` names; and what older programs treat in the
/// same way.
pub(super) fn is_hop_by_hop(name: &HeaderName, named: &[HeaderName]) -> bool {
    let always = matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            // No field of HTTP: CGI and its heirs take it for the variable HTTP_PROXY (CVE-2016-5385).
            | "proxy"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    );
    always || named.contains(name)
}

/// Upstream never gets the caller's own (MCP "Access Token Privilege Restriction").
fn is_credential(name: &HeaderName) -> bool {
    matches!(name.as_str(), "authorization" | "cookie" | "dpop" | "proxy-authorization")
}

/// The fields that `Connection` names.
pub(super) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let fields = headers.get_all(CONNECTION).iter();
    // A value may have bytes beside ASCII (RFC 9110 §5.5); what it names beside them is named all the same.
    fields
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

/// Takes fields away, and leaves the others in their order: `HeaderMap::remove` moves the last one into the gap.
pub(crate) fn keep_fields(headers: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    if headers.keys().all(&keep) {
        return;
    }
    let fields = std::mem::take(headers);
    headers.reserve(fields.len());
    let mut last = None;
    for (name, value) in fields {
        // A field that comes again has no name here.
        last = name.or(last);
        if let Some(name) = last.as_ref().filter(|name| keep(name)) {
            headers.append(name, value);
        }
    }
}

/// What programs behind a proxy take for a word about who is calling, or from where: hallpass's own
/// fields, and those of proxies that may have stood here before. From a client none of them is true.
/// Last, what programs take for the method of a request: what was judged is what is done. Each stands
/// for all names that begin with it.
const IDENTITY: [&str; 45] = [
    "x-hallpass",
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
    "x-azure-socketip",
    "true-client-ip",
    "fastly-client-ip",
    "cf-connecting-ip",
    "do-connecting-ip",
    "x-original-",
    "x-envoy-original-",
    "x-rewrite-url",
    "x-auth-",
    "x-authenticated-",
    "x-authentik-",
    "x-remote-",
    "x-webauth-",
    "x-pomerium-",
    "x-vouch-",
    "x-userinfo",
    "x-appengine-user-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-amzn-oidc-",
    "x-consumer-",
    "x-apigateway-api-userinfo",
    "x-endpoint-api-userinfo",
    "x-client-cert",
    "x-arr-clientcert",
    "x-amzn-mtls-",
    "client-cert",
    "x-ssl-client-",
    "ssl-client-",
    "cf-access-",
    "oidc-claim-",
    "tailscale-",
    "remote-",
    "x-http-method",
    "x-method-override",
];

/// What those names begin with.
const INITIALS: &[u8] = b"xftcrsdo";

/// In any spelling: CGI and its heirs read `X_Hallpass_Subject` and `X-Hallpass-Subject` as one
/// (never-again 34), some of them also `X.Hallpass.Subject`.
fn is_identity(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    // Most fields begin like none of them.
    if !name.first().is_some_and(|first| INITIALS.contains(first)) {
        return false;
    }
    IDENTITY.iter().any(|prefix| {
        name.len() >= prefix.len() && name.iter().zip(prefix.as_bytes()).all(|(a, b)| same(*a, *b))
    })
}

fn same(said: u8, meant: u8) -> bool {
    said == meant || (!said.is_ascii_alphanumeric() && meant == b'-')
}

/// The same for one name.
pub(super) fn is_spelled_like(name: &HeaderName, meant: &HeaderName) -> bool {
    let (name, meant) = (name.as_str().as_bytes(), meant.as_str().as_bytes());
    name.len() == meant.len() && name.iter().zip(meant).all(|(a, b)| same(*a, *b))
}

/// Visible ASCII and single spaces as they are; all else, and `%`, as `%XX` of its UTF-8, so that two
/// subjects never look the same to upstream.
pub(super) fn field_value(text: &str) -> Cow<'_, str> {
    // Nearly always there is nothing to encode. Without a way out before the end, so many bytes are looked at in one step.
    let odd = text.bytes().fold(false, |odd, byte| odd | !matches!(byte, 0x20..=0x24 | 0x26..=0x7e));
    if !odd && !text.starts_with(' ') && !text.ends_with(' ') {
        return Cow::Borrowed(text);
    }
    let mut value = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'%' => value.push_str("%25"),
            b' ' if at != 0 && at != last => value.push(' '),
            0x21..=0x7e => value.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(value, "%{byte:02X}")),
        }
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::super::onward::Onward;
    use super::*;

    fn stripped(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Onward::new(headers, Vec::new()).into_map()
    }

    #[test]
    fn what_connection_names_goes_no_further_whatever_stands_beside_it() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, http::HeaderValue::from_bytes(b"\xe9, X-One ,,\tx-two").unwrap());
        headers.append("x-one", "1".parse().unwrap());
        headers.append("x-two", "2".parse().unwrap());
        headers.append("x-three", "3".parse().unwrap());
        let left = Onward::new(headers, Vec::new()).into_map();
        assert_eq!(left.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-three"]);
    }

    #[test]
    fn every_identity_field_begins_with_one_of_the_initials() {
        assert!(IDENTITY.iter().all(|name| INITIALS.contains(&name.as_bytes()[0])));
    }

    /// Row 34: no spelling of an identity field survives.
    #[test]
    fn identity_is_stripped_in_any_spelling() {
        for name in [
            "X-Hallpass-Subject",
            "x-hallpass-subject",
            "X_HALLPASS_SUBJECT",
            "x_hallpass-client",
            "x-hallpass_scope",
            "X-Hallpass-Issuer",
            "x_hallpass_issuer",
            "X-Hallpass",
            "x-hallpass-anything-new",
            "x-hallpassage",
            "Forwarded",
            "X-Forwarded-User",
            "X_Forwarded_User",
            "x-forwarded_email",
            "X-Forwarded-For",
            "X-Auth-Request-Email",
            "Remote-User",
            "REMOTE_USER",
            "X-Goog-Authenticated-User-Email",
            "X-MS-CLIENT-PRINCIPAL-NAME",
            "Cf-Access-Jwt-Assertion",
            "Tailscale-User-Login",
            "X.Hallpass.Subject",
            "x!hallpass~scope",
            "X.Forwarded.User",
            "X-Real-IP",
            "X-Client-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Auth-Username",
            "X-Consumer-Username",
            "X-Apigateway-Api-Userinfo",
            "X-Endpoint-Api-Userinfo",
            "X-SSL-Client-S-DN",
            "SSL_Client_Verify",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-Forwarded",
            "X-Cluster-Client-IP",
            "Fastly-Client-IP",
            "DO_Connecting_IP",
            "X-Envoy-External-Address",
            "X-Envoy-Original-Path",
            "X-Azure-ClientIP",
            "X-Vouch-User",
            "X_Vouch_IdP_Claims_Email",
            "X-Userinfo",
            "X-AppEngine-User-Email",
            "X-ARR-ClientCert",
            "X-Amzn-Mtls-Clientcert-Subject",
            "OIDC_CLAIM_email",
        ] {
            assert!(stripped(&[(name, "admin")]).is_empty(), "{name}");
        }
    }

    /// What is known at sight is no other than what is looked at letter by letter.
    #[test]
    fn what_every_request_has_is_for_upstream() {
        for name in [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT] {
            assert!(!is_hop_by_hop(&name, &[]) && !is_credential(&name) && !is_identity(&name), "{name}");
            assert!(is_for_upstream(&name, &[]) && !is_for_upstream(&name, std::slice::from_ref(&name)));
        }
    }

    #[test]
    fn credentials_are_stripped() {
        for name in ["authorization", "Cookie", "Proxy-Authorization"] {
            assert!(stripped(&[(name, "secret"), (name, "two")]).is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_for_one_hop_stays_on_it() {
        let headers = stripped(&[
            ("connection", "close, X-Private"),
            ("connection", "x-other"),
            ("x-private", "1"),
            ("x-other", "2"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy", "http://evil.example"),
            ("keep-alive", "1"),
        ]);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn all_else_is_kept() {
        let fields = [
            ("mcp-session-id", "1"),
            ("mcp-param-region", "eu"),
            ("x-hallpas", "1"),
            ("x-unknown", "a"),
            ("x-unknown", "b"),
            ("content-type", "application/json"),
        ];
        let headers = stripped(&fields);
        assert_eq!(headers.len(), fields.len());
    }

    #[test]
    fn values_are_never_ambiguous() {
        for (text, value) in [
            ("alice", "alice"),
            ("a b", "a b"),
            (" a ", "%20a%20"),
            ("50%", "50%25"),
            ("Zoë", "Zo%C3%AB"),
            ("a\r\nX: y", "a%0D%0AX: y"),
            ("", ""),
        ] {
            assert_eq!(field_value(text), value, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn different_texts_have_different_values(a: String, b: String) {
            proptest::prop_assert_eq!(a == b, field_value(&a) == field_value(&b));
        }
    }
}

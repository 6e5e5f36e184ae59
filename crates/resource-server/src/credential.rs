//! Takes the one credential out of a request.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::refusal::Refusal;

/// A credential as it was sent. Nothing about it is known to be true.
#[derive(Clone, Copy)]
pub struct Unverified<'a>(pub(crate) &'a str);

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unverified([secret])")
    }
}

/// What a request shows. Nothing about it is known to be true.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// An access token, or an API key (RFC 6750 §2.1).
    Bearer(Unverified<'a>),
    /// An access token that is bound to a key (RFC 9449 §7.1).
    Dpop(Unverified<'a>),
    /// User name and password, encoded (RFC 7617 §2).
    Basic(Unverified<'a>),
    /// A proof of a password (RFC 7616 §3.4).
    Digest(Unverified<'a>),
    /// An API key, in a field of its own.
    Key(Unverified<'a>),
}

/// The field for API keys. It is looked at only where API keys are taken.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Finds the one credential; none where there is none.
///
/// # Errors
/// One variant of [`Refusal`] for each rule below.
pub fn presented<'a>(
    headers: &'a HeaderMap,
    uri: &Uri,
    keys: bool,
) -> Result<Option<Credential<'a>>, Refusal> {
    no_token_in_the_query(uri)?;
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next();
    // Where two are sent, two programs may read different ones.
    if fields.next().is_some() {
        return Err(Refusal::SeveralCredentials);
    }
    let mut key_fields = headers.get_all(API_KEY).iter().filter(|_| keys);
    match (field, key_fields.next(), key_fields.next()) {
        (None, None, _) => Ok(None),
        (Some(field), None, _) => authorization(field).map(Some),
        (None, Some(key), None) => {
            let key = key.to_str().ok().filter(|key| is_token68(key)).ok_or(Refusal::MalformedCredential)?;
            Ok(Some(Credential::Key(Unverified(key))))
        }
        _ => Err(Refusal::SeveralCredentials),
    }
}

fn authorization(field: &HeaderValue) -> Result<Credential<'_>, Refusal> {
    let text = std::str::from_utf8(field.as_bytes()).map_err(|_| Refusal::MalformedCredential)?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_matches(' ');
    let token = || if is_token68(rest) { Ok(Unverified(rest)) } else { Err(Refusal::MalformedCredential) };
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("Bearer") {
        token().map(Credential::Bearer)
    } else if is("DPoP") {
        token().map(Credential::Dpop)
    } else if is("Basic") {
        token().map(Credential::Basic)
    } else if is("Digest") {
        Ok(Credential::Digest(Unverified(rest)))
    } else {
        Err(Refusal::OtherScheme)
    }
}

/// MCP 2025-03-26 and later, "Token Requirements": access tokens are not sent in the query, where
/// logs and `Referer` would carry them on.
fn no_token_in_the_query(uri: &Uri) -> Result<(), Refusal> {
    let Some(query) = uri.query() else { return Ok(()) };
    let named = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("access_token"));
    if named { Err(Refusal::TokenInQuery) } else { Ok(()) }
}

/// `b64token` of RFC 6750 §2.1.
fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    // All of it, with no way out before: tokens are long, good, and asked about in each request. So many bytes are looked at in
    // one step.
    !unpadded.is_empty() && unpadded.bytes().fold(0, |bad, byte| bad | u8::from(!is_of_a_token(byte))) == 0
}

/// Whether a byte may stand in a token, before its padding.
const fn is_of_a_token(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-`, `.`, `/` and the digits follow each other.
    let digit = byte.wrapping_sub(b'-') < 13;
    letter | digit | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, http::HeaderValue::from_static(field));
        }
        headers
    }

    fn take(fields: &[&'static str]) -> Result<String, Refusal> {
        match presented(&headers(fields), &Uri::from_static("/mcp"), true)? {
            Some(Credential::Bearer(token)) => Ok(token.0.to_owned()),
            Some(_) => Err(Refusal::OtherScheme),
            None => Err(Refusal::NoCredential),
        }
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for field in ["Bearer abc", "bearer abc", "BEARER abc", "bEaReR  abc "] {
            assert_eq!(take(&[field]).unwrap(), "abc", "{field}");
        }
    }

    #[test]
    fn nothing_sent() {
        assert!(matches!(take(&[]), Err(Refusal::NoCredential)));
    }

    #[test]
    fn another_scheme() {
        for field in ["Basic YTpi", "Digest username=x", "DPoP abc", "Bearerabc", ""] {
            assert!(matches!(take(&[field]), Err(Refusal::OtherScheme)), "{field}");
        }
    }

    #[test]
    fn not_one_token() {
        for field in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer =",
            "Bearer a=b",
            "Bearer\tabc",
        ] {
            let refusal = take(&[field]).unwrap_err();
            assert!(matches!(refusal, Refusal::MalformedCredential | Refusal::OtherScheme), "{field}");
        }
    }

    /// Row 36: two fields are refused, equal or not, whatever their schemes.
    #[test]
    fn two_fields() {
        for pair in [["Bearer a", "Bearer a"], ["Bearer a", "Basic b"], ["Basic b", "Bearer a"]] {
            assert!(matches!(take(&pair), Err(Refusal::SeveralCredentials)), "{pair:?}");
        }
    }

    /// Row 36, across fields.
    #[test]
    fn an_api_key_stands_alone() {
        let with = |keys: &[&'static str], authorization: &[&'static str], taken: bool| {
            let mut headers = headers(authorization);
            for key in keys {
                headers.append(API_KEY, http::HeaderValue::from_static(key));
            }
            presented(&headers, &Uri::from_static("/mcp"), taken).map(|found| format!("{found:?}"))
        };
        assert!(with(&["hpk_a"], &[], true).unwrap().contains("Key"));
        assert!(matches!(with(&["hpk_a", "hpk_a"], &[], true), Err(Refusal::SeveralCredentials)));
        assert!(matches!(with(&["hpk_a"], &["Bearer a"], true), Err(Refusal::SeveralCredentials)));
        assert!(matches!(with(&["a b"], &[], true), Err(Refusal::MalformedCredential)));
        // Where none are taken, the field is upstream's own.
        assert_eq!(with(&["a b"], &[], false).unwrap(), "None");
        assert!(with(&["x"], &["Bearer a"], false).unwrap().contains("Bearer"));
    }

    #[test]
    fn a_token_in_the_query() {
        for uri in ["/mcp?access_token=a", "/mcp?x=1&access%5Ftoken=a", "/mcp?Access_Token"] {
            let refusal = presented(&headers(&["Bearer a"]), &Uri::from_static(uri), true).unwrap_err();
            assert!(matches!(refusal, Refusal::TokenInQuery), "{uri}");
        }
    }

    #[test]
    fn a_token_is_made_of_these() {
        let all = b"-._~+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        assert!((0..=u8::MAX).all(|byte| is_of_a_token(byte) == all.contains(&byte)));
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_yields_only_token68(bytes: Vec<u8>) {
            let Ok(value) = http::HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            if let Ok(Some(Credential::Bearer(token))) = presented(&headers, &Uri::from_static("/"), true) {
                proptest::prop_assert!(is_token68(token.0));
            }
        }
    }
}

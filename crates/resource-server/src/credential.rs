//! Takes the one bearer token out of a request (RFC 6750 §2.1).

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::refusal::Refusal;

/// A bearer token as it was sent. Nothing about it is known to be true.
#[derive(Clone, Copy)]
pub struct Unverified<'a>(pub(crate) &'a str);

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unverified([secret])")
    }
}

/// Finds the token.
///
/// # Errors
/// One variant of [`Refusal`] for each rule below.
pub fn bearer<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<Unverified<'a>, Refusal> {
    no_token_in_the_query(uri)?;
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next().ok_or(Refusal::NoCredential)?;
    // Where two are sent, two programs may read different ones.
    if fields.next().is_some() {
        return Err(Refusal::SeveralCredentials);
    }
    let text = field.to_str().map_err(|_| Refusal::MalformedCredential)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::OtherScheme);
    }
    let token = token.trim_matches(' ');
    if !is_token68(token) {
        return Err(Refusal::MalformedCredential);
    }
    Ok(Unverified(token))
}

/// MCP 2025-03-26 and later, "Token Requirements": access tokens are not sent in the query, where
/// logs and `Referer` would carry them on.
fn no_token_in_the_query(uri: &Uri) -> Result<(), Refusal> {
    let query = uri.query().unwrap_or_default();
    let named = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("access_token"));
    if named { Err(Refusal::TokenInQuery) } else { Ok(()) }
}

/// `b64token` of RFC 6750 §2.1.
fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    !unpadded.is_empty() && unpadded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
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
        bearer(&headers(fields), &Uri::from_static("/mcp")).map(|token| token.0.to_owned())
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

    #[test]
    fn a_token_in_the_query() {
        for uri in ["/mcp?access_token=a", "/mcp?x=1&access%5Ftoken=a", "/mcp?Access_Token"] {
            let refusal = bearer(&headers(&["Bearer a"]), &Uri::from_static(uri)).unwrap_err();
            assert!(matches!(refusal, Refusal::TokenInQuery), "{uri}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_yields_only_token68(bytes: Vec<u8>) {
            let Ok(value) = http::HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            if let Ok(token) = bearer(&headers, &Uri::from_static("/")) {
                proptest::prop_assert!(is_token68(token.0));
            }
        }
    }
}

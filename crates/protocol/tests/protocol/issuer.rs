//! RFC 8414 §2 and §3.1, RFC 9207 §2.4.

use hallpass_protocol::{Issuer, IssuerError, is_loopback};
use proptest::prelude::*;

fn metadata_urls(issuer: &str) -> Vec<String> {
    Issuer::parse(issuer).unwrap().metadata_urls().iter().map(ToString::to_string).collect()
}

#[test]
fn an_issuer_stays_as_written() {
    for text in [
        "https://auth.example.com",
        "https://auth.example.com/",
        "https://AUTH.example.com:443/Tenant/",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://a.localhost",
    ] {
        assert_eq!(Issuer::parse(text).unwrap().as_str(), text);
    }
    let parse = |text| Issuer::parse(text).unwrap();
    assert_ne!(parse("https://a"), parse("https://a/"));
    assert_ne!(parse("https://a"), parse("https://A"));
    assert_ne!(parse("https://a"), parse("https://a:443"));
    assert_eq!(parse("https://a"), *"https://a");
}

#[test]
fn each_rule_has_its_refusal() {
    for (text, error) in [
        ("auth.example.com", IssuerError::NotAbsolute),
        ("https:auth.example.com", IssuerError::NotAbsolute),
        ("https:///auth.example.com", IssuerError::NotAbsolute),
        ("http://auth.example.com", IssuerError::Scheme),
        ("http://localhost.evil.com", IssuerError::Scheme),
        ("http://127.0.0.1.evil.com", IssuerError::Scheme),
        ("ftp://auth.example.com", IssuerError::Scheme),
        ("https://auth.example.com?a", IssuerError::Query),
        ("https://auth.example.com?", IssuerError::Query),
        ("https://auth.example.com#a", IssuerError::Fragment),
        ("https://auth.example.com#", IssuerError::Fragment),
        ("https://user@auth.example.com", IssuerError::Userinfo),
        ("https://@auth.example.com", IssuerError::Userinfo),
        ("http://localhost@evil.com", IssuerError::Scheme),
        ("https://auth.example.com\\evil", IssuerError::Characters),
        ("https://auth.example.com ", IssuerError::Characters),
        ("https://auth.ex\tample.com", IssuerError::Characters),
    ] {
        assert_eq!(Issuer::parse(text), Err(error), "{text}");
    }
    let long = format!("https://auth.example.com/{}", "a".repeat(2048));
    assert_eq!(Issuer::parse(&long), Err(IssuerError::TooLong));
}

#[test]
fn two_places_without_a_path_and_three_with_one() {
    for issuer in ["https://auth.example.com", "https://auth.example.com/"] {
        assert_eq!(
            metadata_urls(issuer),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server",
                "https://auth.example.com/.well-known/openid-configuration",
            ]
        );
    }
    for issuer in ["https://auth.example.com/tenant1", "https://auth.example.com/tenant1/"] {
        assert_eq!(
            metadata_urls(issuer),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
                "https://auth.example.com/.well-known/openid-configuration/tenant1",
                "https://auth.example.com/tenant1/.well-known/openid-configuration",
            ]
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = Issuer::parse(&text);
    }

    #[test]
    fn what_is_read_is_safe_and_kept(
        text in r"(https?|HTTPS)://[a-z0-9.@:\-\[\]]{0,12}(/[a-z.%2e?#]{0,4}){0,3}"
    ) {
        if let Ok(issuer) = Issuer::parse(&text) {
            prop_assert_eq!(issuer.as_str(), &text);
            let url = issuer.url();
            prop_assert!(url.scheme() == "https" || is_loopback(url));
            prop_assert!(url.query().is_none() && url.fragment().is_none());
            prop_assert!(url.username().is_empty() && url.password().is_none());
            for metadata in issuer.metadata_urls() {
                prop_assert_eq!(metadata.origin(), url.origin());
            }
        }
    }
}

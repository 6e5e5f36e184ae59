//! RFC 8707 §2, RFC 9728 §3.1, and the canonical URI of MCP 2026-07-28.

use hallpass_protocol::{ResourceError, ResourceIdentifier};
use proptest::prelude::*;
use url::Url;

fn resource(text: &str) -> ResourceIdentifier {
    ResourceIdentifier::parse(text).unwrap()
}

#[test]
fn the_canonical_form() {
    for (text, canonical) in [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("HTTPS://MCP.Example.COM/Mcp", "https://mcp.example.com/Mcp"),
        ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
        ("https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/"),
        ("https://mcp.example.com/a/../mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/?tenant=a", "https://mcp.example.com/?tenant=a"),
        ("http://localhost:8080/mcp", "http://localhost:8080/mcp"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        assert_eq!(resource(text).as_str(), canonical);
    }
}

#[test]
fn each_rule_has_its_refusal() {
    for (text, error) in [
        ("mcp.example.com", ResourceError::NotAbsolute),
        ("", ResourceError::NotAbsolute),
        ("/mcp", ResourceError::NotAbsolute),
        ("https:mcp.example.com", ResourceError::NotAbsolute),
        ("https:///mcp.example.com", ResourceError::NotAbsolute),
        ("https://", ResourceError::NotAbsolute),
        ("ftp://mcp.example.com", ResourceError::Scheme),
        ("urn:example:mcp", ResourceError::Scheme),
        ("https://mcp.example.com#fragment", ResourceError::Fragment),
        ("https://mcp.example.com#", ResourceError::Fragment),
        ("https://user@mcp.example.com", ResourceError::Userinfo),
        ("https://@mcp.example.com", ResourceError::Userinfo),
        ("https://:@mcp.example.com", ResourceError::Userinfo),
        ("https://mcp.example.com\\@evil", ResourceError::Characters),
        (" https://mcp.example.com", ResourceError::Characters),
        ("https://mcp.example.com/\n", ResourceError::Characters),
        ("https://mcp.example.com/%zz", ResourceError::Characters),
        ("https://mcp.example.com/%2", ResourceError::Characters),
        ("https://mcp.exämple.com", ResourceError::Characters),
        // A URL parser decodes hosts: these would be written as no URI is.
        ("https://mcp%22.example.com", ResourceError::Characters),
        ("https://%7Bmcp%7D.example.com", ResourceError::Characters),
    ] {
        assert_eq!(ResourceIdentifier::parse(text), Err(error), "{text}");
    }
    let long = format!("https://mcp.example.com/{}", "a".repeat(2048));
    assert_eq!(ResourceIdentifier::parse(&long), Err(ResourceError::TooLong));
    // Each `'` is written as `%27`.
    let grows = format!("https://mcp.example.com/?{}", "'".repeat(1000));
    assert_eq!(ResourceIdentifier::parse(&grows), Err(ResourceError::TooLong));
}

#[test]
fn where_the_metadata_is() {
    for (text, at_path, at_root) in [
        (
            "https://h/public/mcp",
            "https://h/.well-known/oauth-protected-resource/public/mcp",
            "https://h/.well-known/oauth-protected-resource",
        ),
        (
            "https://h/",
            "https://h/.well-known/oauth-protected-resource",
            "https://h/.well-known/oauth-protected-resource",
        ),
        (
            "https://h:8443/mcp?a=b",
            "https://h:8443/.well-known/oauth-protected-resource/mcp?a=b",
            "https://h:8443/.well-known/oauth-protected-resource",
        ),
    ] {
        assert_eq!(resource(text).metadata_url().as_str(), at_path);
        assert_eq!(resource(text).root_metadata_url().as_str(), at_root);
    }
}

#[test]
fn what_a_resource_covers() {
    let covers = |a: &str, b: &str| resource(a).covers(&b.parse().unwrap());
    for (a, b) in [
        ("https://h", "https://h/"),
        ("https://h", "https://h/mcp?x"),
        ("https://h/mcp", "https://h/mcp"),
        ("https://h/mcp", "https://h:443/mcp/"),
        ("https://h/mcp", "https://h/mcp/deeper?x"),
        ("https://h/mcp/", "https://h/mcp/deeper"),
        ("https://h/mcp?a", "https://h/mcp?a"),
    ] {
        assert!(covers(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("https://h/mcp", "https://h/mcpx"),
        ("https://h/mcp", "https://h/"),
        ("https://h/mcp", "https://h/mcp/../other"),
        ("https://h/mcp", "https://h/mcp/%2e%2e/other"),
        ("https://h/mcp/", "https://h/mcp"),
        ("https://h/mcp", "http://h/mcp"),
        ("https://h/mcp", "https://h:8443/mcp"),
        ("https://h/mcp", "https://h.evil/mcp"),
        ("https://h/mcp?a", "https://h/mcp?b"),
        ("https://h/mcp?a", "https://h/mcp"),
    ] {
        assert!(!covers(a, b), "{a} {b}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = ResourceIdentifier::parse(&text);
    }

    #[test]
    fn the_canonical_form_is_its_own(
        text in r"(http|HTTPS|https)://([A-Za-z0-9.\-]|%[2-7][0-9A-F]){1,10}(:[0-9]{1,5})?(/[a-z.%2eE~]{0,4}){0,4}(\?[a-z=&']{0,5})?"
    ) {
        if let Ok(found) = ResourceIdentifier::parse(&text) {
            prop_assert_eq!(&resource(found.as_str()), &found);
            prop_assert!(found.covers(found.url()));
            // The canonical text is the same URL to a browser's parser.
            prop_assert_eq!(&Url::parse(found.as_str()).unwrap(), found.url());
            prop_assert_eq!(&Url::parse(&text).unwrap(), found.url());
            prop_assert_eq!(found.metadata_url().origin(), found.url().origin());
            prop_assert_eq!(found.root_metadata_url().origin(), found.url().origin());
        }
    }

    #[test]
    fn covering_goes_by_whole_segments(base in "(/[a-c]{1,2}){0,3}", path in "(/[a-c]{1,2}){0,3}") {
        let segments = |path: &str| path.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
        let expected = segments(&path).starts_with(&segments(&base));
        let covers = resource(&format!("https://h{base}"))
            .covers(&format!("https://h{path}").parse().unwrap());
        prop_assert_eq!(covers, expected);
    }
}

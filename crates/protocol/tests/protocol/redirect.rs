//! OAuth 2.1 §2.3, RFC 8252 §7, RFC 9700 §2.1. Never-again 8 and 11.

use hallpass_protocol::{RedirectUri, RedirectUriError};
use proptest::prelude::*;
use url::Url;

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap()
}

#[test]
fn what_clients_really_register_is_taken() {
    for text in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://example.com:8443/cb?fixed=1",
        "http://localhost/callback",
        "http://localhost:3000/callback",
        "http://127.0.0.1:33418/",
        "http://127.0.0.1",
        "http://[::1]:8080/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://dynamic-auth-provider/callback",
        "com.example.app:/oauth2redirect",
        "com.example.app://callback",
    ] {
        assert_eq!(uri(text).as_str(), text);
    }
}

#[test]
fn each_rule_has_its_refusal() {
    let dangerous = |scheme: &str| RedirectUriError::DangerousScheme(scheme.to_owned());
    for (text, error) in [
        ("", RedirectUriError::NotAbsolute),
        ("/cb", RedirectUriError::NotAbsolute),
        ("//evil.com/cb", RedirectUriError::NotAbsolute),
        ("https:evil.com", RedirectUriError::NotAbsolute),
        ("https:/evil.com", RedirectUriError::NotAbsolute),
        ("https:///evil.com", RedirectUriError::NotAbsolute),
        ("https:/evil.com/https://app.example/cb", RedirectUriError::NotAbsolute),
        ("HTTPS:/t@evil.com/https://app.example/cb", RedirectUriError::Userinfo),
        ("https://h/cb#f", RedirectUriError::Fragment),
        ("https://h/cb#", RedirectUriError::Fragment),
        ("com.example.app:/cb#f", RedirectUriError::Fragment),
        ("https://user:pw@h/cb", RedirectUriError::Userinfo),
        ("https://trusted.com@evil.com/cb", RedirectUriError::Userinfo),
        ("https://@evil.com/cb", RedirectUriError::Userinfo),
        ("http://localhost@evil.com/cb", RedirectUriError::Userinfo),
        ("http://localhost:80@evil.com/cb", RedirectUriError::Userinfo),
        ("app://user@host/cb", RedirectUriError::Userinfo),
        ("https://*.example.com/cb", RedirectUriError::Wildcard),
        ("https://h/*", RedirectUriError::Wildcard),
        ("http://example.com/cb", RedirectUriError::InsecureHost),
        ("http://localhost.evil.com/cb", RedirectUriError::InsecureHost),
        ("http://127.0.0.1.evil.com/cb", RedirectUriError::InsecureHost),
        ("http://127.0.0.2/cb", RedirectUriError::InsecureHost),
        ("http://127.1/cb", RedirectUriError::InsecureHost),
        ("http://2130706433/cb", RedirectUriError::InsecureHost),
        ("http://0x7f.0.0.1/cb", RedirectUriError::InsecureHost),
        ("http://LOCALHOST/cb", RedirectUriError::InsecureHost),
        ("http://localhost./cb", RedirectUriError::InsecureHost),
        ("http://localhos%74/cb", RedirectUriError::InsecureHost),
        ("http://[::ffff:127.0.0.1]/cb", RedirectUriError::InsecureHost),
        ("http://[0:0:0:0:0:0:0:1]/cb", RedirectUriError::InsecureHost),
        ("http://10.0.0.1/cb", RedirectUriError::InsecureHost),
        ("HTTP://localhost/cb", RedirectUriError::InsecureHost),
        ("http://localhost:/cb", RedirectUriError::InsecureHost),
        ("https://h/cb\\@evil", RedirectUriError::Characters),
        ("https://h/c b", RedirectUriError::Characters),
        (" https://h/cb", RedirectUriError::Characters),
        ("https://h/cb\r\nLocation: x", RedirectUriError::Characters),
        ("https://h/\u{202e}cb", RedirectUriError::Characters),
        ("https://h/<script>", RedirectUriError::Characters),
        ("javascript:alert(1)", dangerous("javascript")),
        ("JavaScript://h/%0aalert(1)", dangerous("javascript")),
        ("data:text/html,x", dangerous("data")),
        ("file:///etc/passwd", dangerous("file")),
        ("vbscript:x", dangerous("vbscript")),
        ("blob:https://h/x", dangerous("blob")),
        ("about:blank", dangerous("about")),
        ("view-source:https://h", dangerous("view-source")),
        ("ftp://h/x", dangerous("ftp")),
        ("ws://h/x", dangerous("ws")),
        ("wss://h/x", dangerous("wss")),
        ("mailto:a.b", dangerous("mailto")),
        ("urn:ietf:wg:oauth:2.0:oob", dangerous("urn")),
        ("ms-appinstaller://h/cb", dangerous("ms-appinstaller")),
        ("ms-settings:/cb", dangerous("ms-settings")),
        ("itms-services://h/cb", dangerous("itms-services")),
        ("moz-extension://h/cb", dangerous("moz-extension")),
        ("chrome-extension://h/cb", dangerous("chrome-extension")),
        ("web+app://h/cb", dangerous("web+app")),
        ("ext+app://h/cb", dangerous("ext+app")),
        ("vnc://h/cb", dangerous("vnc")),
        ("rdp://h/cb", dangerous("rdp")),
        ("steam://h/cb", dangerous("steam")),
        ("com.example.app:cb", RedirectUriError::Opaque),
    ] {
        assert_eq!(RedirectUri::parse(text), Err(error), "{text}");
    }
    let long = |length: usize| format!("https://h/{}", "a".repeat(length - "https://h/".len()));
    assert!(RedirectUri::parse(&long(2048)).is_ok());
    assert_eq!(RedirectUri::parse(&long(2049)), Err(RedirectUriError::TooLong));
}

#[test]
fn a_scheme_that_a_client_claims_for_itself_names_a_domain_or_a_known_app() {
    for text in [
        "https://app.example/cb",
        "http://127.0.0.1/cb",
        "com.example.app:/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://dynamic-auth-provider/callback",
    ] {
        assert_eq!(RedirectUri::parse_claimed(text).unwrap().as_str(), text);
    }
    for scheme in ["evilapp", "claud", "app"] {
        let text = format!("{scheme}://claude.ai/cb");
        let unknown = RedirectUriError::UnknownScheme(scheme.to_owned());
        assert_eq!(RedirectUri::parse_claimed(&text), Err(unknown));
        assert!(RedirectUri::parse(&text).is_ok(), "an operator may vouch for it");
    }
    assert!(RedirectUri::parse_claimed("javascript:alert(1)").is_err());
}

#[test]
fn the_receiver_is_whoever_gets_the_answer() {
    assert_eq!(uri("https://app.example:8443/cb?x").receiver(), "https://app.example:8443");
    assert_eq!(uri("http://127.0.0.1:4711/cb").receiver(), "http://127.0.0.1");
    assert_eq!(uri("com.example.app://claude.ai/cb").receiver(), "com.example.app:");
}

#[test]
fn only_a_loopback_port_may_vary() {
    for (registered, requested) in [
        ("https://h/cb", "https://h/cb"),
        ("http://localhost/cb", "http://localhost:49152/cb"),
        ("http://localhost:3000/cb", "http://localhost/cb"),
        ("http://127.0.0.1:1/cb?a=b", "http://127.0.0.1:65535/cb?a=b"),
        ("http://[::1]/cb", "http://[::1]:8080/cb"),
        ("http://127.0.0.1", "http://127.0.0.1:8080"),
    ] {
        assert!(uri(registered).matches(&uri(requested)), "{registered} {requested}");
    }
    for (registered, requested) in [
        ("https://h/cb", "https://h:8443/cb"),
        ("https://h/cb", "https://h:443/cb"),
        ("https://h/cb", "https://h/cb/"),
        ("https://h/cb", "https://h/CB"),
        ("https://h/cb", "https://H/cb"),
        ("https://h/cb", "https://h/%63b"),
        ("https://h/cb", "https://h/a/../cb"),
        ("https://h/cb", "https://h/a/%2e%2e/cb"),
        ("https://h/cb", "https://h/cb?a=b"),
        ("https://h/cb", "https://h/cbx"),
        ("https://h/cb", "https://h.evil.com/cb"),
        ("https://localhost/cb", "https://localhost:8443/cb"),
        ("http://localhost/cb", "http://127.0.0.1/cb"),
        ("http://127.0.0.1/cb", "http://[::1]/cb"),
        ("http://localhost/cb", "https://localhost/cb"),
        ("http://localhost/cb", "http://localhost:1/cb/x"),
        ("http://localhost/cb", "http://localhost:1/cb?x"),
        ("http://127.0.0.1", "http://127.0.0.1:8080/"),
        ("app://h/cb", "app://h:1/cb"),
    ] {
        assert!(!uri(registered).matches(&uri(requested)), "{registered} {requested}");
    }
}

#[test]
fn parameters_are_added_to_the_query_that_is_there() {
    let params = [("code", "a b&c"), ("state", "é")];
    assert_eq!(uri("https://h/cb").with_params(params), "https://h/cb?code=a+b%26c&state=%C3%A9");
    assert_eq!(uri("https://h/cb?x=1").with_params(params), "https://h/cb?x=1&code=a+b%26c&state=%C3%A9");
    assert_eq!(uri("app://h").with_params([("code", "a")]), "app://h?code=a");
}

/// What a URL parser sees, without the port.
fn seen(uri: &RedirectUri) -> (String, String, String, String, Option<String>) {
    let url = Url::parse(uri.as_str()).unwrap();
    (
        url.scheme().to_owned(),
        format!("{}:{:?}", url.username(), url.password()),
        url.host_str().unwrap_or_default().to_owned(),
        url.path().to_owned(),
        url.query().map(str::to_owned),
    )
}

fn port(uri: &RedirectUri) -> Option<u16> {
    Url::parse(uri.as_str()).unwrap().port_or_known_default()
}

const REGISTERED: &str = r"(https://(h|example\.com)(:8443)?|http://(localhost|127\.0\.0\.1|\[::1\])(:[1-9][0-9]{0,3})?|app://h)(/[a-c]{0,2}){0,2}(\?a=b)?";

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = RedirectUri::parse(&text);
    }

    /// Differential: two URIs that match are the same place to a URL parser, the port of a
    /// loopback address aside.
    #[test]
    fn what_matches_is_the_same_place(
        registered in REGISTERED,
        at in any::<prop::sample::Index>(),
        cut in 0..3_usize,
        insert in r"(@|evil\.com|\\|%2e|\.\.|/|:|:80|//|%40|%5c|A|\.|#|\?|&|[0-9]|http://|\[::1\]|localhost){0,3}",
    ) {
        let registered = uri(&registered);
        let text = registered.as_str();
        let from = at.index(text.len() + 1);
        let to = (from + cut).min(text.len());
        let tampered = format!("{}{insert}{}", &text[..from], &text[to..]);
        if let Ok(requested) = RedirectUri::parse(&tampered) {
            if registered.matches(&requested) {
                prop_assert_eq!(seen(&registered), seen(&requested));
                prop_assert!(registered.is_loopback() || port(&registered) == port(&requested));
            }
            prop_assert_eq!(registered.matches(&requested), requested.matches(&registered));
        }
    }

    #[test]
    fn any_port_matches_on_loopback(
        host in r"(localhost|127\.0\.0\.1|\[::1\])", a in 1..=u16::MAX, b in 1..=u16::MAX,
        path in "(/[a-z]{0,3}){0,2}",
    ) {
        let at = |port: u16| uri(&format!("http://{host}:{port}{path}"));
        prop_assert!(at(a).matches(&at(b)));
        let registered = format!("http://{host}{path}");
        prop_assert!(uri(&registered).matches(&at(b)));
    }

    /// What comes out of `with_params` leads to the same place, with the parameters and no others.
    #[test]
    fn parameters_do_not_move_the_place(registered in REGISTERED, name in ".{1,8}", value in ".{0,20}") {
        let registered = uri(&registered);
        let sent = Url::parse(&registered.with_params([(name.as_str(), value.as_str())])).unwrap();
        let before = Url::parse(registered.as_str()).unwrap();
        prop_assert_eq!((sent.host(), sent.port(), sent.path()), (before.host(), before.port(), before.path()));
        prop_assert_eq!(sent.fragment(), None);
        let last = sent.query_pairs().last().unwrap();
        prop_assert_eq!((last.0.as_ref(), last.1.as_ref()), (name.as_str(), value.as_str()));
        prop_assert_eq!(sent.query_pairs().count(), before.query_pairs().count() + 1);
    }
}

#[test]
fn where_a_redirect_leads() {
    for (text, loopback, private_use) in [
        ("https://app.example/cb", false, false),
        ("https://localhost/cb", false, false),
        ("http://localhost:8080/cb", true, false),
        ("http://127.0.0.1/cb", true, false),
        ("http://[::1]/cb", true, false),
        ("com.example.app:/cb", false, true),
    ] {
        let uri = RedirectUri::parse(text).unwrap();
        assert_eq!((uri.is_loopback(), uri.is_private_use()), (loopback, private_use), "{text}");
    }
}

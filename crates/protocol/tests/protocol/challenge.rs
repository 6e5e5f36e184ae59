//! `WWW-Authenticate`: RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1.

use hallpass_protocol::{Challenge, parse_challenges};
use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use proptest::prelude::*;

fn parse(fields: &[&str]) -> Vec<Challenge> {
    let field = |text: &&str| (WWW_AUTHENTICATE, HeaderValue::from_bytes(text.as_bytes()).unwrap());
    let mut headers = HeaderMap::new();
    fields.iter().map(field).for_each(|(name, value)| {
        headers.append(name, value);
    });
    parse_challenges(&headers)
}

/// Schemes and parameters, in one line that is easy to compare.
fn show(fields: &[&str]) -> String {
    let show = |challenge: &Challenge| {
        let params: Vec<_> = challenge.params().map(|(n, v)| format!("{n}={v}")).collect();
        let token = challenge.token68().map(|token| format!("<{token}>"));
        format!("{}({})", challenge.scheme, token.unwrap_or_else(|| params.join(";")))
    };
    parse(fields).iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_example_of_the_specification() {
    let found = parse(&[
        r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", scope="files:read""#,
    ]);
    let [bearer] = found.as_slice() else { panic!("{found:?}") };
    assert!(bearer.is("bearer"));
    assert_eq!(
        bearer.resource_metadata(),
        Some("https://mcp.example.com/.well-known/oauth-protected-resource")
    );
    assert_eq!(bearer.scope().unwrap().to_string(), "files:read");
    assert_eq!(bearer.realm(), None);
    assert_eq!(bearer.error(), None);
}

/// From the field: another challenge's quoted text is not a parameter of Bearer.
#[test]
fn a_scope_inside_a_quoted_realm_is_no_scope() {
    let found = parse(&[r#"Digest realm="scope=evil", Bearer scope="good""#]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].scope(), None);
    assert_eq!(found[1].scope().unwrap().to_string(), "good");
    assert_eq!(
        show(&[r#"Digest realm="x, Bearer scope=\"evil\"", Bearer scope="good""#]),
        r#"Digest(realm=x, Bearer scope="evil") Bearer(scope=good)"#
    );
}

#[test]
fn several_fields_and_several_challenges_in_one() {
    assert_eq!(
        show(&["Negotiate, Basic realm=\"a\", charset=\"UTF-8\"", "Bearer", "DPoP algs=\"ES256\""]),
        "Negotiate() Basic(realm=a;charset=UTF-8) Bearer() DPoP(algs=ES256)"
    );
    assert_eq!(show(&[]), "");
    assert_eq!(show(&[""]), "");
}

#[test]
fn token68_stands_alone() {
    assert_eq!(show(&["Negotiate YII=, Bearer realm=x"]), "Negotiate(<YII=>) Bearer(realm=x)");
    assert_eq!(show(&["NTLM abc+/-._~==  ,Basic"]), "NTLM(<abc+/-._~==>) Basic()");
}

#[test]
fn white_space_and_empty_elements_do_not_matter() {
    let expected = "Bearer(realm=a;scope=b) Basic()";
    for field in [
        r#"Bearer realm="a", scope="b", Basic"#,
        r#",, ,Bearer   realm = "a" ,,	scope	=	"b",, Basic ,"#,
        r#"Bearer realm=a,scope=b,Basic"#,
    ] {
        assert_eq!(show(&[field]), expected, "{field}");
    }
}

#[test]
fn quoted_pairs_and_commas_in_quotes() {
    assert_eq!(
        show(&[r#"Bearer realm="a \"b\" \\ c, d=e", scope="s""#]),
        r#"Bearer(realm=a "b" \ c, d=e;scope=s)"#
    );
}

#[test]
fn names_ignore_case_and_the_first_of_two_counts() {
    let found = parse(&[r#"BEARER Realm="a", REALM="b""#]);
    assert!(found[0].is("Bearer"));
    assert_eq!(found[0].realm(), Some("a"));
}

/// Seen in the field.
#[test]
fn a_url_without_quotes_is_taken() {
    let found = parse(&["Bearer resource_metadata=https://h/.well-known/x?a=b, error=invalid_token"]);
    assert_eq!(found[0].resource_metadata(), Some("https://h/.well-known/x?a=b"));
    assert_eq!(found[0].error(), Some("invalid_token"));
}

#[test]
fn what_is_broken_is_left_out_and_the_rest_kept() {
    for (field, expected) in [
        // A quote that never closes takes its own challenge, and none before.
        (r#"Digest realm="a", Bearer scope="b"#, "Digest(realm=a)"),
        (r#"Digest realm="a", Bearer realm="x", scope="b"#, "Digest(realm=a)"),
        (r#"Bearer scope="b\"#, ""),
        // A value that is none.
        (r#"Bearer a=b c, scope="s""#, "Bearer(scope=s)"),
        (r#"Bearer realm="x"y, scope="s""#, "Bearer(scope=s)"),
        (r#"Bearer realm="x", scope=, error="e""#, "Bearer(realm=x;error=e)"),
        // After something that is neither, parameters belong to nobody.
        (r#"Bearer realm="a", D!g@st realm="evil", scope="evil""#, "Bearer(realm=a)"),
        (r#"Bearer realm="a", @, scope="evil", Basic realm="b""#, "Bearer(realm=a) Basic(realm=b)"),
        (r#"scope="nobody", Bearer scope="s""#, "Bearer(scope=s)"),
        (r#"Negotiate abc=, scope="nobody""#, "Negotiate(<abc=>)"),
    ] {
        assert_eq!(show(&[field]), expected, "{field}");
    }
}

#[test]
fn the_number_of_challenges_and_parameters_is_bounded() {
    let many = vec!["Basic"; 10_000].join(",");
    assert_eq!(parse(&[&many]).len(), 64);
    assert_eq!(parse(&vec!["Basic"; 1000]).len(), 64);
    let many: Vec<_> = (0..10_000).map(|n| format!("p{n}=v")).collect();
    assert_eq!(parse(&[&format!("Bearer {}", many.join(","))])[0].params().count(), 64);
}

#[test]
fn what_is_written_is_quoted_and_escaped() {
    let challenge = Challenge::bearer()
        .with("realm", r#"a "b" \"#)
        .with("error_description", "line\r\nX-Evil: 1, é")
        .with("not a token", "x")
        .with("REALM", r#"c "d""#);
    assert_eq!(challenge.to_string(), r#"Bearer realm="c \"d\"", error_description="line??X-Evil: 1, ?""#);
    assert_eq!(Challenge::new("").to_string(), "Unknown");
    assert_eq!(Challenge::new("Be\r\narer x").to_string(), "Bearerx");
}

proptest! {
    /// Whatever is put in, the field is valid, holds one challenge, and reads back.
    #[test]
    fn what_is_written_reads_back(
        scheme in "[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}",
        params in proptest::collection::vec(("[a-z][a-z_*]{0,8}", "[ -~]{0,24}"), 0..8),
    ) {
        let challenge = params.iter().fold(Challenge::new(scheme), |challenge, (name, value)| {
            challenge.with(name, value)
        });
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, challenge.to_header_value());
        headers.append(WWW_AUTHENTICATE, challenge.to_header_value());
        prop_assert_eq!(parse_challenges(&headers), vec![challenge.clone(), challenge.clone()]);
        let both = format!("{challenge}, {challenge}");
        prop_assert_eq!(parse(&[&both]), vec![challenge.clone(), challenge]);
    }

    #[test]
    fn any_text_makes_a_valid_field(scheme in ".*", name in ".*", value in ".*") {
        let challenge = Challenge::new(scheme).with(name, value);
        let field = challenge.to_header_value();
        prop_assert_eq!(field.to_str().unwrap(), challenge.to_string());
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, field);
        prop_assert_eq!(parse_challenges(&headers).len(), 1);
    }

    #[test]
    fn no_field_makes_it_panic(fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4)) {
        let mut headers = HeaderMap::new();
        for field in fields.iter().filter_map(|field| HeaderValue::from_bytes(field).ok()) {
            headers.append(WWW_AUTHENTICATE, field);
        }
        let _ = parse_challenges(&headers);
    }

    /// The same with the bytes that the grammar turns on.
    #[test]
    fn no_near_miss_makes_it_panic(field in r#"([ \t,="\\]|Bearer|realm|a|é|=|"[a-z, ]*"){0,40}"#) {
        let found = parse(&[&field]);
        // What was kept can be written again, and reads back as it was.
        for challenge in found.iter().filter(|challenge| challenge.token68().is_none()) {
            let mut headers = HeaderMap::new();
            headers.append(WWW_AUTHENTICATE, challenge.to_header_value());
            let again = parse_challenges(&headers);
            prop_assert_eq!(again.len(), 1);
            prop_assert_eq!(&again[0].scheme, &challenge.scheme);
        }
    }

    /// What stands inside quotes never becomes a parameter or a challenge of its own.
    #[test]
    fn quoted_text_stays_inside(text in "[ -~]{0,60}") {
        let field = Challenge::new("Digest").with("realm", text).to_string();
        let found = parse(&[&format!("{field}, Bearer scope=\"good\"")]);
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!(found[1].scope().unwrap().to_string(), "good");
        prop_assert_eq!(found[0].params().count(), 1);
    }
}

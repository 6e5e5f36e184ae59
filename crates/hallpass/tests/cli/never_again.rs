//! Rows 16 to 23, 33 to 38 and 46 of `docs/never-again.md`, through `hallpass serve`. Issuer and upstream live in the test's
//! runtime, so it has a thread for them while a test waits for bytes of its own.

use hallpass_protocol::dpop::Proof;
use hallpass_protocol::{Secret, SigningKey};
use hallpass_testkit::forgeries::{Forgery, Good, faults, forgeries};
use reqwest::StatusCode;
use serde_json::json;

use crate::outside::House;
use crate::program::{run, said};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}"#;

/// Rows 16 to 22: the table of forgeries as access tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_token_enters() {
    let house = House::with("", "").await;
    let (good, key) = (house.token("notes:read"), &house.outside.issuer.key);
    let mut table = forgeries(&Good { token: &good, public: key.public_jwk(), key: Some(key), huge: 30_000 });
    for fault in faults(&house.claims("notes:read"), &["iss", "sub", "aud", "exp", "iat", "jti", "client_id"])
    {
        table.push(Forgery { row: fault.row, what: fault.what, is: house.outside.issuer.sign(&fault.is) });
    }
    let id_token = key.sign("JWT", &house.claims("notes:read")).unwrap();
    table.push(Forgery { row: 22, what: "an ID token".to_owned(), is: id_token });
    for Forgery { row, what, is: token } in table {
        let status = house.post(&token, CALL).await.status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "row {row}: {what}");
    }
    // Row 19: longer than a request's head may be.
    let status = house.raw(
        "/mcp",
        &[("Host", house.authority()), ("Authorization", &format!("Bearer {}", "A".repeat(1 << 17)))],
        "",
    );
    assert!((400..500).contains(&status), "{status}");
    assert!(house.upstream.received().is_empty());
    assert_eq!(house.post(&good, CALL).await.status(), StatusCode::OK);
}

/// Rows 16 to 19: the same table as DPoP proofs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_proof_enters() {
    let house = House::with("", "").await;
    let key = SigningKey::generate_es256().unwrap();
    let mut claims = house.claims("notes:read");
    claims["cnf"] = json!({"jkt": key.thumbprint()});
    let token = house.outside.issuer.sign(&claims);
    let (secret, url) = (Secret::new(token.as_str()), house.endpoint.parse().unwrap());
    let proof = Proof {
        method: &reqwest::Method::POST,
        url: &url,
        access_token: Some(&secret),
        nonce: None,
        jti: "1",
        now: house.now(),
    };
    let good = proof.sign(&key).unwrap();
    let send = async |proof: &str| {
        let request = house.http.post(&house.endpoint).header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).body(CALL).send().await.unwrap().status()
    };
    for Forgery { row, what, is } in
        forgeries(&Good { token: &good, public: key.public_jwk(), key: Some(&key), huge: 30_000 })
    {
        assert_eq!(send(&is).await, StatusCode::UNAUTHORIZED, "row {row}: {what}");
    }
    assert!(house.upstream.received().is_empty());
    assert_eq!(send(&good).await, StatusCode::OK);
    assert_eq!(send(&good).await, StatusCode::UNAUTHORIZED, "once");
}

/// Row 23, and 38: nothing but the whole of an opaque token or a key opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_the_whole_credential_opens() {
    let house = House::with("", "[server.credentials]\napi_keys = true").await;
    let opaque = "q7w0c4m9x1v5b8n2";
    let answer = json!({
        "active": true, "sub": "bob", "client_id": "c", "aud": house.endpoint, "scope": "notes:read",
        "exp": house.now().unix() + 600,
    });
    house.outside.opaque.lock().unwrap().push((opaque.to_owned(), answer));
    let data = house.data.path();
    let key = said(&run(data, &["key", "add", "ci", "--scope", "notes:read"])).trim().to_owned();
    // The database is looked at once a second.
    while house.post(&key, CALL).await.status() != StatusCode::OK {}
    let opened = house.upstream.received().len();
    for good in [opaque, &key] {
        let mut others: Vec<String> = (1..good.len()).map(|length| good[..length].to_owned()).collect();
        others.extend(["A", "=", "-", "0"].map(|more| format!("{good}{more}")));
        for at in 0..good.len() {
            let mut other = good.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            others.push(String::from_utf8(other).unwrap());
        }
        others.push(good.to_ascii_uppercase());
        for other in others {
            assert_eq!(house.post(&other, CALL).await.status(), StatusCode::UNAUTHORIZED, "{other}");
        }
    }
    for random in
        ["x", "admin", "null", "undefined", "true", "0", "Bearer", "eyJhbGciOiJub25lIn0.e30.", "hpk_"]
    {
        assert_eq!(house.post(random, CALL).await.status(), StatusCode::UNAUTHORIZED, "{random}");
    }
    assert_eq!(house.upstream.received().len(), opened);
    assert_eq!(house.post(opaque, CALL).await.status(), StatusCode::OK);
}

/// Rows 33, 34 and 35: what strangers say about themselves and about the way they came changes no decision and no document,
/// and arrives nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_say_of_themselves_changes_nothing() {
    let house = House::with("", "").await;
    let token = house.token("notes:read");
    let paths = [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ];
    let said = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-uri", "/.well-known/oauth-protected-resource"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-user", "evil"),
        ("x-forwarded-email", "evil@evil.example"),
        ("x-forwarded-access-token", "evil"),
        ("x_forwarded_user", "evil"),
        ("forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("x-original-url", "/.well-known/oauth-protected-resource"),
        ("x-rewrite-url", "/evil"),
        ("x-real-ip", "127.0.0.1"),
        ("x-host", "evil.example"),
        ("client-cert", ":AQI=:"),
        ("x-hallpass-subject", "evil"),
        ("x_hallpass_scope", "evil"),
        ("remote-user", "evil"),
        ("x-http-method-override", "GET"),
        ("user-agent", "GoogleHC/1.0"),
        ("user-agent", "kube-probe/1.30"),
        ("via", "1.1 evil"),
    ];
    let told = async |field: Option<(&str, &str)>| {
        let with = |mut request: reqwest::RequestBuilder| {
            if let Some((name, value)) = field {
                request = request.header(name, value);
            }
            request
        };
        let mut told = Vec::new();
        for path in paths {
            let answer = with(house.http.get(house.url(path))).send().await.unwrap();
            told.push((answer.status(), answer.text().await.unwrap()));
        }
        for credential in [None, Some("x"), Some(token.as_str())] {
            let mut request = with(house.http.post(&house.endpoint)).body(CALL);
            if let Some(credential) = credential {
                request = request.bearer_auth(credential);
            }
            let answer = request.send().await.unwrap();
            told.push((answer.status(), format!("{:?}", answer.headers().get("www-authenticate"))));
        }
        told
    };
    let usual = told(None).await;
    assert_eq!(
        usual.iter().map(|(status, _)| status.as_u16()).collect::<Vec<_>>(),
        [200, 200, 200, 401, 401, 200]
    );
    for field in said {
        assert_eq!(told(Some(field)).await, usual, "{field:?}");
    }
    // These say nothing about who is calling.
    let passed_on = ["user-agent", "via", "x-host"];
    for received in house.upstream.received() {
        for (name, value) in received.headers.iter().filter(|(name, _)| !passed_on.contains(&name.as_str())) {
            assert!(!format!("{value:?}").contains("evil"), "{name}: {value:?}");
            let ours = ["x-hallpass-subject", "x-hallpass-scope"].contains(&name.as_str());
            assert!(ours || said.iter().all(|(stranger, _)| *stranger != name.as_str()), "{name}");
        }
    }
}

/// Row 36.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_is_there_twice_is_refused() {
    let house = House::with("", "[server.credentials]\napi_keys = true").await;
    let (host, bearer) = (house.authority(), format!("Bearer {}", house.token("notes:read")));
    let bearer = bearer.as_str();
    for fields in [
        &[("Host", host), ("Authorization", bearer), ("Authorization", bearer)][..],
        &[("Host", host), ("Authorization", bearer), ("authorization", "Basic YTpi")],
        &[("Host", host), ("Authorization", bearer), ("X-API-Key", "hpk_x")],
        &[("Host", host), ("X-API-Key", "hpk_x"), ("X-API-Key", "hpk_y")],
        &[("Host", host), ("Host", host), ("Authorization", bearer)],
        &[("Host", host), ("Host", "evil.example"), ("Authorization", bearer)],
    ] {
        assert_eq!(house.raw("/mcp", fields, CALL), 400, "{fields:?}");
    }
    assert!(house.upstream.received().is_empty());
    assert_eq!(house.raw("/mcp", &[("Host", host), ("Authorization", bearer)], CALL), 200);
}

/// Row 37: no spelling of the path but one leads upstream, and none leads around the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_spelling_of_the_path_leads_upstream() {
    let house = House::with("", "").await;
    let (host, bearer) = (house.authority(), format!("Bearer {}", house.token("notes:read")));
    for target in [
        "//mcp",
        "/mcp/",
        "/mcp//",
        "/./mcp",
        "/x/../mcp",
        "/mcp/.",
        "/mcp/..",
        "/mcp/../mcp",
        "/mcp;x",
        "/mcp/..;x",
        "/mcp/..;/mcp",
        "/;/mcp",
        "/%6dcp",
        "/mc%70",
        "/%2fmcp",
        "/mcp%2f",
        "/mcp%00",
        "/mcp%20",
        "/mcp%2e",
        "/mcp/%2e%2e/mcp",
        "/%2e/mcp",
        "/MCP",
        "/Mcp",
        "/mcp%3Fx",
        "/mcp%23",
        "\\mcp",
        "/\\mcp",
        "/mcp\\",
        "/mcpx",
        "/mc",
        "/admin/mcp",
        "/mcp/admin",
        "/.well-known/../mcp",
        "/.well-known/oauth-protected-resource/../../mcp",
        "mcp",
        "*",
        "http://evil.example/mcp",
        "//evil.example/mcp",
        "http:/mcp",
    ] {
        for fields in [&[("Host", host)][..], &[("Host", host), ("Authorization", bearer.as_str())]] {
            let status = house.raw(target, fields, CALL);
            assert!((400..500).contains(&status), "{target}: {status}");
        }
    }
    assert!(house.upstream.received().is_empty());
    assert_eq!(house.raw("/mcp", &[("Host", host)], CALL), 401);
    assert_eq!(house.raw("/mcp", &[("Host", host), ("Authorization", bearer.as_str())], CALL), 200);
}

/// Row 46: a batch is judged by all that is in it; what cannot be judged does not pass. Row 45 beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_judged_by_all_that_is_in_it() {
    let house = House::with("", "").await;
    let token = house.token("notes:read");
    let write = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"write_note"}}"#;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":"{}"}}"#, "x".repeat(5 << 20));
    for (what, body, expected) in [
        ("the second needs more", format!("[{CALL},{write}]"), 403),
        ("the last of many needs more", format!("[{}{write}]", format!("{CALL},").repeat(50)), 403),
        ("a batch within a batch", format!("[{CALL},[{write}]]"), 400),
        ("too deep", deep, 400),
        ("too large", large, 413),
        (
            "twice the method",
            r#"{"id":1,"method":"ping","method":"tools/call","params":{"name":"write_note"}}"#.into(),
            400,
        ),
        (
            "twice the name",
            r#"{"id":1,"method":"tools/call","params":{"name":"a","name":"write_note"}}"#.into(),
            400,
        ),
        ("no JSON", "{".into(), 400),
    ] {
        assert_eq!(house.post(&token, &body).await.status().as_u16(), expected, "{what}");
    }
    assert!(house.upstream.received().is_empty());
    assert_eq!(house.post(&token, &format!("[{CALL},{CALL}]")).await.status(), StatusCode::OK);
    let both = house.token("notes:read notes:write");
    assert_eq!(house.post(&both, &format!("[{CALL},{write}]")).await.status(), StatusCode::OK);
}

//! Upstreams that verified claims choose among: nothing but what is listed leads anywhere.

use std::io::Write;

use hallpass_testkit::upstream::Upstream;
use serde_json::{Value, json};

use crate::outside::Outside;
use crate::program::{Serving, run, said};

struct House {
    outside: Outside,
    upstream: Upstream,
    endpoint: String,
    http: reqwest::Client,
    _kept: (Serving, tempfile::TempDir, tempfile::NamedTempFile),
}

impl House {
    async fn start() -> Self {
        let (outside, upstream) = (Outside::start().await, Upstream::start().await);
        let mut config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        write!(
            config,
            "listen = \"127.0.0.1:0\"\n[server]\narrangement = \"external\"\n\
             upstream = \"{}\"\nupstream_values = {{ tenant = [\"acme\", \"globex\"], \"org.unit\" = [\"a\", \"b\"] }}\n\
             [[server.issuers]]\nissuer = \"{}\"\nclaims = {{ tenant = \"tid\" }}\n",
            upstream.url("/of/X/Y/mcp").as_str().replace('X', "{tenant}").replace('Y', "{org.unit}"),
            outside.issuer.issuer,
        )
        .unwrap();
        let data = tempfile::tempdir().unwrap();
        let mut serving = Serving::start(data.path(), &["--config", config.path().to_str().unwrap()]);
        let endpoint = serving.value_of("MCP endpoint");
        let _kept = (serving, data, config);
        Self { outside, upstream, endpoint, http: reqwest::Client::new(), _kept }
    }

    async fn call(&self, claims: &[(&str, Value)], endpoint: &str) -> (u16, String) {
        let now = std::time::SystemTime::now().into();
        let mut all = self.outside.issuer.claims(&self.endpoint, "mcp", now);
        for (name, value) in claims {
            all[*name] = value.clone();
        }
        let request = self.http.post(endpoint).bearer_auth(self.outside.issuer.sign(&all)).body("{}");
        // Whatever a client says of itself, nobody listens.
        let request = request.header("tid", "globex").header("x-hallpass-tenant", "globex");
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_claims_choose_and_nothing_else_does() {
    let house = House::start().await;
    let unit = |unit: &str| ("org", json!({ "unit": unit }));
    for (tenant, of, path) in [
        ("acme", "a", "/of/acme/a/mcp"),
        ("acme", "b", "/of/acme/b/mcp"),
        ("globex", "a", "/of/globex/a/mcp"),
        ("globex", "b", "/of/globex/b/mcp"),
    ] {
        assert_eq!(house.call(&[("tid", json!(tenant)), unit(of)], &house.endpoint).await.0, 200);
        assert_eq!(house.upstream.received().pop().unwrap().target, path);
    }
    let before = house.upstream.received().len();
    for tenant in [
        json!("initech"),
        json!(""),
        json!("Acme"),
        json!("acme "),
        json!("acme\n"),
        json!("."),
        json!(".."),
        json!("../acme"),
        json!("acme/.."),
        json!("acme/../globex"),
        json!("/acme"),
        json!("acme/"),
        json!("acme@evil.example"),
        json!("acme#"),
        json!("acme?x"),
        json!("acme%2f"),
        json!("%61cme"),
        json!("acm%65"),
        json!("acme\\"),
        json!("{tenant}"),
        json!(["acme"]),
        json!({ "acme": true }),
        json!(0),
        json!(null),
    ] {
        let (status, says) = house.call(&[("tid", tenant.clone()), unit("a")], &house.endpoint).await;
        assert_eq!(status, 403, "{tenant}: {says}");
        assert!(says.contains("no server behind this endpoint for this account"), "{says}");
    }
    // Each of the words counts, and nothing in the address of the request.
    for claims in [&[("tid", json!("acme"))][..], &[unit("a")], &[("tid", json!("acme")), unit("c")]] {
        assert_eq!(house.call(claims, &house.endpoint).await.0, 403);
    }
    let asked = format!("{}?tenant=globex&tid=globex", house.endpoint);
    assert_eq!(house.call(&[("tid", json!("initech")), unit("a")], &asked).await.0, 403);
    assert_eq!(house.upstream.received().len(), before, "nothing of it was carried on");
}

#[test]
fn a_pattern_says_all_that_it_can_become() {
    let data = tempfile::tempdir().unwrap();
    let check = |lines: &str| {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        write!(file, "[server]\n{lines}\n").unwrap();
        run(data.path(), &["config", "check", file.path().to_str().unwrap()])
    };
    let url = "upstream = \"https://{tenant}.internal/mcp\"\n";
    for (lines, words) in [
        (url.to_owned(), &[":2", "nobody says what {tenant} may be"][..]),
        (format!("{url}upstream_values = {{ tenant = [] }}"), &[":2", "nobody says"]),
        (
            format!("{url}upstream_values = {{ tenant = [\"a\"], org = [\"b\"] }}"),
            &[":3", "upstream has no {org}"],
        ),
        (format!("{url}upstream_values = {{ tenant = [\"a\", \"..\"] }}"), &[":3", "`..` can't be in a URL"]),
        (format!("{url}upstream_values = {{ tenant = [\"a/b\"] }}"), &["`a/b`"]),
        (format!("{url}upstream_values = {{ tenant = [\"a@b\"] }}"), &["`a@b`"]),
        (format!("{url}upstream_values = {{ tenant = [\"a#\"] }}"), &["`a#`"]),
        (format!("{url}upstream_values = {{ tenant = [\"a%2eb\"] }}"), &["`a%2eb`"]),
        ("upstream = \"https://{tenant/mcp\"".to_owned(), &["line 2, column 12", "a claim's name in braces"]),
        ("upstream = \"{scheme}://a/mcp\"".to_owned(), &["line 2, column 12"]),
        (
            "upstream = \"ftp://{a}/mcp\"\nupstream_values = { a = [\"b\"] }".to_owned(),
            &[":2", "isn't an http or https URL"],
        ),
        (
            format!("{url}upstream_values = {{ tenant = [{}] }}", "\"a\",".repeat(201)),
            &[":2", "more than 200 servers"],
        ),
    ] {
        let output = check(&lines);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{lines}: {why}");
        for word in words {
            assert!(why.contains(word), "{lines}: {why}");
        }
    }
    let good = said(&check(&format!("{url}upstream_values = {{ tenant = [\"acme\", \"globex\"] }}")));
    assert!(good.contains("upstream   https://{tenant}.internal/mcp, tenant is acme or globex"), "{good}");
}

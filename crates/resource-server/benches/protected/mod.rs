//! What both benchmarks measure: a protected resource, tokens for it, the bare check of a signature.

#![allow(dead_code)] // Each benchmark uses its own part of this.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::jose::PublicKey;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{Keys, Policy, ResourceServer, Settings, TrustedIssuer};
use hallpass_testkit::issuer::TestIssuer;
use serde_json::json;

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

pub(crate) fn token(issuer: &TestIssuer, n: usize) -> String {
    let mut claims = issuer.claims(RESOURCE, "notes:read", NOW);
    claims["jti"] = json!(format!("token-{n}"));
    issuer.sign(&claims)
}

/// With 1,000 rules.
pub(crate) fn server(issuer: &TestIssuer, remembered: usize) -> ResourceServer {
    server_with(issuer, remembered, rules())
}

/// The same for an issuer of any kind.
pub(crate) fn server_for(issuer: TrustedIssuer, remembered: usize) -> ResourceServer {
    trusting(issuer, remembered, rules())
}

pub(crate) fn server_with(issuer: &TestIssuer, remembered: usize, tools: Vec<Rule>) -> ResourceServer {
    trusting(TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(issuer.keys())), remembered, tools)
}

fn trusting(issuer: TrustedIssuer, remembered: usize, tools: Vec<Rule>) -> ResourceServer {
    let clock = Clock::new(|| NOW);
    let mut settings = Settings::new(ResourceIdentifier::parse(RESOURCE).unwrap(), clock);
    settings.issuers.push(issuer);
    settings.remembered_tokens = remembered;
    settings.policy = Policy { login: ScopeSet::parse("notes:read").unwrap(), tools, ..Policy::default() };
    ResourceServer::new(settings)
}

/// 1,000 rules as people write them: names, beginnings, endings, and some with a star in the middle.
fn rules() -> Vec<Rule> {
    let pattern = |n: usize| match n % 10 {
        0..5 => format!("tool_{n}"),
        5..8 => format!("group_{}_*", n / 10),
        8 => format!("*_kind_{n}"),
        _ => format!("team_{n}_*_report"),
    };
    (0..1_000).map(|n| Rule::scopes(pattern(n), ScopeSet::parse("notes:read").unwrap())).collect()
}

/// Calls of tools that rules of each kind match, and of one that none does.
pub(crate) fn calls() -> [String; 5] {
    let tools = ["tool_500", "group_77_x", "some_kind_508", "team_509_monthly_report", "nothing_of_these"];
    tools.map(|tool| json!({"id": 1, "method": "tools/call", "params": {"name": tool}}).to_string())
}

/// Checks the signature alone.
pub(crate) struct Bare(UnparsedPublicKey<Vec<u8>>);

impl Bare {
    pub(crate) fn of(issuer: &TestIssuer) -> Self {
        let PublicKey::P256 { x, y } = issuer.key.public_jwk().key else {
            unreachable!("the test's issuer signs with ES256")
        };
        let mut point = vec![4];
        for part in [x, y] {
            point.extend(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap());
        }
        Self(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
    }

    /// What is signed, and the signature.
    pub(crate) fn parts(token: &str) -> (&str, Vec<u8>) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        (signed, BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
    }

    pub(crate) fn check(&self, (signed, signature): &(&str, Vec<u8>)) {
        self.0.verify(signed.as_bytes(), signature).unwrap();
    }
}

//! What a protected resource costs: `cargo xtask bench resource-server`.
//!
//! Medians of many short rounds, in one process, beside the bare signature check of aws-lc-rs in the same run.
//! With `--json`, the figures for programs.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A benchmark that can't be set up has failed.

mod protected;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use hallpass_resource_server::json_rpc::peek;
use hallpass_resource_server::{Keys, ResourceServer, TrustedIssuer};
use hallpass_testkit::issuer::TestIssuer;
use protected::{Bare, calls, server, server_for, token};
use serde_json::json;

const COLD: usize = 4_000;
const DISTINCT: usize = 1_000_000;
const REMEMBERED: usize = 10_000;

fn main() {
    // A test runner that asks for tests is told that there are none.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let issuer = TestIssuer::new("https://login.example.com");
    let tokens: Vec<String> = (0..COLD).map(|n| token(&issuer, n)).collect();
    let server = server(&issuer, COLD * 2);

    let bare = bare(&issuer, &tokens);
    let mut cold = tokens.iter();
    let cold = median(COLD / 20, 20, || drop(black_box(server.verify(cold.next().unwrap()).unwrap())));
    let cached = median(200, 1_000, || drop(black_box(server.verify(&tokens[0]).unwrap())));
    let policy = policy(&server, &tokens[0]);
    let (grown, most) = memory();

    if std::env::args().any(|arg| arg == "--json") {
        let figures = json!({
            "bare_es256_ns": bare, "cold_es256_ns": cold, "cold_to_bare": cold / bare, "cached_ns": cached,
            "policy_1000_rules_ns": policy, "distinct_tokens": DISTINCT, "remembered_tokens": REMEMBERED,
            "grown_bytes": grown, "bytes_a_token": most,
        });
        println!("{figures}");
        return;
    }
    println!("| what | measured | bound |");
    println!("|---|---|---|");
    println!("| bare ES256 check of aws-lc-rs | {:.1} µs | – |", bare / 1e3);
    println!("| a token that was never seen | {:.1} µs, {:.2} × bare | 1.15 × |", cold / 1e3, cold / bare);
    println!("| a token that is remembered | {:.2} µs | 1 µs |", cached / 1e3);
    println!("| policy with 1,000 rules | {:.2} µs | 2 µs |", policy / 1e3);
    println!(
        "| memory after {DISTINCT} distinct tokens, {REMEMBERED} remembered | {:.1} MiB, {most} bytes a token | 4 KiB a token |",
        grown as f64 / 1048576.0
    );
}

/// The signature alone, of the same tokens.
fn bare(issuer: &TestIssuer, tokens: &[String]) -> f64 {
    let bare = Bare::of(issuer);
    let parts: Vec<_> = tokens.iter().map(|token| Bare::parts(token)).collect();
    let mut next = parts.iter().cycle();
    median(COLD / 20, 20, || bare.check(next.next().unwrap()))
}

fn policy(server: &ResourceServer, token: &str) -> f64 {
    let verified = server.verify(token).unwrap();
    let bodies = calls();
    let messages: Vec<_> = bodies.iter().map(|body| peek(body.as_bytes()).unwrap()).collect();
    let mut next = messages.iter().cycle();
    median(200, 1_000, || server.judge(next.next().unwrap(), verified.caller()).unwrap())
}

/// How much the process grows by tokens that come once each, and what one that is remembered takes. They are signed with
/// Ed25519, which costs a million of them less than ES256 does; what is remembered of a token has no signature in it.
fn memory() -> (u64, u64) {
    let issuer = TestIssuer {
        key: SigningKey::generate(Algorithm::EdDSA).unwrap(),
        ..TestIssuer::new("https://login.example.com")
    };
    let set = JwkSet { keys: vec![issuer.key.public_jwk()] };
    let keys = VerifyingKeys::from_jwk_set(&set, &[Algorithm::EdDSA]);
    let server =
        Arc::new(server_for(TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(keys)), REMEMBERED));
    let before = resident();
    for n in 0..DISTINCT {
        server.verify(&token(&issuer, n)).unwrap();
    }
    let grown = resident().saturating_sub(before);
    (grown, grown / REMEMBERED as u64)
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// The median of rounds, in nanoseconds for one time.
fn median(rounds: usize, times: u32, mut what: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            (0..times).for_each(|_| what());
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(times)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
